//! Both machines and the gate together, scripted and by chance.

use super::rig::{World, false_root, root};
use super::{Connector, Effect, Level, Stage};
use facilitator_protocol::model::Side;

const ORIGIN: Side = Side::Origin;
const AUXILIARY: Side = Side::Auxiliary;
const ORDER: [Stage; 5] =
    [Stage::CheckpointSync, Stage::DagSync, Stage::HeadSyncReady, Stage::HeadSync, Stage::Working];

fn started(origin_head: u64, auxiliary_head: u64) -> World {
    let mut world = World::new(1, origin_head, auxiliary_head);
    world.start(ORIGIN);
    world.start(AUXILIARY);
    world
}

fn working() -> World {
    let mut world = started(300, 300);
    assert!(world.run_until(20_000, World::both_work));
    world
}

#[test]
fn both_chains_go_through_all_stages_and_then_work() {
    let mut world = started(300, 200);
    world.origin.anchored = vec![root(ORIGIN, 40, 20), root(ORIGIN, 100, 60), root(ORIGIN, 298, 199)];
    world.auxiliary.anchored = vec![root(AUXILIARY, 50, 70), root(AUXILIARY, 195, 299)];
    assert!(world.run_until(20_000, World::both_work));
    for lane in [&world.origin, &world.auxiliary] {
        assert_eq!(lane.stages(), ORDER);
        assert_eq!(lane.machine.as_ref().unwrap().standing().last_coord, Some(100));
        assert!(lane.alarms().is_empty());
    }
    world.run(300_000);
    assert!(world.both_work() && world.turns.len() == 1, "it stays so: {:?}", world.turns);
}

#[test]
fn the_origin_chain_waits_asking_once_a_second_and_goes_on_recording() {
    let mut world = World::new(1, 100, 100);
    world.start(ORIGIN);
    world.run(30_000);
    let asked = world.origin.attempts();
    assert!((25..=31).contains(&asked.len()), "{} attempts in 30 s", asked.len());
    assert!(asked.windows(2).all(|pair| pair[1] - pair[0] >= 1_000));
    assert_eq!(world.origin.stage(), Some(Stage::HeadSyncReady));
    world.origin.head += 3;
    world.run(1_000);
    assert_eq!(world.origin.next, 102);
    assert_eq!(world.gate.standing(ORIGIN).unwrap().max_block, Some(103));
    world.start(AUXILIARY);
    assert!(world.run_until(20_000, World::both_work));
    assert!(world.origin.alarms().is_empty(), "waiting is no failure");
}

#[test]
fn the_origin_chain_asks_at_once_when_the_other_one_has_come_to_its_head() {
    let mut world = World::new(1, 100, 100);
    world.settings.head_sync_ready_interval_ms = 60_000;
    world.start(ORIGIN);
    world.run(5_000);
    world.start(AUXILIARY);
    assert!(world.run_until(10_000, World::both_work), "waited for the next attempt");
    let waited = |text: &str| text.ends_with("synchronization") || text.contains("does not run");
    let warned = |(_, effect): &(u64, Effect)| matches!(effect, Effect::Log(Level::Warn, text) if waited(text));
    assert!(!world.origin.effects.iter().any(warned), "waiting is nothing to be warned of");
}

#[test]
fn the_checkpoint_is_not_chosen_before_the_other_chain_has_been_read() {
    for seed in 0..100 {
        let mut world = World::new(seed, 100, 100);
        world.auxiliary.rate = 3 + seed % 7;
        world.start(ORIGIN);
        world.start(AUXILIARY);
        assert!(world.run_until(20_000, |world| world.auxiliary.stage() == Some(Stage::HeadSyncReady)));
        world.origin.anchored = vec![root(ORIGIN, 90, 50)];
        assert!(world.run_until(20_000, World::both_work));
        assert_eq!(world.origin.machine.as_ref().unwrap().standing().last_coord, Some(90), "seed {seed}");
    }
}

