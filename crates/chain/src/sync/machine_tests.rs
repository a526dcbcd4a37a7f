use super::*;
use crate::sync::event::{AnchoredRoot, BlockFacts, LookUp, Whose};
use crate::sync::message::{Checkpoint, Peer};
use crate::sync::rig::{block, root, settings};

const ORIGIN: Side = Side::Origin;
const ROUND: Round = Round { life: 5, number: 1 };

/// A machine on its own, told everything by hand.
struct Bench {
    machine: Machine,
    now: u64,
    /// What followed from coming to the head.
    at_head: Vec<Effect>,
}

fn view(next: u64, head: u64) -> Event {
    Event::Chain(ChainView { next, head, finalized: Some(head.saturating_sub(8)) })
}

const fn message(message: PeerMessage) -> Event {
    Event::Relayed(Relayed::Message(message))
}

const fn peer(stage: Stage, round: Option<Round>) -> Event {
    Event::Relayed(Relayed::Peer(Some(Peer { stage, round })))
}

fn sent(effects: &[Effect]) -> Vec<PeerMessage> {
    let one = |effect: &Effect| {
        if let Effect::Say(Said::Message(message)) = effect { Some(message.clone()) } else { None }
    };
    effects.iter().filter_map(one).collect()
}

fn look_up(effects: &[Effect]) -> Option<(LookUpNo, LookUp)> {
    effects
        .iter()
        .find_map(|effect| if let Effect::LookUp(no, look_up) = effect { Some((*no, look_up.clone())) } else { None })
}

fn alarms(effects: &[Effect]) -> usize {
    effects.iter().filter(|effect| matches!(effect, Effect::Critical(_))).count()
}

impl Bench {
    fn with(side: Side, confirmations: u64, settings: Settings) -> Self {
        let chain = Chain { side, chain_id: 3, other_id: 1406, confirmations, life: 5 };
        let (machine, effects) = Machine::begin(settings, chain, 0, 1_000);
        assert!(matches!(effects.first(), Some(Effect::EnterStage { .. })) && effects.len() == 2, "{effects:?}");
        Self { machine, now: 1_000, at_head: Vec::new() }
    }

    /// At the head of a chain of 40 blocks, waiting for the other one.
    fn ready(side: Side) -> Self {
        let mut bench = Self::with(side, 2, settings());
        bench.on(Event::Connector(Connector::AtHead));
        bench.at_head = bench.on(view(39, 40));
        assert_eq!(bench.stage(), Stage::HeadSyncReady);
        bench
    }

    fn on(&mut self, event: Event) -> Vec<Effect> {
        self.machine.on(self.now, event)
    }

    fn after(&mut self, ms: u64) -> Vec<Effect> {
        self.now += ms;
        self.on(Event::Tick)
    }

    const fn stage(&self) -> Stage {
        self.machine.stage()
    }

    /// Answers the look-up among the effects.
    fn find(&mut self, effects: &[Effect], finding: Finding) -> Vec<Effect> {
        let (no, _) = look_up(effects).expect("a look-up");
        self.on(Event::Found(no, Ok(finding)))
    }

    /// The follower says that it is ready for the checkpoint.
    fn follower_ready(&mut self, checkpoint: Checkpoint, roots: &[AnchoredRoot]) {
        let effects = self.on(message(PeerMessage::HeadSyncReady { round: ROUND, checkpoint }));
        let effects = self.find(&effects, Finding::Roots(roots.to_vec()));
        assert_eq!(sent(&effects), [PeerMessage::ReadyReply { round: ROUND, result: Ok(()) }]);
    }

    fn follower_working() -> Self {
        let mut bench = Self::ready(Side::Auxiliary);
        let roots = [root(ORIGIN, 10, 5)];
        bench.follower_ready(block(ORIGIN, 10), &roots);
        let effects = bench.on(message(PeerMessage::HeadSync { round: ROUND, items: Vec::new() }));
        assert_eq!(bench.stage(), Stage::HeadSync);
        let effects = bench.find(&effects, Finding::Roots(roots.to_vec()));
        let effects = bench.find(&effects, Finding::Roots(Vec::new()));
        assert_eq!(sent(&effects), [PeerMessage::HeadSyncReply { round: ROUND, result: Ok(Vec::new()) }]);
        assert_eq!(bench.stage(), Stage::HeadSync, "works only when the other does");
        let effects = bench.on(message(PeerMessage::Working { round: ROUND }));
        assert_eq!(sent(&effects), [PeerMessage::Working { round: ROUND }]);
        assert_eq!(bench.stage(), Stage::Working);
        bench
    }

