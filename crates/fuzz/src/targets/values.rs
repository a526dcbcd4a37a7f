//! Texts of the database, words of contracts, reasons of reverts.

use crate::{Outcome, Target, Verdict, mutate, promise};
use facilitator_dice::Rng;
use facilitator_eth::{
    Address, B256, Bytes, U256,
    abi::{Revert, Value, Words, call, encode, selector},
};
use facilitator_protocol::model::{Kind, MessageStatus, Step};
use std::{fmt::Display, str::FromStr};

const MEMORY: usize = 4 << 20;

/// What is taken must come back from its own text, and have one value alone.
fn text_as<T: FromStr<Err: Display> + Display + PartialEq>(text: &str) -> Outcome {
    match text.parse::<T>() {
        Ok(value) => {
            let shown = value.to_string();
            promise(shown.parse().is_ok_and(|again: T| again == value), || format!("{text:?} came back as {shown:?}"))?;
            // Case and leading zeros are all that may differ.
            let plain = |text: &str| text.to_lowercase().trim_start_matches("0x").trim_start_matches('0').to_owned();
            let another = plain(&shown) == plain(text) || shown == text || text.starts_with("0x");
            promise(another, || format!("{text:?} is taken for {shown:?}"))?;
            Ok(Verdict::Taken)
        }
        Err(error) => {
            promise(error.to_string().len() < 300, || format!("a long error: {error}"))?;
            Ok(Verdict::Refused)
        }
    }
}

/// The texts that stand in the database, as an editor or a failing disk leaves them.
pub(super) fn texts() -> Target {
    let case = |rng: &mut Rng| {
        let (kind, byte) = (rng.below(8), rng.next().to_le_bytes()[0]);
        let steps: Vec<String> = [Step::Accept].iter().map(ToString::to_string).collect();
        let mut text = match kind {
            0 => Address([byte; 20]).to_lower_hex(),
            1 => Address([byte; 20]).to_string(),
            2 => B256([byte; 32]).to_string(),
            3 => Bytes(vec![byte; rng.index(40)]).to_string(),
            4 => U256::from(rng.next()).checked_mul(U256::from(rng.next())).unwrap_or(U256::MAX).to_string(),
            5 => Kind::Stake.to_string(),
            6 => steps.concat(),
            _ => MessageStatus::Declared.to_string(),
        };
        let whole = rng.chance(150);
        if !whole {
            mutate::text(rng, &mut text);
        }
        let outcome = match kind {
            0 | 1 => text_as::<Address>(&text),
            2 => text_as::<B256>(&text),
            3 => text_as::<Bytes>(&text),
            4 => text_as::<U256>(&text),
            5 => text_as::<Kind>(&text),
            6 => text_as::<Step>(&text),
            _ => text_as::<MessageStatus>(&text),
        }?;
        promise(!whole || outcome == Verdict::Taken, || format!("{text:?} is refused"))?;
        Ok(outcome)
    };
    Target { name: "texts", memory: MEMORY, case: Box::new(case) }
}

/// What contracts return, read word by word.
pub(super) fn words() -> Target {
    Target { name: "abi", memory: MEMORY, case: Box::new(one_answer) }
}

fn one_answer(rng: &mut Rng) -> Outcome {
    let bytes: Vec<u8> = (0..rng.below(70)).map(|_| rng.next().to_le_bytes()[0]).collect();
    let (number, address, flag) = (U256::from(rng.next()), Address([7; 20]), rng.chance(500));
    let good =
        encode(&[Value::Uint(number), Value::Bytes(Bytes(bytes.clone())), Value::Address(address), Value::Bool(flag)]);
    let mut data = good.clone();
    if rng.chance(850) {
        mutate::bytes(rng, &mut data);
    }
    let mut words = Words::new(&data);
    let read = words.uint64().and_then(|number| Ok((number, words.bytes()?, words.address()?, words.boolean()?)));
    match read {
        Ok((found, tail, who, yes)) => {
            promise(tail.0.len() <= data.len(), || "more bytes than there are".to_owned())?;
            let truth = (number, &bytes, address, flag);
            let same = (U256::from(found), &tail.0, who, yes) == truth;
            promise(data != good || same, || "it comes back as another".to_owned())?;
            Ok(Verdict::Taken)
        }
        Err(error) => {
            promise(data != good, || format!("what was written is refused: {error}"))?;
            let at = words.position();
            promise(at <= data.len(), || format!("read on to byte {at} of {}", data.len()))?;
            Ok(Verdict::Refused)
        }
    }
}

/// Why a call was reverted, in a contract's own words.
pub(super) fn revert() -> Target {
    let case = |rng: &mut Rng| {
        let texts: [&[u8]; 4] = [b"Stake request must exists.", b"", b"\x1b[2J\n\xff", &[b'x'; 900]];
        let text = texts.get(rng.index(texts.len())).copied().unwrap_or_default();
        let mut data = match rng.below(3) {
            0 => call(selector("Panic(uint256)"), &[Value::Uint(U256::from(17u64))]).0.clone(),
            _ => call(selector("Error(string)"), &[Value::Bytes(Bytes(text.to_vec()))]).0.clone(),
        };
        if rng.chance(850) {
            mutate::bytes(rng, &mut data);
        }
        let revert = Revert::decode(&data);
        let shown = revert.to_string();
        promise(shown.chars().count() <= 600, || format!("a reason of {} letters", shown.chars().count()))?;
        promise(!shown.chars().any(char::is_control), || format!("control characters in {shown:?}"))?;
        Ok(if matches!(revert, Revert::Other(_)) { Verdict::Refused } else { Verdict::Taken })
    };
    Target { name: "revert", memory: MEMORY, case: Box::new(case) }
}
