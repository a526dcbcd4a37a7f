//! What the databases spell differently.

/// The language of a database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    Sqlite,
    Postgres,
}

impl Dialect {
    /// Ends a sub-select of rows to claim, so that others who claim at the same time skip them. SQLite has one writer,
    /// nothing to skip.
    pub(crate) const fn skip_locked(self) -> &'static str {
        match self {
            Self::Sqlite => "",
            Self::Postgres => " FOR NO KEY UPDATE SKIP LOCKED",
        }
    }

    /// Ends a select of rows that this transaction will change, or relies upon to stay as they are: whoever wants to
    /// change them waits until it has ended.
    pub(crate) const fn for_update(self) -> &'static str {
        match self {
            Self::Sqlite => "",
            Self::Postgres => " FOR NO KEY UPDATE",
        }
    }

    /// As [`Self::for_update`], for rows that several may rely upon at the same time and none of them changes.
    pub(crate) const fn for_share(self) -> &'static str {
        match self {
            Self::Sqlite => "",
            Self::Postgres => " FOR SHARE",
        }
    }

    /// As [`Self::for_share`], of the rows of one of several tables.
    pub(crate) fn for_share_of(self, table: &str) -> String {
        match self {
            Self::Sqlite => String::new(),
            Self::Postgres => format!(" FOR SHARE OF {table}"),
        }
    }

    /// The clock of whoever keeps the rows, Unix milliseconds; none where that is this process.
    pub(crate) const fn time(self) -> Option<&'static str> {
        match self {
            Self::Sqlite => None,
            Self::Postgres => Some("SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)"),
        }
    }

    /// Names of all tables.
    pub(crate) const fn tables(self) -> &'static str {
        match self {
            Self::Sqlite => {
                "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name"
            }
            Self::Postgres => {
                "SELECT tablename::text FROM pg_tables WHERE schemaname = current_schema() ORDER BY tablename"
            }
        }
    }

    /// A row if there is a table of the name `$1`.
    pub(super) const fn has_table(self) -> &'static str {
        match self {
            Self::Sqlite => "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = $1",
            Self::Postgres => "SELECT 1 FROM pg_tables WHERE schemaname = current_schema() AND tablename = $1",
        }
    }

    /// The setting on which depends whether what is committed stays.
    pub(super) const fn mode(self) -> &'static str {
        match self {
            Self::Sqlite => "PRAGMA journal_mode",
            Self::Postgres => "SELECT setting FROM pg_settings WHERE name = 'fsync'",
        }
    }

    /// The tables that the table `$1` refers to.
    pub(crate) const fn parents(self) -> &'static str {
        match self {
            Self::Sqlite => "SELECT DISTINCT \"table\" FROM pragma_foreign_key_list($1)",
            Self::Postgres => {
                "SELECT DISTINCT parent.relname::text FROM pg_constraint
                    JOIN pg_class AS parent ON parent.oid = confrelid JOIN pg_class AS child ON child.oid = conrelid
                    JOIN pg_namespace AS place ON place.oid = child.relnamespace
                WHERE contype = 'f' AND child.relname = $1 AND place.nspname = current_schema()"
            }
        }
    }

    /// The columns of the table `$1` in their order, each with its place in the primary key or 0.
    pub(crate) const fn columns(self) -> &'static str {
        match self {
            Self::Sqlite => "SELECT name, pk FROM pragma_table_info($1) ORDER BY cid",
            Self::Postgres => {
                "SELECT attname::text, COALESCE((SELECT array_position(conkey, attnum) FROM pg_constraint
                        WHERE conrelid = attrelid AND contype = 'p'), 0)
                FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid
                    JOIN pg_namespace ON pg_namespace.oid = relnamespace
                WHERE relname = $1 AND nspname = current_schema() AND attnum > 0 AND NOT attisdropped
                ORDER BY attnum"
            }
        }
    }

    /// The highest number that a row of a numbered table ever had; no row or none if that is not kept.
    pub(crate) fn last_number(self, table: &str) -> String {
        match self {
            Self::Sqlite => format!("SELECT MAX(seq) FROM sqlite_sequence WHERE name = '{table}'"),
            Self::Postgres => format!(
                "SELECT last_value FROM pg_sequences
                WHERE schemaname = current_schema() AND sequencename = '{table}_id_seq'"
            ),
        }
    }

    /// Says so of a table whose rows were copied.
    pub(crate) fn set_last_number(self, table: &str, number: i64) -> String {
        match self {
            Self::Sqlite => format!("UPDATE sqlite_sequence SET seq = MAX(seq, {number}) WHERE name = '{table}'"),
            Self::Postgres => format!(
                "SELECT setval(format('%I.%I', schemaname, sequencename)::regclass, {number}) FROM pg_sequences
                WHERE schemaname = current_schema() AND sequencename = '{table}_id_seq'"
            ),
        }
    }
}