    /// A coordinator that has asked for block 0; gives its round.
    fn asked() -> (Self, Round) {
        let mut bench = Self::ready(ORIGIN);
        let effects = std::mem::take(&mut bench.at_head);
        let round = bench.choose(&effects, &[]);
        (bench, round)
    }

    /// Answers what the coordinator asks for before it sends its question.
    fn choose(&mut self, effects: &[Effect], roots: &[AnchoredRoot]) -> Round {
        let effects = self.find(effects, Finding::Roots(roots.to_vec()));
        let Some((_, LookUp::Blocks(numbers))) = look_up(&effects) else { panic!("{effects:?}") };
        let facts = BlockFacts { block: block(ORIGIN, numbers[0]), stored: None };
        let mut effects = self.find(&effects, Finding::Blocks(vec![facts]));
        if numbers[0] > 0 {
            assert_eq!(look_up(&effects).map(|found| found.1), Some(LookUp::State(numbers[0])));
            effects = self.find(&effects, Finding::State(true));
        }
        match sent(&effects)[..] {
            [PeerMessage::HeadSyncReady { round, checkpoint }] => {
                assert_eq!(checkpoint, block(ORIGIN, numbers[0]));
                round
            }
            _ => panic!("{effects:?}"),
        }
    }
}

#[test]
fn the_stages_follow_what_is_read() {
    let mut bench = Bench::with(ORIGIN, 2, settings());
    bench.on(view(0, 40));
    let standing = bench.machine.standing();
    assert_eq!(
        (standing.stage, standing.highest_block, standing.current_block),
        (Stage::CheckpointSync, Some(32), None)
    );
    // The target of a stage stays while the chain grows.
    bench.on(view(32, 50));
    assert_eq!(bench.machine.standing().highest_block, Some(32));
    bench.on(view(33, 50));
    let standing = bench.machine.standing();
    assert_eq!((standing.stage, standing.highest_block, standing.current_block), (Stage::DagSync, Some(48), Some(32)));
    bench.on(view(49, 50));
    assert_eq!(bench.stage(), Stage::DagSync, "the connector has not come to the head");
    bench.on(Event::Connector(Connector::AtHead));
    let standing = bench.machine.standing();
    assert_eq!((standing.stage, standing.max_block), (Stage::HeadSyncReady, Some(50)));
    assert!(standing.ready_since_ms.is_some());
}

#[test]
fn young_chains_deep_confirmations_and_missing_tags_are_fine() {
    let mut bench = Bench::with(ORIGIN, 6, settings());
    bench.on(Event::Connector(Connector::AtHead));
    assert_eq!(bench.stage(), Stage::CheckpointSync, "no block was seen");
    bench.on(Event::Chain(ChainView { next: 0, head: 3, finalized: None }));
    assert_eq!(bench.stage(), Stage::HeadSyncReady, "nothing has its confirmations");

    let mut bench = Bench::with(ORIGIN, 12, settings());
    bench.on(Event::Chain(ChainView { next: 28, head: 40, finalized: Some(32) }));
    assert_eq!(bench.machine.standing().highest_block, Some(28));
    bench.on(Event::Chain(ChainView { next: 29, head: 40, finalized: Some(32) }));
    assert_eq!(bench.stage(), Stage::DagSync, "confirmations deeper than finality");

    let mut bench = Bench::with(ORIGIN, 2, settings());
    bench.on(Event::Chain(ChainView { next: 5, head: 43, finalized: None }));
    assert_eq!(bench.machine.standing().highest_block, Some(32), "two epochs back");
}

