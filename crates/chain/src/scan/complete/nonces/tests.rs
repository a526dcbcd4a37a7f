use super::*;
use facilitator_eth::Bytes;
use facilitator_protocol::events::{
    Log, MintProgressed, RevertStakeIntentConfirmed, RevertStakeIntentDeclared, StakeIntentConfirmed,
    StakeIntentDeclared, StakeProgressed, StakeReverted,
};

const GATEWAY: Address = Address([1; 20]);
const STAKER: Address = Address([2; 20]);
const OUTBOX: Channel = Channel { gateway: GATEWAY, half: MessageBox::Outbox, sender: STAKER };

fn hash(nonce: u64) -> B256 {
    B256([nonce.to_le_bytes()[0] + 1; 32])
}

fn declared(nonce: u64) -> Event {
    let (message_hash, nonce) = (hash(nonce), U256::from(nonce));
    let (staker, beneficiary, amount) = (STAKER, STAKER, U256::from(1u64));
    StakeIntentDeclared { message_hash, staker, nonce, beneficiary, amount }.into()
}

fn progressed(nonce: u64) -> Event {
    let (message_hash, nonce, staker, amount) = (hash(nonce), U256::from(nonce), STAKER, U256::from(1u64));
    StakeProgressed { message_hash, staker, nonce, amount, proof_progress: false, unlock_secret: B256::ZERO }.into()
}

fn revoking(nonce: u64) -> Event {
    let (message_hash, nonce, staker, amount) = (hash(nonce), U256::from(nonce), STAKER, U256::from(1u64));
    RevertStakeIntentDeclared { message_hash, staker, nonce, amount }.into()
}

fn revoked(nonce: u64) -> Event {
    let (message_hash, nonce, staker, amount) = (hash(nonce), U256::from(nonce), STAKER, U256::from(1u64));
    StakeReverted { message_hash, staker, nonce, amount }.into()
}

fn confirmed(nonce: u64) -> Event {
    let (message_hash, nonce, staker, amount) = (hash(nonce), U256::from(nonce), STAKER, U256::from(1u64));
    let (beneficiary, block_height, hash_lock) = (STAKER, 1, B256::ZERO);
    StakeIntentConfirmed { message_hash, staker, nonce, beneficiary, amount, block_height, hash_lock }.into()
}

fn minted(nonce: u64) -> Event {
    let amount = U256::from(1u64);
    MintProgressed {
        message_hash: hash(nonce),
        staker: STAKER,
        beneficiary: STAKER,
        stake_amount: amount,
        minted_amount: amount,
        reward_amount: amount,
        proof_progress: false,
        unlock_secret: B256::ZERO,
    }
    .into()
}

fn revocation_confirmed(nonce: u64) -> Event {
    let (message_hash, nonce, staker, amount) = (hash(nonce), U256::from(nonce), STAKER, U256::from(1u64));
    RevertStakeIntentConfirmed { message_hash, staker, nonce, amount }.into()
}

/// Events at blocks 100, 101, …
fn entries(events: &[Event]) -> Vec<Entry> {
    let entry = |(block_number, event): (u64, &Event)| {
        let word = B256::ZERO;
        let (topics, data, log_index) = (vec![], Bytes(vec![]), 3);
        let (block_hash, tx_hash, tx_index, address) = (word, word, 0, GATEWAY);
        let log = Log { address, topics, data, block_number, block_hash, tx_hash, tx_index, log_index };
        Entry { log, event: event.clone() }
    };
    (100..).zip(events).map(entry).collect()
}

fn missing(ledger: &mut Ledger, events: &[Event]) -> Vec<Missing> {
    ledger.read(&entries(events)).into_iter().map(|gap| gap.missing).collect()
}

fn whole() -> Ledger {
    Ledger::new(BTreeMap::new(), true)
}

fn u(value: u64) -> U256 {
    U256::from(value)
}

#[test]
fn whole_lives_show_no_gap_in_either_half() {
    let lives = [
        declared(0),
        confirmed(0),
        progressed(0),
        minted(0),
        declared(1),
        confirmed(1),
        revoking(1),
        revocation_confirmed(1),
        revoked(1),
        declared(2),
        confirmed(2),
        minted(2),
        revoking(2),
        progressed(2),
        declared(3),
    ];
    let mut ledger = whole();
    assert_eq!(missing(&mut ledger, &lives), []);
    let mark = Mark { nonce: u(3), message: hash(3), finished: false, block: 114 };
    assert_eq!((ledger.marks().len(), ledger.marks()[&OUTBOX]), (2, mark));
    // In two halves it is the same, wherever it is cut.
    for cut in 0..lives.len() {
        let mut first = whole();
        assert_eq!(missing(&mut first, &lives[..cut]), []);
        let mut second = Ledger::new(first.marks().clone(), true);
        assert_eq!(missing(&mut second, &lives[cut..]), [], "cut at {cut}");
    }
}

