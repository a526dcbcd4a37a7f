//! Organization: who may accept requests (protocol.md 2.7).

use super::{View, address, functions, uint};
use facilitator_eth::{Address, Bytes, U256};

functions! {
    IS_WORKER = "isWorker(address)", 0xaa15_6645;
    WORKERS = "workers(address)", 0x4048_a257;
    IS_ORGANIZATION = "isOrganization(address)", 0xb1ce_8eab;
    SET_WORKER = "setWorker(address,uint256)", 0xea67_90cf;
    UNSET_WORKER = "unsetWorker(address)", 0x7860_bb6e;
}

/// Whether the account is a worker in the block of the call.
#[must_use]
pub fn is_worker(worker: Address) -> View<bool> {
    IS_WORKER.view(&[address(worker)])
}

/// The first height at which the account is no worker any more; zero for one that never was.
#[must_use]
pub fn expiration_height(worker: Address) -> View<U256> {
    WORKERS.view(&[address(worker)])
}

/// Whether the account is the owner or the admin, who are no workers.
#[must_use]
pub fn is_organization(account: Address) -> View<bool> {
    IS_ORGANIZATION.view(&[address(account)])
}

/// Makes an account a worker until a height, which must lie ahead. Owner or admin only.
#[must_use]
pub fn set_worker(worker: Address, expiration_height: U256) -> Bytes {
    SET_WORKER.call(&[address(worker), uint(expiration_height)])
}

/// Dismisses a worker. Owner or admin only.
#[must_use]
pub fn unset_worker(worker: Address) -> Bytes {
    UNSET_WORKER.call(&[address(worker)])
}