#[test]
fn two_epochs_behind_begins_anew_and_one_does_not() {
    let mut bench = Bench::follower_working();
    bench.on(view(39, 44));
    assert_eq!(bench.stage(), Stage::Working);
    bench.on(view(43, 44));
    let effects = bench.on(view(43, 56));
    assert_eq!(bench.stage(), Stage::Resync);
    assert!(
        matches!(&effects[..], [
        Effect::PauseWork { .. },
        Effect::Say(Said::Standing(standing)),
        Effect::EnterStage { from: Stage::Working, .. },
    ] if standing.stage == Stage::Resync && standing.round.is_none()),
        "{effects:?}"
    );
    bench.on(view(43, 56));
    let standing = bench.machine.standing();
    assert_eq!(
        (standing.stage, standing.starting_block, standing.highest_block),
        (Stage::CheckpointSync, 43, Some(48))
    );
    bench.on(view(55, 56));
    assert_eq!(bench.stage(), Stage::HeadSyncReady);

    // What has not got its confirmations is no lag.
    let mut bench = Bench::with(ORIGIN, 40, settings());
    bench.on(Event::Connector(Connector::AtHead));
    bench.on(view(61, 100));
    bench.on(view(61, 101));
    assert_eq!(bench.stage(), Stage::HeadSyncReady);
}

#[test]
fn a_halted_connector_stops_work_until_it_is_well() {
    let mut bench = Bench::follower_working();
    bench.on(Event::Connector(Connector::Behind));
    bench.after(5_000);
    assert_eq!(bench.stage(), Stage::Working, "a connector that fetches a few blocks halts nothing");
    let effects = bench.on(Event::Connector(Connector::Halted("fork of 60 blocks".to_owned())));
    assert!(matches!(&effects[0], Effect::PauseWork { why } if why == "fork of 60 blocks"));
    bench.after(5_000);
    assert_eq!(bench.stage(), Stage::Resync);
    assert_eq!(bench.machine.standing().last_error.as_deref(), Some("fork of 60 blocks"));
    bench.on(Event::Connector(Connector::AtHead));
    assert_eq!(bench.stage(), Stage::HeadSyncReady);
}

#[test]
fn the_follower_answers_by_its_stage() {
    let ready = || message(PeerMessage::HeadSyncReady { round: ROUND, checkpoint: block(ORIGIN, 10) });
    let items = || message(PeerMessage::HeadSync { round: ROUND, items: Vec::new() });
    let replies = |bench: &mut Bench| {
        let ready = sent(&bench.on(ready()));
        let items = sent(&bench.on(items()));
        match (&ready[..], &items[..]) {
            (
                [PeerMessage::ReadyReply { result: Err(ready), .. }],
                [PeerMessage::HeadSyncReply { result: Err(items), .. }],
            ) => (ready.to_string(), items.to_string()),
            other => panic!("{other:?}"),
        }
    };
    let both = |text: &str| (text.to_owned(), text.to_owned());
    let mut bench = Bench::with(Side::Auxiliary, 2, settings());
    assert_eq!(replies(&mut bench), both("synchronization"));
    bench.on(view(35, 40));
    assert_eq!(bench.stage(), Stage::DagSync);
    assert_eq!(replies(&mut bench), both("synchronization"));
    assert_eq!(replies(&mut Bench::follower_working()), both("procedure is locked"));

    let mut bench = Bench::ready(Side::Auxiliary);
    let effects = bench.on(items());
    let refused = PeerMessage::HeadSyncReply { round: ROUND, result: Err(Refusal::NotReady) };
    assert_eq!(sent(&effects), [refused]);
    // A second coordinator, while the first one's question is looked up.
    let first = bench.on(ready());
    assert!(sent(&bench.on(ready())).is_empty(), "the answer comes");
    let other = Round { life: 6, number: 1 };
    let effects = bench.on(message(PeerMessage::HeadSyncReady { round: other, checkpoint: block(ORIGIN, 10) }));
    assert_eq!(sent(&effects), [PeerMessage::ReadyReply { round: other, result: Err(Refusal::Busy) }]);
    let effects = bench.find(&first, Finding::Roots(Vec::new()));
    let refused = PeerMessage::ReadyReply { round: ROUND, result: Err(Refusal::UnknownSpineHash) };
    assert_eq!(sent(&effects), [refused]);
    // The genesis block is accepted at once.
    let effects = bench.on(message(PeerMessage::HeadSyncReady { round: other, checkpoint: block(ORIGIN, 0) }));
    assert_eq!(sent(&effects), [PeerMessage::ReadyReply { round: other, result: Ok(()) }]);
}

