use super::*;
use crate::sync::rig::{block, false_root, root};
use facilitator_eth::{Address, B256};

const SIDE: Side = Side::Origin;

#[test]
fn the_checkpoint_is_the_newest_root_that_is_final_on_both_chains() {
    let roots = [root(SIDE, 10, 5), root(SIDE, 30, 25), root(SIDE, 20, 15), root(SIDE, 20, 40)];
    assert_eq!(choose(&roots, 30, None), Some(30));
    assert_eq!(choose(&roots, 29, None), Some(20));
    assert_eq!(choose(&roots, 9, None), None);
    assert_eq!(choose(&roots, 100, Some(24)), Some(20), "one anchor that is final is enough");
    assert_eq!(choose(&roots, 100, Some(14)), Some(10));
    assert_eq!(choose(&roots, 100, Some(4)), None);
    assert_eq!(choose(&[], 100, None), None);
}

#[test]
fn a_checkpoint_is_refused_in_the_words_of_the_old_system() {
    let roots = [root(SIDE, 10, 5), root(SIDE, 20, 15), false_root(SIDE, 30, 16)];
    let check = |checkpoint: Checkpoint| validate(SIDE, &checkpoint, &roots, 12).map_err(|refusal| refusal.to_string());
    assert_eq!(check(block(SIDE, 10)), Ok(()));
    assert_eq!(check(block(SIDE, 0)), Ok(()), "the genesis block needs no proof");
    assert_eq!(check(Checkpoint { hash: B256::ZERO, ..block(SIDE, 10) }), Err("bad params".to_owned()));
    assert_eq!(check(Checkpoint { state_root: B256::ZERO, ..block(SIDE, 0) }), Err("bad params".to_owned()));
    assert_eq!(check(block(SIDE, 11)), Err("unknown spine hash".to_owned()));
    assert_eq!(check(Checkpoint { number: 11, ..block(SIDE, 10) }), Err("checkpoint bad number".to_owned()));
    assert_eq!(check(block(SIDE, 20)), Err("checkpoint not finalized".to_owned()));
    assert_eq!(validate(SIDE, &block(SIDE, 20), &roots, 12), Err(Refusal::NotFinalized { finalized: 12 }));
    let differs = check(block(SIDE, 30)).unwrap_err();
    assert!(differs.starts_with("anchored state root differs: block 30 of the origin chain has state root 0x"));
    assert!(differs.contains("on the auxiliary chain holds 0x"), "{differs}");
    let others = [
        (Refusal::StateNotFound, "checkpoint state not found"),
        (Refusal::Locked, "procedure is locked"),
        (Refusal::Busy, "busy"),
        (Refusal::NotReady, "not ready"),
        (Refusal::Synchronization, "synchronization"),
    ];
    for (refusal, text) in others {
        assert_eq!(refusal.to_string(), text);
    }
}

#[test]
fn every_anchor_that_holds_a_height_must_hold_its_root() {
    let items = [block(SIDE, 10), block(SIDE, 20)];
    let right = [root(SIDE, 10, 1), root(SIDE, 20, 2), false_root(SIDE, 15, 3)];
    assert_eq!(compare(SIDE, &items, &right), Ok(()));
    assert_eq!(compare(SIDE, &items, &right[..1]), Err(Refusal::UnknownSpineHash));
    let second = AnchoredRoot { anchor: Address([5; 20]), ..false_root(SIDE, 20, 4) };
    let Err(Refusal::Differs(difference)) = compare(SIDE, &items, &[right[0], right[1], second]) else { panic!() };
    let found = block(SIDE, 20).state_root;
    let expected = Difference { side: SIDE, number: 20, found, anchor: second.anchor, anchored: second.root };
    assert_eq!(difference, expected);
}

#[test]
fn items_are_sorted_repetitions_told_and_contradictions_refused() {
    let (a, b) = (block(SIDE, 1), block(SIDE, 2));
    let mut items = vec![b, a, b, b];
    assert_eq!(tidy(&mut items), Ok(vec![2]));
    assert_eq!(items, [a, b]);
    let mut items = vec![b, a, Checkpoint { state_root: a.state_root, ..b }];
    assert_eq!(tidy(&mut items), Err(Refusal::BadParams));
}

#[test]
fn heights_follow_the_checkpoint_up_to_the_head() {
    let roots = [root(SIDE, 9, 1), root(SIDE, 3, 1), root(SIDE, 5, 1), root(SIDE, 5, 2), root(SIDE, 12, 1)];
    assert_eq!(heights(&roots, 3, 9), [5, 9]);
    assert_eq!(heights(&roots, 0, 100), [3, 5, 9, 12]);
    assert!(heights(&[], 0, 100).is_empty());
}

#[test]
fn blocks_must_be_there_and_be_those_that_were_scanned() {
    let facts = |number, stored| BlockFacts { block: block(SIDE, number), stored };
    let found = [facts(2, None), facts(1, Some(block(SIDE, 1).hash))];
    assert_eq!(blocks(&[1, 2], &found), Ok(vec![block(SIDE, 1), block(SIDE, 2)]));
    assert_eq!(blocks(&[3], &found).unwrap_err().to_string(), "could not be looked up: the node does not have block 3");
    let forked = [facts(1, Some(block(SIDE, 2).hash))];
    assert!(matches!(blocks(&[1], &forked), Err(Refusal::LookUp(text)) if text.contains("as scanned")));
}
