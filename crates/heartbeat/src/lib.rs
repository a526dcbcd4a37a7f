//! The life cycle of an operator's instances as pure functions: statuses, heartbeats, maintenance, de-registration.
//!
//! An instance says by heartbeats that it lives; whichever instance keeps the maintenance tick judges all of them. What
//! is stored goes in, what is to be stored comes out: [`apply`] takes an instance and an event to the instance
//! afterwards, or to the reason why not. No clock, no database: times are arguments (Unix milliseconds), and who is
//! allowed to write is the store's concern.
//!
//! | from \ event | heartbeat | request | cancel | return | tick | silent | deregister |
//! |---|---|---|---|---|---|---|---|
//! | `inactive` | refused | refused | refused | refused | `active` if ready and in the set | – | `deregistered` |
//! | `active` | counted | `request_maintenance` | refused | refused | `inactive` if not in the set | `inactive` | `deregistered` |
//! | `request_maintenance` | counted | refused | `active` | refused | `in_maintenance` | `inactive` | `deregistered` |
//! | `in_maintenance` | refused | refused | refused | `active`, or `inactive` if not in the set | stays | – | `deregistered` |
//! | `deregistered` | refused | refused | refused | refused | stays | – | refused |
//!
//! An instance that works becomes `inactive` too when it stops in order, when another one is started with its keys, and
//! when it says for as long as silence may last that it can't work while another one can.
//!
//! A tick comes at its interval, and at once where nobody works and somebody is ready.
//!
//! The names of statuses and statistics are those of the heartbeat specification (neighbours.md 000, H1–H27).

mod board;
mod instance;
mod machine;
mod params;
mod proposal;
mod set;

pub use board::{Board, Closed, Member, Moved, Tended, tend};
pub use instance::{Instance, Statistics, Status, UnknownStatus, hours_minutes_seconds};
pub use machine::{Applied, Event, Refusal, apply, is_intended};
pub use params::{LEAST_FREQUENCY_MS, Params, UnfitParameter};
pub use proposal::{Proposal, Vote, is_overdue, next_proposer, verdict};
pub use set::{Candidate, active_set};
