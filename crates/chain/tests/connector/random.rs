//! Random worlds: whatever a minority of endpoints does, nothing false is released and the connector comes back.

use crate::world::{Dice, Fault, World};
use facilitator_chain::connector::{Mode, State};

fn any_fault(dice: &Dice) -> Fault {
    match dice.below(13) {
        0 => Fault::Down,
        1 => Fault::Stalls,
        2 => Fault::Limits(1 + dice.below(5)),
        3 => Fault::Truncates,
        4 => Fault::Flaky(30),
        5 => Fault::OtherChain,
        6 => Fault::Lags,
        7 => Fault::FalseHashes(u8::try_from(dice.below(200)).unwrap()),
        8 => Fault::FalseTop,
        9 => Fault::HighHeads,
        10 => Fault::FalseRanges,
        11 => Fault::Invents(1 + dice.below(30)),
        _ => Fault::None,
    }
}

/// The chain goes on for a while: blocks, forks not deeper than `deepest`, faults of the last endpoints.
fn live(world: &mut World, moments: u64, deepest: u64, faulty: usize) {
    let well = world.nodes.len() - faulty;
    for _ in 0..moments {
        match world.dice.below(20) {
            0 => {
                let depth = 1 + world.dice.below(deepest);
                // Heights may stay, grow or fall.
                let new = (depth + world.dice.below(4)).saturating_sub(1);
                world.reorg(depth.min(world.head()), new);
            }
            1..=3 if faulty > 0 => {
                let node = well + usize::try_from(world.dice.below(faulty as u64)).unwrap();
                let fault = any_fault(&world.dice);
                world.set(node, fault);
            }
            4 => {
                let node = usize::try_from(world.dice.below(well as u64)).unwrap();
                world.nodes[node].latency = 1 + world.dice.below(40);
            }
            _ => {
                let blocks = 1 + world.dice.below(3);
                world.mine(blocks);
            }
        }
        let ms = world.dice.below(400);
        world.run(ms);
    }
}

fn ends_well(world: &mut World) {
    world.mine(1);
    world.run_until(200_000, World::is_at_work);
    let released = world.released.last().unwrap();
    assert_eq!(released.number, world.head() - world.settings.confirmations);
    let at = usize::try_from(released.number).unwrap();
    assert_eq!(released.hash, world.chain[at]);
    for (number, hash) in world.store.range(..=world.head()) {
        assert_eq!(*hash, world.chain[usize::try_from(*number).unwrap()], "block {number} is not the chain's");
    }
    let numbers: Vec<u64> = world.store.keys().copied().collect();
    let dense = world.head().saturating_sub(world.settings.dense_blocks);
    assert!((dense..=world.head()).all(|number| numbers.binary_search(&number).is_ok()), "a block is missing");
}

#[test]
fn a_faulty_minority_changes_nothing() {
    for seed in 0..300 {
        let (nodes, faulty) = [(3, 1), (1, 0), (5, 2), (4, 1)][usize::try_from(seed % 4).unwrap()];
        let mut world = World::new(seed, 1 + seed * 7 % 400, nodes, |settings| {
            settings.dense_blocks = 80;
            settings.max_log_range = 64;
        });
        world.spread = 150;
        world.slow_store = [0, 300][usize::try_from(seed / 4 % 2).unwrap()];
        live(&mut world, 150, 20, faulty);
        ends_well(&mut world);
    }
}

#[test]
fn an_endpoint_alone_that_fails_a_third_of_its_calls_is_read_all_the_same() {
    for seed in 0..20 {
        let mut world = World::new(seed, 300, 1, |_| {});
        world.set(0, Fault::Flaky(30));
        live(&mut world, 100, 5, 0);
        ends_well(&mut world);
    }
}

#[test]
fn whatever_most_endpoints_do_it_comes_back_when_they_do() {
    for seed in 0..60 {
        let mut world = World::new(seed, 300, 3, |_| {});
        world.spread = 100;
        live(&mut world, 40, 5, 0);
        for _ in 0..15 {
            let node = usize::try_from(world.dice.below(3)).unwrap();
            let fault = match any_fault(&world.dice) {
                // Two that invent the same are a majority; they are another test's.
                Fault::FalseHashes(_) | Fault::FalseTop | Fault::HighHeads | Fault::Invents(_) => Fault::Down,
                other => other,
            };
            world.set(node, fault);
            live(&mut world, 5, 5, 0);
        }
        for node in 0..3 {
            world.set(node, Fault::None);
        }
        ends_well(&mut world);
    }
}

#[test]
fn liars_of_different_opinion_find_no_quorum() {
    for seed in 0..30 {
        let mut world = World::new(seed, 300, 3, |_| {});
        live(&mut world, 20, 5, 0);
        world.run(3_000);
        let released = world.released.len();
        world.set(1, Fault::FalseHashes(1));
        world.set(2, Fault::FalseHashes(2));
        world.mine(10);
        world.run(10_000);
        assert_eq!(world.connector.mode(), Mode::Resynchronise);
        assert_ne!(world.connector.state(), State::Sampling);
        let confirmed_before = world.released.len() - released;
        assert!(confirmed_before <= 1, "released without a quorum");
        let alarms = world.alarms.len();
        world.run(60_000);
        assert!(world.alarms.len() <= alarms + 1, "alarms are told once: {:?}", world.alarms);
        world.set(1, Fault::None);
        world.set(2, Fault::None);
        ends_well(&mut world);
    }
}
