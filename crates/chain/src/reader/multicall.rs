//! Many view calls in one `eth_call` without a deployed helper contract. Pure.
//!
//! The call has no `to`, so that the node runs its data as init code: [`CODE`] followed by the records of the calls.
//! The code makes each call and returns what "creating the contract" yields: one record for each answer. Nothing is
//! deployed, since `eth_call` keeps nothing.
//!
//! Invariant: decoding accepts exactly one record for each call and no byte more, so that a node without this ability
//! is noticed and never misread. The called contracts see the helper as `msg.sender`, and get a sixteenth of the gas that
//! is left, so that one that burns its gas doesn't starve the others. A failure is to be believed only when the call,
//! made alone, fails too.

use facilitator_eth::{Address, Bytes};

/// Largest data of the whole call: the limit of init code since shanghai (EIP-3860) is 49,152 bytes.
pub(super) const MAX_INPUT: usize = 48_000;
/// Bytes of a call's record before its data: target (20) and length of the data (4).
pub(super) const RECORD: usize = 24;
/// Bytes of an answer's record before its data: success (1) and length of the data (4).
const ANSWER: usize = 5;

const LEN: u8 = 109;
const LOOP: u8 = 14;
const DONE: u8 = 102;

/// The init code, for every fork from byzantium on: no PUSH0, no shifts. Stack at the right, top first; `in` and `out`
/// point into memory, `end` is the end of the records and where answers begin.
#[rustfmt::skip]
pub(super) const CODE: [u8; LEN as usize] = [
    // Copy the records behind the code to memory 0.
    0x60, LEN,              // PUSH1 code length      code
    0x80,                   // DUP1                   code code
    0x38,                   // CODESIZE               size code code
    0x03,                   // SUB                    n code
    0x90,                   // SWAP1                  code n
    0x81,                   // DUP2                   n code n
    0x90,                   // SWAP1                  code n n
    0x60, 0x00,             // PUSH1 0                0 code n n
    0x39,                   // CODECOPY               end (= n)
    0x80,                   // DUP1                   out end
    0x60, 0x00,             // PUSH1 0                in out end
    // While in < end.
    0x5b,                   // JUMPDEST (14)          in out end
    0x82,                   // DUP3                   end in out end
    0x81,                   // DUP2                   in end in out end
    0x10,                   // LT                     more in out end
    0x15,                   // ISZERO                 last in out end
    0x60, DONE,             // PUSH1 done             done last in out end
    0x57,                   // JUMPI                  in out end
    // Take the record's head apart: len = (w >> 64) & 0xffffffff, to = w >> 96.
    0x80,                   // DUP1                   in in out end
    0x51,                   // MLOAD                  w in out end
    0x60, 0x40,             // PUSH1 64               64 w in out end
    0x60, 0x02,             // PUSH1 2                2 64 w in out end
    0x0a,                   // EXP                    2^64 w in out end
    0x81,                   // DUP2                   w 2^64 w in out end
    0x04,                   // DIV                    w>>64 w in out end
    0x63, 0xff, 0xff, 0xff, 0xff, // PUSH4            mask w>>64 w in out end
    0x16,                   // AND                    len w in out end
    0x90,                   // SWAP1                  w len in out end
    0x60, 0x60,             // PUSH1 96               96 w len in out end
    0x60, 0x02,             // PUSH1 2                2 96 w len in out end
    0x0a,                   // EXP                    2^96 w len in out end
    0x90,                   // SWAP1                  w 2^96 len in out end
    0x04,                   // DIV                    to len in out end
    // Call it.
    0x60, 0x00,             // PUSH1 0                0 to len in out end
    0x60, 0x00,             // PUSH1 0                0 0 to len in out end
    0x83,                   // DUP4                   len 0 0 to len in out end
    0x85,                   // DUP6                   in len 0 0 to len in out end
    0x60, 0x18,             // PUSH1 24               24 in len 0 0 to len in out end
    0x01,                   // ADD                    data len 0 0 to len in out end
    0x84,                   // DUP5                   to data len 0 0 to len in out end
    0x60, 0x10,             // PUSH1 16               16 to data len 0 0 to len in out end
    0x5a,                   // GAS                    gas 16 to data len 0 0 to len in out end
    0x04,                   // DIV                    gas/16 to data len 0 0 to len in out end
    0xfa,                   // STATICCALL             ok to len in out end
    0x90,                   // SWAP1                  to ok len in out end
    0x50,                   // POP                    ok len in out end
    // in += 24 + len
    0x91,                   // SWAP2                  in len ok out end
    0x01,                   // ADD                    in+len ok out end
    0x60, 0x18,             // PUSH1 24               24 in+len ok out end
    0x01,                   // ADD                    in ok out end
    0x90,                   // SWAP1                  ok in out end
    // Write the answer's head: success (1 byte) and size (4 bytes) as the first five bytes of a word.
    0x60, 0x20,             // PUSH1 32               32 ok in out end
    0x60, 0x02,             // PUSH1 2                2 32 ok in out end
    0x0a,                   // EXP                    2^32 ok in out end
    0x02,                   // MUL                    ok<<32 in out end
    0x3d,                   // RETURNDATASIZE         size ok<<32 in out end
    0x01,                   // ADD                    head in out end
    0x60, 0xd8,             // PUSH1 216              216 head in out end
    0x60, 0x02,             // PUSH1 2                2 216 head in out end
    0x0a,                   // EXP                    2^216 head in out end
    0x02,                   // MUL                    head<<216 in out end
    0x82,                   // DUP3                   out head<<216 in out end
    0x52,                   // MSTORE                 in out end
    // Write the answer's data behind it.
    0x3d,                   // RETURNDATASIZE         size in out end
    0x60, 0x00,             // PUSH1 0                0 size in out end
    0x83,                   // DUP4                   out 0 size in out end
    0x60, 0x05,             // PUSH1 5                5 out 0 size in out end
    0x01,                   // ADD                    out+5 0 size in out end
    0x3e,                   // RETURNDATACOPY         in out end
    // out += 5 + size
    0x90,                   // SWAP1                  out in end
    0x60, 0x05,             // PUSH1 5                5 out in end
    0x01,                   // ADD                    out+5 in end
    0x3d,                   // RETURNDATASIZE         size out+5 in end
    0x01,                   // ADD                    out in end
    0x90,                   // SWAP1                  in out end
    0x60, LOOP,             // PUSH1 loop             loop in out end
    0x56,                   // JUMP                   in out end
    // Return memory from end to out. Its first byte is 0 or 1, never the 0xef that EIP-3541 refuses.
    0x5b,                   // JUMPDEST (102)         in out end
    0x50,                   // POP                    out end
    0x81,                   // DUP2                   end out end
    0x90,                   // SWAP1                  out end end
    0x03,                   // SUB                    size end
    0x90,                   // SWAP1                  end size
    0xf3,                   // RETURN
];

