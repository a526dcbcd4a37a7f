//! The scenarios PT1 to PT7 of the connector, and what else may happen to it.

use crate::world::{Fault, World};
use facilitator_chain::connector::{Alarm, AlarmKind, Connector, EndpointId, Event, Health, Keep, Mode, Reason, State};
use facilitator_chain::scan::Checkpoint;

fn synced(blocks: u64, nodes: usize) -> World {
    let mut world = World::new(7, blocks, nodes, |_| {});
    world.run_until(20_000, World::is_in_step);
    // Everybody's votes of the next round confirm what was read.
    world.run(1_500);
    world
}

fn reason(world: &World, node: usize) -> Option<Reason> {
    match &world.connector.book().get(EndpointId(node)).unwrap().health {
        Health::SetAside { reason, .. } => Some(reason.clone()),
        Health::Unknown | Health::Well => None,
    }
}

fn alarms(world: &World, kind: AlarmKind) -> usize {
    world.alarms.iter().filter(|alarm| alarm.kind() == kind).count()
}

#[test]
fn pt1_begins_only_when_enough_are_connected_and_goes_through_every_state() {
    let mut world = World::new(1, 20, 3, |_| {});
    world.set(2, Fault::Down);
    world.run(5_000);
    assert_eq!((world.connector.state(), world.connector.mode()), (State::Connecting, Mode::Resynchronise));
    assert_eq!(world.alarms, [Alarm::BelowMinimum { connected: 2, minimum: 3 }], "told once");
    assert!(world.alarms[0].to_string().contains("below minimum client count"));
    assert!(world.spans.is_empty());
    world.set(2, Fault::None);
    world.run_until(20_000, World::is_in_step);
    use State::*;
    let expected = [Connecting, HighestBlock, ForkDetect, FetchBlocks, HighestBlock, ForkDetect, Rebuild, Sampling];
    assert_eq!(world.states, expected);
}

#[test]
fn pt2_450_blocks_are_read_in_three_batches() {
    let world = synced(450, 3);
    let every: Vec<(u64, u64)> = world.spans.iter().map(|(span, _)| (span.from, span.to)).collect();
    assert_eq!(every, [(0, 199), (200, 399), (400, 449)]);
    assert!(world.store.keys().copied().eq(0..450));
    assert_eq!(world.released.last().unwrap().number, 443);
}

#[test]
fn far_below_the_head_ranges_are_wide_and_fit_the_endpoint() {
    let mut world = World::new(1, 60_000, 2, |_| {});
    world.set(0, Fault::ShortRanges(700));
    world.set(1, Fault::ShortRanges(700));
    world.run_until(60_000, World::is_in_step);
    let wide = world.spans.iter().filter(|(_, keep)| *keep == Keep::Ends);
    let most = wide.clone().map(|(span, _)| span.blocks()).max().unwrap();
    assert!(most > 700, "the limit was found by trying");
    assert!(wide.count() <= 110, "{} ranges", world.spans.len());
    let dense = world.head() - world.settings.dense_blocks;
    assert!(world.store.range(dense..).map(|(number, _)| *number).eq(dense..60_000));
}

#[test]
fn a_first_call_that_fails_does_not_cost_a_whole_cycle() {
    let mut world = World::new(24, 20, 1, |settings| settings.cycle_interval_ms = 15_000);
    world.set(0, Fault::Down);
    world.run(20);
    world.set(0, Fault::None);
    world.run_until(3_000, World::is_in_step);
}

#[test]
fn a_node_that_fails_each_third_call_is_worked_with() {
    for seed in 0..50 {
        let mut world = World::new(seed, 2_000, 1, |settings| {
            settings.cycle_interval_ms = 15_000;
            settings.poll_interval_ms = 1_000;
        });
        world.set(0, Fault::Flaky(30));
        world.run_until(60_000, World::is_in_step);
    }
}

#[test]
fn a_witness_that_fails_is_replaced_and_never_passed_over() {
    let mut world = World::new(20, 30_000, 3, |_| {});
    // The fastest is read and the next one is its witness.
    world.set(1, Fault::NoRanges);
    world.run_until(60_000, World::is_at_work);
    assert_eq!(world.witnesses.first(), Some(&Some(EndpointId(1))));
    assert_eq!(world.witnesses.last(), Some(&Some(EndpointId(2))));
    assert!(world.witnesses.iter().all(Option::is_some), "{:?}", world.witnesses);
    let book = world.connector.book();
    assert_eq!((book.get(EndpointId(0)).unwrap().errors, book.get(EndpointId(1)).unwrap().errors > 0), (0, true));
}

