//! Chains by name or id.

use std::{collections::BTreeMap, fmt};

/// An origin chain as a configuration names it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum ChainRef {
    /// By its id.
    Id(u64),
    /// By a name; [`Names`] may know its id, else the chain's node does.
    Name(String),
}

impl fmt::Display for ChainRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Id(id) => fmt::Display::fmt(id, f),
            Self::Name(name) => f.write_str(name),
        }
    }
}

/// The networks with well-known names: what `<home>/<name>.json` may be called.
pub const WELL_KNOWN: [(&str, u64); 3] = [("ethereum", 1), ("ropsten", 3), ("goerli", 5)];

/// Which name means which chain id: the well-known ones, and those learnt from nodes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Names(BTreeMap<String, u64>);

impl Default for Names {
    fn default() -> Self {
        Self(WELL_KNOWN.iter().map(|(name, id)| ((*name).to_owned(), *id)).collect())
    }
}

impl Names {
    /// Notes that the node of the chain `name` answered `id`. Well-known names keep their meaning.
    pub fn learn(&mut self, name: &str, id: u64) {
        self.0.entry(name.to_owned()).or_insert(id);
    }

    /// The id of `chain`, `None` for an unknown name.
    #[must_use]
    pub fn id(&self, chain: &ChainRef) -> Option<u64> {
        match chain {
            ChainRef::Id(id) => Some(*id),
            ChainRef::Name(name) => self.0.get(name).copied(),
        }
    }
}
