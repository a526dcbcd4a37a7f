//! What can go wrong with the database, one variant a decision of the caller.

use crate::journal::EntryId;
use facilitator_eth::Address;

/// Why the database did not do it. Nothing was changed in any of these cases but [`StoreError::Uncertain`].
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Somebody else kept it locked for longer than the limit. Try again later; nothing is lost.
    #[error("database {name} is busy: another process has kept it locked for {waited_ms} ms; end that process or wait")]
    Busy {
        /// The database.
        name: String,
        /// How long was waited.
        waited_ms: u64,
    },
    /// There is none, and this caller must not make one.
    #[error("database {name} does not exist; `facilitator start` creates it")]
    Missing {
        /// The database.
        name: String,
    },
    /// The file is something else.
    #[error(
        "{name} is not a database: it is a file of another kind or damaged from its first page; name another file in `db.db_path`, or have `facilitator recover --set-aside` keep this one under another name and rebuild from the chains"
    )]
    NotADatabase {
        /// The file.
        name: String,
    },
    /// A database of another program.
    #[error(
        "database {name} belongs to another program: it has the table `{table}` but no facilitator version; name another one in the config's `db`"
    )]
    Foreign {
        /// The database.
        name: String,
        /// One of its tables.
        table: String,
    },
    /// A facilitator's database, but of other chains.
    #[error("database {name} belongs to the chain pair {found}, not {wanted}; name another one in the config's `db`")]
    OtherPair {
        /// The database.
        name: String,
        /// Origin and auxiliary chain stored in it.
        found: String,
        /// Those of the config.
        wanted: String,
    },
    /// Written by a newer program: using it could destroy what this one does not know.
    #[error(
        "database {name} has schema version {found}, but this program knows only up to {known}; use the newer facilitator that wrote it"
    )]
    Newer {
        /// The database.
        name: String,
        /// Version found.
        found: i64,
        /// Newest version known.
        known: i64,
    },
    /// Written by an older program and not yet migrated, which only the owner does.
    #[error(
        "database {name} has schema version {found}, this program needs {known}; `facilitator start` brings it up to date"
    )]
    Older {
        /// The database.
        name: String,
        /// Version found.
        found: i64,
        /// Version needed.
        known: i64,
    },
    /// It may be read but not written.
    #[error(
        "database {name} cannot be written: file, directory, file system or server is read-only for this user; check owner, mode and privileges"
    )]
    ReadOnly {
        /// The database.
        name: String,
    },
    /// No room left.
    #[error("database {name} cannot grow: the file system is full or a quota is reached; make room")]
    Full {
        /// The database.
        name: String,
    },
    /// Its pages contradict each other, or a stored value is none of its type.
    #[error(
        "database {name} is damaged: {problem}; {mend}",
        mend = mend(.name)
    )]
    Damaged {
        /// The database.
        name: String,
        /// What was found.
        problem: String,
    },
    /// It could not be reached or opened.
    #[error("database {name} cannot be used: {problem}")]
    Unavailable {
        /// The database.
        name: String,
        /// What the system says.
        problem: String,
    },
    /// Rows were to be copied into a database that has some.
    #[error("database {name} is not empty: it has rows already, which a copy would mix up with; name an empty one")]
    NotEmpty {
        /// The database.
        name: String,
    },
    /// The URL of a database server is none.
    #[error("db.url: {problem}")]
    Address {
        /// What is wrong with it.
        problem: String,
    },
    /// The connection was lost while a commit was to be answered, and the server could not be asked since whether it was
    /// carried out. As after a death at that moment: begin again with what the database says then (law 7).
    #[error("database {name}: the connection was lost during a commit, whose outcome is not known: {problem}")]
    Uncertain {
        /// The database.
        name: String,
        /// What broke.
        problem: String,
    },
    /// Someone else holds the account now: what this process wanted to sign must not leave it (law 5).
    #[error(
        "account {account} on chain {chain_id} is no longer held by `{owner}` with token {token}: another sender took over; this one must stop signing for it"
    )]
    LeaseLost {
        /// The account.
        account: Address,
        /// The chain.
        chain_id: u64,
        /// Who thought to hold it.
        owner: String,
        /// The outdated fencing token.
        token: i64,
    },
    /// The instance may not sign at present, by its status; it may again once a maintenance tick has made it active.
    #[error(
        "instance {instance} signs nothing: it is {status}; a maintenance tick makes it active again once it is ready"
    )]
    MayNotSign {
        /// Its name.
        instance: String,
        /// Its status.
        status: String,
    },
    /// Another instance works on the request that was to be signed for.
    #[error("the claim on request {request} is lost: {holder} works on it, so nothing is signed for it here")]
    ClaimLost {
        /// All entries of which that is so.
        entries: Vec<EntryId>,
        /// Row number of the first one's request.
        request: i64,
        /// Who has it.
        holder: String,
    },
    /// There is nothing of this name.
    #[error("there is no {what} named `{name}`; `facilitator stats` lists what there is")]
    Unknown {
        /// What was asked for.
        what: &'static str,
        /// By which name.
        name: String,
    },
    /// The scan did not start at the stored checkpoint: another scanner moved it.
    #[error(
        "checkpoint of chain {chain_id} is at {found}, not at {expected} as this scanner believes: another scanner runs on the same database; end one of them"
    )]
    CheckpointMoved {
        /// The chain.
        chain_id: u64,
        /// Stored block, in words.
        found: String,
        /// Block that was expected, in words.
        expected: String,
    },
    /// A journal entry is not in the state that the change needs.
    #[error("transaction {entry} cannot be {change}: it is {state} by now")]
    WrongState {
        /// Row number of the entry.
        entry: i64,
        /// The change.
        change: &'static str,
        /// Its state, or why not.
        state: String,
    },
    /// A number that the database cannot hold exactly.
    #[error("{what} {number} does not fit the database (at most 2^63-1)")]
    TooLarge {
        /// What it is.
        what: &'static str,
        /// The number.
        number: u64,
    },
    /// The statement itself is wrong: a mistake of this program.
    #[error("database {name} refused a statement: {problem}; please report this")]
    Statement {
        /// The database.
        name: String,
        /// What it says.
        problem: String,
    },
}

impl StoreError {
    /// Whether it may pass by itself or be mended while the program runs: trying again later is worth it.
    #[must_use]
    pub const fn passes(&self) -> bool {
        match self {
            Self::Busy { .. }
            | Self::Full { .. }
            | Self::ReadOnly { .. }
            | Self::Unavailable { .. }
            | Self::MayNotSign { .. }
            | Self::ClaimLost { .. } => true,
            Self::Missing { .. }
            | Self::NotADatabase { .. }
            | Self::Foreign { .. }
            | Self::OtherPair { .. }
            | Self::Newer { .. }
            | Self::Older { .. }
            | Self::Damaged { .. }
            | Self::NotEmpty { .. }
            | Self::Address { .. }
            | Self::Uncertain { .. }
            | Self::LeaseLost { .. }
            | Self::CheckpointMoved { .. }
            | Self::Unknown { .. }
            | Self::WrongState { .. }
            | Self::TooLarge { .. }
            | Self::Statement { .. } => false,
        }
    }
}

/// What helps against damage.
fn mend(name: &str) -> &'static str {
    if crate::db::Server::is_meant(name) {
        "name another, empty database in the config's `db.url` and run `facilitator recover`, which rebuilds from the chains; or restore it from a backup"
    } else {
        "`facilitator recover --set-aside` keeps it under another name and rebuilds from the chains"
    }
}

/// Short for results of this crate.
pub type Result<T> = std::result::Result<T, StoreError>;
