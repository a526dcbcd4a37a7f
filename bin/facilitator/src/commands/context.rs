//! What most commands begin with: the configuration of a chain pair and its database.

use crate::cli::PairArgs;
use crate::failure::{Exit, Failure};
use facilitator_chain::rpc::{Rpc, RpcOptions};
use facilitator_chain::scan::fetch_chain_id;
use facilitator_config::{Db, Endpoint, Error, Home, Loaded, Names, Secret, Selection, load};
use facilitator_roles::clock;
use facilitator_store::{Access, Location, Pair, Patience, Server, Store, StoreError};
use std::time::Duration;

/// How long a command that only looks waits for a node.
const ASK_LIMIT: Duration = Duration::from_secs(5);

/// The home directory of all chains.
pub(crate) fn home() -> Result<Home, Failure> {
    Ok(Home::new(std::env::var_os("MOSAIC_HOME"), std::env::var_os("HOME"))?)
}

/// The selection that the arguments make.
pub(crate) fn selection(args: &PairArgs) -> Selection {
    Selection {
        auxiliary_chain_id: Some(args.chain_id),
        facilitator_config: args.facilitator_config.clone(),
        mosaic_config: args.mosaic_config.clone(),
    }
}

/// Loads the configuration, asking a node for the id of a chain that is known by name alone.
pub(crate) async fn load_config(selection: &Selection, home: &Home) -> Result<Loaded, Failure> {
    with_names(|names| load(selection, home, names)).await
}

/// Tries until every chain's name is known: the nodes of an unknown one are asked for its id.
pub(crate) async fn with_names<T>(attempt: impl Fn(&Names) -> Result<T, Error>) -> Result<T, Failure> {
    let mut names = Names::default();
    // Each round learns one name, and a configuration names two chains.
    for _ in 0..3 {
        match attempt(&names) {
            Err(Error::UnknownChainName { name, endpoints, file, path }) if !endpoints.is_empty() => {
                let id = ask_chain_id(&endpoints).await.map_err(|error| {
                    let file = file.display();
                    Failure {
                        path: Some(path),
                        ..Failure::new(Exit::Node, format!("{file}: chain \"{name}\": {error}"))
                    }
                })?;
                names.learn(&name, id);
            }
            other => return Ok(other?),
        }
    }
    Ok(attempt(&names)?)
}

async fn ask_chain_id(endpoints: &[Endpoint]) -> Result<u64, String> {
    let mut last = "no endpoint".to_owned();
    for endpoint in endpoints {
        match client(endpoint).await {
            Ok((_, id)) => return Ok(id),
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// A client of an endpoint and the chain that it serves.
pub(crate) async fn client(endpoint: &Endpoint) -> Result<(Rpc, u64), String> {
    let options = RpcOptions { timeout: ASK_LIMIT, ..RpcOptions::default() };
    let rpc = Rpc::new(endpoint.url(), options).map_err(|error| error.to_string())?;
    let id = fetch_chain_id(&rpc).await.map_err(|error| error.to_string())?;
    Ok((rpc, id))
}

/// Where the database is.
pub(crate) fn location(loaded: &Loaded) -> Result<Location, Failure> {
    match &loaded.facilitator.db {
        Db::Sqlite(path) => Ok(Location::Sqlite(path.clone())),
        Db::Url { url, username, password } => {
            let password = password.as_ref().map(Secret::expose);
            server(url.expose(), username.as_deref(), password).map_err(|failure| Failure {
                path: Some("db.url".to_owned()),
                ..Failure::new(Exit::Config, format!("{}: {failure}", loaded.facilitator.file.display()))
            })
        }
    }
}

/// A database server. Without a password in URL or config the environment's counts, for whoever wants it in no file.
pub(crate) fn server(url: &str, username: Option<&str>, password: Option<&str>) -> Result<Location, Failure> {
    let server = Server::new(url, username, password);
    let server = server.map_err(|error| Failure::new(Exit::Config, error.to_string()))?;
    let variable = std::env::var("PGPASSWORD").ok().filter(|password| !password.is_empty());
    Ok(Location::Postgres(match variable {
        Some(password) => server.or_password(&password),
        None => server,
    }))
}

/// The chain pair of a configuration.
pub(crate) const fn pair(loaded: &Loaded) -> Pair {
    Pair {
        origin_chain_id: loaded.facilitator.origin.chain_id,
        auxiliary_chain_id: loaded.facilitator.auxiliary.chain_id,
    }
}

/// Opens the database of a configuration.
pub(crate) async fn open(loaded: &Loaded, access: Access) -> Result<Store, Failure> {
    Ok(try_open(loaded, access).await??)
}

/// Opens it to look; `None` while there is none, or one that its owner has not finished making.
pub(crate) async fn open_if_made(loaded: &Loaded) -> Result<Option<Store>, Failure> {
    match try_open(loaded, Access::Reader).await? {
        Ok(store) => Ok(Some(store)),
        Err(StoreError::Missing { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Opens it to look who runs on it; `None` while there is none, or one that this program cannot read as it is: an older
/// one. Nobody of this program runs on that. A newer one is refused here, before anybody does more for it: no owner can use it.
pub(crate) async fn open_if_readable(loaded: &Loaded) -> Result<Option<Store>, Failure> {
    let location = location(loaded)?;
    if !location.may_exist() {
        return Ok(None);
    }
    let is_server = matches!(location, Location::Postgres(_));
    match open_at(&location, Access::Reader, pair(loaded)).await {
        Ok(store) => Ok(Some(store)),
        // Out of reach for everybody. A file that a reader cannot open may be one that only its owner can.
        Err(error @ StoreError::Unavailable { .. }) if is_server => Err(error.into()),
        Err(error @ StoreError::Newer { .. }) => Err(error.into()),
        Err(_) => Ok(None),
    }
}

/// As [`open`], for who tells the database's errors apart.
pub(crate) async fn try_open(loaded: &Loaded, access: Access) -> Result<Result<Store, StoreError>, Failure> {
    Ok(open_at(&location(loaded)?, access, pair(loaded)).await)
}

/// Opens a database that need not be the one of a configuration.
pub(crate) async fn open_at(location: &Location, access: Access, pair: Pair) -> Result<Store, StoreError> {
    let patience = match access {
        Access::Reader => Patience { limit: Duration::from_millis(800) },
        Access::Owner | Access::Writer => Patience::default(),
    };
    let store = Store::open(location, access, pair, patience, clock::now_ms()).await?;
    clock::agree(&store).await?;
    Ok(store)
}