/// What one of the calls gave back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Part {
    /// Its return data.
    Returned(Bytes),
    /// It failed; why must be asked alone.
    Failed,
}

/// The data of the `eth_call` for `calls`. The caller keeps it within [`MAX_INPUT`].
pub(super) fn encode<'a>(calls: impl IntoIterator<Item = (Address, &'a Bytes)>) -> Bytes {
    let mut out = CODE.to_vec();
    for (to, data) in calls {
        let len = u32::try_from(data.0.len()).unwrap_or(u32::MAX);
        out.extend_from_slice(to.as_bytes());
        out.extend_from_slice(&len.to_be_bytes());
        out.extend_from_slice(&data.0);
    }
    Bytes(out)
}

/// Reads what the call of [`encode`] returned; `None` unless it is exactly one record for each of the `count` calls.
pub(super) fn decode(mut data: &[u8], count: usize) -> Option<Vec<Part>> {
    let mut parts = Vec::with_capacity(count);
    for _ in 0..count {
        let (head, rest) = data.split_at_checked(ANSWER)?;
        let [success, len @ ..] = head else { return None };
        let len = usize::try_from(u32::from_be_bytes(len.try_into().ok()?)).ok()?;
        let (answer, rest) = rest.split_at_checked(len)?;
        parts.push(match success {
            0 => Part::Failed,
            1 => Part::Returned(Bytes(answer.to_vec())),
            _ => return None,
        });
        data = rest;
    }
    data.is_empty().then_some(parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_jumps_of_the_code_land_on_their_marks() {
        assert_eq!(CODE[usize::from(LOOP)], 0x5b);
        assert_eq!(CODE[usize::from(DONE)], 0x5b);
        // As executed on anvil with the rules of byzantium, london, shanghai and osaka.
        let tried = "606d8038039081906000398060005b828110156066578051604060020a810463ffffffff1690606060020a90046000600083\
                     856018018460105a04fa9050910160180190602060020a023d0160d860020a0282523d6000836005013e906005013d0190\
                     600e565b5081900390f3";
        assert_eq!(Bytes(CODE.to_vec()).to_string(), format!("0x{}", tried.replace(char::is_whitespace, "")));
    }

    #[test]
    fn records_are_written_and_read_exactly() {
        let input = encode([(Address([1; 20]), &Bytes(vec![7, 8])), (Address([2; 20]), &Bytes(vec![]))]);
        let records = &input.0[CODE.len()..];
        assert_eq!(records[..20], [1; 20]);
        assert_eq!(records[20..26], [0, 0, 0, 2, 7, 8]);
        assert_eq!(records[46..], [0, 0, 0, 0]);

        let output = [1, 0, 0, 0, 2, 7, 8, 0, 0, 0, 0, 1, 9, 1, 0, 0, 0, 0];
        let expected = vec![Part::Returned(Bytes(vec![7, 8])), Part::Failed, Part::Returned(Bytes(vec![]))];
        assert_eq!(decode(&output, 3), Some(expected));
        assert_eq!(decode(&output, 2), None);
        assert_eq!(decode(&output, 4), None);
        assert_eq!(decode(&output[..17], 3), None);
        assert_eq!(decode(&[], 1), None);
        assert_eq!(decode(&[2, 0, 0, 0, 0], 1), None);
        assert_eq!(decode(&[1, 0xff, 0xff, 0xff, 0xff], 1), None);
    }
}
