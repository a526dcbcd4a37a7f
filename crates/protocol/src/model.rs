//! What a request is: the row that every process speaks about, with the names that are stored.
//!
//! Pure data with its text forms. The transitions live in [`crate::transfer`]; how a row is stored in the `store` crate.

mod names;
mod row;
mod update;

pub use names::{Kind, MessageStatus, Side, Stage, State, Step, UnknownName};
pub use row::{LogPosition, NewRequest, Request, RequestId, Terms};
pub use update::{Attempt, FinePrint, Park, Update, Wait, awaited_root};
