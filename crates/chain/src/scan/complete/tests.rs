//! Each lie about logs, and what becomes of it.

use super::*;
use crate::{
    scan::{LogFilter, Span},
    types::{BareLog, BlockReceipt, Bloom, Header, Outcome, Seal, SealedHeader, receipts_root, test_header},
};
use facilitator_eth::{Address, B256, Bytes, U256};
use facilitator_protocol::events::Log;

const GATEWAY: Address = Address([0xaa; 20]);
const OTHER: Address = Address([0xbb; 20]);
const TOPIC: B256 = B256([1; 32]);
const SPAN: Span = Span { from: 10, to: 13 };

fn byte(number: u64) -> u8 {
    number.to_le_bytes()[0]
}

fn word(number: u64) -> B256 {
    B256([byte(number); 32])
}

fn filter() -> LogFilter {
    LogFilter::new(vec![GATEWAY], vec![TOPIC])
}

fn log(block: u64, index: u64) -> Log {
    Log {
        address: GATEWAY,
        topics: vec![TOPIC, word(block)],
        data: Bytes(vec![byte(index)]),
        block_number: block,
        block_hash: word(block),
        tx_hash: B256([9; 32]),
        tx_index: 0,
        log_index: index,
    }
}

/// Headers 10 to 13; those at `with` have the filter of a log.
fn headers(with: &[u64]) -> Vec<Header> {
    let header = |number: u64| {
        let mut header = test_header(number, byte(number), byte(number - 1));
        if with.contains(&number) {
            let log = log(number, 0);
            header.logs_bloom = Bloom::of_logs([(&log.address, log.topics.as_slice())]);
        }
        header
    };
    (10..=13).map(header).collect()
}

#[test]
fn true_answers_pass_in_the_order_of_the_chain() {
    let logs = vec![log(12, 5), log(11, 1), log(11, 0), log(11, 0)];
    let checked = check_answer(&filter(), SPAN, &headers(&[11, 12]), logs).unwrap();
    assert_eq!(checked, [log(11, 0), log(11, 1), log(12, 5)]);
}

#[test]
fn each_invented_log_is_refused_with_its_place() {
    type Change = fn(&mut Log);
    let cases: [(&str, Change); 7] = [
        ("log 0 of block 14 from", |log| log.block_number = 14),
        ("is outside the range 10 to 13", |log| log.block_number = 9),
        ("was not asked for", |log| log.address = OTHER),
        ("was not asked for", |log| log.topics = vec![B256::ZERO]),
        ("was not asked for", |log| log.topics.clear()),
        ("but the block at that height is", |log| log.block_hash = B256([7; 32])),
        ("is not in the filter of its block", |log| log.topics = vec![TOPIC, B256([77; 32])]),
    ];
    for (expected, change) in cases {
        let mut invented = log(11, 0);
        change(&mut invented);
        let lie = check_answer(&filter(), SPAN, &headers(&[11, 12]), vec![log(12, 0), invented]).unwrap_err();
        assert!(lie.to_string().contains(expected), "{lie}");
    }
    let mut second = log(11, 0);
    second.data = Bytes(vec![3]);
    let lie = check_answer(&filter(), SPAN, &headers(&[11]), vec![log(11, 0), second]).unwrap_err();
    assert!(matches!(lie, Lie::Twice(_)), "{lie}");
    let lie = check_answer(&filter(), SPAN, &headers(&[]), vec![log(11, 0)]).unwrap_err();
    assert!(matches!(lie, Lie::NotInBloom(_)), "a block whose filter is empty has no logs: {lie}");
}

#[test]
fn silence_is_believed_only_where_the_filter_proves_it() {
    let found = doubts(&filter(), SPAN, &headers(&[11, 13]), &[log(11, 0)]).unwrap();
    let at = |number: u64, doubt| DoubtfulBlock { number, hash: word(number), doubt };
    assert_eq!(found, [at(11, Doubt::Told), at(13, Doubt::Silent)]);
    assert_eq!(doubts(&filter(), SPAN, &headers(&[]), &[]).unwrap(), []);

    let mut half = headers(&[]);
    half[1].logs_bloom = Bloom::of_logs([(&GATEWAY, [].as_slice())]);
    half[2].logs_bloom = Bloom::of_logs([(&OTHER, [TOPIC].as_slice())]);
    assert_eq!(doubts(&filter(), SPAN, &half, &[]).unwrap(), [], "a log has both its address and its topic there");
}

