//! Key stores, hostile ones included: none may take more memory or time than its limits say.

use crate::{Outcome, Target, Verdict, corpus, mutate, promise};
use facilitator_dice::Rng;
use facilitator_eth::keystore::{self, KeystoreError};
use serde_json::{Value, json};

/// Most memory that opening any key store may take, as README says for scrypt: four times geth's standard.
const MAX_MEMORY: u64 = 1 << 30;
/// Most steps.
const MAX_WORK: u64 = 1 << 25;
/// A key store that is opened here takes less than this, so that cases stay quick.
const LIGHT: u64 = 1 << 15;
/// Strengths that a hostile file may name.
const STRENGTHS: [u64; 12] =
    [0, 1, 2, 3, 1 << 12, 1 << 18, 1 << 20, 1 << 24, 1 << 31, u32::MAX as u64, 1 << 63, u64::MAX];

pub(super) fn target() -> Target {
    Target { name: "keystore", memory: 64 << 20, case: Box::new(one) }
}

fn one(rng: &mut Rng) -> Outcome {
    let entries = corpus::KEY_STORES.as_array().map(Vec::as_slice).unwrap_or_default();
    let entry = entries.get(rng.index(entries.len())).cloned().unwrap_or_default();
    let (password, secret) = (corpus::text(&entry, "/password"), corpus::text(&entry, "/secret"));
    let mut store = entry["store"].clone();
    match rng.below(4) {
        0 => strengthen(rng, &mut store),
        1 | 2 => mutate::json(rng, &mut store),
        _ => {}
    }
    let cost = match keystore::cost(&store) {
        Ok(cost) => cost,
        Err(error @ (KeystoreError::Unsupported(_) | KeystoreError::Malformed(_))) => {
            let words = error.to_string();
            promise(words.len() < 2048, || format!("an error of {} bytes", words.len()))?;
            let opened = keystore::decrypt(&store, password);
            promise(opened.as_ref().err() == Some(&error), || "opening fails in another way than reading".to_owned())?;
            return Ok(Verdict::Refused);
        }
        Err(error) => return Err(format!("reading fails like opening: {error}")),
    };
    promise(cost.memory <= MAX_MEMORY && cost.work <= MAX_WORK, || format!("a key store may take {cost:?}"))?;
    if cost.work > LIGHT {
        return Ok(Verdict::Taken);
    }
    match keystore::decrypt(&store, password) {
        // Iv and address are not under the checksum: a damaged vector gives another key, which its address unmasks.
        Ok(key) => {
            let same_vector = ["/crypto/cipherparams/iv", "/Crypto/cipherparams/iv"]
                .iter()
                .all(|at| lower(&store, at) == lower(&entry["store"], at));
            let found = format!("0x{}", hex::encode(*key));
            promise(!same_vector || found == secret, || "another key comes out".to_owned())?;
            Ok(Verdict::Taken)
        }
        Err(KeystoreError::WrongPassword | KeystoreError::Unsupported(_)) => Ok(Verdict::Refused),
        Err(error) => Err(format!("read, and not opened: {error}")),
    }
}

fn lower(store: &Value, at: &str) -> String {
    let text = corpus::text(store, at).to_lowercase();
    text.strip_prefix("0x").map_or(text.clone(), str::to_owned)
}

fn strengthen(rng: &mut Rng, store: &mut Value) {
    let strength = |rng: &mut Rng| STRENGTHS.get(rng.index(STRENGTHS.len())).copied().unwrap_or_default();
    for crypto in ["crypto", "Crypto"] {
        let Some(parameters) = store.get_mut(crypto).and_then(|crypto| crypto.get_mut("kdfparams")) else { continue };
        for key in ["n", "r", "p", "c", "dklen"] {
            if parameters.get(key).is_some() && rng.chance(400) {
                parameters[key] = json!(strength(rng));
            }
        }
    }
}
