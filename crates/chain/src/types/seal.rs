//! Whether a header's hash is the hash of the header.
//!
//! Endpoints vote on hashes. Only a header that hashes to the elected one says the truth about its parent, its filter
//! over logs and the root of its receipts, whoever sent it. Forms up to prague are known here; what a later fork or
//! another kind of chain adds is told as [`Seal::Unknown`], for the caller to decide by other means.

use super::{
    block::{Header, parse_header},
    fields::Fields,
};
use crate::rpc::RpcError;
use facilitator_eth::{B256, keccak256, rlp};
use serde_json::Value;

/// Fields of an answer that are no part of the hashed header.
const BESIDES: &[&str] = &["hash", "size", "totalDifficulty", "transactions", "uncles", "withdrawals"];
/// Fields of every header since the first block, in the order of their encoding.
const ALWAYS: &[Field] = &[
    Field::Word("parentHash"),
    Field::Word("sha3Uncles"),
    Field::Address("miner"),
    Field::Word("stateRoot"),
    Field::Word("transactionsRoot"),
    Field::Word("receiptsRoot"),
    Field::Bytes("logsBloom"),
    Field::Uint("difficulty"),
    Field::Uint("number"),
    Field::Uint("gasLimit"),
    Field::Uint("gasUsed"),
    Field::Uint("timestamp"),
    Field::Bytes("extraData"),
    Field::Word("mixHash"),
    Field::Bytes("nonce"),
];
/// Fields that forks added, in the order of their encoding: london, shanghai, three of cancun, prague. A header has
/// those up to its fork.
const LATER: &[Field] = &[
    Field::Uint("baseFeePerGas"),
    Field::Word("withdrawalsRoot"),
    Field::Uint("blobGasUsed"),
    Field::Uint("excessBlobGas"),
    Field::Word("parentBeaconBlockRoot"),
    Field::Word("requestsHash"),
];
/// Longest `extraData` that is hashed: proof of authority puts a list of signers there.
const MAX_EXTRA: usize = 64 * 1024;

