//! Headers and their hashes. Their encoding is spelled out again here, so that a mistake in the product cannot hide itself.

use anyhow::{Context as _, Result, ensure};
use facilitator_eth::{B256, Bytes, U256, keccak256, rlp};
use serde_json::Value as Json;

/// Fields that are byte strings, and those that are numbers, as they follow each other in a header.
const FIELDS: [(&str, bool); 21] = [
    ("parentHash", false),
    ("sha3Uncles", false),
    ("miner", false),
    ("stateRoot", false),
    ("transactionsRoot", false),
    ("receiptsRoot", false),
    ("logsBloom", false),
    ("difficulty", true),
    ("number", true),
    ("gasLimit", true),
    ("gasUsed", true),
    ("timestamp", true),
    ("extraData", false),
    ("mixHash", false),
    ("nonce", false),
    ("baseFeePerGas", true),
    ("withdrawalsRoot", false),
    ("blobGasUsed", true),
    ("excessBlobGas", true),
    ("parentBeaconBlockRoot", false),
    ("requestsHash", false),
];

/// The hash of a header.
pub(crate) fn seal(block: &Json) -> Result<B256> {
    let mut payload = Vec::new();
    for (name, is_number) in FIELDS.into_iter().take_while(|(name, _)| !block[*name].is_null()) {
        let text = block[name].as_str().with_context(|| format!("{name} is no text"))?;
        payload.extend(if is_number {
            rlp::uint(text.parse::<U256>()?)
        } else {
            rlp::string(text.parse::<Bytes>()?.as_slice())
        });
    }
    ensure!(!payload.is_empty(), "no header");
    Ok(keccak256(rlp::list(&payload)))
}
