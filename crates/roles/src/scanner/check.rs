//! Whether the contracts on one chain are what the configuration says (protocol.md §1.2), and what they say of
//! themselves.

use crate::messages::{ConfiguredGateway, Discovered, Unfit};
use facilitator_chain::reader::{Answer, At, Query, Reader};
use facilitator_eth::{Address, U256};
use facilitator_protocol::contracts::{self, View, anchor, gateway, pool, token};
use facilitator_protocol::gateway::Mints;
use facilitator_protocol::model::Side;

/// Why the contracts are not checked.
#[derive(Debug)]
pub enum CheckError {
    /// The node did not answer: try again.
    Unreachable(String),
    /// They contradict the configuration.
    Unfit(Unfit),
}

/// Checks configured gateways on one chain of the pair.
///
/// # Errors
/// [`CheckError`] of the first contract that does not answer or contradicts the configuration.
pub async fn contracts(
    side: Side,
    gateways: &[ConfiguredGateway],
    reader: &Reader,
) -> Result<Vec<Discovered>, CheckError> {
    let mut found = Vec::with_capacity(gateways.len());
    for configured in gateways {
        let check = Check { reader, side };
        found.push(match side {
            Side::Origin => check.origin(configured).await?,
            Side::Auxiliary => check.auxiliary(configured).await?,
        });
    }
    Ok(found)
}

struct Check<'a> {
    reader: &'a Reader,
    side: Side,
}

impl Check<'_> {
    async fn origin(&self, configured: &ConfiguredGateway) -> Result<Discovered, CheckError> {
        let at = configured.gateway;
        self.boxes(at, "gateway", configured.cogateway, configured.anchor, configured.auxiliary_chain_id).await?;
        Ok(Discovered::Origin {
            gateway: at,
            value_token: self.ask(at, "gateway.token()", &gateway::token()).await?,
            base_token: self.ask(at, "gateway.baseToken()", &gateway::base_token()).await?,
            composer_organization: self
                .ask(configured.composer, "composer.organization()", &pool::organization())
                .await?,
            stake_vault: self.ask(at, "gateway.stakeVault()", &gateway::stake_vault()).await?,
            message_box_offset: self.offset(at, "gateway").await?,
        })
    }

    async fn auxiliary(&self, configured: &ConfiguredGateway) -> Result<Discovered, CheckError> {
        let at = configured.cogateway;
        self.boxes(at, "cogateway", configured.gateway, configured.co_anchor, configured.origin_chain_id).await?;
        let utility_token = self.ask(at, "cogateway.utilityToken()", &gateway::utility_token()).await?;
        let pool_organization = match configured.redeem_pool {
            Some(pool) => Some(self.ask(pool, "redeemPool.organization()", &pool::organization()).await?),
            None => None,
        };
        Ok(Discovered::Auxiliary {
            cogateway: at,
            utility_token,
            pool_organization,
            mints: self.mints(utility_token).await?,
            message_box_offset: self.offset(at, "cogateway").await?,
        })
    }

    /// What both gateways have in common: the remote one, the anchor, and the chain that the anchor is about.
    async fn boxes(
        &self,
        at: Address,
        name: &str,
        remote: Address,
        anchor_address: Address,
        remote_chain: u64,
    ) -> Result<(), CheckError> {
        let found = self.ask(at, &format!("{name}.remoteGateway()"), &gateway::remote_gateway()).await?;
        self.same(&format!("{name} {at}"), "remote gateway", &found, &remote)?;
        let found = self.ask(at, &format!("{name}.stateRootProvider()"), &gateway::state_root_provider()).await?;
        self.same(&format!("{name} {at}"), "anchor", &found, &anchor_address)?;
        let found = self.ask(anchor_address, "anchor.getRemoteChainId()", &anchor::get_remote_chain_id()).await?;
        self.same(&format!("anchor {anchor_address}"), "remote chain", &found, &U256::from(remote_chain))
    }

    fn same<T: PartialEq + std::fmt::Display>(
        &self,
        whose: &str,
        what: &str,
        found: &T,
        configured: &T,
    ) -> Result<(), CheckError> {
        if found == configured {
            return Ok(());
        }
        let side = self.side;
        Err(unfit(format!("{whose} on the {side} chain says its {what} is {found}, configured is {configured}")))
    }

    async fn offset(&self, at: Address, name: &str) -> Result<u8, CheckError> {
        let offset = self.ask(at, &format!("{name}.MESSAGE_BOX_OFFSET()"), &gateway::message_box_offset()).await?;
        u8::try_from(offset).map_err(|_| unfit(format!("{name} {at} has an impossible message box offset {offset}")))
    }

    /// Only OSTPrime can say whether it is initialised; a plain utility token has no such function.
    async fn mints(&self, utility_token: Address) -> Result<Mints, CheckError> {
        let view = token::initialized();
        match self.answer(utility_token, &view).await? {
            Answer::Data(data) => match view.decode(&data) {
                Ok(true) => Ok(Mints::BaseCoin),
                Ok(false) => Err(unfit(format!(
                    "OSTPrime {utility_token} on the auxiliary chain is not initialized: it can't mint; \
                     its owner must call initialize()"
                ))),
                Err(_) => Ok(Mints::Token),
            },
            Answer::Reverted(_) => Ok(Mints::Token),
            Answer::Failed(text) => Err(CheckError::Unreachable(text)),
            Answer::Number(_) | Answer::Proof(_) | Answer::Root(_) => Ok(Mints::Token),
        }
    }

    async fn answer<T>(&self, to: Address, view: &View<T>) -> Result<Answer, CheckError> {
        let query = Query::Call { from: None, to, data: view.data.clone(), at: At::Latest };
        Ok(self.reader.ask_one(query).await)
    }

    async fn ask<T: contracts::Answer>(&self, to: Address, name: &str, view: &View<T>) -> Result<T, CheckError> {
        match self.answer(to, view).await? {
            Answer::Data(data) => view.decode(&data).map_err(|_| self.no_contract(to, name)),
            Answer::Failed(text) => Err(CheckError::Unreachable(text)),
            Answer::Reverted(_) | Answer::Number(_) | Answer::Proof(_) | Answer::Root(_) => {
                Err(self.no_contract(to, name))
            }
        }
    }

    fn no_contract(&self, to: Address, name: &str) -> CheckError {
        let side = self.side;
        unfit(format!("{to} on the {side} chain does not answer {name}: check the addresses in the mosaic config"))
    }
}

fn unfit(text: String) -> CheckError {
    CheckError::Unfit(Unfit::Contracts(text))
}
