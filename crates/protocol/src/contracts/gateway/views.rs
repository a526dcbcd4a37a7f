//! What the two gateways can be asked.

use crate::{
    contracts::{Answer, Function, View, address, word},
    model::MessageStatus,
};
use facilitator_eth::{
    Address, B256, Bytes, U256,
    abi::{AbiError, Words},
};

/// Defines views without arguments.
macro_rules! getters {
    ($($(#[$meta:meta])* $name:ident: $type:ty = $signature:literal, $selector:literal;)+) => {
        $($(#[$meta])* #[must_use]
        pub fn $name() -> View<$type> {
            Function::new($signature, $selector).view(&[])
        })+

        const GETTERS: &[Function] = &[$(Function::new($signature, $selector)),+];
    };
}

getters! {
    /// The gateway on the other chain; zero before activation.
    remote_gateway: Address = "remoteGateway()", 0x65b4_1e16;
    /// The anchor whose state roots it trusts.
    state_root_provider: Address = "stateRootProvider()", 0xd4d1_1185;
    /// Hash of the remote gateway's address, 32 bytes: the path of its account.
    encoded_gateway_path: Bytes = "encodedGatewayPath()", 0xc3a4_7326;
    /// Slot of the message box: 9 in 0.12.0.
    message_box_offset: u64 = "MESSAGE_BOX_OFFSET()", 0x35c6_cbe0;
    /// Penalty of a revocation, percent of the bounty.
    revocation_penalty: U256 = "REVOCATION_PENALTY()", 0xa3ea_156d;
    /// Blocks between the proposal of a bounty and its confirmation.
    bounty_change_unlock_period: U256 = "BOUNTY_CHANGE_UNLOCK_PERIOD()", 0x8ed9_c5dc;
    /// Bounty of an accept: base token (gateway) or base coin (cogateway), smallest units.
    bounty: U256 = "bounty()", 0x943d_fef1;
    /// Proposed bounty, smallest units.
    proposed_bounty: U256 = "proposedBounty()", 0xa503_5cd5;
    /// Height from which the proposed bounty may be confirmed.
    proposed_bounty_unlock_height: U256 = "proposedBountyUnlockHeight()", 0x015f_b54e;
    /// Who may change bounty and activation.
    organization: Address = "organization()", 0x23bd_4d7a;
    /// Gateway only: the token of bounties.
    base_token: Address = "baseToken()", 0xc55d_ae63;
    /// Gateway only: the token that is staked.
    token: Address = "token()", 0xfc0c_546a;
    /// The token that is staked, on both gateways.
    value_token: Address = "valueToken()", 0xefff_f82f;
    /// Cogateway only: the token that is minted.
    utility_token: Address = "utilityToken()", 0xae86_ed89;
    /// Gateway only: whether stakes are taken.
    activated: bool = "activated()", 0x1866_01ca;
    /// Gateway only: where penalties and forfeited bounties go.
    burner: Address = "burner()", 0x2781_0b6e;
    /// Gateway only: the contract that keeps the stakes.
    stake_vault: Address = "stakeVault()", 0x2d78_8333;
}

const GET_NONCE: Function = Function::new("getNonce(address)", 0x2d03_35ab);
const OUTBOX_STATUS: Function = Function::new("getOutboxMessageStatus(bytes32)", 0xb0ab_4dba);
const INBOX_STATUS: Function = Function::new("getInboxMessageStatus(bytes32)", 0x417d_9e4b);
const OUTBOX_ACTIVE: Function = Function::new("getOutboxActiveProcess(address)", 0x0cd4_4fe1);
const INBOX_ACTIVE: Function = Function::new("getInboxActiveProcess(address)", 0xaa91_6447);
const MESSAGES: Function = Function::new("messages(bytes32)", 0x2bbd_59ca);
const PENALTY: Function = Function::new("penalty(bytes32)", 0x26fc_7590);
const MINTS: Function = Function::new("mints(bytes32)", 0x56dc_63cb);
const REDEEMS: Function = Function::new("redeems(bytes32)", 0x6b96_91a1);

/// All views, without arguments and with.
pub const VIEWS: &[&[Function]] = &[
    GETTERS,
    &[GET_NONCE, OUTBOX_STATUS, INBOX_STATUS, OUTBOX_ACTIVE, INBOX_ACTIVE, MESSAGES, PENALTY, MINTS, REDEEMS],
];

/// The last message of a sender in a box.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ActiveProcess {
    /// The message; zero if there was none.
    pub message_hash: B256,
    /// Its status.
    pub status: MessageStatus,
}

/// A message as a gateway stores it; all zero once the same sender has a later one, or if there never was one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoredMessage {
    /// Hash of amount, beneficiary and gateway.
    pub intent_hash: B256,
    /// The sender's message nonce.
    pub nonce: U256,
    /// Reward per unit of gas, smallest units.
    pub gas_price: U256,
    /// Most units of gas rewarded.
    pub gas_limit: U256,
    /// The message's sender.
    pub sender: Address,
    /// Hash of the unlock secret.
    pub hash_lock: B256,
    /// Gas of the confirmation that counts for the reward.
    pub gas_consumed: U256,
}

/// Amount and beneficiary of a confirmed stake that waits for its mint; zero otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mint {
    /// Tokens to mint, smallest units.
    pub amount: U256,
    /// Who gets them.
    pub beneficiary: Address,
}