#[test]
fn without_a_witness_nothing_far_is_stored_until_there_is_one() {
    let mut world = World::new(21, 30_000, 2, |_| {});
    world.set(1, Fault::NoRanges);
    world.run(30_000);
    assert!(world.store.is_empty() && world.witnesses.iter().all(Option::is_some), "{:?}", world.witnesses);
    world.set(1, Fault::None);
    world.run_until(60_000, World::is_at_work);
}

#[test]
fn one_that_may_be_read_alone_needs_no_witness() {
    let mut world = World::new(22, 30_000, 2, |settings| settings.minimum_connections = 1);
    world.set(1, Fault::Down);
    world.run_until(60_000, World::is_at_work);
    assert_eq!((world.witnesses.contains(&None), world.witnesses.iter().any(Option::is_some)), (true, false));
}

#[test]
fn a_witness_that_allows_little_is_asked_for_little() {
    let mut world = World::new(23, 30_000, 2, |_| {});
    world.set(1, Fault::ShortRanges(700));
    world.run_until(60_000, World::is_at_work);
    assert_eq!(reason(&world, 0), None);
}

#[test]
fn after_a_long_absence_the_remembered_blocks_without_events_are_read_too() {
    let mut world = World::new(10, 100, 1, |_| {});
    world.run_until(20_000, World::is_at_work);
    assert_eq!(world.connector.released(), Some(93));
    let away = Fault::Down;
    world.set(0, away);
    world.run(2_000);
    world.mine(5_000);
    world.set(0, Fault::None);
    world.spans.clear();
    world.run_until(120_000, World::is_at_work);
    assert_eq!(world.spans.first().map(|(span, keep)| (span.from, *keep)), Some((94, Keep::Ends)));
}

#[test]
fn what_is_near_the_head_waits_until_what_is_far_below_is_stored() {
    let mut world = World::new(13, 3_000, 1, |_| {});
    while world.spans.is_empty() {
        world.run(1);
    }
    world.feed(Event::RangeRead { ticket: 0 });
    assert_eq!(world.spans.iter().map(|(_, keep)| *keep).collect::<Vec<_>>(), [Keep::Ends]);
    world.run_until(20_000, World::is_at_work);
}

#[test]
fn after_a_restart_nothing_is_released_while_a_far_range_is_under_way() {
    let mut world = World::new(14, 5_000, 1, |_| {});
    let block = |number: usize| Checkpoint { number: number as u64, hash: world.chain[number] };
    let known: Vec<Checkpoint> = (0..=100).map(block).collect();
    let names = vec!["http://node0".to_owned()];
    world.connector = Connector::new(world.settings.clone(), names, known.clone(), Some(90));
    world.store = known.iter().map(|block| (block.number, block.hash)).collect();
    world.released = vec![known[90]];
    world.run_until(20_000, World::is_at_work);
    assert_eq!(world.spans.first().map(|(span, keep)| (span.from, *keep)), Some((91, Keep::Ends)));
}

#[test]
fn a_fork_beyond_the_first_block_that_matters_begins_anew() {
    let mut world = World::new(11, 100, 1, |settings| settings.start_block = 90);
    world.run_until(20_000, World::is_at_work);
    world.reorg(20, 22);
    world.run_until(20_000, World::is_at_work);
    assert!(world.alarms.is_empty(), "{:?}", world.alarms);
    // Nothing tells where a chain parted that is remembered only in its newest part.
    let mut world = World::new(12, 300, 1, |settings| settings.start_block = 200);
    world.run_until(20_000, World::is_at_work);
    world.reorg(120, 130);
    world.run(5_000);
    assert!(matches!(world.alarms.as_slice(), [Alarm::ForkProtection { .. }]), "{:?}", world.alarms);
}

