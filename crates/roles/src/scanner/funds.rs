//! The funds of the worker keys, for `status`: read from time to time, beside everything else.

use super::ToParent;
use crate::messages::{Balance, FromScanner, ScannerSetup};
use facilitator_chain::reader::{Answer, At, Query, Reader};
use facilitator_eth::{Address, Bytes, U256};
use facilitator_protocol::contracts::{gateway, token};
use facilitator_protocol::model::Side;

/// Reads and tells, without anybody waiting for it.
pub(super) fn report(setup: &ScannerSetup, reader: &Reader, parent: &ToParent) {
    let (reader, parent, workers) = (reader.clone(), parent.clone(), setup.workers.clone());
    let gateway = match setup.chain.side {
        Side::Origin => setup.gateways.first().map(|gateway| gateway.gateway),
        Side::Auxiliary => None,
    };
    tokio::spawn(async move {
        let balances = read(&reader, &workers, gateway).await;
        if let Err(error) = parent.send(&FromScanner::Balances(balances)).await {
            tracing::debug!(%error, "the funds of the workers were not delivered");
        }
    });
}

async fn read(reader: &Reader, workers: &[Address], gateway: Option<Address>) -> Vec<Balance> {
    let bounty_token = match gateway {
        Some(gateway) => base_token(reader, gateway).await,
        None => None,
    };
    let mut queries: Vec<Query> =
        workers.iter().map(|address| Query::Balance { address: *address, at: At::Latest }).collect();
    if let Some(to) = bounty_token {
        queries.extend(workers.iter().map(|worker| call(to, token::balance_of(*worker).data)));
    }
    let answers = reader.ask(queries).await;
    let (coins, tokens) = answers.split_at(workers.len().min(answers.len()));
    let one = |(index, address): (usize, &Address)| Balance {
        address: *address,
        coin: coins.get(index).and_then(number),
        bounty_token: tokens.get(index).and_then(number),
    };
    workers.iter().enumerate().map(one).collect()
}

async fn base_token(reader: &Reader, at: Address) -> Option<Address> {
    let view = gateway::base_token();
    match reader.ask_one(call(at, view.data.clone())).await {
        Answer::Data(data) => view.decode(&data).ok(),
        Answer::Reverted(_) | Answer::Number(_) | Answer::Proof(_) | Answer::Root(_) | Answer::Failed(_) => None,
    }
}

const fn call(to: Address, data: Bytes) -> Query {
    Query::Call { from: None, to, data, at: At::Latest }
}

fn number(answer: &Answer) -> Option<U256> {
    match answer {
        Answer::Number(number) => Some(*number),
        Answer::Data(data) => token::balance_of(Address::ZERO).decode(data).ok(),
        Answer::Reverted(_) | Answer::Proof(_) | Answer::Root(_) | Answer::Failed(_) => None,
    }
}