#[test]
fn readiness_lapses_and_is_gone_once_used() {
    let roots = [root(ORIGIN, 10, 5)];
    let items = || message(PeerMessage::HeadSync { round: ROUND, items: Vec::new() });
    let mut bench = Bench::ready(Side::Auxiliary);
    bench.follower_ready(block(ORIGIN, 10), &roots);
    bench.after(119_999);
    let again = bench.on(message(PeerMessage::HeadSyncReady { round: ROUND, checkpoint: block(ORIGIN, 10) }));
    assert_eq!(sent(&again), [PeerMessage::ReadyReply { round: ROUND, result: Ok(()) }], "a repeated question");
    bench.after(1);
    let effects = bench.on(items());
    assert!(matches!(&sent(&effects)[..], [PeerMessage::HeadSyncReply { result: Err(Refusal::NotReady), .. }]));

    bench.follower_ready(block(ORIGIN, 10), &roots);
    let effects = bench.on(items());
    let effects = bench.find(&effects, Finding::Roots(roots.to_vec()));
    bench.find(&effects, Finding::Roots(Vec::new()));
    assert!(matches!(
        &sent(&bench.on(items()))[..],
        [PeerMessage::HeadSyncReply { result: Err(Refusal::NotReady), .. }]
    ));
    bench.after(120_000);
    assert_eq!(bench.stage(), Stage::HeadSyncReady, "nobody told it to work");
    assert!(sent(&bench.on(message(PeerMessage::Working { round: ROUND }))).is_empty());
    assert_eq!(bench.stage(), Stage::HeadSyncReady, "of a handshake that has lapsed");
}

#[test]
fn items_that_differ_abort_with_an_alarm_and_repeated_ones_warn() {
    let roots = [root(ORIGIN, 10, 5), root(ORIGIN, 12, 6)];
    let lies = [root(ORIGIN, 10, 5), crate::sync::rig::false_root(ORIGIN, 12, 6)];
    let mut bench = Bench::ready(Side::Auxiliary);
    bench.follower_ready(block(ORIGIN, 10), &roots);
    let items = vec![block(ORIGIN, 12), block(ORIGIN, 12)];
    let effects = bench.on(message(PeerMessage::HeadSync { round: ROUND, items }));
    let warned = |effect: &Effect| matches!(effect, Effect::Log(Level::Warn, text) if text.contains("block 12 more"));
    assert!(effects.iter().any(warned));
    let effects = bench.find(&effects, Finding::Roots(lies.to_vec()));
    assert_eq!(bench.stage(), Stage::HeadSyncReady);
    assert_eq!(alarms(&effects), 1);
    match &sent(&effects)[..] {
        [PeerMessage::HeadSyncReply { result: Err(Refusal::Differs(found)), .. }] => assert_eq!(found.number, 12),
        other => panic!("{other:?}"),
    }
    // The same contradiction is no new alarm.
    let again = Round { life: 5, number: 2 };
    let effects = bench.on(message(PeerMessage::HeadSyncReady { round: again, checkpoint: block(ORIGIN, 12) }));
    assert_eq!(alarms(&bench.find(&effects, Finding::Roots(lies.to_vec()))), 0);
}

#[test]
fn either_falls_back_when_the_other_does() {
    let fallen = [
        peer(Stage::Resync, None),
        peer(Stage::CheckpointSync, None),
        peer(Stage::HeadSyncReady, None),
        peer(Stage::Working, Some(Round { life: 6, number: 1 })),
        peer(Stage::HeadSync, Some(Round { life: 5, number: 2 })),
        Event::Relayed(Relayed::Peer(None)),
    ];
    for event in fallen {
        let mut bench = Bench::follower_working();
        bench.on(peer(Stage::Working, Some(ROUND)));
        assert_eq!(bench.stage(), Stage::Working);
        let effects = bench.on(event.clone());
        assert!(matches!(effects.first(), Some(Effect::PauseWork { .. })), "{event:?}");
        assert_eq!(bench.stage(), Stage::HeadSyncReady);

        let (mut bench, round) = Bench::asked();
        let effects = bench.on(message(PeerMessage::ReadyReply { round, result: Ok(()) }));
        let effects = bench.find(&effects, Finding::Roots(Vec::new()));
        assert_eq!(sent(&effects), [PeerMessage::HeadSync { round, items: Vec::new() }]);
        bench.on(message(PeerMessage::HeadSyncReply { round, result: Ok(Vec::new()) }));
        assert_eq!(bench.stage(), Stage::Working);
        bench.on(peer(Stage::HeadSync, Some(round)));
        assert_eq!(sent(&bench.after(1_000)), [PeerMessage::Working { round }], "until the other works");
        bench.on(message(PeerMessage::Working { round }));
        assert!(sent(&bench.after(1_000)).is_empty());
        // In the numbers of this coordinator's rounds.
        let mine = event == peer(Stage::HeadSync, Some(Round { life: 5, number: 2 }));
        let event = if mine { peer(Stage::HeadSync, Some(Round { number: round.number + 1, ..round })) } else { event };
        let effects = bench.on(event.clone());
        assert!(matches!(effects.first(), Some(Effect::PauseWork { .. })), "{event:?}");
        assert_eq!(bench.stage(), Stage::HeadSyncReady);
    }
}

