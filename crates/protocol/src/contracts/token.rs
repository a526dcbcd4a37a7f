//! Tokens: EIP-20, and what utility tokens add (protocol.md 2.8).

use super::{View, address, functions, uint};
use facilitator_eth::{Address, Bytes, U256};

functions! {
    APPROVE = "approve(address,uint256)", 0x095e_a7b3;
    ALLOWANCE = "allowance(address,address)", 0xdd62_ed3e;
    BALANCE_OF = "balanceOf(address)", 0x70a0_8231;
    DECIMALS = "decimals()", 0x313c_e567;
    TOTAL_SUPPLY = "totalSupply()", 0x1816_0ddd;
    TRANSFER = "transfer(address,uint256)", 0xa905_9cbb;
    EXISTS = "exists(address)", 0xf6a3_d24e;
    INCREASE_SUPPLY = "increaseSupply(address,uint256)", 0x79fc_d8ee;
    INITIALIZED = "initialized()", 0x158e_f93e;
    WRAP = "wrap()", 0xd46e_b119;
    UNWRAP = "unwrap(uint256)", 0xde0e_9a3e;
}

/// Sets (does not add to) what the spender may take of the caller's tokens, smallest units.
#[must_use]
pub fn approve(spender: Address, amount: U256) -> Bytes {
    APPROVE.call(&[address(spender), uint(amount)])
}

/// What the spender may take of the owner's tokens, smallest units.
#[must_use]
pub fn allowance(owner: Address, spender: Address) -> View<U256> {
    ALLOWANCE.view(&[address(owner), address(spender)])
}

/// The owner's tokens, smallest units.
#[must_use]
pub fn balance_of(owner: Address) -> View<U256> {
    BALANCE_OF.view(&[address(owner)])
}

/// How many digits of an amount stand behind the point of a whole token.
#[must_use]
pub fn decimals() -> View<u64> {
    DECIMALS.view(&[])
}

/// All tokens that there are, smallest units. Of a utility token: what was minted and not burned.
#[must_use]
pub fn total_supply() -> View<U256> {
    TOTAL_SUPPLY.view(&[])
}

/// Gives tokens away, smallest units.
#[must_use]
pub fn transfer(to: Address, amount: U256) -> Bytes {
    TRANSFER.call(&[address(to), uint(amount)])
}

/// Whether a utility token lets the account be a beneficiary. Not declared `view`, but changes nothing.
#[must_use]
pub fn exists(account: Address) -> View<bool> {
    EXISTS.view(&[address(account)])
}

/// Mints to an account; the cogateway alone may. Simulated in its name it tells whether a mint would go through, in
/// particular whether a contract takes OSTPrime's payment with 2,300 gas (protocol.md R11 d).
#[must_use]
pub fn increase_supply(account: Address, amount: U256) -> Bytes {
    INCREASE_SUPPLY.call(&[address(account), uint(amount)])
}

/// OSTPrime: whether it holds the base coin that it mints with (protocol.md R11 f). A plain utility token has no such
/// function.
#[must_use]
pub fn initialized() -> View<bool> {
    INITIALIZED.view(&[])
}

/// OSTPrime: turns the base coin sent along into tokens.
#[must_use]
pub fn wrap() -> Bytes {
    WRAP.call(&[])
}

/// OSTPrime: turns tokens back into base coin, smallest units.
#[must_use]
pub fn unwrap(amount: U256) -> Bytes {
    UNWRAP.call(&[uint(amount)])
}
