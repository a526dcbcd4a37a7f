//! Frames of a child that is broken, of another build, or not ours: the decoder, every message, the hello.

use crate::{Outcome, Target, Verdict, mutate, promise};
use bincode::{Decode, Encode};
use facilitator_chain::sync::{Checkpoint, Difference, PeerMessage, Refusal, Relayed, Round, Said};
use facilitator_chain::{
    connector::Settings,
    reader::{Answer, At, Query},
};
use facilitator_dice::Rng;
use facilitator_eth::{Address, B256, Bytes, U256, abi::Revert};
use facilitator_ipc::{Decoder, FrameReader, Hello, IpcError, MAX_DECODED, MAX_FRAME, encode};
use facilitator_protocol::{
    model::{RequestId, Side, Step},
    secret::{SecretInput, UnlockSecret},
};
use facilitator_roles::messages::{
    Ask, Balance, ChainSetup, FromScanner, FromSender, FromWorker, PROTOCOL_VERSION, ScannerSetup, ToScanner, ToSender,
    ToWorker, Unfit,
};
use facilitator_sender::{Allowance, Submit, SubmitAnswer, Visibility};
use std::{
    pin::pin,
    task::{Context, Poll, Waker},
};

/// Length field of a frame.
const PREFIX: usize = 4;

/// What a decoder may hold: what arrived, twice while it grows, and one message.
const MEMORY: usize = MAX_DECODED + 2 * MAX_FRAME;

fn submit(rng: &mut Rng) -> Submit {
    Submit {
        intent: format!("confirm:{}", B256([3; 32])),
        request_id: rng.chance(500).then_some(RequestId(7)),
        step: Step::Accept,
        from: Some(Address([1; 20])),
        to: Address([2; 20]),
        value: U256::ZERO,
        data: Bytes(vec![9; rng.index(200)]),
        allowance: Some(Allowance { token: Address([4; 20]), spender: Address([5; 20]), amount: U256::MAX }),
        after: rng.chance(500).then(|| "prove".to_owned()),
        expect: Some(B256([6; 32])),
        visibility: Visibility::Reveals,
        seen: rng.below(1_000),
    }
}

fn queries(rng: &mut Rng) -> Vec<Query> {
    let (address, key) = (Address([7; 20]), B256([8; 32]));
    let all = [
        Query::Call { from: None, to: address, data: Bytes(vec![1; rng.index(100)]), at: At::Final },
        Query::Trial { from: address, to: address, data: Bytes(vec![1; rng.index(100)]), at: At::Latest },
        Query::Balance { address, at: At::Latest },
        Query::Code { address, at: At::Block(rng.next()) },
        Query::Proof { address, key, height: 5 },
        Query::StateRoot { height: rng.next() },
    ];
    (0..rng.below(6)).filter_map(|_| all.get(rng.index(all.len())).cloned()).collect()
}

fn answers(rng: &mut Rng) -> Vec<Answer> {
    let all = [
        Answer::Data(Bytes(vec![1; rng.index(300)])),
        Answer::Reverted(Revert::Reason("läuft nicht".to_owned())),
        Answer::Number(U256::MAX),
        Answer::Root(B256([2; 32])),
        Answer::Failed("later".to_owned()),
    ];
    (0..rng.below(6)).filter_map(|_| all.get(rng.index(all.len())).cloned()).collect()
}

fn secret_input() -> SecretInput {
    SecretInput {
        chain_id: 3,
        pool: Address([1; 20]),
        gateway: Address([2; 20]),
        request_hash: B256([3; 32]),
        proxy: Address([4; 20]),
        nonce: U256::ONE,
        attempt: 0,
    }
}

fn handed_over(rng: &mut Rng) -> PeerMessage {
    let round = Round { life: rng.next(), number: 3 };
    let block = |number| Checkpoint { number, hash: B256([1; 32]), state_root: B256([2; 32]) };
    PeerMessage::HeadSync { round, items: (0..rng.below(9)).map(block).collect() }
}

fn refusal(rng: &mut Rng) -> PeerMessage {
    let round = Round { life: 1, number: rng.next() };
    let difference = Difference {
        side: Side::Auxiliary,
        number: rng.next(),
        found: B256([1; 32]),
        anchor: Address([2; 20]),
        anchored: B256([3; 32]),
    };
    let all = [Refusal::Differs(difference), Refusal::NotFinalized { finalized: 7 }, Refusal::LookUp("später".into())];
    PeerMessage::HeadSyncReply { round, result: all.get(rng.index(4)).cloned().map_or(Ok(Vec::new()), Err) }
}