#[test]
fn each_event_that_is_left_out_shows_as_one_gap_as_soon_as_another_follows() {
    let outbox =
        [declared(0), progressed(0), declared(1), revoking(1), revoked(1), declared(2), progressed(2), declared(3)];
    let inbox = [confirmed(0), minted(0), confirmed(1), revocation_confirmed(1), confirmed(2), minted(2), confirmed(3)];
    for life in [outbox.as_slice(), inbox.as_slice()] {
        for at in 0..life.len() - 1 {
            let mut events = life.to_vec();
            let left_out = events.remove(at);
            let found = missing(&mut whole(), &events);
            // That somebody asked to revoke a message is followed by its end, whether it was read or not.
            let expected = usize::from(!matches!(left_out, Event::RevertStakeIntentDeclared(_)));
            assert_eq!(found.len(), expected, "{left_out:?}: {found:?}");
        }
    }
}

#[test]
fn a_gap_says_what_is_missing_and_where() {
    let cases: [(&[Event], Missing); 8] = [
        (&[declared(2)], Missing::Begun { first: u(0), last: u(1) }),
        (&[progressed(0)], Missing::Begun { first: u(0), last: u(0) }),
        (&[minted(0)], Missing::BegunMessage { message: hash(0) }),
        (&[declared(0), declared(1)], Missing::Ended { nonce: u(0) }),
        (&[declared(0), progressed(0), declared(3)], Missing::Begun { first: u(1), last: u(2) }),
        (&[declared(0), progressed(2)], Missing::Begun { first: u(1), last: u(2) }),
        (&[confirmed(0), minted(1)], Missing::BegunMessage { message: hash(1) }),
        (&[declared(0), progressed(0), progressed(0)], Missing::Contradiction),
    ];
    for (events, expected) in cases {
        assert_eq!(missing(&mut whole(), events), [expected], "{events:?}");
    }
    let gaps = whole().read(&entries(&[declared(0), progressed(0), declared(3)]));
    let missing = Missing::Begun { first: u(1), last: u(2) };
    assert_eq!(gaps, [Gap { channel: OUTBOX, missing, after: Some(101), shown_by: (102, 3) }]);
    let gaps = whole().read(&entries(&[declared(1)]));
    assert_eq!((gaps[0].after, gaps[0].shown_by), (None, (100, 3)));
}

#[test]
fn used_nonces_contradict_and_never_move_a_mark_back() {
    let mut ledger = whole();
    assert_eq!(missing(&mut ledger, &[declared(0), progressed(0), declared(1), progressed(1)]), []);
    let before = ledger.clone();
    assert_eq!(missing(&mut ledger, &[declared(0)]), [Missing::Contradiction]);
    assert_eq!(missing(&mut ledger, &[revoked(0)]), [Missing::Contradiction]);
    assert_eq!(ledger, before);
}

#[test]
fn a_scan_that_began_later_takes_the_first_nonce_that_it_meets() {
    let mut later = Ledger::new(BTreeMap::new(), false);
    assert_eq!(missing(&mut later, &[progressed(4), declared(5), progressed(5)]), []);
    assert_eq!(missing(&mut later, &[declared(7)]), [Missing::Begun { first: u(6), last: u(6) }]);
    let mut inbox = Ledger::new(BTreeMap::new(), false);
    // The end of a mint tells no nonce: nothing is known until the next beginning.
    assert_eq!(missing(&mut inbox, &[minted(4), confirmed(5), minted(5), confirmed(6)]), []);
}

#[test]
fn senders_gateways_and_halves_are_numbered_apart() {
    let mut events = entries(&[declared(0), declared(0), confirmed(0), progressed(0)]);
    events[1].log.address = Address([9; 20]);
    assert_eq!(whole().read(&events), []);
}

#[test]
fn what_is_undone_is_forgotten_and_read_again_without_a_gap() {
    let life = [declared(0), progressed(0), declared(1), progressed(1), declared(2)];
    let mut ledger = whole();
    assert_eq!(missing(&mut ledger, &life), []);
    ledger.back_to(102);
    assert!(ledger.marks().is_empty(), "the newest message begins at block 104");
    assert_eq!(ledger.read(&entries(&life)[2..]), []);
    assert_eq!(missing(&mut Ledger::new(ledger.marks().clone(), false), &[declared(4)]).len(), 1);
}

#[test]
fn a_gap_is_told_in_words() {
    let mut ledger = whole();
    let gaps = ledger.read(&entries(&[declared(0), progressed(0), declared(3)]));
    let said = gaps[0].to_string();
    assert!(said.starts_with("messages 1 to 2 were declared (sender 0x"), "{said}");
    assert!(said.ends_with("before block 102)"), "{said}");
}

#[test]
fn more_senders_than_are_remembered_are_forgotten_all() {
    let mut ledger = whole();
    for number in 0..=u64::try_from(MOST_CHANNELS).unwrap() {
        let mut entry = entries(&[declared(0)]).remove(0);
        entry.log.address = Address(std::array::from_fn(|at| number.to_be_bytes().get(at).copied().unwrap_or(0)));
        assert_eq!(ledger.read([&entry]), []);
    }
    assert_eq!(ledger.marks().len(), 1);
}
