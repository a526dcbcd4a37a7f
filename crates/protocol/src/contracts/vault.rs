//! SimpleStake: keeps the value tokens of progressed stakes (protocol.md 1.2).

use super::{address, functions, uint};
use facilitator_eth::{Address, Bytes, U256};

functions! {
    RELEASE_TO = "releaseTo(address,uint256)", 0x4e06_bad1;
}

/// Pays value tokens out; the gateway alone may. Simulated in its name it tells whether an unstake would go through:
/// that the vault holds enough, and that the token lets the account have it (protocol.md R11 e).
#[must_use]
pub fn release_to(account: Address, amount: U256) -> Bytes {
    RELEASE_TO.call(&[address(account), uint(amount)])
}
