//! A short soak: forty deaths of whoever it hits while stakes flow. `scripts/soak` runs long ones.

use anyhow::{Result, ensure};
use facilitator_tests::{
    soak::{
        self, Plan, Until,
        shared::{self, Shared},
    },
    world::Database,
};
use std::time::Duration;

/// The same each time, so that a run that failed is tried again as far as processes allow.
const SEED: u64 = 3;

#[tokio::test]
async fn forty_random_deaths_lose_double_and_strand_nothing() -> Result<()> {
    let plan = Plan {
        until: Until::Kills(40),
        kill_every: Duration::from_millis(500),
        in_flight: 8,
        seed: SEED,
        failing: 0,
        deadline: Duration::from_secs(180),
    };
    let report = soak::run(plan, &mut |_| {}).await?;
    ensure!(report.faults().is_empty(), "{report}");
    ensure!(report.audit.requests >= 8 && report.deaths.total() >= 40, "{report}");
    Ok(())
}

#[tokio::test]
async fn two_instances_share_a_server_and_lose_and_double_nothing_however_they_end() -> Result<()> {
    let plan = Shared {
        instances: 2,
        requests: 12,
        database: Database::Postgres,
        every: Duration::from_secs(2),
        faults: 8,
        seed: SEED,
        deadline: Duration::from_secs(240),
    };
    let outcome = Box::pin(shared::run(plan)).await?;
    ensure!(outcome.finished == 12 && outcome.kills + outcome.stops + outcome.restarts > 0, "{outcome:#?}");
    Ok(())
}
