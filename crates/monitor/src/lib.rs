//! Watches the gateways of a chain pair and everybody's work on them, and tells whoever is to know.
//!
//! [`Monitor`]s read both chains (and the database, where there is one) and make [`SystemEvent`]s; the [`Manager`] does
//! one run, takes out what a receiver has had before, and hands the rest to the [`Receiver`]s; [`Persistence`] keeps
//! what is needed for the next run. All three can be exchanged.
//!
//! Invariants: a checkpoint moves only with a run in which nothing at all failed, so no event is missed; an event is one
//! and the same, whenever it is found, so no receiver gets it twice; what depends on the present moment is written down
//! before it is told. Nothing here signs or sends a transaction, and no URL or key of a receiver reaches a log or error.

pub mod alerts;
pub mod chains;
pub mod event;
pub mod manager;
pub mod monitors;
pub mod persistence;
mod recall;
pub mod receivers;
pub mod report;
mod run;
pub mod setup;
pub mod window;

pub use alerts::{Alert, Topic};
pub use event::{EventType, SystemEvent};
pub use manager::Manager;
pub use monitors::{Findings, Look, Monitor};
pub use persistence::Persistence;
pub use receivers::{Ack, Receiver};
pub use report::Report;
pub use run::now_ms;
pub use setup::{Setup, SetupError};
pub use window::Window;

use std::{future::Future, pin::Pin};

/// A future that a trait object returns.
pub type Task<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;