#[test]
fn the_auxiliary_chain_waits_and_goes_on_recording() {
    let mut world = World::new(1, 100, 100);
    world.start(AUXILIARY);
    world.run(30_000);
    assert_eq!(world.auxiliary.stage(), Some(Stage::HeadSyncReady));
    world.auxiliary.head += 5;
    world.run(1_000);
    assert_eq!(world.auxiliary.next, 104);
    world.start(ORIGIN);
    assert!(world.run_until(20_000, World::both_work));
}

#[test]
fn a_false_root_keeps_the_pair_from_working_until_a_right_one_is_final() {
    for (bad, whole) in [(290, "as the checkpoint"), (297, "as an item")] {
        let mut world = started(300, 200);
        world.origin.anchored = vec![root(ORIGIN, 100, 60), false_root(ORIGIN, bad, 80)];
        world.run(120_000);
        assert!(world.turns.is_empty(), "{whole}");
        assert_eq!(world.origin.stage(), Some(Stage::HeadSyncReady));
        assert_eq!(world.auxiliary.alarms().len(), 1, "{whole}: {:?}", world.auxiliary.alarms());
        assert!(world.auxiliary.alarms()[0].starts_with("anchored state root differs"));
        assert_eq!(world.origin.alarms().len(), 1, "ten in a row, {whole}");
        assert!(world.gate.refusal().unwrap().contains("anchored state root differs"));
        world.origin.head = 304;
        world.auxiliary.head = 205;
        world.origin.anchored.push(root(ORIGIN, 303, 201));
        world.run(10_000);
        assert!(!world.gate.is_open(), "the right one is not final, {whole}");
        world.origin.head = 311;
        world.auxiliary.head = 209;
        assert!(world.run_until(20_000, World::both_work), "{whole}");
    }
}

#[test]
fn a_false_root_of_the_auxiliary_chain_does_so_too() {
    let mut world = started(300, 200);
    world.auxiliary.anchored = vec![root(AUXILIARY, 100, 60), false_root(AUXILIARY, 198, 280)];
    world.run(60_000);
    assert!(world.turns.is_empty());
    assert!(!world.auxiliary.stages().contains(&Stage::Working));
    assert!(world.origin.alarms()[0].starts_with("anchored state root differs: block 198 of the auxiliary chain"));
    assert!(world.auxiliary.alarms().is_empty());
    world.auxiliary.anchored.pop();
    assert!(world.run_until(20_000, World::both_work));
}

#[test]
fn chains_without_finality_work_from_the_genesis_block() {
    let mut world = started(30, 20);
    world.settings.slots_per_epoch = 32;
    for lane in [&mut world.origin, &mut world.auxiliary] {
        lane.finality = Some(64);
    }
    world.origin.anchored = vec![root(ORIGIN, 10, 15)];
    assert!(world.run_until(20_000, World::both_work));
    let mut world = started(300, 20);
    world.auxiliary.finality = Some(64);
    world.origin.anchored = vec![root(ORIGIN, 10, 15)];
    assert!(world.run_until(20_000, World::both_work), "a follower that finalizes nothing");
    assert_eq!(world.origin.machine.as_ref().unwrap().standing().last_coord, Some(0));
}

#[test]
fn a_jump_of_three_epochs_pauses_the_pair_and_one_of_one_epoch_does_not() {
    let mut world = working();
    world.origin.head += 4;
    world.run(5_000);
    assert_eq!(world.turns.len(), 1);
    world.origin.head += 12;
    assert!(world.run_until(5_000, |world| world.turns.len() == 2));
    assert!(world.run_until(20_000, World::both_work));
    let later: Vec<Stage> = world.origin.stages()[5..].to_vec();
    assert_eq!(later, [&[Stage::Resync], &ORDER[..]].concat());
    assert_eq!(world.auxiliary.stages()[5..], ORDER[2..], "the other one falls back to readiness alone");
}

