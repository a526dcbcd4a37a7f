//! The published contracts: byte code with its library placeholders filled in.
//!
//! Reads `contracts.json` of the npm package as it is; knows neither a node nor an order of deployment.

use anyhow::{Context as _, Result, ensure};
use facilitator_eth::{
    Address, Bytes,
    abi::{self, Value},
};
use serde_json::Value as Json;
use std::{
    env, fs,
    path::{Path, PathBuf},
};

/// Length of a placeholder of a library's address in unlinked byte code: that of an address in hexadecimal.
const PLACEHOLDER: usize = 40;

/// The folder of this repository.
#[must_use]
pub fn repository() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_path_buf()
}

/// The path of the `anvil` binary: `$ANVIL`, else what `scripts/devnet-tools` installed.
///
/// # Errors
/// When there is none.
pub fn anvil_path() -> Result<PathBuf> {
    if let Some(path) = env::var_os("ANVIL") {
        return Ok(path.into());
    }
    let scope = repository().join("node_modules/@foundry-rs");
    let packages = fs::read_dir(&scope).with_context(|| format!("no {}: run scripts/devnet-tools", scope.display()))?;
    packages
        .filter_map(|entry| Some(entry.ok()?.path().join("bin/anvil")))
        .find(|path| path.is_file())
        .with_context(|| format!("no anvil in {}: run scripts/devnet-tools", scope.display()))
}

/// The contracts of `@openst/mosaic-contracts`.
pub struct Artifacts(Json);

impl Artifacts {
    /// Reads what `scripts/devnet-tools` installed.
    ///
    /// # Errors
    /// When it is missing or damaged.
    pub fn load() -> Result<Self> {
        let path = repository().join("node_modules/@openst/mosaic-contracts/dist/contract_build/contracts.json");
        let text = fs::read_to_string(&path)
            .with_context(|| format!("cannot read {}: run scripts/devnet-tools", path.display()))?;
        Ok(Self(serde_json::from_str(&text).with_context(|| format!("{} is damaged", path.display()))?))
    }

    /// The code that creates the contract `name`: its byte code, linked to `libraries`, then the encoded `arguments`.
    ///
    /// # Errors
    /// When there is no such contract or a library that it needs isn't given.
    pub fn creation(&self, name: &str, libraries: &[(&str, Address)], arguments: &[Value]) -> Result<Bytes> {
        let code = self.0[name]["bin"].as_str().with_context(|| format!("no byte code of {name}"))?;
        let mut code = code.to_owned();
        for (library, address) in libraries {
            code = code.replace(&format!("{:_<PLACEHOLDER$}", format!("__{library}")), &hex::encode(address));
        }
        ensure!(!code.contains("__"), "{name} needs a library that is not given");
        let mut code = hex::decode(code.trim_start_matches("0x")).with_context(|| format!("byte code of {name}"))?;
        code.extend_from_slice(&abi::encode(arguments));
        Ok(Bytes(code))
    }
}