/// A declared redeem that is neither progressed nor revoked; zero otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Redeem {
    /// Tokens to burn, smallest units.
    pub amount: U256,
    /// Who gets the value tokens.
    pub beneficiary: Address,
    /// Bounty kept by the cogateway, base coin, wei.
    pub bounty: U256,
}

/// The next nonce of a sender in the outbox. There is no such view of the inbox: see [`inbox_active_process`].
#[must_use]
pub fn get_nonce(sender: Address) -> View<U256> {
    GET_NONCE.view(&[address(sender)])
}

/// The status of a message in the outbox; never forgotten.
#[must_use]
pub fn outbox_status(message_hash: B256) -> View<MessageStatus> {
    OUTBOX_STATUS.view(&[word(message_hash)])
}

/// The status of a message in the inbox; never forgotten.
#[must_use]
pub fn inbox_status(message_hash: B256) -> View<MessageStatus> {
    INBOX_STATUS.view(&[word(message_hash)])
}

/// The sender's last message in the outbox.
#[must_use]
pub fn outbox_active_process(sender: Address) -> View<ActiveProcess> {
    OUTBOX_ACTIVE.view(&[address(sender)])
}

/// The sender's last message in the inbox. Its nonce and one is the nonce that the next confirmation must have (0 if
/// there was no message).
#[must_use]
pub fn inbox_active_process(sender: Address) -> View<ActiveProcess> {
    INBOX_ACTIVE.view(&[address(sender)])
}

/// A message of either box.
#[must_use]
pub fn messages(message_hash: B256) -> View<StoredMessage> {
    MESSAGES.view(&[word(message_hash)])
}

/// What revoking a message costs its sender: 150 % of the stored bounty, smallest units; zero if it cannot be revoked.
#[must_use]
pub fn penalty(message_hash: B256) -> View<U256> {
    PENALTY.view(&[word(message_hash)])
}

/// Cogateway only: a confirmed stake.
#[must_use]
pub fn mints(message_hash: B256) -> View<Mint> {
    MINTS.view(&[word(message_hash)])
}

/// Cogateway only: a declared redeem.
#[must_use]
pub fn redeems(message_hash: B256) -> View<Redeem> {
    REDEEMS.view(&[word(message_hash)])
}

impl Answer for ActiveProcess {
    fn read(words: &mut Words<'_>) -> Result<Self, AbiError> {
        Ok(Self { message_hash: words.word()?, status: MessageStatus::read(words)? })
    }
}

impl Answer for StoredMessage {
    fn read(words: &mut Words<'_>) -> Result<Self, AbiError> {
        Ok(Self {
            intent_hash: words.word()?,
            nonce: words.uint()?,
            gas_price: words.uint()?,
            gas_limit: words.uint()?,
            sender: words.address()?,
            hash_lock: words.word()?,
            gas_consumed: words.uint()?,
        })
    }
}

impl Answer for Mint {
    fn read(words: &mut Words<'_>) -> Result<Self, AbiError> {
        Ok(Self { amount: words.uint()?, beneficiary: words.address()? })
    }
}

impl Answer for Redeem {
    fn read(words: &mut Words<'_>) -> Result<Self, AbiError> {
        Ok(Self { amount: words.uint()?, beneficiary: words.address()?, bounty: words.uint()? })
    }
}

/// The contract's number of a status, as a proof shows it.
#[must_use]
pub const fn status_number(status: MessageStatus) -> u64 {
    match status {
        MessageStatus::Undeclared => 0,
        MessageStatus::Declared => 1,
        MessageStatus::Progressed => 2,
        MessageStatus::DeclaredRevocation => 3,
        MessageStatus::Revoked => 4,
    }
}
