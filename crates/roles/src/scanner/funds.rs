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
    let gateways = match setup.chain.side {
        Side::Origin => setup.gateways.iter().map(|gateway| gateway.gateway).collect(),
        Side::Auxiliary => Vec::new(),
    };
    tokio::spawn(async move {
        let balances = read(&reader, &workers, &gateways).await;
        if let Err(error) = parent.send(&FromScanner::Balances(balances)).await {
            tracing::debug!(%error, "the funds of the workers were not delivered");
        }
    });
}

async fn read(reader: &Reader, workers: &[Address], gateways: &[Address]) -> Vec<Balance> {
    let tokens = base_tokens(reader, gateways).await;
    let mut queries: Vec<Query> =
        workers.iter().map(|address| Query::Balance { address: *address, at: At::Latest }).collect();
    for token in &tokens {
        queries.extend(workers.iter().map(|worker| call(*token, token::balance_of(*worker).data)));
    }
    let answers = reader.ask(queries).await;
    let amount = |row: usize, column: usize| answers.get(row * workers.len() + column).and_then(number);
    let one = |(index, address): (usize, &Address)| Balance {
        address: *address,
        coin: amount(0, index),
        bounty_tokens: (1..).zip(&tokens).map(|(row, token)| (*token, amount(row, index))).collect(),
    };
    workers.iter().enumerate().map(one).collect()
}

/// What bounties are paid in, each token once, in the order of the gateways.
async fn base_tokens(reader: &Reader, gateways: &[Address]) -> Vec<Address> {
    let view = gateway::base_token();
    let answers = reader.ask(gateways.iter().map(|at| call(*at, view.data.clone())).collect()).await;
    let mut tokens = Vec::new();
    for answer in &answers {
        let token = match answer {
            Answer::Data(data) => view.decode(data).ok(),
            Answer::Reverted(_) | Answer::Number(_) | Answer::Proof(_) | Answer::Root(_) | Answer::Failed(_) => None,
        };
        tokens.extend(token.filter(|token| !tokens.contains(token)));
    }
    tokens
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
