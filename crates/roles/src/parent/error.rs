//! Why a parent ends though nobody asked it to.

use super::ClerkError;
use crate::messages::Unfit;
use facilitator_protocol::model::Side;
use facilitator_supervisor::SpawnError;

/// Why the parent ends without having been asked to.
#[derive(Debug, thiserror::Error)]
pub enum ParentError {
    /// A child says that its configuration can't work.
    #[error("{side} chain: {text}", text = unfit_text(.unfit))]
    Unfit {
        /// The chain.
        side: Side,
        /// Why.
        unfit: Unfit,
    },
    /// The database refuses its service for good.
    #[error(transparent)]
    Clerk(#[from] ClerkError),
    /// The instance was deregistered meanwhile.
    #[error("instance {instance} was deregistered, for good: start again under another name (`heartbeat.instance`)")]
    Deregistered {
        /// Its name.
        instance: String,
    },
    /// Another process runs as this instance by now, or with its keys: it took this one for dead.
    #[error(
        "another process has taken the place of instance {instance}, perhaps a start under the same name on another host while this one was cut off from the database: this one ends; give each instance a name (`heartbeat.instance`) and worker keys of its own"
    )]
    Replaced {
        /// Its name.
        instance: String,
    },
    /// Signals can't be received.
    #[error("can't listen for signals: {0}")]
    Signals(std::io::Error),
    /// The own executable can't be started.
    #[error(transparent)]
    Spawn(SpawnError),
}

fn unfit_text(unfit: &Unfit) -> &str {
    match unfit {
        Unfit::WrongChain(text) | Unfit::Contracts(text) | Unfit::Database(text) => text,
    }
}
