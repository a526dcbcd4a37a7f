//! Maintenance from its request to its end, or to the end of the instance: HT4 to HT7.

use crate::two::{
    DEREGISTER, INTERVAL, LIMIT, Two, are_accepted, are_of, between, change, complete, done, finish, ms, options,
    refused, sent, set, slow_down, time, until,
};
use anyhow::{Context as _, Result, ensure};
use facilitator_tests::{
    anchoring::{Anchoring, Policy},
    node::Pace,
    stakers::Stakers,
    world::WorldOptions,
};
use serde_json::{Value, json};

/// Its ticks come when the test says so: an interval that is shortened makes the next one due at once.
#[tokio::test]
async fn ht4_5_maintenance_is_asked_for_taken_back_and_begun_at_a_tick_under_load() -> Result<()> {
    let two = Two::new(options()).await?;
    let (world, operator) = (&two.world, &two.world.operator);
    for operator in [operator, &two.other] {
        slow_down(operator, &["maintenance_interval_ms", "son_deregister_time_ms"])?;
    }
    // Alone it is active at once; the other one waits for a tick.
    let first = operator.start().await?;
    let second = two.other.start().await?;
    let (a, b) = (two.first().await?, two.second().await?);
    two.until(&a, "active").await?;
    ensure!(two.of(&b).await?["status"] == "inactive", "two ticks");
    refused(operator, "cancel", "only a requested maintenance can be cancelled").await?;
    ensure!(done(operator, "request").await? == "request_maintenance", "not asked for");
    refused(operator, "request", "this one is request_maintenance").await?;
    ensure!(done(operator, "cancel").await? == "active", "not taken back");
    refused(operator, "end", "only an instance in maintenance").await?;

    ensure!(done(operator, "request").await? == "request_maintenance", "not asked for");
    let stakers = Stakers::new(&world.devnet, 0, 14).await?;
    let asks = |range: std::ops::Range<usize>| -> Vec<_> {
        range.map(|index| (index, stakers.ask(&world.devnet, index))).collect()
    };
    let still = stakers.request(&world.devnet, &asks(0..2), Pace::Natural).await?;
    finish(&two, &still).await?;
    let worked = two.of(&a).await?;
    ensure!(
        worked["status"] == "request_maintenance" && worked["txs_signed"] != 0,
        "it works until the tick: {worked:#}"
    );
    ensure!(two.of(&b).await?["txs_signed"] == 0, "nobody else may");

    // The tick comes while stakes are in every stage.
    let mut stakes = stakers.request(&world.devnet, &asks(2..8), Pace::Natural).await?;
    set(operator, "maintenance_interval_ms", INTERVAL).await?;
    stakes.extend(stakers.request(&world.devnet, &asks(8..12), Pace::Natural).await?);
    let down = two.until(&a, "in_maintenance").await?;
    two.until(&b, "active").await?;
    let since = &change(&down, "in_maintenance")?["at"];
    ensure!(&down["last_down_timestamp"] == since, "{down:#}");
    refused(operator, "cancel", "this instance is in_maintenance").await?;
    stakes.extend(stakers.request(&world.devnet, &asks(12..14), Pace::Natural).await?);
    finish(&two, &stakes).await?;
    complete(&two.other).await?;
    let rests = two.until(&a, "in_maintenance").await?;
    ensure!(rests["txs_signed"] == down["txs_signed"], "it has signed in maintenance: {rests:#}");
    ensure!(
        rests["txs_signed"] == json!(sent(world, operator).await?),
        "what it had signed is mined, no more: {rests:#}"
    );
    ensure!(two.of(&b).await?["txs_signed"] == json!(sent(world, &two.other).await?), "not all is counted");
    for beat in rests["heartbeats"].as_array().into_iter().flatten() {
        ensure!(time(&beat["sent_at"])? <= time(since)?, "a heartbeat in maintenance: {beat}");
    }
    two.other.stop(second).await?;
    operator.stop(first).await
}

