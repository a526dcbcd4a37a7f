//! Starts, watches, restarts and stops child processes that play a role of the own executable.
//!
//! Invariants: a child dies with its parent (end of file on its pipe, and a death signal); every child that was
//! started is waited for; no child inherits more of the environment than it is allowed; each wait has a limit.
//!
//! Left alone: what the roles are and what their messages mean. Nothing here knows Mosaic, a chain or a database.

pub mod child;
mod event;
mod exit;
mod heard;
pub mod limits;
mod patience;
mod restart;
mod spawn;
mod watch;

pub use event::{Cause, End, Event, StreamEnd};
pub use exit::Exit;
pub use patience::Patience;
pub use restart::{Decision, RestartHistory, RestartPolicy};
pub use spawn::{DEFAULT_ENVIRONMENT, ROLE_ARGUMENT, SpawnError, Spawned, Spawner};
pub use watch::{ChildHandle, Stop, WatchOptions, watch};
