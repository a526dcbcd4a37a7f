use super::*;
use crate::sync::message::{Checkpoint, Round};
use crate::sync::rig::block;

const ORIGIN: Side = Side::Origin;
const AUXILIARY: Side = Side::Auxiliary;

fn standing(stage: Stage, round: Option<u64>) -> Standing {
    Standing {
        stage,
        round: round.map(|number| Round { life: 1, number }),
        starting_block: 0,
        current_block: Some(120),
        highest_block: Some(300),
        last_coord: None,
        max_block: Some(306),
        since_ms: 5,
        ready_since_ms: None,
        last_error: None,
    }
}

fn says(gate: &mut PairGate, side: Side, stage: Stage, round: Option<u64>) -> Vec<GateEffect> {
    gate.heard(side, Said::Standing(standing(stage, round)))
}

fn peer_of(stage: Stage, round: Option<u64>) -> Relayed {
    Relayed::Peer(Some(peer(&standing(stage, round))))
}

fn open_gate() -> PairGate {
    let mut gate = PairGate::new(3, 1406);
    let _ = says(&mut gate, ORIGIN, Stage::Working, Some(1));
    assert!(!gate.is_open());
    let effects = says(&mut gate, AUXILIARY, Stage::Working, Some(1));
    assert_eq!(effects.first(), Some(&GateEffect::Open));
    assert!(gate.is_open());
    gate
}

#[test]
fn it_opens_only_when_both_work_in_one_round() {
    let mut gate = PairGate::new(3, 1406);
    let _ = says(&mut gate, ORIGIN, Stage::Working, Some(2));
    let _ = says(&mut gate, AUXILIARY, Stage::Working, Some(1));
    assert!(!gate.is_open(), "of an older round");
    let _ = says(&mut gate, AUXILIARY, Stage::HeadSync, Some(2));
    assert!(!gate.is_open());
    let _ = says(&mut gate, AUXILIARY, Stage::Working, None);
    let _ = says(&mut gate, ORIGIN, Stage::Working, None);
    assert!(!gate.is_open(), "of no round");
    let _ = says(&mut gate, AUXILIARY, Stage::Working, Some(2));
    assert_eq!(says(&mut gate, ORIGIN, Stage::Working, Some(2)).first(), Some(&GateEffect::Open));
}

#[test]
fn any_fall_back_closes_it_before_anything_else() {
    for stage in Stage::ALL.into_iter().filter(|stage| *stage != Stage::Working) {
        let mut gate = open_gate();
        let effects = says(&mut gate, AUXILIARY, stage, None);
        assert!(matches!(effects.first(), Some(GateEffect::Close { why }) if why.starts_with("synchronization: ")));
        assert!(effects.contains(&GateEffect::Relay(ORIGIN, peer_of(stage, None))));
        assert!(!gate.is_open());
    }
    let mut gate = open_gate();
    let effects = gate.ended(ORIGIN);
    assert!(matches!(effects.first(), Some(GateEffect::Close { .. })));
    assert_eq!(effects.get(1), Some(&GateEffect::Relay(AUXILIARY, Relayed::Peer(None))));
    // The new life is told how the other stands, and the other one of it.
    let effects = says(&mut gate, ORIGIN, Stage::CheckpointSync, None);
    assert!(effects.contains(&GateEffect::Relay(ORIGIN, peer_of(Stage::Working, Some(1)))));
    assert!(effects.contains(&GateEffect::Relay(AUXILIARY, peer_of(Stage::CheckpointSync, None))));
    assert!(gate.ended(ORIGIN).contains(&GateEffect::Relay(AUXILIARY, Relayed::Peer(None))));
    assert!(gate.ended(ORIGIN).is_empty(), "one that never spoke");
}

#[test]
fn standings_are_repeated_only_while_the_pair_does_not_work() {
    let mut gate = open_gate();
    assert!(says(&mut gate, ORIGIN, Stage::Working, Some(1)).is_empty());
    let _ = says(&mut gate, ORIGIN, Stage::HeadSyncReady, None);
    assert_eq!(says(&mut gate, ORIGIN, Stage::HeadSyncReady, None).len(), 1);
}

#[test]
fn messages_are_relayed_or_answered_for_who_is_not_there() {
    let round = Round { life: 1, number: 9 };
    let checkpoint: Checkpoint = block(ORIGIN, 4);
    let ask = PeerMessage::HeadSyncReady { round, checkpoint };
    let hand = PeerMessage::HeadSync { round, items: vec![checkpoint] };
    let mut gate = PairGate::new(3, 1406);
    let _ = says(&mut gate, ORIGIN, Stage::HeadSyncReady, None);
    let result = Err(Refusal::NotConnected);
    let reply = Relayed::Message(PeerMessage::ReadyReply { round, result: result.clone() });
    assert_eq!(gate.heard(ORIGIN, Said::Message(ask.clone())), [GateEffect::Relay(ORIGIN, reply)]);
    let reply = Relayed::Message(PeerMessage::HeadSyncReply { round, result: result.map(|()| Vec::new()) });
    assert_eq!(gate.heard(ORIGIN, Said::Message(hand)), [GateEffect::Relay(ORIGIN, reply)]);
    assert!(gate.heard(ORIGIN, Said::Message(PeerMessage::Working { round })).is_empty());
    let _ = says(&mut gate, AUXILIARY, Stage::DagSync, None);
    let relayed = GateEffect::Relay(AUXILIARY, Relayed::Message(ask.clone()));
    assert_eq!(gate.heard(ORIGIN, Said::Message(ask)), [relayed]);
}

#[test]
fn refusals_and_rows_tell_of_the_chain_that_is_waited_for() {
    let mut gate = PairGate::new(3, 1406);
    assert_eq!(gate.refusal().unwrap(), "synchronization: origin chain 3 is not being read yet");
    let _ = says(&mut gate, ORIGIN, Stage::DagSync, None);
    assert_eq!(
        gate.refusal().unwrap(),
        "synchronization: auxiliary chain 1406 is not being read yet, origin chain 3 is in dag-sync (block 120 of 300)"
    );
    let _ = says(&mut gate, AUXILIARY, Stage::HeadSyncReady, None);
    assert_eq!(gate.refusal().unwrap(), "synchronization: origin chain 3 is in dag-sync (block 120 of 300)");
    let rows = gate.rows();
    let cells = |row: usize| rows[row].cells().join("|");
    assert_eq!(cells(0), "origin|3|dag-sync|120|300|306|-|its blocks");
    assert_eq!(
        cells(1),
        "auxiliary|1406|head-sync-ready|120|300|306|-|origin chain 3 is in dag-sync (block 120 of 300)"
    );
    assert_eq!(rows[0].cells().len(), crate::sync::SyncRow::HEADER.len());

    let mut failed = standing(Stage::HeadSyncReady, None);
    failed.last_error = Some("anchored state root differs".to_owned());
    let _ = gate.heard(ORIGIN, Said::Standing(failed));
    assert_eq!(
        gate.refusal().unwrap(),
        "synchronization: origin chain 3 is in head-sync-ready (block 120 of 300): anchored state root differs"
    );
    let waits = gate.rows()[0].waits_for.clone().unwrap();
    assert_eq!(waits, "the handshake with auxiliary chain 1406 (anchored state root differs)");

    let gate = open_gate();
    assert_eq!(gate.refusal(), None);
    assert!(gate.rows().iter().all(|row| row.waits_for.is_none() && row.stage.as_deref() == Some("working")));
}