fn setup() -> Box<ScannerSetup> {
    let chain = ChainSetup {
        side: Side::Origin,
        chain_id: 3,
        pair: (3, 1406),
        rpc: vec!["http://127.0.0.1:8545".to_owned()],
        database: "facilitator.db".to_owned(),
        confirmations: 6,
        poll_interval_ms: 1000,
        rpc_timeout_ms: 10_000,
        max_batch: 100,
    };
    Box::new(ScannerSetup {
        chain,
        connector: Settings::new(3, 0, 6, 1),
        pair: None,
        gateways: vec![],
        workers: vec![],
    })
}

/// A genuine frame of each pair of roles, and how its kind is read.
struct Sample {
    bytes: Vec<u8>,
    read: fn(&[u8]) -> Outcome,
}

fn sample<T: Encode + Decode<()>>(message: &T) -> Sample {
    Sample { bytes: encode(message).map(|frame| frame.as_bytes().to_vec()).unwrap_or_default(), read: body_as::<T> }
}

fn draw(rng: &mut Rng) -> Sample {
    match rng.below(16) {
        0 => sample(&ToScanner::Setup(setup())),
        1 => sample(&ToScanner::Read(Ask(rng.next()), queries(rng))),
        2 => sample(&FromScanner::Answers(Ask(1), answers(rng))),
        3 => sample(&FromScanner::Balances(vec![
            Balance {
                address: Address([1; 20]),
                coin: Some(U256::ONE),
                bounty_tokens: vec![(Address([2; 20]), None)]
            };
            rng.index(4)
        ])),
        4 => sample(&FromScanner::Unfit(Unfit::WrongChain("no".to_owned()))),
        5 => sample(&ToSender::Submit(Ask(2), Box::new(submit(rng)))),
        6 => sample(&ToSender::Secret(Ask(3), secret_input())),
        7 => sample(&FromSender::Answer(Ask(4), SubmitAnswer::Final { hash: B256([1; 32]), block: rng.next() })),
        8 => sample(&FromSender::Secret(Ask(5), UnlockSecret::public(B256([9; 32])))),
        9 => sample(&ToWorker::Answers(Ask(6), answers(rng))),
        10 => sample(&ToWorker::Submitted(Ask(7), SubmitAnswer::Queued)),
        11 => sample(&FromWorker::Read(Ask(8), Side::Auxiliary, queries(rng))),
        12 => sample(&FromWorker::Submit(Ask(9), Side::Origin, Box::new(submit(rng)))),
        13 => sample(&ToScanner::Sync(Box::new(Relayed::Message(refusal(rng))))),
        14 => sample(&FromScanner::Sync(Box::new(Said::Message(handed_over(rng))))),
        _ => sample(&ToWorker::Parked),
    }
}

fn frame(body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len()).unwrap_or(u32::MAX);
    [&length.to_le_bytes()[..], body].concat()
}

fn words(error: &IpcError) -> String {
    error.to_string()
}

/// Reads `bytes`, one frame with its length field, as a `T`. What is taken must say the same when it is written again,
/// and nothing may follow it in the body.
fn body_as<T: Encode + Decode<()>>(bytes: &[u8]) -> Outcome {
    let mut decoder = Decoder::new();
    decoder.push(bytes);
    let message: T = match decoder.decode() {
        Ok(Some(message)) => message,
        Ok(None) => return Ok(Verdict::Refused),
        Err(error) => {
            promise(words(&error).len() < 1000, || "an error as long as its input".to_owned())?;
            let again = decoder.decode::<T>();
            promise(matches!(again, Err(IpcError::Unusable)), || "a stream that failed is read on".to_owned())?;
            return Ok(Verdict::Refused);
        }
    };
    let written = encode(&message).map_err(|error| format!("what was taken can't be written: {error}"))?;
    let mut decoder = Decoder::new();
    decoder.push(written.as_bytes());
    let again: Option<T> = decoder.decode().map_err(|error| format!("what was written is refused: {error}"))?;
    let again = again.ok_or("what was written is not whole")?;
    let twice = encode(&again).map_err(|error| error.to_string())?;
    promise(twice.as_bytes() == written.as_bytes(), || "what is read again says something else".to_owned())?;
    let longer = frame(&[written.as_bytes().get(PREFIX..).unwrap_or_default(), &[0]].concat());
    let mut decoder = Decoder::new();
    decoder.push(&longer);
    promise(decoder.decode::<T>().is_err(), || "a message is taken with a byte too many".to_owned())?;
    Ok(Verdict::Taken)
}

/// Any message of any role, damaged in its body.
pub(super) fn body() -> Target {
    let case = |rng: &mut Rng| {
        let sample = draw(rng);
        let mut body = sample.bytes.get(PREFIX..).unwrap_or_default().to_vec();
        if !rng.chance(150) {
            mutate::bytes(rng, &mut body);
        }
        // Each kind of message is also given to the reader of another one.
        let read = if rng.chance(200) { draw(rng).read } else { sample.read };
        read(&frame(&body))
    };
    Target { name: "frame-body", memory: MEMORY, case: Box::new(case) }
}

