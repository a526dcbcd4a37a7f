//! What happened last, to any request.

use super::time;
use facilitator_store::{Store, StoreError};
use serde::Serialize;

/// A line of the life of a request.
#[derive(Debug, Clone, Serialize)]
pub struct Activity {
    /// When.
    pub at: String,
    /// The request.
    pub request_hash: String,
    /// `stake` or `redeem`.
    pub kind: &'static str,
    /// Its state after it.
    pub state: &'static str,
    /// What happened.
    pub text: String,
}

/// Reads it, newest first.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn read(store: &Store, limit: u32) -> Result<Vec<Activity>, StoreError> {
    let happenings = store.happenings(limit).await?;
    let activity = |one: facilitator_store::figures::Happening| Activity {
        at: time(one.at_ms),
        request_hash: one.request_hash.to_string(),
        kind: one.kind.as_str(),
        state: one.state.name(one.kind),
        text: one.text,
    };
    Ok(happenings.into_iter().map(activity).collect())
}
