//! Where files are by default: the home directory and the names below it. Pure but for looking whether a file exists.

use crate::{ConfigError, Error, Mosaic, WELL_KNOWN};
use std::{
    ffi::OsString,
    fs, io,
    path::{Path, PathBuf},
};

/// The home of all chains: `$MOSAIC_HOME`, else `$HOME/.mosaic`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Home {
    mosaic: PathBuf,
    user: Option<PathBuf>,
}

impl Home {
    /// From the values of `MOSAIC_HOME` and `HOME`; an empty variable counts as not set. A relative path is taken
    /// from the working directory, now, so that a later change of directory does not move it.
    ///
    /// # Errors
    /// [`Error::Usage`] when neither is set.
    pub fn new(mosaic_home: Option<OsString>, home: Option<OsString>) -> Result<Self, Error> {
        let set = |value: Option<OsString>| value.filter(|value| !value.is_empty()).map(PathBuf::from);
        let user = set(home);
        let mosaic = set(mosaic_home).or_else(|| user.as_ref().map(|user| user.join(".mosaic")));
        let mosaic = mosaic.ok_or_else(|| Error::Usage("neither MOSAIC_HOME nor HOME is set: set one".to_owned()))?;
        let mosaic = std::path::absolute(&mosaic).unwrap_or(mosaic);
        Ok(Self { mosaic, user })
    }

    /// The home directory itself.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.mosaic
    }

    /// The directory of an auxiliary chain.
    #[must_use]
    pub fn chain_directory(&self, auxiliary_chain_id: u64) -> PathBuf {
        self.mosaic.join(auxiliary_chain_id.to_string())
    }

    /// `<home>/<aux>/facilitator-config.json`.
    #[must_use]
    pub fn facilitator_config(&self, auxiliary_chain_id: u64) -> PathBuf {
        self.chain_directory(auxiliary_chain_id).join("facilitator-config.json")
    }

    /// `<home>/<aux>/mosaic-config.json`, the copy that `init` makes.
    #[must_use]
    pub fn mosaic_config(&self, auxiliary_chain_id: u64) -> PathBuf {
        self.chain_directory(auxiliary_chain_id).join("mosaic-config.json")
    }

    /// `<home>/<aux>/gateway-config.json`, the copy that `init --gateway-config` makes.
    #[must_use]
    pub fn gateway_config(&self, auxiliary_chain_id: u64) -> PathBuf {
        self.chain_directory(auxiliary_chain_id).join("gateway-config.json")
    }

    /// `<home>/<aux>/facilitator.db`.
    #[must_use]
    pub fn database(&self, auxiliary_chain_id: u64) -> PathBuf {
        self.chain_directory(auxiliary_chain_id).join("facilitator.db")
    }

    /// `text` as a path: `~` is the user's home, a relative path begins at the directory of `file`.
    #[must_use]
    pub fn resolve(&self, file: &Path, text: &str) -> PathBuf {
        let directory = file.parent().unwrap_or(Path::new(""));
        match (text.strip_prefix("~/"), &self.user) {
            (Some(rest), Some(user)) => user.join(rest),
            _ => directory.join(text),
        }
    }

    /// The auxiliary chains that have a facilitator config below the home, lowest first.
    ///
    /// # Errors
    /// The home exists and cannot be listed.
    pub fn configured_chains(&self) -> Result<Vec<u64>, ConfigError> {
        let fail = |error: io::Error| ConfigError::new(&self.mosaic, "", format!("cannot be listed: {error}"));
        let entries = match fs::read_dir(&self.mosaic) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(fail(error)),
        };
        let mut chains = Vec::new();
        for entry in entries {
            let name = entry.map_err(fail)?.file_name();
            let id = name.to_str().and_then(|name| name.parse::<u64>().ok().filter(|id| id.to_string() == name));
            chains.extend(id.filter(|id| self.facilitator_config(*id).exists()));
        }
        chains.sort_unstable();
        Ok(chains)
    }

    /// The mosaic config of an auxiliary chain: `given`, else `<home>/<aux>/mosaic-config.json`, else
    /// `<home>/<origin-name>.json` that holds the chain.
    ///
    /// # Errors
    /// The file is invalid or does not hold the chain; or there is none, and the error names all places looked at.
    pub fn find_mosaic(&self, given: Option<&Path>, auxiliary_chain_id: u64) -> Result<Mosaic, ConfigError> {
        let own = self.mosaic_config(auxiliary_chain_id);
        if let Some(file) = given.or_else(|| own.exists().then_some(own.as_path())) {
            let mosaic = Mosaic::read(file)?;
            mosaic.chain(auxiliary_chain_id)?;
            return Ok(mosaic);
        }
        let mut broken = None;
        for (name, _) in WELL_KNOWN {
            let file = self.mosaic.join(format!("{name}.json"));
            if !file.exists() {
                continue;
            }
            match Mosaic::read(&file) {
                Ok(mosaic) if mosaic.auxiliary.contains_key(&auxiliary_chain_id) => return Ok(mosaic),
                Ok(_) => {}
                Err(error) => broken = broken.or(Some(error)),
            }
        }
        // A broken file may be the one that is meant, so it comes before "not found".
        Err(broken.unwrap_or_else(|| {
            let names = WELL_KNOWN.map(|(name, _)| format!("{name}.json")).join(", ");
            let places = format!("not found, and {names} in {} have no such chain", self.mosaic.display());
            let mend = "give --mosaic-config FILE or run `facilitator init`";
            ConfigError::new(&own, "", format!("{places}: {mend}"))
        }))
    }
}

/// Why the permissions of a file with encrypted keys are too wide, `None` if only its owner can read and write it.
#[must_use]
pub fn permission_warning(file: &Path) -> Option<String> {
    use std::os::unix::fs::PermissionsExt;
    let mode = fs::metadata(file).ok()?.permissions().mode() & 0o777;
    let text = || format!("{} has mode {mode:04o}: others may use it; run chmod 600 on it", file.display());
    (mode & 0o077 != 0).then(text)
}