#[test]
fn pt3_a_shallow_fork_replaces_hashes_above_the_common_block() {
    let mut world = synced(200, 3);
    let before = world.states.len();
    world.reorg(5, 5);
    world.run_until(10_000, World::is_in_step);
    assert_eq!(world.deleted, [194]);
    use State::*;
    assert_eq!(world.states[before..], [ForkDetect, FetchBlocks, HighestBlock, ForkDetect, Rebuild, Sampling]);
    assert!(world.released.iter().all(|block| block.number <= 193), "no event was undone");
}

#[test]
fn pt4_depth_59_is_followed_and_60_refused_until_the_chain_comes_back_or_the_operator_rewinds() {
    let mut world = synced(200, 3);
    world.reorg(59, 59);
    world.run_until(10_000, World::is_in_step);
    assert_eq!(world.deleted, [140]);
    let store = world.store.clone();
    let kept = (*world.chain).clone();
    world.reorg(60, 60);
    world.run(20_000);
    assert_eq!(world.store, store, "nothing was deleted");
    assert_eq!((world.connector.state(), world.connector.mode()), (State::HighestBlock, Mode::Resynchronise));
    assert_eq!(alarms(&world, AlarmKind::ForkProtection), 1, "told once");
    assert!(world.alarms.last().unwrap().to_string().contains("fork protection"));
    let calls = world.calls;
    world.run(5_000);
    assert!(world.calls - calls <= 10 * 4, "heads and one question a cycle, not a search");
    // New blocks on the refused branch make it no better.
    world.mine(10);
    world.run(5_000);
    assert_eq!(world.store, store);

    let refused = (*world.chain).clone();
    world.publish(kept);
    world.run_until(10_000, World::is_in_step);
    assert_eq!(world.deleted, [140], "the chain came back: nothing to undo");

    world.publish(refused);
    world.run(5_000);
    assert_eq!(alarms(&world, AlarmKind::ForkProtection), 2);
    world.store.retain(|number, _| *number <= 120);
    let blocks = world.store.iter().map(|(number, hash)| Checkpoint { number: *number, hash: *hash }).collect();
    world.released.push(Checkpoint { number: 120, hash: world.store[&120] });
    world.feed(Event::Rewound { blocks, released: Some(120) });
    world.run_until(10_000, World::is_in_step);
    assert_eq!(
        world.connector.released(),
        Some(world.head() - 6).filter(|_| {
            world.run(1_500);
            true
        })
    );
}

#[test]
fn pt5_a_majority_that_goes_away_while_reading_is_waited_for() {
    let mut world = World::new(3, 5_000, 3, |settings| {
        settings.connection_timeout_ms = 2_000;
        settings.fetch_pause_ms = 50;
    });
    world.run_until(20_000, |world| world.spans.len() == 5);
    world.set(0, Fault::Down);
    world.set(1, Fault::Down);
    world.run(10_000);
    assert_eq!(world.connector.state(), State::Connecting);
    assert_eq!(world.connector.mode(), Mode::Resynchronise);
    let read = world.store.last_key_value().map(|(number, _)| *number);
    assert!(read.is_some_and(|read| read < 4_999));
    world.set(0, Fault::None);
    world.set(1, Fault::None);
    world.run_until(30_000, World::is_in_step);
}

#[test]
fn pt6_another_chain_is_never_connected_and_both_chains_are_named() {
    let mut world = World::new(1, 50, 3, |_| {});
    world.set(0, Fault::OtherChain);
    world.run(5_000);
    assert_eq!(world.connector.state(), State::Connecting);
    assert_eq!(world.connector.book().connected(world.now), 2);
    let reason = reason(&world, 0).unwrap();
    assert_eq!(reason, Reason::WrongChain { expected: 1406, actual: 5 });
    assert_eq!(reason.to_string(), "serves chain 5, expected is chain 1406: check its URL");
    world.set(0, Fault::None);
    world.run_until(90_000, World::is_in_step);
}

#[test]
fn pt7_one_that_lags_is_not_elected_and_undoes_nothing() {
    let mut world = synced(100, 3);
    world.set(0, Fault::Lags);
    for _ in 0..200 {
        world.mine(1);
        world.run(300);
        assert_eq!((world.connector.state(), world.connector.mode()), (State::Sampling, Mode::Normal));
    }
    assert_eq!(world.deleted, [0u64; 0]);
    assert_ne!(world.connector.the_client(), Some(EndpointId(0)));
    assert!(matches!(reason(&world, 0), Some(Reason::Lags { .. })), "{:?}", reason(&world, 0));
    world.set(0, Fault::None);
    world.run(3_000);
    assert_eq!(reason(&world, 0), None, "comes back when it is well");
}

