//! Configuration: mosaic-, gateway- and facilitator-config read, checked, defaulted and written; key stores opened.
//!
//! Both vintages of each file become one model, so that nothing behind this crate knows of vintages. Every error names
//! file and field (law 12). Nothing here asks a node, reads the environment or a clock: what is needed of them is an
//! argument.

mod chain_key;
mod endpoint;
mod error;
mod facilitator;
mod files;
mod gateway;
mod home;
pub mod init;
mod json;
mod kinds;
mod load;
mod mosaic;
mod names;
mod node;
mod passwords;
mod secret;
mod settings;
mod unlock;

pub use endpoint::{Endpoint, EndpointError};
pub use error::{ConfigError, Error, KeyError};
pub use facilitator::{Chain, ChainPrices, Context, Db, Facilitator, KeyStore, Prices, Source};
pub use files::Overwrite;
pub use gateway::{GatewayAddresses, GatewayConfig};
pub use home::{Home, permission_warning};
pub use load::{Loaded, Selection, load};
pub use mosaic::{AuxiliaryChain, AuxiliaryContracts, Libraries, Mosaic, OriginChain, OriginContracts};
pub use names::{ChainRef, Names, WELL_KNOWN};
pub use passwords::{Passwords, password_variable};
pub use secret::Secret;
pub use settings::{
    ChainSettings, Environment, HeartbeatSettings, HunterSettings, LogFormat, LogLevel, MetricsSettings,
    MonitorSettings, Scope, Setting, Settings, table,
};
pub use unlock::{Key, Keys, hash_lock_account, open_hash_lock_key, unlock};

pub(crate) use facilitator::check_database_url;
pub(crate) use files::Change;
