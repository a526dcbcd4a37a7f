//! The state machine of a transfer: pure decisions, from what both chains say to what is to be done.
//!
//! A worker reads the status of its message on both chains (law 1), asks [`decide()`] and carries out the answer; a
//! request without a message first passes the checklist of [`accept::judge`]. There is no other path: the first run, a
//! restart after any crash, and `requests retry` all begin here. Nothing in this module reads a clock, a database or a
//! network.
//!
//! The table (protocol.md §5.3), by the status in the outbox and in the inbox:
//!
//! | outbox \ inbox | Undeclared | Declared | Progressed | Revoked |
//! |---|---|---|---|---|
//! | Undeclared | inspect | inspect | inspect | contradiction |
//! | Declared | prove, once final | progress both, once final | progress source, once final | contradiction |
//! | Progressed | prove an older height | progress target, once final | complete, once final | contradiction |
//! | DeclaredRevocation | await revocation | await revocation | await revocation | await revocation |
//! | Revoked | revoked, once final | revoked, once final | revoked, once final | revoked, once final |
//!
//! What is done about messages that others left unfinished follows from the same table: [`hunt`].

pub mod accept;
mod backoff;
mod decide;
mod gas;
pub mod hunt;
pub mod profit;

pub use backoff::Backoff;
pub use decide::{Awaited, BoxStatus, Decision, Legs, Statuses, decide};
pub use gas::{expected_gas, expected_gas_by_proof, needed_to_accept};
