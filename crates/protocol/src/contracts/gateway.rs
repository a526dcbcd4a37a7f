//! EIP20Gateway (origin) and EIP20CoGateway (auxiliary): the life of messages (protocol.md 2.3 to 2.5).
//!
//! Here are the transactions; what the gateways can be asked is in `views`. The legs are told by [`Kind`]: the source
//! leg runs on the chain of the outbox, the target leg on that of the inbox.

mod views;

pub use views::*;

use super::{Function, address, bytes, functions, number, uint, word};
use crate::{
    model::{Kind, MessageStatus},
    secret::UnlockSecret,
};
use facilitator_eth::{Address, B256, Bytes, U256};

functions! {
    PROVE_GATEWAY = "proveGateway(uint256,bytes,bytes)", 0x21ea_7ee1;
    STAKE = "stake(uint256,address,uint256,uint256,uint256,bytes32)", 0x6bb1_2049;
    REDEEM = "redeem(uint256,address,uint256,uint256,uint256,bytes32)", 0xbf41_b9d9;
    CONFIRM_STAKE_INTENT =
        "confirmStakeIntent(address,uint256,address,uint256,uint256,uint256,bytes32,uint256,bytes)", 0x4837_e163;
    CONFIRM_REDEEM_INTENT =
        "confirmRedeemIntent(address,uint256,address,uint256,uint256,uint256,uint256,bytes32,bytes)", 0x5161_7b78;
    PROGRESS_STAKE = "progressStake(bytes32,bytes32)", 0x4240_760a;
    PROGRESS_MINT = "progressMint(bytes32,bytes32)", 0xb0c3_49cc;
    PROGRESS_REDEEM = "progressRedeem(bytes32,bytes32)", 0x5e01_b514;
    PROGRESS_UNSTAKE = "progressUnstake(bytes32,bytes32)", 0xcbc3_ec97;
    PROGRESS_STAKE_WITH_PROOF = "progressStakeWithProof(bytes32,bytes,uint256,uint256)", 0xe065_c793;
    PROGRESS_MINT_WITH_PROOF = "progressMintWithProof(bytes32,bytes,uint256,uint256)", 0x05d5_9bae;
    PROGRESS_REDEEM_WITH_PROOF = "progressRedeemWithProof(bytes32,bytes,uint256,uint256)", 0xc981_4bfe;
    PROGRESS_UNSTAKE_WITH_PROOF = "progressUnstakeWithProof(bytes32,bytes,uint256,uint256)", 0xc818_e2f0;
    REVERT_STAKE = "revertStake(bytes32)", 0x212d_bdbe;
    REVERT_REDEEM = "revertRedeem(bytes32)", 0xde5b_27db;
    CONFIRM_REVERT_STAKE = "confirmRevertStakeIntent(bytes32,uint256,bytes)", 0xd470_ce11;
    CONFIRM_REVERT_REDEEM = "confirmRevertRedeemIntent(bytes32,uint256,bytes)", 0x2d25_2d5b;
    PROGRESS_REVERT_STAKE = "progressRevertStake(bytes32,uint256,bytes)", 0xfecb_bab5;
    PROGRESS_REVERT_REDEEM = "progressRevertRedeem(bytes32,uint256,bytes)", 0x94e9_b992;
    ACTIVATE_GATEWAY = "activateGateway(address)", 0xe73f_f964;
    DEACTIVATE_GATEWAY = "deactivateGateway()", 0x2c0b_a56a;
    INITIATE_BOUNTY_CHANGE = "initiateBountyAmountChange(uint256)", 0x0cb1_d857;
    CONFIRM_BOUNTY_CHANGE = "confirmBountyAmountChange()", 0xdfa9_13bb;
}

/// One of the two independent ends of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leg {
    /// On the chain of the outbox: returns the bounty.
    Source,
    /// On the chain of the inbox: pays the reward.
    Target,
}

/// What a message says, as the sender of it declared it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Intent {
    /// The message's sender: a proxy, or the account itself if it came without composer and pool.
    pub sender: Address,
    /// The sender's message nonce.
    pub nonce: U256,
    /// Who gets the tokens on the target chain.
    pub beneficiary: Address,
    /// Tokens moved, smallest units.
    pub amount: U256,
    /// Reward per unit of gas, smallest units.
    pub gas_price: U256,
    /// Most units of gas rewarded.
    pub gas_limit: U256,
    /// Hash of the unlock secret.
    pub hash_lock: B256,
}

/// Proves the account of the remote gateway at an anchored height; anybody may. A height that is proven already
/// succeeds without a look at the proof.
#[must_use]
pub fn prove_gateway(height: u64, rlp_account: &Bytes, rlp_nodes: &Bytes) -> Bytes {
    PROVE_GATEWAY.call(&[number(height), bytes(rlp_account), bytes(rlp_nodes)])
}

/// A call of [`prove_gateway`] that succeeds if and only if the height is proven already and still anchored, since its
/// proof proves nothing. To be simulated, not sent.
#[must_use]
pub fn probe_proven(height: u64) -> Bytes {
    let nothing = Bytes(vec![1]);
    prove_gateway(height, &nothing, &nothing)
}