#[tokio::test]
async fn ht6_a_maintenance_over_several_ticks_is_counted_once() -> Result<()> {
    let two = Two::new(options()).await?;
    let operator = &two.world.operator;
    slow_down(operator, &["son_deregister_time_ms"])?;
    let (first, second) = two.start().await?;
    let a = two.first().await?;
    done(operator, "request").await?;
    let down = two.until(&a, "in_maintenance").await?;
    let since = &change(&down, "in_maintenance")?["at"];
    let two_ticks = ms(2 * INTERVAL);
    let long = |one: &Value| one["current_interval_downtime_ms"].as_u64().is_some_and(|now| now > two_ticks);
    let long = until(operator, &a, long).await?;
    ensure!(long["total_downtime_ms"] == 0, "it is not over: {long:#}");
    ensure!(done(operator, "end").await? == "active", "not ended");
    let back = two.of(&a).await?;
    let length = between(since, &change(&back, "active")?["at"])?;
    let counted = |one: &Value| one["current_interval_downtime_ms"] == 0 && one["total_downtime_ms"] != 0;
    let counted = until(operator, &a, counted).await?;
    let (seconds, total) = (length.as_secs(), json!(ms(length)));
    ensure!(counted["total_downtime_ms"] == total, "{length:?}: {counted:#}");
    let shown = format!("{:02}:{:02}:{:02}", seconds / 3_600, seconds / 60 % 60, seconds % 60);
    ensure!(counted["total_downtime"] == json!(shown), "{shown}: {counted:#}");
    // Each tick counts the time in the active set.
    let voted = |one: &Value| one["total_voted_time_secs"].as_u64().unwrap_or_default();
    let later = until(operator, &a, |one| voted(one) >= voted(&counted) + INTERVAL.as_secs()).await?;
    ensure!(later["total_downtime_ms"] == total && later["current_interval_downtime_ms"] == 0, "{later:#}");
    two.other.stop(second).await?;
    operator.stop(first).await
}

#[tokio::test]
async fn ht7_a_maintenance_that_lasts_too_long_ends_the_instance_by_a_proposal() -> Result<()> {
    let two = Two::new(WorldOptions { anchoring: None, ..options() }).await?;
    let (world, operator) = (&two.world, &two.world.operator);
    let stakers = Stakers::new(&world.devnet, 0, 3).await?;
    let first = operator.start().await?;
    let open = stakers
        .request(
            &world.devnet,
            &[(0, stakers.ask(&world.devnet, 0)), (1, stakers.ask(&world.devnet, 1))],
            Pace::Natural,
        )
        .await?;
    operator.wait_requests(LIMIT, are_accepted(2)).await?;
    let second = two.other.start().await?;
    let (a, b) = (two.first().await?, two.second().await?);
    two.until(&b, "active").await?;
    done(operator, "request").await?;
    two.until(&a, "in_maintenance").await?;
    let gone = two.until(&a, "deregistered").await?;
    let end = change(&gone, "deregistered")?;
    ensure!(end["reason"].as_str().is_some_and(|reason| reason.contains(&format!("proposed by {b}"))), "{end}");
    ensure!(gone["deregistered_timestamp"] == end["at"], "{gone:#}");
    ensure!(between(&gone["last_down_timestamp"], &end["at"])? >= DEREGISTER, "too early: {gone:#}");
    let ended = first.ended().await?;
    ensure!(ended.code() == Some(3), "it ended with {ended}: another name is a matter of the configuration");
    for what in ["request", "cancel", "end"] {
        refused(operator, what, "deregistered").await?;
    }
    let again = operator.run(&["start", "--chain-id", "1406"]).await?;
    ensure!(again.code == Some(3) && again.stderr.contains("heartbeat.instance: instance"), "{again:?}");
    ensure!(!again.stderr.contains("unlocking"), "keys were opened for nothing: {again:?}");
    let before = sent(world, operator).await?;
    let mut stakes = stakers.request(&world.devnet, &[(2, stakers.ask(&world.devnet, 2))], Pace::Natural).await?;
    stakes.extend(open);
    let _anchoring = Anchoring::start(&world.devnet, Policy::default());
    finish(&two, &stakes).await?;
    complete(&two.other).await?;
    are_of(&two.other).await.context("the open requests belong to the other instance")?;
    ensure!(sent(world, operator).await? == before, "it has signed though it is gone");
    two.other.stop(second).await
}
