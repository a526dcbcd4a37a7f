//! What a node's simulation of a transaction means: whether it may be signed, and with how much gas.
//!
//! Invariant: there is no default. What could not be estimated is not signed, and what would not do what it's for
//! (protocol.md R4: also what must not be revealed in vain) is not signed either.

use super::answer;
use crate::types::Failure;
use facilitator_chain::rpc::RpcError;
use facilitator_eth::{B256, Bytes, abi::Revert};
use facilitator_protocol::model::Step;

/// Whether a transaction may be signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// With this gas limit.
    Sign(u64),
    /// It would fail, or do something else than it's for.
    Refuse(Failure),
    /// The account lacks base coin even for the simulation.
    Short,
    /// The node could not tell.
    Unknown(RpcError),
}

/// What a storage slot costs more to write when it is empty by then (EIP-2200), units of gas.
const EMPTY_SLOT: u64 = 20_000;

/// The estimate of a step, raised by what its own earlier transactions may make it cost more: accepts that are mined
/// before an approval use up the allowance that was there when it was estimated, so that it fills an empty slot.
#[must_use]
pub fn worst_case(step: Step, estimate: u64) -> u64 {
    match step {
        Step::Approve => estimate.saturating_add(EMPTY_SLOT),
        Step::Accept
        | Step::ProveGateway
        | Step::Confirm
        | Step::ProgressSource
        | Step::ProgressTarget
        | Step::Cancel => estimate,
    }
}

/// How much of its gas a transaction may get back at its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refunds {
    /// A fifth: since london (EIP-3529), on every chain with a base fee.
    UpToAFifth,
    /// A half: before.
    UpToHalf,
}

/// The gas that a transaction must be given which was charged for `used` where it had plenty: what is refunded at its end
/// is needed until then, and each call within it passes on no more than 63/64 of what is left (EIP-150).
#[must_use]
pub fn needed(used: u64, refunds: Refunds) -> u64 {
    let used = u128::from(used);
    let before_refunds = match refunds {
        Refunds::UpToAFifth => used * 5 / 4,
        Refunds::UpToHalf => used * 2,
    };
    // Four calls deep.
    u64::try_from(before_refunds * 107 / 100).unwrap_or(u64::MAX)
}

/// Decides by the estimate of gas and, where a certain return value is expected, by what a call returned.
#[must_use]
pub fn judge(
    estimate: Result<u64, RpcError>,
    call: Option<(B256, Result<Bytes, RpcError>)>,
    margin_percent: u32,
) -> Verdict {
    let gas = match estimate {
        Ok(gas) => gas,
        Err(error) => return refusal(error),
    };
    match call {
        None => Verdict::Sign(with_margin(gas, margin_percent)),
        Some((expected, Ok(got))) if got.0 == expected.0 => Verdict::Sign(with_margin(gas, margin_percent)),
        Some((expected, Ok(got))) => Verdict::Refuse(Failure::Unexpected { expected, got }),
        Some((_, Err(error))) => refusal(error),
    }
}

fn refusal(error: RpcError) -> Verdict {
    // Before reverts: "gas required exceeds allowance" may stand beside it, and only the funds can mend both.
    if answer::lacks_funds(&error) {
        return Verdict::Short;
    }
    match error.revert_data() {
        Some(data) => Verdict::Refuse(Failure::WouldRevert(reason(&data, &error))),
        None => Verdict::Unknown(error),
    }
}

/// Some nodes give the reason in words alone.
fn reason(data: &Bytes, error: &RpcError) -> Revert {
    if !data.is_empty() {
        return Revert::decode(&data.0);
    }
    let text = error.to_string();
    match text.split_once("execution reverted: ") {
        Some((_, words)) if !words.trim().is_empty() => Revert::Reason(words.trim().chars().take(256).collect()),
        Some(_) | None => Revert::Empty,
    }
}

/// State may change between the estimate and the block: proofs grow, slots become non-zero.
#[must_use]
pub fn with_margin(gas: u64, percent: u32) -> u64 {
    let scaled = u128::from(gas) * (100 + u128::from(percent)) / 100;
    u64::try_from(scaled).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use facilitator_eth::abi;
    use serde_json::json;

    fn server(code: i64, message: &str, data: Option<serde_json::Value>) -> RpcError {
        RpcError::Server { code, message: message.into(), data }
    }

    fn would_revert(reason: Revert) -> Verdict {
        Verdict::Refuse(Failure::WouldRevert(reason))
    }

    /// An approval estimated over a remaining allowance ran out of gas once accepts before it had used that up.
    #[test]
    fn an_approval_has_gas_for_an_allowance_that_is_used_up_by_then() {
        let (over_a_remainder, from_nothing) = (26_000, 46_000);
        assert!(worst_case(Step::Approve, over_a_remainder) >= from_nothing);
        assert_eq!(worst_case(Step::Confirm, 500_000), 500_000);
    }

    #[test]
    fn what_is_refunded_at_the_end_is_needed_before() {
        // Used 500,000, of which so much was refunded that 400,000 were charged.
        assert!(needed(400_000, Refunds::UpToAFifth) >= 500_000 * 64 / 63);
        assert!(needed(250_000, Refunds::UpToHalf) >= 500_000 * 64 / 63);
        assert_eq!(needed(u64::MAX, Refunds::UpToHalf), u64::MAX);
    }

    #[test]
    fn only_what_would_succeed_is_signed() {
        let said = "Stake request must exists.";
        let data = abi::call(abi::selector("Error(string)"), &[abi::Value::Bytes(Bytes(said.into()))]).to_string();
        let expected = B256([7; 32]);
        let down = RpcError::Timeout { endpoint: "http://node".into(), message: "10 s".into() };
        let returned = |byte: u8| Some((expected, Ok(Bytes(vec![byte; 32]))));
        let cases = [
            (Ok(100_000), None, Verdict::Sign(120_000)),
            (Ok(u64::MAX), None, Verdict::Sign(u64::MAX)),
            (Ok(100_000), returned(7), Verdict::Sign(120_000)),
            (Ok(100_000), returned(8), Verdict::Refuse(Failure::Unexpected { expected, got: Bytes(vec![8; 32]) })),
            (
                Err(server(3, "execution reverted", Some(json!(data)))),
                returned(7),
                would_revert(Revert::Reason(said.into())),
            ),
            (Err(server(3, "execution reverted", Some(json!("0x")))), None, would_revert(Revert::Empty)),
            (
                Err(server(-32000, "execution reverted: Invalid nonce.", None)),
                None,
                would_revert(Revert::Reason("Invalid nonce.".into())),
            ),
            (Err(server(-32000, "insufficient funds for transfer", None)), None, Verdict::Short),
            (
                Err(server(-32000, "header not found", None)),
                None,
                Verdict::Unknown(server(-32000, "header not found", None)),
            ),
            (Ok(1), Some((expected, Err(down.clone()))), Verdict::Unknown(down.clone())),
            (Err(down.clone()), returned(7), Verdict::Unknown(down)),
        ];
        for (estimate, call, verdict) in cases {
            assert_eq!(judge(estimate.clone(), call.clone(), 20), verdict, "{estimate:?} {call:?}");
        }
    }
}
