//! Reading one chain through several endpoints that may lie, lag, fork and restart.
//!
//! [`Connector`] is a pure machine: the loop in `roles` feeds it [`Event`]s, carries out its [`Effect`]s, and ticks it
//! at [`Connector::next_tick`]. Time comes in with the events.
//!
//! # Two heights
//!
//! The connector follows the *head*: it remembers number and hash of every block near it, and L, the height that
//! neighbours.md compares with the endpoints', is the newest of these. They cost nothing beyond the header that asking
//! for the head returns anyway, and nothing is derived from them, so that common shallow forks undo nothing but hashes.
//! *Events* are stored at their confirmations, when [`Effect::Release`] says so: then a block has its confirmations and
//! a quorum of endpoints has confirmed its hash or that of a later block. The store's checkpoint is this second height;
//! [`Effect::DeleteAbove`] says whether it is concerned. (Deriving at the head would undo requests at every small fork,
//! act before law 6 allows, and cost the same calls.)
//!
//! A new block costs one call for the elected endpoint's head, one more for each further endpoint that a quorum needs,
//! and one for the logs if the header's bloom filter does not deny them. Everybody is asked once a cycle. Polls that
//! find no new block come on top.
//!
//! # Trust
//!
//! At least [`Settings::minimum_connections`] endpoints must be connected to begin, and a quorum, more than half of
//! that and of all that are well, to go on. An election is held at the greatest height that a quorum has reached, at most our own. Nothing is
//! released, no released block undone and the mode never `Normal` without a settled election. So one endpoint of three
//! may say what it likes; if two do, everything waits and an operator is told.

mod election;
mod endpoints;
mod health;
mod local;
mod machine;
mod settings;

pub use election::{Elected, Vote, elect, reached_by};
pub use endpoints::{Ask, Book, Endpoint, EndpointId, Sighting};
pub use health::{Health, Reason};
pub use local::Local;
pub use machine::{Alarm, AlarmKind, Connector, Effect, Event, Keep, Mode, RangeError, State, Witness};
pub use settings::{Settings, SettingsError};