#[test]
fn a_rollback_is_a_fork_only_once_its_blocks_differ() {
    let mut world = synced(100, 3);
    world.reorg(5, 0);
    world.run(3_000);
    assert_eq!(world.deleted, [0u64; 0], "lower heads with our hashes may lag");
    world.mine(1);
    world.run_until(10_000, World::is_in_step);
    assert_eq!((world.deleted.as_slice(), world.head()), (&[94][..], 95));
}

#[test]
fn a_fork_of_the_same_height_is_noticed() {
    for depth in 1..=59 {
        let mut world = synced(130, 3);
        world.reorg(depth, depth);
        world.run_until(10_000, World::is_in_step);
        assert_eq!(world.deleted, [129 - depth]);
    }
}

#[test]
fn one_liar_of_three_is_set_aside_and_nothing_stops() {
    let mut world = synced(100, 3);
    world.set(0, Fault::FalseHashes(3));
    for _ in 0..20 {
        world.mine(1);
        world.run(300);
    }
    world.run_until(5_000, World::is_in_step);
    assert_eq!(world.deleted, [0u64; 0], "one alone undoes nothing that is released");
    assert!(matches!(reason(&world, 0), Some(Reason::WrongHash { .. })), "{:?}", reason(&world, 0));
    world.run(2_000);
    assert_eq!(world.released.last().unwrap().number, world.head() - 6);
}

#[test]
fn two_liars_of_one_opinion_meet_the_fork_protection() {
    let mut world = synced(200, 3);
    let store = world.store.clone();
    world.set(0, Fault::FalseHashes(3));
    world.set(1, Fault::FalseHashes(3));
    world.run(10_000);
    assert_eq!((world.connector.mode(), &world.store), (Mode::Resynchronise, &store));
    assert_eq!(alarms(&world, AlarmKind::ForkProtection), 1);
}

#[test]
fn a_rate_limit_is_kept_for_as_long_as_the_server_says() {
    let mut world = synced(100, 3);
    world.set(0, Fault::Limits(20));
    world.run(1_000);
    assert_eq!(reason(&world, 0), Some(Reason::RateLimited));
    let calls = |world: &World| world.connector.book().get(EndpointId(0)).unwrap().calls;
    let before = calls(&world);
    world.run(18_000);
    assert_eq!(calls(&world), before, "nothing is asked before the time is over");
    assert_eq!((world.connector.state(), world.connector.mode()), (State::Sampling, Mode::Normal));
    world.set(0, Fault::None);
    world.run(5_000);
    assert_eq!(reason(&world, 0), None);
}

#[test]
fn an_idle_chain_costs_few_calls() {
    let mut world = World::new(1, 100, 1, |settings| {
        settings.poll_interval_ms = 1_000;
        settings.cycle_interval_ms = 15_000;
    });
    world.run_until(20_000, World::is_in_step);
    let calls = world.calls;
    for _ in 0..100 {
        world.mine(1);
        world.run(1_000);
    }
    // One question for the head and one range, whose header is the head's already: see `Keep::Every`.
    assert!(world.calls - calls <= 200 + 8, "{} calls for 100 blocks", world.calls - calls);
    world.run_until(2_000, World::is_in_step);
}

#[test]
fn the_pair_waits_in_rebuild_and_follows_meanwhile() {
    let mut world = World::new(1, 100, 1, |settings| settings.wait_for_pair = true);
    world.run(3_000);
    assert_eq!(
        (world.connector.state(), world.connector.mode(), world.ready),
        (State::Rebuild, Mode::Resynchronise, 1)
    );
    world.mine(5);
    world.run(3_000);
    assert_eq!(world.store.last_key_value().map(|(number, _)| *number), Some(104));
    world.feed(Event::Opened);
    assert!(world.is_in_step());
    world.feed(Event::Closed);
    world.run(3_000);
    assert_eq!((world.connector.state(), world.connector.mode()), (State::Rebuild, Mode::Resynchronise));
    assert_eq!(world.ready, 2);
}