#[test]
fn the_coordinator_asks_once_each_second_for_ever() {
    let (mut bench, first) = Bench::asked();
    let mut round = first;
    for attempt in 0..1_000 {
        let result = Err(if attempt % 2 == 0 { Refusal::Synchronization } else { Refusal::NotConnected });
        let effects = bench.on(message(PeerMessage::ReadyReply { round, result }));
        assert_eq!(alarms(&effects), 0, "waiting is no failure");
        assert!(look_up(&bench.after(999)).is_none());
        let effects = bench.after(1);
        let next = bench.choose(&effects, &[]);
        assert_ne!(next, round);
        round = next;
    }
    assert_eq!(bench.stage(), Stage::HeadSyncReady);
    assert_eq!(bench.machine.standing().last_error.as_deref(), Some("auxiliary chain 1406: not connected"));
}

#[test]
fn an_unanswered_question_is_repeated_and_a_late_answer_still_counts() {
    let (mut bench, round) = Bench::asked();
    for _ in 0..5 {
        let effects = bench.after(1_000);
        assert!(matches!(&sent(&effects)[..], [PeerMessage::HeadSyncReady { round: again, .. }] if *again == round));
    }
    bench.on(message(PeerMessage::ReadyReply { round: Round { number: 99, ..round }, result: Ok(()) }));
    assert_eq!(bench.stage(), Stage::HeadSyncReady, "an answer to another question");
    bench.on(message(PeerMessage::ReadyReply { round, result: Ok(()) }));
    assert_eq!(bench.stage(), Stage::HeadSync);
    bench.after(120_000);
    assert_eq!(bench.stage(), Stage::HeadSyncReady, "the handshake did not go on");
}

#[test]
fn ten_failures_in_a_row_raise_one_alarm() {
    let (mut bench, mut round) = Bench::asked();
    let mut raised = 0;
    for failure in 1..=25 {
        let result = Err(Refusal::UnknownSpineHash);
        let effects = bench.on(message(PeerMessage::ReadyReply { round, result }));
        raised += alarms(&effects);
        assert_eq!(raised, usize::from(failure >= 10), "failure {failure}");
        let effects = bench.after(1_000);
        round = bench.choose(&effects, &[]);
    }
}

#[test]
fn an_anchoring_that_is_not_final_there_leads_to_an_older_checkpoint() {
    let roots = [root(ORIGIN, 10, 5), root(ORIGIN, 20, 15), root(ORIGIN, 36, 16)];
    let mut bench = Bench::ready(ORIGIN);
    let effects = std::mem::take(&mut bench.at_head);
    let round = bench.choose(&effects, &roots);
    let mut round = round;
    for (finalized, expected) in [(14, 10), (4, 0)] {
        let result = Err(Refusal::NotFinalized { finalized });
        bench.on(message(PeerMessage::ReadyReply { round, result }));
        let effects = bench.after(1_000);
        let mut aside = Bench { machine: bench.machine.clone(), now: bench.now, at_head: Vec::new() };
        let chosen = aside.find(&effects, Finding::Roots(roots.to_vec()));
        assert_eq!(look_up(&chosen).map(|found| found.1), Some(LookUp::Blocks(vec![expected])));
        round = bench.choose(&effects, &roots);
    }
}

