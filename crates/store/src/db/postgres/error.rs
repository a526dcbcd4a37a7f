//! Which decision an error of PostgreSQL or of the way to it asks for.

use crate::error::StoreError;

/// What went wrong with one statement.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// The connection is gone or was never made; why. Whether the server did what it was last told is not known.
    Lost(String),
    /// Somebody else's transaction was in the way: nothing was done, and trying again is right.
    Locked,
    /// The server refused.
    Said(Box<sqlx::Error>),
}

/// SQLSTATE codes that mean a decision; of a class where two characters stand.
mod state {
    pub(super) const LOCKED: [&str; 4] = [
        // Two transactions that cannot both be as if one came after the other.
        "40001", // Two that wait for each other.
        "40P01", // The limit on waiting for a lock.
        "55P03", // A statement that was cancelled: a limit of the server on its time.
        "57014",
    ];
    /// A connection that failed, cannot be made now, or is being ended.
    pub(super) const LOST: [&str; 10] =
        ["08000", "08001", "08003", "08004", "08006", "25P03", "53300", "57P01", "57P02", "57P03"];
    /// A session that may only read, a standby, or a missing privilege.
    pub(super) const READ_ONLY: [&str; 2] = ["25006", "42501"];
    pub(super) const FULL: &str = "53100";
    /// Pages that contradict each other.
    pub(super) const DAMAGED: [&str; 2] = ["XX001", "XX002"];
    /// Of the system, resources, the operator's side: nothing that this program said is wrong.
    pub(super) const UNAVAILABLE: [&str; 5] = ["28", "3D", "53", "57", "58"];
}

impl From<sqlx::Error> for Trouble {
    fn from(problem: sqlx::Error) -> Self {
        let code = problem.as_database_error().and_then(sqlx::error::DatabaseError::code);
        match code.as_deref() {
            Some(code) if state::LOCKED.contains(&code) => Self::Locked,
            Some(code) if state::LOST.contains(&code) => Self::Lost(problem.to_string()),
            Some(_) => Self::Said(Box::new(problem)),
            None if is_of_the_way(&problem) => Self::Lost(problem.to_string()),
            None => Self::Said(Box::new(problem)),
        }
    }
}

/// Of the way to the server rather than of what was asked there.
const fn is_of_the_way(problem: &sqlx::Error) -> bool {
    matches!(problem, sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::Protocol(_) | sqlx::Error::WorkerCrashed)
}

impl Trouble {
    /// As callers of this crate know it.
    pub(in crate::db) fn into_error(self, name: &str) -> StoreError {
        let name = name.to_owned();
        match self {
            Self::Lost(problem) => StoreError::Unavailable { name, problem },
            Self::Locked => StoreError::Busy { name, waited_ms: 0 },
            Self::Said(problem) => said(name, &problem),
        }
    }
}

fn said(name: String, problem: &sqlx::Error) -> StoreError {
    let code = problem.as_database_error().and_then(sqlx::error::DatabaseError::code);
    let text = problem.to_string();
    let Some(code) = code else { return StoreError::Statement { name, problem: text } };
    let code = code.as_ref();
    if state::READ_ONLY.contains(&code) {
        return StoreError::ReadOnly { name };
    }
    if state::DAMAGED.contains(&code) {
        return StoreError::Damaged { name, problem: text };
    }
    if code == state::FULL {
        return StoreError::Full { name };
    }
    if state::UNAVAILABLE.iter().any(|class| code.starts_with(class)) {
        let mend = match code {
            "3D000" => "; create it with `createdb`, or correct `db.url`",
            "28P01" | "28000" => "; check user and password in the config's `db`, and the server's pg_hba.conf",
            _ => "",
        };
        return StoreError::Unavailable { name, problem: format!("{text}{mend}") };
    }
    StoreError::Statement { name, problem: text }
}
