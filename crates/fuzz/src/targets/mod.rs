//! The targets, one file a theme.

mod chain;
mod config;
mod endpoint;
mod events;
mod frames;
mod keys;
mod proof;
mod rpc;
mod sealed;
mod values;

use crate::Target;

/// All targets. Each may hold state of its own (a folder, a server), so they are made anew for each thread.
#[must_use]
pub fn all() -> Vec<Target> {
    vec![
        frames::stream(),
        frames::body(),
        frames::hello(),
        config::mosaic(),
        config::gateway(),
        config::facilitator(),
        keys::target(),
        endpoint::target(),
        rpc::target(),
        chain::target(),
        sealed::headers(),
        sealed::receipts(),
        events::target(),
        proof::account(),
        proof::tries(),
        proof::nonsense(),
        values::texts(),
        values::words(),
        values::revert(),
    ]
}