/// A field by the way it is written.
#[derive(Debug, Clone, Copy)]
enum Field {
    Word(&'static str),
    Address(&'static str),
    Bytes(&'static str),
    Uint(&'static str),
}

impl Field {
    const fn name(self) -> &'static str {
        match self {
            Self::Word(name) | Self::Address(name) | Self::Bytes(name) | Self::Uint(name) => name,
        }
    }

    fn encoded(self, block: &Fields<'_>) -> Result<Vec<u8>, RpcError> {
        Ok(match self {
            Self::Word(name) => rlp::string(block.word(name)?.as_ref()),
            Self::Address(name) => rlp::string(block.address(name)?.as_ref()),
            Self::Uint(name) => rlp::uint(block.uint(name)?),
            Self::Bytes(name) => {
                let bytes = block.bytes(name)?;
                if bytes.0.len() > MAX_EXTRA {
                    return Err(block.refuse(format!("`{name}` has {} bytes, more than {MAX_EXTRA}", bytes.0.len())));
                }
                rlp::string(bytes.as_slice())
            }
        })
    }
}

/// What a header's hash says about its fields.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seal {
    /// It is the hash of the fields: who believes the hash may believe them.
    Bound,
    /// The form of the header is not known here, so that nothing can be told: neither that it is true nor false.
    Unknown {
        /// What is unusual about it.
        reason: String,
    },
    /// The form is known and the fields have another hash: hash or fields are false.
    Broken {
        /// The hash of the fields.
        computed: B256,
    },
}

/// A header with what its hash binds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedHeader {
    /// The header.
    pub header: Header,
    /// Root over the receipts of the block's transactions.
    pub receipts_root: B256,
    /// Whether the hash is that of the fields.
    pub seal: Seal,
}

/// Reads the answer of `eth_getBlockByNumber` or `…ByHash` together with its seal; `None` if the node doesn't have the
/// block.
///
/// # Errors
/// As [`parse_header`]; also for a `receiptsRoot` that is missing or malformed, and for malformed fields of the hashed
/// header. Missing ones make the form unknown.
pub fn parse_sealed_header(value: &Value) -> Result<Option<SealedHeader>, RpcError> {
    let Some(header) = parse_header(value)? else { return Ok(None) };
    let block = Fields::of("block", value)?;
    let receipts_root = block.word("receiptsRoot")?;
    let seal = seal(&block, header.hash)?;
    Ok(Some(SealedHeader { header, receipts_root, seal }))
}

/// Reads a header as [`parse_sealed_header`], and refuses one whose hash is false. The receipts' root is given only where
/// the hash binds it.
///
/// # Errors
/// [`RpcError::Malformed`] with the field, or with both hashes.
pub fn parse_checked_header(value: &Value) -> Result<Option<Header>, RpcError> {
    let Some(sealed) = parse_sealed_header(value)? else { return Ok(None) };
    let SealedHeader { header, receipts_root, seal } = sealed;
    match seal {
        Seal::Bound => Ok(Some(Header { receipts_root: Some(receipts_root), ..header })),
        Seal::Unknown { .. } => Ok(Some(header)),
        Seal::Broken { computed } => {
            let (number, told) = (header.number, header.hash);
            Err(RpcError::malformed(format!(
                "block {number} is said to have hash {told}, but its fields have {computed}"
            )))
        }
    }
}

fn seal(block: &Fields<'_>, hash: B256) -> Result<Seal, RpcError> {
    let has = |field: &Field| block.optional(field.name()).is_some();
    let unknown = |reason: String| Ok(Seal::Unknown { reason });
    if let Some(missing) = ALWAYS.iter().find(|field| !has(field)) {
        return unknown(format!("`{}` is missing", missing.name()));
    }
    let later = LATER.iter().take_while(|field| has(field)).count();
    let mut payload = Vec::with_capacity(1024);
    for field in ALWAYS.iter().chain(LATER.iter().take(later)) {
        payload.extend(field.encoded(block)?);
    }
    let computed = keccak256(rlp::list(&payload));
    if computed == hash {
        return Ok(Seal::Bound);
    }
    if let Some(stray) = LATER.iter().skip(later).find(|field| has(field)) {
        let before = LATER.get(later).map_or("", |field| field.name());
        return unknown(format!("has `{}` without `{before}`", stray.name()));
    }
    let known = |name: &str| BESIDES.contains(&name) || ALWAYS.iter().chain(LATER).any(|field| field.name() == name);
    match block.names().find(|name| !known(name)) {
        Some(name) => unknown(format!("has `{}`", name.escape_default().take(40).collect::<String>())),
        None => Ok(Seal::Broken { computed }),
    }
}

impl SealedHeader {
    /// Whether the fields are bound to the hash.
    #[must_use]
    pub fn is_bound(&self) -> bool {
        self.seal == Seal::Bound
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// Block 1 of Ethereum's mainnet.
    fn first() -> Value {
        serde_json::from_str(include_str!("../../vectors/mainnet_block_1.json")).unwrap()
    }

    fn seal_of(value: &Value) -> Seal {
        parse_sealed_header(value).unwrap().unwrap().seal
    }

    #[test]
    fn the_first_block_of_mainnet_is_bound_and_every_changed_field_breaks_it() {
        assert_eq!(seal_of(&first()), Seal::Bound);
        for field in ALWAYS {
            let mut wrong = first();
            wrong[field.name()] = match field {
                Field::Word(_) => json!(B256([5; 32])),
                Field::Address(_) => json!(format!("0x{}", "05".repeat(20))),
                Field::Uint(_) => json!("0x5"),
                Field::Bytes("logsBloom") => json!(format!("0x{}01", "00".repeat(255))),
                Field::Bytes(_) => json!("0x05"),
            };
            assert!(matches!(seal_of(&wrong), Seal::Broken { .. }), "{}", field.name());
            wrong[field.name()] = json!("x");
            assert!(parse_sealed_header(&wrong).is_err(), "{}", field.name());
        }
        let mut wrong = first();
        wrong["hash"] = json!(B256([5; 32]));
        let computed = first()["hash"].as_str().unwrap().parse().unwrap();
        assert_eq!(seal_of(&wrong), Seal::Broken { computed });
    }

    #[test]
    fn what_is_not_known_here_is_neither_true_nor_false() {
        let mut beside = first();
        beside["l1BlockNumber"] = json!("0x1");
        assert_eq!(seal_of(&beside), Seal::Bound, "what is not hashed does no harm");
        let cases = [
            ("blockAccessListHash", json!(B256::ZERO), "has `blockAccessListHash`"),
            ("withdrawalsRoot", json!(B256::ZERO), "has `withdrawalsRoot` without `baseFeePerGas`"),
            ("mixHash", Value::Null, "`mixHash` is missing"),
            ("\n\u{7f}", json!(1), "has `\\n\\u{7f}`"),
        ];
        for (field, value, expected) in cases {
            let mut other = first();
            other["timestamp"] = json!("0x1");
            other[field] = value;
            let Seal::Unknown { reason } = seal_of(&other) else { panic!("{field}") };
            assert_eq!(reason, expected);
        }
        assert_eq!(parse_sealed_header(&Value::Null).unwrap(), None);
        let mut long = first();
        long["extraData"] = json!(format!("0x{}", "00".repeat(MAX_EXTRA + 1)));
        assert!(parse_sealed_header(&long).is_err());
    }
}