#[test]
fn an_older_checkpoint_is_sent_once_so_that_what_has_become_final_is_noticed() {
    let roots = [root(ORIGIN, 10, 5), root(ORIGIN, 20, 15)];
    let mut bench = Bench::ready(ORIGIN);
    let mut effects = std::mem::take(&mut bench.at_head);
    let refusals =
        [(20, Refusal::NotFinalized { finalized: 14 }), (10, Refusal::UnknownSpineHash), (20, Refusal::Busy)];
    for (expected, refusal) in refusals {
        let mut aside = Bench { machine: bench.machine.clone(), now: bench.now, at_head: Vec::new() };
        let chosen = aside.find(&effects, Finding::Roots(roots.to_vec()));
        assert_eq!(look_up(&chosen).map(|found| found.1), Some(LookUp::Blocks(vec![expected])));
        let round = bench.choose(&effects, &roots);
        bench.on(message(PeerMessage::ReadyReply { round, result: Err(refusal) }));
        effects = bench.after(1_000);
    }
}

#[test]
fn a_pruned_state_is_refused_here() {
    let roots = [root(ORIGIN, 10, 5)];
    let mut bench = Bench::ready(ORIGIN);
    let effects = std::mem::take(&mut bench.at_head);
    let effects = bench.find(&effects, Finding::Roots(roots.to_vec()));
    let facts = BlockFacts { block: block(ORIGIN, 10), stored: None };
    let effects = bench.find(&effects, Finding::Blocks(vec![facts]));
    let effects = bench.find(&effects, Finding::State(false));
    assert!(sent(&effects).is_empty());
    assert_eq!(bench.machine.standing().last_error.as_deref(), Some("checkpoint state not found"));
}

#[test]
fn the_items_are_the_later_roots_up_to_the_head() {
    let roots = [root(ORIGIN, 10, 5), root(ORIGIN, 36, 16), root(ORIGIN, 39, 17), root(ORIGIN, 90, 18)];
    let mut bench = Bench::ready(ORIGIN);
    let effects = std::mem::take(&mut bench.at_head);
    let round = bench.choose(&effects, &roots);
    let effects = bench.on(message(PeerMessage::ReadyReply { round, result: Ok(()) }));
    assert!(matches!(look_up(&effects), Some((_, LookUp::Roots { whose: Whose::Own, .. }))));
    let effects = bench.find(&effects, Finding::Roots(roots.to_vec()));
    let warned = |effect: &Effect| matches!(effect, Effect::Log(Level::Warn, text) if text.contains("block 90"));
    assert!(effects.iter().any(warned), "a root of a block that nobody has");
    assert_eq!(look_up(&effects).map(|found| found.1), Some(LookUp::Blocks(vec![36, 39])));
    let facts = |number| BlockFacts { block: block(ORIGIN, number), stored: None };
    let effects = bench.find(&effects, Finding::Blocks(vec![facts(39), facts(36)]));
    let items = vec![block(ORIGIN, 36), block(ORIGIN, 39)];
    assert_eq!(sent(&effects), [PeerMessage::HeadSync { round, items }]);
    assert_eq!(bench.machine.standing().last_coord, Some(10));
}

#[test]
fn the_coordinator_compares_what_is_anchored_on_its_own_chain() {
    let side = Side::Auxiliary;
    let at_the_check = || {
        let (mut bench, round) = Bench::asked();
        let effects = bench.on(message(PeerMessage::ReadyReply { round, result: Ok(()) }));
        bench.find(&effects, Finding::Roots(Vec::new()));
        let items = vec![block(side, 7)];
        let effects = bench.on(message(PeerMessage::HeadSyncReply { round, result: Ok(items) }));
        assert_eq!(bench.stage(), Stage::HeadSync);
        assert!(matches!(look_up(&effects), Some((_, LookUp::Roots { whose: Whose::Other, .. }))));
        (bench, effects)
    };
    let (mut bench, effects) = at_the_check();
    let effects = bench.find(&effects, Finding::Roots(vec![root(side, 7, 3)]));
    assert_eq!(bench.stage(), Stage::Working);
    assert!(effects.contains(&Effect::ResumeWork));
    let (mut bench, effects) = at_the_check();
    let effects = bench.find(&effects, Finding::Roots(vec![crate::sync::rig::false_root(side, 7, 3)]));
    assert_eq!(bench.stage(), Stage::HeadSyncReady);
    assert_eq!(alarms(&effects), 1);
    assert!(!sent(&effects).iter().any(|message| matches!(message, PeerMessage::Working { .. })));
}
