//! Recursive length prefix (RLP), as far as proofs need it.
//!
//! Writing: account values, headers and receipts, and the list of raw trie nodes that the Mosaic contracts take.
//! Reading, for the trie check only: one item at a time, canonical form alone, never beyond the given bytes.

use crate::{B256, Bytes, U256};

/// Longest payload with a one-byte header.
const SHORT: usize = 55;
const STRING: u8 = 0x80;
const LIST: u8 = 0xc0;

/// The raw nodes one after the other behind a single list header, each staying the list that it is: the form in which
/// the contracts take `rlpParentNodes` (protocol.md 4.4). A node wrapped as a string would not be found there.
#[must_use]
pub fn list_of_raw(nodes: &[Bytes]) -> Bytes {
    let payload: Vec<u8> = nodes.iter().flat_map(|node| node.0.iter().copied()).collect();
    Bytes(list(&payload))
}

/// The value of an account in the state trie: the list of nonce, balance, storage root and code hash.
#[must_use]
pub fn account(nonce: U256, balance: U256, storage_root: B256, code_hash: B256) -> Bytes {
    let payload = [uint(nonce), uint(balance), string(storage_root.as_ref()), string(code_hash.as_ref())].concat();
    Bytes(list(&payload))
}

/// An integer: its big-endian bytes without leading zeros, as a string. The form of a value in a storage trie.
#[must_use]
pub fn uint(value: U256) -> Vec<u8> {
    string(&value.to_be_bytes_trimmed())
}

/// A byte string.
#[must_use]
pub fn string(bytes: &[u8]) -> Vec<u8> {
    match bytes {
        [single] if *single < STRING => vec![*single],
        _ => with_header(STRING, bytes),
    }
}

/// A list: `payload` is its items, each encoded, one after the other.
#[must_use]
pub fn list(payload: &[u8]) -> Vec<u8> {
    with_header(LIST, payload)
}

fn with_header(kind: u8, payload: &[u8]) -> Vec<u8> {
    let length = U256::from(payload.len() as u64).to_be_bytes_trimmed();
    let mut out = Vec::with_capacity(payload.len() + 9);
    match u8::try_from(payload.len()) {
        Ok(short) if payload.len() <= SHORT => out.push(kind + short),
        // At most eight length bytes, since a length is a u64.
        Ok(_) | Err(_) => {
            out.push(kind + 55 + length.iter().fold(0, |count: u8, _| count + 1));
            out.extend_from_slice(&length);
        }
    }
    out.extend_from_slice(payload);
    out
}

/// Bytes that are no canonical RLP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Malformed;

/// One item and what it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Item<'a> {
    /// A byte string.
    String(&'a [u8]),
    /// A list: the items one after the other, and the list with its header.
    List {
        /// The items.
        payload: &'a [u8],
        /// Header and items.
        raw: &'a [u8],
    },
}

impl<'a> Item<'a> {
    /// The first item of `data` and the bytes after it.
    pub(crate) fn first(data: &'a [u8]) -> Result<(Self, &'a [u8]), Malformed> {
        let (&tag, rest) = data.split_first().ok_or(Malformed)?;
        if tag < STRING {
            let (single, rest) = data.split_at_checked(1).ok_or(Malformed)?;
            return Ok((Self::String(single), rest));
        }
        let (is_list, code) = if tag < LIST { (false, tag - STRING) } else { (true, tag - LIST) };
        let (length, rest) = payload_length(usize::from(code), rest)?;
        let (payload, rest) = rest.split_at_checked(length).ok_or(Malformed)?;
        if is_list {
            let raw = data.get(..data.len() - rest.len()).ok_or(Malformed)?;
            return Ok((Self::List { payload, raw }, rest));
        }
        match payload {
            // A byte below 0x80 stands for itself; with a header it has two encodings, hence two hashes.
            [single] if *single < STRING => Err(Malformed),
            _ => Ok((Self::String(payload), rest)),
        }
    }

    /// The only item of `data`.
    pub(crate) fn only(data: &'a [u8]) -> Result<Self, Malformed> {
        match Self::first(data)? {
            (item, []) => Ok(item),
            (_, _) => Err(Malformed),
        }
    }
}

/// The payload length that a header announces, and the bytes after the header.
fn payload_length(code: usize, rest: &[u8]) -> Result<(usize, &[u8]), Malformed> {
    let Some(width) = code.checked_sub(SHORT).filter(|width| *width > 0) else {
        return Ok((code, rest));
    };
    let (bytes, rest) = rest.split_at_checked(width).ok_or(Malformed)?;
    if bytes.first() == Some(&0) {
        return Err(Malformed);
    }
    let length = bytes
        .iter()
        .try_fold(0usize, |length, byte| length.checked_mul(256)?.checked_add(usize::from(*byte)))
        .ok_or(Malformed)?;
    if length > SHORT { Ok((length, rest)) } else { Err(Malformed) }
}

/// The items of a list's payload, at most `limit`.
pub(crate) fn items<'a>(mut payload: &'a [u8], limit: usize) -> Result<Vec<Item<'a>>, Malformed> {
    let mut out = Vec::new();
    while !payload.is_empty() {
        if out.len() == limit {
            return Err(Malformed);
        }
        let (item, rest) = Item::first(payload)?;
        out.push(item);
        payload = rest;
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_and_headers_have_their_canonical_form() {
        for (value, hex_text) in [(0u64, "80"), (1, "01"), (0x7f, "7f"), (0x80, "8180"), (1024, "820400")] {
            assert_eq!(hex::encode(uint(U256::from(value))), hex_text);
        }
        for (length, header) in [(0, "c0"), (55, "f7"), (56, "f838"), (255, "f8ff"), (256, "f90100")] {
            let whole = list_of_raw(&[Bytes(vec![0; length])]);
            assert_eq!(hex::encode(&whole.0[..whole.0.len() - length]), header);
        }
    }

    #[test]
    fn what_is_written_is_read_and_what_is_not_canonical_refused() {
        let payload = [uint(U256::from(5u64)), uint(U256::MAX), string(&[1; 60])].concat();
        let whole = list(&payload);
        assert_eq!(Item::only(&whole), Ok(Item::List { payload: &payload, raw: &whole }));
        assert_eq!(
            items(&payload, 3).unwrap(),
            [Item::String(&[5]), Item::String(&[0xff; 32]), Item::String(&[1; 60])]
        );
        assert_eq!(items(&payload, 2), Err(Malformed));
        for cut in 0..whole.len() {
            assert_eq!(Item::only(&whole[..cut]), Err(Malformed), "cut at {cut}");
        }
        let bad: [&[u8]; 6] = [
            &[0x81, 0x05],
            &[0xb8, 0x01, 0xff],
            &[0xb9, 0x00, 0x38],
            &[0xbf, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
            &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
            &[0xc0, 0x00],
        ];
        for data in bad {
            assert_eq!(Item::only(data), Err(Malformed), "{data:02x?}");
        }
    }
}