#[test]
fn a_range_with_a_block_unseen_is_not_judged() {
    let all = headers(&[]);
    for missing in 10..=13 {
        let some: Vec<Header> = all.iter().filter(|header| header.number != missing).cloned().collect();
        assert_eq!(doubts(&filter(), SPAN, &some, &[]), Err(NoHeader { number: missing }));
    }
    let mut more = all;
    more.push(test_header(14, 14, 13));
    more.reverse();
    assert_eq!(doubts(&filter(), SPAN, &more, &[]), Ok(vec![]));
}

fn bare(address: Address, topic: B256) -> BareLog {
    BareLog { address, topics: vec![topic], data: Bytes(vec![1, 2]) }
}

fn receipts() -> Vec<BlockReceipt> {
    let receipt = |kind: u64, logs| BlockReceipt {
        tx_hash: word(kind),
        kind,
        outcome: Outcome::Status(kind != 1),
        cumulative_gas: U256::from(21_000 * (kind + 1)),
        logs,
    };
    vec![
        receipt(0, vec![bare(OTHER, TOPIC), bare(GATEWAY, TOPIC)]),
        receipt(1, vec![]),
        receipt(2, vec![bare(GATEWAY, B256::ZERO)]),
        receipt(3, vec![bare(GATEWAY, TOPIC)]),
        receipt(4, vec![bare(GATEWAY, TOPIC), bare(GATEWAY, TOPIC)]),
    ]
}

fn block() -> SealedHeader {
    let receipts_root = receipts_root(&receipts()).unwrap();
    SealedHeader { header: test_header(10, 10, 9), receipts_root, seal: Seal::Bound }
}

#[test]
fn proven_logs_have_the_place_that_their_receipts_give_them() {
    let logs = prove_logs(&filter(), &block(), &receipts()).unwrap();
    let places: Vec<_> = logs.iter().map(|log| (log.tx_index, log.log_index, log.tx_hash.0[0])).collect();
    assert_eq!(places, [(0, 1, 0), (3, 3, 3), (4, 4, 4), (4, 5, 4)]);
    assert!(logs.iter().all(|log| (log.block_number, log.block_hash) == (10, B256([10; 32]))));
    assert!(logs.iter().all(|log| log.address == GATEWAY && log.topics == [TOPIC] && log.data.0 == [1, 2]));
}

#[test]
fn each_lie_in_receipts_is_found_out() {
    type Change = fn(&mut Vec<BlockReceipt>);
    let cases: [(&str, Change); 11] = [
        ("one left out", |receipts| drop(receipts.pop())),
        ("all left out", Vec::clear),
        ("one invented", |receipts| receipts.push(receipts[1].clone())),
        ("order", |receipts| receipts.swap(0, 4)),
        ("a log left out", |receipts| drop(receipts[0].logs.pop())),
        ("a log invented", |receipts| receipts[1].logs.push(bare(GATEWAY, TOPIC))),
        ("another contract", |receipts| receipts[0].logs[1].address = OTHER),
        ("another topic", |receipts| receipts[0].logs[1].topics[0] = B256::ZERO),
        ("other data", |receipts| receipts[3].logs[0].data.0[0] ^= 1),
        ("another outcome", |receipts| receipts[1].outcome = Outcome::Status(true)),
        ("another type", |receipts| receipts[1].kind = 2),
    ];
    for (what, change) in cases {
        let mut wrong = receipts();
        change(&mut wrong);
        let error = prove_logs(&filter(), &block(), &wrong).unwrap_err();
        assert!(matches!(error, NotProven::FalseReceipts { .. }) && error.is_lie(), "{what}: {error}");
    }
}

#[test]
fn nothing_is_proven_by_a_header_that_is_not_bound_to_its_hash() {
    let mut header = block();
    header.seal = Seal::Unknown { reason: "has `x`".to_owned() };
    assert!(!prove_logs(&filter(), &header, &receipts()).unwrap_err().is_lie());
    header.seal = Seal::Broken { computed: B256::ZERO };
    assert!(prove_logs(&filter(), &header, &receipts()).unwrap_err().is_lie());
    let mut unknown = receipts();
    unknown[2].kind = 0x7e;
    let error = prove_logs(&filter(), &block(), &unknown).unwrap_err();
    assert!(matches!(error, NotProven::UnknownReceipt { .. }) && !error.is_lie());
}
