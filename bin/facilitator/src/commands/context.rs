//! What most commands begin with: the configuration of a chain pair and its database.

use crate::cli::PairArgs;
use crate::failure::{Exit, Failure};
use facilitator_chain::rpc::{Rpc, RpcOptions};
use facilitator_chain::scan::fetch_chain_id;
use facilitator_config::{Db, Endpoint, Error, Home, Loaded, Names, Selection, load};
use facilitator_store::{Access, Location, Pair, Patience, Store, StoreError};
use std::path::PathBuf;
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
        Db::Url { .. } => Err(Failure {
            path: Some("db.url".to_owned()),
            ..Failure::new(
                Exit::Config,
                format!(
                    "{}: db.url: database servers are not supported by this version; use `db_path` with a file",
                    loaded.facilitator.file.display()
                ),
            )
        }),
    }
}

/// The path of the database as children are told it.
pub(crate) fn database_path(location: &Location) -> PathBuf {
    match location {
        Location::Sqlite(path) => path.clone(),
    }
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

/// As [`open`], for who tells the database's errors apart.
pub(crate) async fn try_open(loaded: &Loaded, access: Access) -> Result<Result<Store, StoreError>, Failure> {
    let patience = match access {
        Access::Reader => Patience { limit: Duration::from_millis(800) },
        Access::Owner | Access::Writer => Patience::default(),
    };
    let now = facilitator_roles::clock::now_ms();
    Ok(Store::open(&location(loaded)?, access, pair(loaded), patience, now).await)
}