#[test]
fn when_one_scanner_is_killed_the_other_goes_on_and_the_handshake_repeats() {
    for side in [ORIGIN, AUXILIARY] {
        let mut world = working();
        world.kill(side);
        world.run(1_000);
        assert!(!world.gate.is_open());
        assert_eq!(world.lane(side.other()).stage(), Some(Stage::HeadSyncReady));
        world.start(side);
        assert!(world.run_until(20_000, World::both_work));
        assert_eq!(world.lane(side.other()).lives, 1);
        assert_eq!(world.lane(side.other()).stages()[5..], ORDER[2..]);
        assert!(world.gate.standing(side).unwrap().starting_block >= 299, "not from the beginning");
    }
}

/// What happens while chance rules.
fn strike(world: &mut World) {
    let side = if world.rng.chance(500) { ORIGIN } else { AUXILIARY };
    match world.rng.below(9) {
        0 | 1 => {
            if world.lane(side).machine.is_some() {
                world.kill(side);
            }
        }
        2 => {
            let jump = world.rng.below(20);
            world.lane(side).head += jump;
        }
        3 => world.lane(side).answers ^= true,
        4 => world.lane(side).connector = Connector::Halted("majority lies".to_owned()),
        5 => world.lane(side).connector = Connector::AtHead,
        6 => {
            // A fork: some blocks are read again.
            let back = world.rng.below(5);
            let lane = world.lane(side);
            lane.next = lane.next.saturating_sub(back);
        }
        7 => {
            let anchored_in = world.lane(side.other()).head;
            let number = world.lane(side).head.saturating_sub(2);
            let lie = world.rng.chance(200);
            let root = if lie { false_root(side, number, anchored_in) } else { root(side, number, anchored_in) };
            let known = &mut world.lane(side).anchored;
            if known.iter().all(|known| known.number < number) {
                known.push(root);
            }
        }
        _ => world.lane(side).state_there ^= true,
    }
}

/// Gives how often work began, and the alarms of either chain.
fn by_chance(seed: u64) -> (usize, usize) {
    let mut world = World::new(seed, 60, 50);
    world.loss = if seed.is_multiple_of(2) { 0 } else { 150 };
    world.delay = 10 + world.rng.below(400);
    world.start(ORIGIN);
    world.start(AUXILIARY);
    for _ in 0..12_000 {
        world.step();
        if world.rng.chance(4) {
            strike(&mut world);
        }
        if world.rng.chance(20) {
            for side in [ORIGIN, AUXILIARY] {
                world.lane(side).head += 1;
                if world.lane(side).machine.is_none() && world.rng.chance(500) {
                    world.start(side);
                }
            }
        }
    }
    // Peace: whatever was false is followed by something right, and everybody answers.
    world.loss = 0;
    for side in [ORIGIN, AUXILIARY] {
        let lane = world.lane(side);
        lane.answers = true;
        lane.state_there = true;
        lane.connector = Connector::AtHead;
        lane.head += 20;
        if lane.machine.is_none() {
            world.start(side);
        }
    }
    for side in [ORIGIN, AUXILIARY] {
        let (number, anchored_in) = (world.lane(side).head - 12, world.lane(side.other()).head - 12);
        let lane = world.lane(side);
        lane.anchored.retain(|root| root.number < number);
        lane.anchored.push(root(side, number, anchored_in));
    }
    // Until everybody has seen the new heads.
    world.run(5_000);
    let agreed = world.run_until(400_000, World::both_work);
    let stages = (world.origin.stage(), world.auxiliary.stage());
    assert!(agreed, "seed {seed}: {stages:?}, {:?}", world.gate.refusal());
    let turns = world.turns.len();
    world.run(200_000);
    assert!(world.both_work() && world.turns.len() == turns, "seed {seed}: it does not last");
    let began = world.turns.iter().filter(|(_, open)| *open).count();
    (began, world.origin.alarms().len() + world.auxiliary.alarms().len())
}

#[test]
fn whatever_happens_both_work_in_the_end_and_neither_alone() {
    let (mut began, mut alarms) = (0, 0);
    for seed in 0..60 {
        let (more, raised) = by_chance(seed);
        began += more;
        alarms += raised;
    }
    // Chance must have let both happen, or nothing was shown.
    assert!(began > 120 && alarms > 10, "work began {began} times, {alarms} alarms");
}