/// Declares a message without composer or pool: by a direct staker, or a direct redeemer with the bounty sent along.
/// The sender is the caller.
#[must_use]
pub fn declare(kind: Kind, intent: &Intent) -> Bytes {
    let function = match kind {
        Kind::Stake => STAKE,
        Kind::Redeem => REDEEM,
    };
    let Intent { sender: _, nonce, beneficiary, amount, gas_price, gas_limit, hash_lock } = *intent;
    function.call(&[uint(amount), address(beneficiary), uint(gas_price), uint(gas_limit), uint(nonce), word(hash_lock)])
}

/// Confirms a message on the target chain, with a proof that the outbox has it at Declared at the height.
/// The two contracts take height and hash lock in opposite order.
#[must_use]
pub fn confirm(kind: Kind, intent: &Intent, height: u64, rlp_nodes: &Bytes) -> Bytes {
    let Intent { sender, nonce, beneficiary, amount, gas_price, gas_limit, hash_lock } = *intent;
    let mut values =
        vec![address(sender), uint(nonce), address(beneficiary), uint(amount), uint(gas_price), uint(gas_limit)];
    let function = match kind {
        Kind::Stake => {
            values.extend([word(hash_lock), number(height)]);
            CONFIRM_STAKE_INTENT
        }
        Kind::Redeem => {
            values.extend([number(height), word(hash_lock)]);
            CONFIRM_REDEEM_INTENT
        }
    };
    values.push(bytes(rlp_nodes));
    function.call(&values)
}

const fn progress_function(kind: Kind, leg: Leg) -> Function {
    match (kind, leg) {
        (Kind::Stake, Leg::Source) => PROGRESS_STAKE,
        (Kind::Stake, Leg::Target) => PROGRESS_MINT,
        (Kind::Redeem, Leg::Source) => PROGRESS_REDEEM,
        (Kind::Redeem, Leg::Target) => PROGRESS_UNSTAKE,
    }
}

/// Progresses one leg with the secret. This call data reveals it: law 4 applies to whoever builds it for a source leg.
#[must_use]
pub fn progress(kind: Kind, leg: Leg, message_hash: B256, secret: &UnlockSecret) -> Bytes {
    progress_function(kind, leg).call(&[word(message_hash), word(secret.reveal())])
}

/// Progresses one leg without the secret, with a proof of the message's status in the other chain's box: Declared or
/// Progressed (protocol.md 4.3).
#[must_use]
pub fn progress_with_proof(
    kind: Kind,
    leg: Leg,
    message_hash: B256,
    rlp_nodes: &Bytes,
    height: u64,
    proven: MessageStatus,
) -> Bytes {
    let function = match (kind, leg) {
        (Kind::Stake, Leg::Source) => PROGRESS_STAKE_WITH_PROOF,
        (Kind::Stake, Leg::Target) => PROGRESS_MINT_WITH_PROOF,
        (Kind::Redeem, Leg::Source) => PROGRESS_REDEEM_WITH_PROOF,
        (Kind::Redeem, Leg::Target) => PROGRESS_UNSTAKE_WITH_PROOF,
    };
    function.call(&[word(message_hash), bytes(rlp_nodes), number(height), number(status_number(proven))])
}

/// The message's sender asks to revoke it, for a penalty. Proxies cannot.
#[must_use]
pub fn declare_revert(kind: Kind, message_hash: B256) -> Bytes {
    let function = match kind {
        Kind::Stake => REVERT_STAKE,
        Kind::Redeem => REVERT_REDEEM,
    };
    function.call(&[word(message_hash)])
}

/// Confirms a revocation on the target chain, with a proof of the outbox at DeclaredRevocation.
#[must_use]
pub fn confirm_revert(kind: Kind, message_hash: B256, height: u64, rlp_nodes: &Bytes) -> Bytes {
    let function = match kind {
        Kind::Stake => CONFIRM_REVERT_STAKE,
        Kind::Redeem => CONFIRM_REVERT_REDEEM,
    };
    function.call(&[word(message_hash), number(height), bytes(rlp_nodes)])
}

/// Completes a revocation on the source chain, with a proof of the inbox at Revoked.
#[must_use]
pub fn progress_revert(kind: Kind, message_hash: B256, height: u64, rlp_nodes: &Bytes) -> Bytes {
    let function = match kind {
        Kind::Stake => PROGRESS_REVERT_STAKE,
        Kind::Redeem => PROGRESS_REVERT_REDEEM,
    };
    function.call(&[word(message_hash), number(height), bytes(rlp_nodes)])
}

/// Gateway only: opens it for its cogateway, once. Organization only.
#[must_use]
pub fn activate(cogateway: Address) -> Bytes {
    ACTIVATE_GATEWAY.call(&[address(cogateway)])
}

/// Gateway only: closes it for new stakes, for ever. Organization only.
#[must_use]
pub fn deactivate() -> Bytes {
    DEACTIVATE_GATEWAY.call(&[])
}

/// Proposes another bounty, smallest units. Organization only.
#[must_use]
pub fn initiate_bounty_change(bounty: U256) -> Bytes {
    INITIATE_BOUNTY_CHANGE.call(&[uint(bounty)])
}

/// Confirms the proposed bounty; without a proposal it sets the bounty to zero. Organization only.
#[must_use]
pub fn confirm_bounty_change() -> Bytes {
    CONFIRM_BOUNTY_CHANGE.call(&[])
}
