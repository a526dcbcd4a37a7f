//! Where a database is, and what may be said about it: passwords never leave this module but towards the server, or
//! towards a child that is to open the same database.

use crate::error::{Result, StoreError};
use sqlx::postgres::{PgConnectOptions, PgSslMode};
use std::{fmt, path::PathBuf};
use url::Url;

/// Where a database is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    /// An SQLite file. On a local disk: WAL does not work over a network.
    Sqlite(PathBuf),
    /// A database of a PostgreSQL server.
    Postgres(Server),
}

impl Location {
    /// Its name in errors; without credentials.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::Sqlite(path) => path.display().to_string(),
            Self::Postgres(server) => server.name.clone(),
        }
    }

    /// All that another process of this program needs to open the same database, for [`Self::from_address`]. Contains
    /// the password.
    #[must_use]
    pub fn address(&self) -> String {
        match self {
            Self::Sqlite(path) => path.to_string_lossy().into_owned(),
            Self::Postgres(server) => server.url.to_string(),
        }
    }

    /// The location with this [`Self::address`].
    ///
    /// # Errors
    /// [`StoreError::Address`] if it is a URL that no server can be reached by.
    pub fn from_address(address: &str) -> Result<Self> {
        if Server::is_meant(address) {
            return Server::new(address, None, None).map(Self::Postgres);
        }
        Ok(Self::Sqlite(PathBuf::from(address)))
    }
}

/// A database of a PostgreSQL server, and the user to reach it as.
#[derive(Clone, PartialEq, Eq)]
pub struct Server {
    /// Complete, with the password.
    url: Url,
    name: String,
}

impl fmt::Debug for Server {
    /// Never shows the password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Server({})", self.name)
    }
}

/// What may stand behind the `?` of a URL. Anything else is refused: a misspelt `sslmode` would go unencrypted.
const PARAMETERS: [&str; 6] = ["application_name", "host", "sslcert", "sslkey", "sslmode", "sslrootcert"];

impl Server {
    /// Whether a text is a URL of a server rather than the path of a file.
    #[must_use]
    pub fn is_meant(text: &str) -> bool {
        text.starts_with("postgres://") || text.starts_with("postgresql://")
    }

    /// Reads `postgres://user:password@host:port/database?sslmode=…`. User and password given beside it count more.
    ///
    /// Nothing is taken from the environment, which children do not see: what the URL leaves open has its default (port
    /// 5432, `sslmode=prefer`) or is an error.
    ///
    /// # Errors
    /// [`StoreError::Address`], which says nothing of a password.
    pub fn new(url: &str, username: Option<&str>, password: Option<&str>) -> Result<Self> {
        let mut url = Url::parse(url).map_err(|problem| refused(&problem.to_string()))?;
        if !Self::is_meant(url.as_str()) {
            return Err(refused("it must begin with postgres:// or postgresql://"));
        }
        check_parameters(&url)?;
        let host = url.host_str().is_some_and(|host| !host.is_empty());
        if !host && parameter(&url, "host").is_none() {
            return Err(refused("it names no host: postgres://user@host/database, or ?host=/directory/of/the/socket"));
        }
        if url.path().trim_start_matches('/').is_empty() {
            return Err(refused("it names no database: postgres://user@host/database"));
        }
        // A URL that only names a socket's directory has no place for a user.
        if !host {
            url.set_host(Some("localhost")).map_err(|problem| refused(&problem.to_string()))?;
        }
        let cannot = |()| refused("it has no place for a user");
        if let Some(username) = username {
            url.set_username(username).map_err(cannot)?;
        }
        if let Some(password) = password {
            url.set_password(Some(password)).map_err(cannot)?;
        }
        if url.username().is_empty() {
            return Err(refused("it names no user: postgres://user@host/database, or `db.username`"));
        }
        let name = shown(&url);
        let server = Self { url, name };
        server.options().map(|_| server)
    }