#[test]
fn what_the_elected_one_invents_between_two_rounds_is_not_released() {
    let mut world = World::new(7, 100, 3, |settings| settings.cycle_interval_ms = 20_000);
    world.run_until(40_000, World::is_in_step);
    world.run(25_000);
    let client = world.connector.the_client().unwrap();
    world.set(client.0, Fault::Invents(20));
    world.run(15_000);
    assert_eq!(world.store.last_key_value().map(|(number, _)| *number), Some(101), "it is not followed far");
    assert_eq!(world.released.last().unwrap().number, 93, "one alone makes no confirmations");
    world.mine(5);
    world.run_until(60_000, World::is_at_work);
}

#[test]
fn confirmations_do_not_wait_for_a_round() {
    let mut world = World::new(7, 100, 3, |settings| settings.cycle_interval_ms = 60_000);
    world.run_until(40_000, World::is_in_step);
    let calls = world.calls;
    for _ in 0..50 {
        world.mine(1);
        world.run(150);
        assert!(world.is_at_work(), "{}", world.describe());
    }
    // A poll each 100 ms, the range, and one other endpoint.
    assert!(world.calls - calls <= 50 * 4 + 10, "{} calls", world.calls - calls);
}

#[test]
fn a_draw_is_followed_by_the_smaller_hash_but_nothing_is_released_on_it() {
    let mut world = World::new(7, 50, 2, |settings| settings.minimum_connections = 1);
    world.run_until(20_000, World::is_in_step);
    world.run(1_500);
    let released = world.released.clone();
    let ours = (*world.chain).clone();
    world.reorg(3, 20);
    // One of the two stays on the old branch and mines on.
    let mut other = ours;
    other.resize(67, facilitator_eth::B256([9; 32]));
    world.see(1, u64::MAX, other.into());
    world.run(20_000);
    assert_eq!(world.connector.mode(), Mode::Resynchronise);
    assert_eq!(world.released, released);
    assert!(alarms(&world, AlarmKind::NoQuorum) == 1, "{:?}", world.alarms);
}

#[test]
fn one_alone_above_the_others_undoes_nothing_that_was_released() {
    let mut world = World::new(7, 101, 3, |settings| settings.confirmations = 0);
    world.run_until(20_000, World::is_in_step);
    world.run(1_500);
    assert_eq!(world.released.last().unwrap().number, 100);
    let ours = (*world.chain).clone();
    world.reorg(6, 12);
    for node in [1, 2] {
        // They have fallen back a little and know nothing of the fork.
        world.see(node, u64::MAX, ours[..=90].to_vec().into());
    }
    world.run(5_000);
    assert_eq!(world.deleted, [0u64; 0]);
    let fork = world.chain.clone();
    world.nodes[1].view = fork;
    world.run_until(10_000, World::is_in_step);
    assert_eq!(world.deleted, [94], "two of three decide");
}

#[test]
fn a_fork_is_noticed_by_the_next_poll() {
    let mut world = World::new(7, 100, 1, |settings| settings.cycle_interval_ms = 60_000);
    world.run_until(10_000, World::is_in_step);
    world.reorg(3, 3);
    world.run(1_000);
    assert_eq!(world.deleted, [96]);
}

#[test]
fn a_chain_faster_than_a_round_is_caught_up_with() {
    let mut world = World::new(7, 100, 1, |settings| settings.cycle_interval_ms = 10_000);
    world.nodes[0].latency = 30;
    world.spread = 1;
    for _ in 0..20 {
        world.mine(1);
        world.run(60);
    }
    assert_eq!((world.connector.state(), world.connector.mode()), (State::Sampling, Mode::Normal));
}

#[test]
fn a_failed_delete_is_tried_again_and_a_pushed_head_is_followed() {
    let mut world = World::new(7, 100, 1, |settings| settings.poll_interval_ms = 60_000);
    world.run_until(10_000, World::is_in_step);
    let endpoint = EndpointId(0);
    world.feed(Event::Subscribed { endpoint, subscribed: true });
    world.mine(1);
    let block = Checkpoint { number: 100, hash: world.chain[100] };
    world.feed(Event::Head { endpoint, chain_id: None, block, latency_ms: None });
    world.run(50);
    assert!(world.is_in_step(), "without a poll: {}", world.describe());
    world.fail_deletes = 2;
    world.reorg(4, 4);
    world.run_until(10_000, World::is_in_step);
    assert_eq!(world.deleted, [96, 96, 96]);
}
