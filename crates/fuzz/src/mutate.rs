//! Damage with an eye to structure: bytes, texts, JSON trees.

use facilitator_dice::Rng;
use serde_json::{Map, Number, Value, json};

/// Numbers at which readers of lengths and ranges go wrong.
const EDGES: [u64; 12] = [0, 1, 2, 31, 32, 127, 128, 255, 1 << 31, u32::MAX as u64, i64::MAX as u64, u64::MAX];
/// Pieces of text at which readers of texts go wrong.
const PIECES: [&str; 26] = [
    "",
    " ",
    "\0",
    "\n",
    "\"",
    "\\",
    "/",
    "//",
    "@",
    ":",
    "?",
    "#",
    "%",
    "%2F",
    "[",
    "]",
    "-",
    "0",
    "0x",
    "0X",
    ".",
    "..",
    "é",
    "\u{202e}",
    "\u{fffd}",
    "18446744073709551616",
];

fn choose<'a, T>(rng: &mut Rng, list: &'a [T]) -> Option<&'a T> {
    list.get(rng.index(list.len()))
}

fn low_byte(rng: &mut Rng) -> u8 {
    rng.next().to_le_bytes()[0]
}

/// Damages bytes in one to four places: flips, inserts, deletes, repeats, overwrites with an edge.
pub(crate) fn bytes(rng: &mut Rng, data: &mut Vec<u8>) {
    for _ in 0..=rng.below(4) {
        let at = rng.index(data.len().max(1));
        let length = (1 + rng.index(8)).min(data.len().saturating_sub(at));
        match rng.below(7) {
            0 | 1 => {
                if let Some(byte) = data.get_mut(at) {
                    *byte ^= 1 << rng.below(8);
                }
            }
            2 => data.insert(at, low_byte(rng)),
            3 => drop(data.drain(at..at + length)),
            4 => {
                let piece: Vec<u8> = data.iter().skip(at).take(length).copied().collect();
                data.splice(at..at, piece);
            }
            5 => {
                let edge = choose(rng, &EDGES).copied().unwrap_or_default().to_le_bytes();
                for (byte, new) in data.iter_mut().skip(at).zip(edge) {
                    *byte = new;
                }
            }
            _ => data.truncate(at),
        }
    }
}

/// Damages a text in one to three places, and leaves it a text.
pub(crate) fn text(rng: &mut Rng, text: &mut String) {
    for _ in 0..=rng.below(3) {
        let mut chars: Vec<char> = text.chars().collect();
        let at = rng.index(chars.len().max(1));
        let length = (1 + rng.index(6)).min(chars.len().saturating_sub(at));
        match rng.below(6) {
            0 => {
                let piece = choose(rng, &PIECES).copied().unwrap_or_default();
                chars.splice(at..at, piece.chars());
            }
            1 => drop(chars.drain(at..at + length)),
            2 => {
                let piece: Vec<char> = chars.iter().skip(at).take(length).copied().collect();
                chars.splice(at..at, piece);
            }
            3 => {
                if let Some(char) = chars.get_mut(at) {
                    *char = char::from(low_byte(rng) & 0x7f);
                }
            }
            4 => {
                if let Some(char) = chars.get_mut(at) {
                    *char =
                        if char.is_ascii_lowercase() { char.to_ascii_uppercase() } else { char.to_ascii_lowercase() };
                }
            }
            _ => chars.truncate(at),
        }
        *text = chars.into_iter().collect();
    }
}

/// How many values a tree has.
fn size(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(size).sum::<usize>(),
        Value::Object(map) => 1 + map.values().map(size).sum::<usize>(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => 1,
    }
}

/// The value with this number, the tree itself being 0.
fn nth(value: &mut Value, mut number: usize) -> Option<&mut Value> {
    if number == 0 {
        return Some(value);
    }
    number -= 1;
    let children: Box<dyn Iterator<Item = &mut Value>> = match value {
        Value::Array(items) => Box::new(items.iter_mut()),
        Value::Object(map) => Box::new(map.values_mut()),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Box::new(std::iter::empty()),
    };
    for child in children {
        let below = size(child);
        if number < below {
            return nth(child, number);
        }
        number -= below;
    }
    None
}

/// Any value of the tree.
pub(crate) fn pick<'a>(rng: &mut Rng, tree: &'a mut Value) -> Option<&'a mut Value> {
    let number = rng.index(size(tree));
    nth(tree, number)
}

/// Damages a JSON tree in one to three places: values of another kind or at an edge, keys renamed, gone or repeated,
/// subtrees moved to other places, texts damaged.
pub(crate) fn json(rng: &mut Rng, tree: &mut Value) {
    for _ in 0..=rng.below(3) {
        let other = pick(rng, tree).cloned().unwrap_or_default();
        let Some(place) = pick(rng, tree) else { return };
        match place {
            Value::String(found) if rng.chance(700) => text(rng, found),
            Value::Array(items) if rng.chance(500) => list(rng, items),
            Value::Object(map) if rng.chance(600) => object(rng, map, other),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) | Value::Object(_) => {
                *place = strange(rng, other);
            }
        }
    }
}

fn list(rng: &mut Rng, items: &mut Vec<Value>) {
    let at = rng.index(items.len().max(1));
    match (rng.below(3), items.get(at).cloned()) {
        (0, Some(item)) => items.insert(at, item),
        (1, Some(_)) => drop(items.remove(at)),
        (2, Some(item)) => items.extend(vec![item; 70]),
        (_, _) => items.push(Value::Null),
    }
}

fn object(rng: &mut Rng, map: &mut Map<String, Value>, other: Value) {
    let keys: Vec<String> = map.keys().cloned().collect();
    let key = choose(rng, &keys).cloned().unwrap_or_default();
    match rng.below(4) {
        0 => drop(map.remove(&key)),
        1 => {
            let value = map.remove(&key).unwrap_or_default();
            let mut renamed = key;
            text(rng, &mut renamed);
            map.insert(renamed, value);
        }
        2 => drop(map.insert(key, other)),
        _ => {
            let mut near = key.clone();
            text(rng, &mut near);
            let value = map.get(&key).cloned().unwrap_or_default();
            map.insert(near, value);
        }
    }
}

fn strange(rng: &mut Rng, other: Value) -> Value {
    match rng.below(9) {
        0 => Value::Null,
        1 => Value::Bool(rng.chance(500)),
        2 => choose(rng, &EDGES).copied().unwrap_or_default().into(),
        3 => json!(-1),
        4 => Number::from_f64(1.5e300).map_or(Value::Null, Value::Number),
        5 => json!([]),
        6 => json!({}),
        7 => choose(rng, &PIECES).copied().unwrap_or_default().into(),
        _ => other,
    }
}