    /// With this password, unless the URL had one.
    #[must_use]
    pub fn or_password(mut self, password: &str) -> Self {
        if self.url.password().is_none() {
            // Refused only without a host, which it has.
            let _has_host = self.url.set_password(Some(password));
        }
        self
    }

    /// As it is shown to people: without the password.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What a connection is made with.
    pub(super) fn options(&self) -> Result<PgConnectOptions> {
        let url = &self.url;
        let read: PgConnectOptions =
            url.as_str().parse().map_err(|problem: sqlx::Error| refused(&problem.to_string()))?;
        // Each of these would otherwise come out of the environment, or the password out of a file there.
        let mut options = read.port(url.port().unwrap_or(5432));
        if url.password().is_none() {
            options = options.password("");
        }
        if parameter(url, "sslmode").is_none() {
            options = options.ssl_mode(PgSslMode::Prefer);
        }
        if parameter(url, "application_name").is_none() {
            options = options.application_name("facilitator");
        }
        Ok(options)
    }
}

fn check_parameters(url: &Url) -> Result<()> {
    for (key, value) in url.query_pairs() {
        if !PARAMETERS.contains(&key.as_ref()) {
            let known = PARAMETERS.join(", ");
            return Err(refused(&format!("the parameter `{key}` is not known; there are {known}")));
        }
        if key == "host" && !value.starts_with('/') {
            return Err(refused("the parameter `host` must be the directory of a socket, as /var/run/postgresql"));
        }
    }
    Ok(())
}

fn parameter(url: &Url, name: &str) -> Option<String> {
    url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}

/// The URL without its password.
fn shown(url: &Url) -> String {
    let mut shown = url.clone();
    // Only a URL without a host refuses, and that has none.
    let _has_host = shown.set_password(None);
    shown.to_string()
}

fn refused(problem: &str) -> StoreError {
    StoreError::Address { problem: problem.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_named_without_its_password_and_handed_on_with_it() {
        let server =
            Server::new("postgres://op@db.example:5433/pair?sslmode=verify-full", None, Some("p@s/w+%rd")).unwrap();
        assert_eq!(server.name(), "postgres://op@db.example:5433/pair?sslmode=verify-full");
        assert_eq!(format!("{server:?}"), format!("Server({})", server.name()));
        let location = Location::Postgres(server);
        assert_eq!(Location::from_address(&location.address()).unwrap(), location);
        let given = Server::new("postgres://x:y@h/d", Some("op"), Some("z")).unwrap();
        assert_eq!((given.name(), given.url.password()), ("postgres://op@h/d", Some("z")));
        assert_eq!(Location::from_address("/a/b.db").unwrap(), Location::Sqlite("/a/b.db".into()));
    }

    #[test]
    fn a_socket_is_named_by_its_directory() {
        let server = Server::new("postgres:///pair?host=/run/pg", Some("op"), None).unwrap();
        assert_eq!(server.name(), "postgres://op@localhost/pair?host=/run/pg");
        assert_eq!(server.options().unwrap().get_socket().unwrap().to_str(), Some("/run/pg"));
    }

    #[test]
    fn what_a_url_lacks_is_said_without_what_it_hides() {
        let cases = [
            ("postgres://u:hidden@h", "no database"),
            ("postgres://:hidden@h/d", "no user"),
            ("postgres:///d", "no host"),
            ("mysql://u:hidden@h/d", "postgres://"),
            ("postgres://u:hidden@h/d?sslmod=require", "`sslmod`"),
            ("postgres://u:hidden@h/d?sslmode=always", "always"),
            ("postgres://u:hidden@h:99999/d", "port"),
            ("postgres://u:hidden@h/d?host=elsewhere", "directory"),
        ];
        for (url, says) in cases {
            let error = Server::new(url, None, None).unwrap_err().to_string();
            assert!(error.contains(says) && !error.contains("hidden"), "{url}: {error}");
        }
    }
}