/// A stream of whole frames in pieces, torn at any byte, or damaged anywhere, length fields included.
pub(super) fn stream() -> Target {
    Target { name: "frame-stream", memory: MEMORY, case: Box::new(torn_or_damaged) }
}

fn torn_or_damaged(rng: &mut Rng) -> Outcome {
    let sent: Vec<Vec<Query>> = (0..1 + rng.below(4)).map(|_| queries(rng)).collect();
    let frames: Vec<Vec<u8>> =
        sent.iter().map(|list| encode(list).map(|frame| frame.as_bytes().to_vec()).unwrap_or_default()).collect();
    let mut bytes = frames.concat();
    let damaged = rng.chance(500);
    if damaged {
        mutate::bytes(rng, &mut bytes);
    } else {
        bytes.truncate(rng.index(bytes.len() + 1));
    }
    let (mut decoder, mut got, mut failed) = (Decoder::new(), Vec::new(), false);
    let mut rest = bytes.as_slice();
    while !rest.is_empty() && !failed {
        let (piece, later) = rest.split_at((1 + rng.index(64)).min(rest.len()));
        decoder.push(piece);
        rest = later;
        loop {
            match decoder.decode::<Vec<Query>>() {
                Ok(Some(message)) => got.push(message),
                Ok(None) => break,
                Err(_) => {
                    failed = true;
                    break;
                }
            }
        }
    }
    promise(decoder.pending() <= bytes.len(), || "more waits than arrived".to_owned())?;
    if failed {
        promise(damaged, || "a stream that was only torn is refused".to_owned())?;
        promise(matches!(decoder.finish(), Err(IpcError::Unusable)), || "a failed stream ends well".to_owned())?;
        return Ok(Verdict::Refused);
    }
    if damaged {
        return Ok(Verdict::Taken);
    }
    let mut left = bytes.len();
    let whole =
        frames.iter().take_while(|frame| left.checked_sub(frame.len()).map(|rest| left = rest).is_some()).count();
    promise(sent.get(..whole) == Some(got.as_slice()), || format!("{} of {whole} whole frames arrive", got.len()))?;
    match decoder.finish() {
        Ok(()) if left == 0 => Ok(Verdict::Taken),
        Err(IpcError::Torn { got }) if got == left => Ok(Verdict::Refused),
        other => Err(format!("{left} bytes of a torn frame end as {other:?}")),
    }
}

/// The first frame of a child.
pub(super) fn hello() -> Target {
    Target { name: "hello", memory: 1 << 20, case: Box::new(greeting) }
}

fn greeting(rng: &mut Rng) -> Outcome {
    let roles = ["worker", "sender", "scanner", "wörker", ""];
    let role = roles.get(rng.index(roles.len())).copied().unwrap_or_default();
    let version = if rng.chance(200) { rng.next().to_le_bytes()[0].into() } else { PROTOCOL_VERSION };
    let hello = Hello { role: role.to_owned(), pid: 42 };
    let mut bytes = hello.frame(version).map_err(|error| error.to_string())?.as_bytes().to_vec();
    let damaged = rng.chance(700);
    if damaged {
        mutate::bytes(rng, &mut bytes);
    }
    let mut reader = FrameReader::<ToWorker, _>::new(bytes.as_slice());
    let greeted = match pin!(reader.greet(PROTOCOL_VERSION, "worker")).poll_now() {
        Some(greeted) => greeted,
        None => return Err("bytes that are all there are waited for".to_owned()),
    };
    match greeted {
        Ok(found) => {
            promise(found.role == "worker", || format!("the role {:?} is taken for another", found.role))?;
            promise(damaged || found == hello, || "a hello that says something else".to_owned())?;
            promise(damaged || version == PROTOCOL_VERSION, || "another version is taken".to_owned())?;
            Ok(Verdict::Taken)
        }
        Err(error) => {
            let right = role == "worker" && version == PROTOCOL_VERSION;
            promise(damaged || !right, || format!("a right hello is refused: {error}"))?;
            promise(words(&error).len() < 1000, || "an error as long as its input".to_owned())?;
            Ok(Verdict::Refused)
        }
    }
}

/// A future that has everything it needs.
trait PollNow: Future {
    fn poll_now(self: std::pin::Pin<&mut Self>) -> Option<Self::Output> {
        match self.poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(output) => Some(output),
            Poll::Pending => None,
        }
    }
}

impl<F: Future> PollNow for F {}
