//! Carries what one box says to the other chain: the message's proof at an anchored height, and the proof of the gateway
//! that it stands on.
//!
//! The gateway proof's intent names gateway and height, so that all who need one height cause one transaction.

use super::case::Case;
use super::desk::{Errands, Leave};
use crate::messages::AnchoredRoot;
use facilitator_chain::reader::{Answer, At, Query};
use facilitator_eth::{Address, B256, U256};
use facilitator_protocol::contracts::gateway as gateways;
use facilitator_protocol::gateway::GatewaySet;
use facilitator_protocol::model::{MessageStatus, Side, Step};
use facilitator_protocol::proof::{self, AccountProof};
use facilitator_sender::{Submit, Visibility};

/// A message's entry in one box, to be shown to the other chain.
pub(super) struct Exhibit<'a> {
    /// The chain of the box.
    pub(super) from: Side,
    /// The box.
    pub(super) contract: Address,
    /// The entry.
    pub(super) key: B256,
    /// What its name is in words.
    pub(super) name: &'static str,
    /// Statuses that serve.
    pub(super) wanted: &'a [MessageStatus],
}

impl<'a> Exhibit<'a> {
    /// The message in the outbox of the source chain.
    pub(super) fn outbox(case: &Case, gateway: &GatewaySet, message: B256, wanted: &'a [MessageStatus]) -> Self {
        let key = proof::outbox_key(message, gateway.message_box_offset);
        Self { from: case.source(), contract: gateway.box_on(case.source()), key, name: "outbox", wanted }
    }

    /// The message in the inbox of the target chain.
    pub(super) fn inbox(case: &Case, gateway: &GatewaySet, message: B256, wanted: &'a [MessageStatus]) -> Self {
        let key = proof::inbox_key(message, gateway.message_box_offset);
        Self { from: case.target(), contract: gateway.box_on(case.target()), key, name: "inbox", wanted }
    }

    /// Fetches the proof at an anchored height and checks it against the root; `Err` says in words why the height can't
    /// be used: its block was orphaned (protocol.md R16), the node lacks its state, or the message had another status.
    pub(super) async fn at<D: Errands>(
        &self,
        desk: &mut D,
        case: &Case,
        root: AnchoredRoot,
    ) -> Result<Result<(AccountProof, MessageStatus), String>, Leave> {
        let height = root.height;
        Ok(match case.read(desk, self.from, self.query(height)).await? {
            Some(Answer::Proof(account)) => self.check(account, root),
            Some(Answer::Failed(text)) => Err(format!("no proof at height {height}: {text}")),
            Some(Answer::Data(_) | Answer::Reverted(_) | Answer::Number(_) | Answer::Root(_)) | None => {
                return Err(Leave::OutOfTurn("no proof"));
            }
        })
    }

    /// What asks for the proof at a height.
    fn query(&self, height: u64) -> Query {
        Query::Proof { address: self.contract, key: self.key, height }
    }

    /// What [`Exhibit::at`] and [`Exhibit::gateway_proof`] ask at a height.
    pub(super) fn questions(&self, case: &Case, gateway: &GatewaySet, height: u64) -> Vec<(Side, Query)> {
        let to = self.from.other();
        vec![(self.from, self.query(height)), (to, probe(case, gateway, to, height))]
    }

    fn check(&self, account: AccountProof, root: AnchoredRoot) -> Result<(AccountProof, MessageStatus), String> {
        let height = root.height;
        if account.address != self.contract || account.height != height {
            return Err(format!("the node answered with the proof of another account or height than {height}"));
        }
        proof::check(&account, root.root).map_err(|error| {
            format!("the root anchored for height {height} does not fit the chain ({error}); the next one is awaited")
        })?;
        let value = account.slot(self.key).map(|slot| slot.value).unwrap_or_default();
        let status = self.wanted.iter().copied().find(|status| U256::from(gateways::status_number(*status)) == value);
        match status {
            Some(status) => Ok((account, status)),
            None => {
                let wanted: Vec<String> =
                    self.wanted.iter().map(|status| gateways::status_number(*status).to_string()).collect();
                let (wanted, name) = (wanted.join(" or "), self.name);
                Err(format!("at height {height} the message has status {value} in the {name}, not {wanted}"))
            }
        }
    }

    /// The gateway proof at the account's height, for the chain that the box is shown to; `None` if it is proven there.
    pub(super) async fn gateway_proof<D: Errands>(
        &self,
        desk: &mut D,
        case: &Case,
        gateway: &GatewaySet,
        account: &AccountProof,
    ) -> Result<Option<Submit>, Leave> {
        let to = self.from.other();
        let answer = case.read(desk, to, probe(case, gateway, to, account.height)).await?;
        // The probe succeeds only where the height is proven already (protocol.md §2.5).
        let proven = matches!(answer, Some(Answer::Data(_)));
        Ok((!proven).then(|| prove_transaction(case, to, gateway.box_on(to), account)))
    }
}

/// Not a view: it must not be packed with views, so it is asked in the name of an account.
fn probe(case: &Case, gateway: &GatewaySet, to: Side, height: u64) -> Query {
    let data = gateways::probe_proven(height);
    Query::trial(case.worker_on(to), gateway.box_on(to), data, At::Latest)
}

fn prove_transaction(case: &Case, side: Side, prover: Address, account: &AccountProof) -> Submit {
    Submit {
        intent: format!("prove:{}:{}", prover.to_lower_hex(), account.height),
        request_id: Some(case.request().id),
        step: Step::ProveGateway,
        from: case.worker_on(side),
        to: prover,
        value: U256::ZERO,
        data: gateways::prove_gateway(
            account.height,
            &proof::serialise_account(account),
            &proof::serialise_nodes(&account.account_nodes),
        ),
        allowance: None,
        after: None,
        visibility: Visibility::Public,
        expect: None,
        seen: case.head_on(side),
    }
}

/// Anchored heights at or above `lowest`: first those whose gateway proof is paid for already, then newest first.
pub(super) fn candidates(roots: &[AnchoredRoot], proving: &[u64], lowest: u64) -> Vec<AnchoredRoot> {
    let usable = || roots.iter().copied().filter(|root| root.height >= lowest);
    let paid = usable().filter(|root| proving.contains(&root.height));
    let fresh = usable().filter(|root| !proving.contains(&root.height));
    paid.chain(fresh).collect()
}

/// All anchored heights from `lowest` on, the oldest first.
pub(super) fn oldest_first(roots: &[AnchoredRoot], lowest: u64) -> Vec<AnchoredRoot> {
    roots.iter().rev().copied().filter(|root| root.height >= lowest).collect()
}

/// The height from which on a root may bring what none of these does.
pub(super) fn next_height(roots: &[AnchoredRoot], lowest: u64) -> u64 {
    roots.first().map_or(lowest, |newest| lowest.max(newest.height.saturating_add(1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heights_that_are_paid_for_come_first_and_none_below_the_declaration() {
        let roots: Vec<AnchoredRoot> = [30, 20, 10].map(|height| AnchoredRoot { height, root: B256::ZERO }).to_vec();
        let heights = |proving: &[u64], lowest| -> Vec<u64> {
            candidates(&roots, proving, lowest).iter().map(|root| root.height).collect()
        };
        assert_eq!(heights(&[], 5), [30, 20, 10]);
        assert_eq!(heights(&[20, 10], 15), [20, 30]);
        assert!(heights(&[30], 31).is_empty());
    }
}
