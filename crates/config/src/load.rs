//! Everything a running facilitator reads at start: the facilitator config, and the contracts from the mosaic or
//! gateway config, checked against each other.

use crate::{ConfigError, Context, Error, Facilitator, GatewayAddresses, GatewayConfig, Home, Mosaic, Names};
use std::path::{Path, PathBuf};

/// Which files to load; `None` stands for the default place below the home.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection {
    /// The auxiliary chain; may be left out when the facilitator config is given.
    pub auxiliary_chain_id: Option<u64>,
    /// `--facilitator-config`.
    pub facilitator_config: Option<PathBuf>,
    /// `--mosaic-config`; it also puts a gateway config of the default place aside.
    pub mosaic_config: Option<PathBuf>,
}

/// The configuration of one chain pair.
#[derive(Debug, Clone, PartialEq)]
pub struct Loaded {
    /// The facilitator config.
    pub facilitator: Facilitator,
    /// The gateways that are served, at least one. Events of any other gateway are left alone (law 10).
    pub gateways: Vec<GatewayAddresses>,
    /// The mosaic config the addresses come from.
    pub mosaic_config: PathBuf,
}

/// Reads and checks the configuration of one chain pair.
///
/// # Errors
/// [`Error::Config`] with the field; [`Error::UnknownChainName`] when a node has to be asked for a chain id first;
/// [`Error::Usage`] when neither chain nor file is given.
pub fn load(selection: &Selection, home: &Home, names: &Names) -> Result<Loaded, Error> {
    let asked = selection.auxiliary_chain_id;
    let mosaic = asked.map(|id| contracts(selection.mosaic_config.as_deref(), home, id)).transpose();
    let origin_chain_id = match &mosaic {
        Ok(found) => found.as_ref().and_then(|(mosaic, _)| names.id(&mosaic.origin.chain)),
        Err(_) => None,
    };
    let file = match (&selection.facilitator_config, asked) {
        (Some(file), _) => file.clone(),
        (None, Some(id)) => home.facilitator_config(id),
        (None, None) => return Err(Error::Usage("give --chain-id or --facilitator-config".to_owned())),
    };
    if !file.exists() {
        let message = "not found: give --facilitator-config FILE or run `facilitator init`";
        return Err(ConfigError::new(&file, "", message).into());
    }
    let context = Context { home, names, auxiliary_chain_id: asked, origin_chain_id };
    let facilitator = Facilitator::read(&file, context)?;
    let (mosaic, gateway) = match mosaic? {
        Some(found) => found,
        None => contracts(selection.mosaic_config.as_deref(), home, facilitator.auxiliary.chain_id)?,
    };
    check_origin(&mosaic, &facilitator, names)?;
    let gateways = with_further(gateway, &facilitator, home, names)?;
    Ok(Loaded { facilitator, gateways, mosaic_config: mosaic.file })
}

/// `first`, and the gateways of `gateway_configs` after it. One that is served twice would be asked for twice.
fn with_further(
    first: GatewayAddresses,
    facilitator: &Facilitator,
    home: &Home,
    names: &Names,
) -> Result<Vec<GatewayAddresses>, ConfigError> {
    let mut gateways = vec![first];
    for (index, text) in facilitator.settings.gateway_configs.iter().enumerate() {
        let wrong = |message: String| ConfigError::new(&facilitator.file, format!("gateway_configs[{index}]"), message);
        let file = home.resolve(&facilitator.file, text);
        if !file.is_file() {
            return Err(wrong(format!("there is no file {}", file.display())));
        }
        let (mosaic, further) = by_gateway_config(&file, home, facilitator.auxiliary.chain_id)?;
        check_origin(&mosaic, facilitator, names)?;
        let same = |known: &&GatewayAddresses| known.gateway == further.gateway || known.cogateway == further.cogateway;
        if let Some(known) = gateways.iter().find(same) {
            let (gateway, cogateway) = (known.gateway, known.cogateway);
            let message =
                format!("has gateway {gateway} or cogateway {cogateway}, which are served already: remove one");
            return Err(wrong(message));
        }
        gateways.push(further);
    }
    Ok(gateways)
}

/// The contracts by the given mosaic config, else by the gateway config of the default place, else by the mosaic
/// config that is found.
fn contracts(given: Option<&Path>, home: &Home, chain_id: u64) -> Result<(Mosaic, GatewayAddresses), ConfigError> {
    let gateway_file = home.gateway_config(chain_id);
    if given.is_some() || !gateway_file.exists() {
        let mosaic = home.find_mosaic(given, chain_id)?;
        let gateway = mosaic.gateway(chain_id)?;
        return Ok((mosaic, gateway));
    }
    by_gateway_config(&gateway_file, home, chain_id)
}

/// The contracts of a gateway config, with the mosaic config that it refers to.
fn by_gateway_config(file: &Path, home: &Home, chain_id: u64) -> Result<(Mosaic, GatewayAddresses), ConfigError> {
    let config = GatewayConfig::read(file, home)?;
    if config.auxiliary_chain_id != chain_id {
        let message = format!("is {}, but asked for was {chain_id}", config.auxiliary_chain_id);
        return Err(ConfigError::new(file, "auxChainId", message));
    }
    let mosaic = Mosaic::read(&config.mosaic_config)?;
    let gateway = config.gateway(&mosaic)?;
    Ok((mosaic, gateway))
}

/// A name that nobody knows was not compared by [`Facilitator::read`]: the pair's own origin id stands then, and the
/// node's answer is compared at start.
fn check_origin(mosaic: &Mosaic, facilitator: &Facilitator, names: &Names) -> Result<(), ConfigError> {
    let origin = facilitator.origin.chain_id;
    match names.id(&mosaic.origin.chain) {
        Some(id) if id != origin => {
            let message = format!("is chain {id}, but {} has {origin} as origin", facilitator.file.display());
            Err(ConfigError::new(&mosaic.file, "originChain", message))
        }
        Some(_) | None => Ok(()),
    }
}
