//! What coins and tokens are worth: constants that the operator sets, by chain.

use crate::{ConfigError, chain_key, node::Node};
use facilitator_eth::{Address, Decimal};
use std::{collections::BTreeMap, path::Path};

const MAX_CHAINS: usize = 2;
const MAX_TOKENS: usize = 1_000;

/// Of both chains of the pair, in one common unit of the operator's choice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prices {
    /// Of the origin chain.
    pub origin: ChainPrices,
    /// Of the auxiliary chain.
    pub auxiliary: ChainPrices,
}

/// Of one chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChainPrices {
    /// Price of one whole base coin (10^18 wei).
    pub coin: Decimal,
    /// Price of one whole token, by its contract.
    pub tokens: BTreeMap<Address, Decimal>,
}

/// As in the file: by chain, each with its path for errors.
pub(super) type Draft = BTreeMap<u64, (String, ChainPrices)>;

pub(super) fn read(node: &Node<'_>) -> Result<Draft, ConfigError> {
    let mut chains = Draft::new();
    for (key, place) in node.entries(MAX_CHAINS)? {
        let id = chain_key::digits(&place, key)?;
        let fields = place.fields(&[&["coin", "tokens"]])?;
        let coin = fields.required(&["coin"])?.decimal()?;
        let mut tokens = BTreeMap::new();
        for (key, price) in fields.optional(&["tokens"])?.map_or(Ok(Vec::new()), |node| node.entries(MAX_TOKENS))? {
            let token: Address = key.parse().map_err(|error| price.error(format!("as an address, the key {error}")))?;
            if tokens.insert(token, price.decimal()?).is_some() {
                return Err(price.error("stands twice in different case: remove one"));
            }
        }
        chains.insert(id, (place.path.clone(), ChainPrices { coin, tokens }));
    }
    Ok(chains)
}

/// Those of the pair, which must be all.
pub(super) fn of_pair(file: &Path, mut draft: Draft, origin: u64, auxiliary: u64) -> Result<Prices, ConfigError> {
    let mut take = |id: u64| {
        let missing = || ConfigError::new(file, format!("prices.{id}"), "missing: name the price of its coin");
        draft.remove(&id).map(|(_, prices)| prices).ok_or_else(missing)
    };
    let prices = Prices { origin: take(origin)?, auxiliary: take(auxiliary)? };
    match draft.into_values().next() {
        None => Ok(prices),
        Some((path, _)) => Err(ConfigError::new(file, path, format!("is none of the chains {origin} and {auxiliary}"))),
    }
}
