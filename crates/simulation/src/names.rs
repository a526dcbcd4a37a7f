//! Who is who in the simulated world: addresses, keys, chain ids.

use facilitator_eth::{Address, tx::SecretKey};
use facilitator_protocol::gateway::{GatewaySet, Mints};
use facilitator_protocol::model::{Kind, Side};
use facilitator_protocol::proof::MESSAGE_BOX_OFFSET;
use std::ops::{Index, IndexMut};
use std::sync::LazyLock;

/// Bounty of an accept at the beginning, smallest units.
pub(crate) const BOUNTY: u64 = 50;
/// A gateway that is not configured: its accept would take the worker's tokens.
pub(crate) const FOREIGN_GATEWAY: Address = Address([0xee; 20]);

/// One of each for the two chains.
#[derive(Debug, Clone, Default)]
pub(crate) struct Pair<T> {
    pub(crate) origin: T,
    pub(crate) auxiliary: T,
}

impl<T> Index<Side> for Pair<T> {
    type Output = T;

    fn index(&self, side: Side) -> &T {
        match side {
            Side::Origin => &self.origin,
            Side::Auxiliary => &self.auxiliary,
        }
    }
}

impl<T> IndexMut<Side> for Pair<T> {
    fn index_mut(&mut self, side: Side) -> &mut T {
        match side {
            Side::Origin => &mut self.origin,
            Side::Auxiliary => &mut self.auxiliary,
        }
    }
}

const fn named(byte: u8) -> Address {
    Address([byte; 20])
}

/// The one configured pair of gateways.
pub(crate) const fn gateways() -> GatewaySet {
    GatewaySet {
        origin_chain_id: 3,
        auxiliary_chain_id: 1406,
        composer: named(0x11),
        gateway: named(0x12),
        anchor: named(0x13),
        cogateway: named(0x21),
        co_anchor: named(0x22),
        redeem_pool: Some(named(0x23)),
        composer_organization: named(0x14),
        pool_organization: Some(named(0x25)),
        stake_vault: named(0x17),
        value_token: named(0x15),
        base_token: named(0x16),
        utility_token: named(0x24),
        mints: Mints::BaseCoin,
        message_box_offset: MESSAGE_BOX_OFFSET,
    }
}

/// Composer or pool.
pub(crate) const fn pool(kind: Kind) -> Address {
    match kind {
        Kind::Stake => named(0x11),
        Kind::Redeem => named(0x23),
    }
}

/// A staker or redeemer.
pub(crate) fn sender(number: u64) -> Address {
    named(0x40 + u8::try_from(number % 16).unwrap_or(0))
}

/// The proxy of a staker or redeemer that has destroyed so many before.
pub(crate) fn proxy(sender: Address, destroyed: u8) -> Address {
    let mut bytes = sender.0;
    (bytes[0], bytes[1]) = (0xaa, destroyed);
    Address(bytes)
}

/// The accounts of the workers on a side; a key's address is too dear to be computed for every run.
pub(crate) fn workers(side: Side, count: usize) -> Vec<Address> {
    static ORIGIN: LazyLock<Vec<Address>> = LazyLock::new(|| addresses(Side::Origin));
    static AUXILIARY: LazyLock<Vec<Address>> = LazyLock::new(|| addresses(Side::Auxiliary));
    let all = match side {
        Side::Origin => &*ORIGIN,
        Side::Auxiliary => &*AUXILIARY,
    };
    all.iter().take(count).copied().collect()
}

fn addresses(side: Side) -> Vec<Address> {
    (0..2).filter_map(|number| key(side, number).map(|key| key.address())).collect()
}

/// The key of the worker with this number on a side; the bytes are any that make a key.
pub(crate) fn key(side: Side, number: u8) -> Option<SecretKey> {
    let first = match side {
        Side::Origin => 0x31,
        Side::Auxiliary => 0x38,
    };
    SecretKey::from_bytes(&[first + number; 32]).ok()
}
