//! The benchmark: its parts, and the report that they make together.
//!
//! Each part makes worlds of its own, so that it can be run alone, and returns a [`Chapter`]: values, shown as text, as
//! Markdown and as plots. Nothing here judges but `aims`: figures stand beside what they are to be compared with.

mod aims;
mod blocks;
mod chapter;
mod deaths;
mod fees;
mod gas;
mod instances;
mod machine;
mod orphans;
mod plot;
mod race;
mod report;
mod restart;
mod scan;
mod settings;
mod stakes;
mod workers;

pub use chapter::{Block, Chapter, Table};
pub use machine::Machine;
pub use plot::{Axis, Line, Plot};
pub use report::{Report, UNMEASURED, between_marks};
pub use settings::Settings;

use crate::{
    anvil::Mining,
    devnet::DevnetOptions,
    rpc_proxy::Fault,
    world::{World, WorldOptions},
};
use anyhow::{Context as _, Result};
use std::time::Duration;

/// Time of a node's answer: as if it were some way off, so that workers die in the midst of something.
const LATENCY: Duration = Duration::from_millis(40);
/// Time between two blocks.
const BLOCK_TIME: Duration = Duration::from_millis(500);
/// Stakes that are always under way while processes die.
const IN_FLIGHT: usize = 16;
/// Longest time for all stakes to end after the last death.
const END_LIMIT: Duration = Duration::from_secs(180);

/// What is to be measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// Few and many stakes beside a straight script.
    Stakes,
    /// Gas of stakes and redeems beside a straight script in two manners.
    Gas,
    /// The fee policy beside others over one series of base fees.
    Fees,
    /// The cost of a process.
    Workers,
    /// From the death of a worker to the next one.
    Deaths,
    /// From the death of the parent to that of its last child.
    Parent,
    /// A restart with few and many unfinished requests.
    Restart,
    /// Reading a long chain.
    Scan,
    /// Several instances on one server.
    Instances,
}

impl Part {
    /// All, in the order of the report.
    pub const ALL: [Self; 9] = [
        Self::Stakes,
        Self::Gas,
        Self::Fees,
        Self::Workers,
        Self::Restart,
        Self::Scan,
        Self::Deaths,
        Self::Parent,
        Self::Instances,
    ];

    /// Its name on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Stakes => "stakes",
            Self::Gas => "gas",
            Self::Fees => "fees",
            Self::Workers => "workers",
            Self::Deaths => "deaths",
            Self::Parent => "parent",
            Self::Restart => "restart",
            Self::Scan => "scan",
            Self::Instances => "instances",
        }
    }

    /// The part of this name.
    ///
    /// # Errors
    /// When there is none.
    pub fn named(name: &str) -> Result<Self> {
        let names = Self::ALL.map(Self::name).join(", ");
        Self::ALL
            .into_iter()
            .find(|part| part.name() == name)
            .with_context(|| format!("no part {name}; there are {names}"))
    }
}

/// Measures a part.
///
/// # Errors
/// When a world fails, or a request does not end as it must.
pub async fn run(part: Part, settings: &Settings) -> Result<Chapter> {
    match part {
        Part::Stakes => stakes::run(settings).await,
        Part::Gas => gas::run(settings).await,
        Part::Fees => fees::run(settings).await,
        Part::Workers => {
            let settings = settings.clone();
            tokio::task::spawn_blocking(move || workers::run(&settings)).await.context("the starter failed")?
        }
        Part::Deaths => deaths::run(settings.deaths, settings.seed).await,
        Part::Parent => orphans::run(settings.parents, settings.seed).await,
        Part::Restart => restart::run(&settings.rows).await,
        Part::Scan => scan::run(settings.blocks).await,
        Part::Instances => instances::run(settings.shared, settings.takeovers).await,
    }
    .with_context(|| format!("part {}", part.name()))
}

/// Says what is being done.
#[allow(clippy::print_stderr, reason = "standard output belongs to the results")]
pub fn say(what: &str) {
    eprintln!("bench: {what}");
}

/// A world in which stakes can flow while processes die.
async fn busy_world() -> Result<World> {
    let world = World::new(WorldOptions {
        devnet: DevnetOptions { mining: Mining::Every(BLOCK_TIME), ..DevnetOptions::default() },
        workers: 2,
        ..WorldOptions::default()
    })
    .await?;
    for proxy in [&world.origin_proxy, &world.auxiliary_proxy] {
        proxy.set_rule(|_| Fault::Delay(LATENCY));
    }
    Ok(world)
}
