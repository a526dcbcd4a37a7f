//! Keys, transactions and their signatures.
//!
//! Signing is deterministic (RFC 6979): the same transaction and key give the same bytes, so that a transaction signed
//! again after a crash is the same transaction. A key never shows its bytes and is overwritten when it is dropped.

use crate::{Address, B256, Bytes, U256, keccak256};
use bincode::{Decode, Encode};
use ethers_core::{
    types::{
        Eip1559TransactionRequest, H160, TransactionRequest, U256 as Inner, transaction::eip2718::TypedTransaction,
    },
    utils::rlp::Rlp,
};
use ethers_signers::{LocalWallet, Signer as _};
use std::fmt;
use zeroize::Zeroizing;

/// Largest chain id whose EIP-155 `v` (twice the id and 36) fits 64 bits.
const MAX_CHAIN_ID: u64 = (u64::MAX - 36) / 2;

/// Why there is no key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Zero, or not below the order of the curve.
    #[error("is no private key: must be 32 bytes, not zero and below the order of secp256k1")]
    Invalid,
    /// The operating system gave no random bytes.
    #[error("no randomness from the operating system: {0}")]
    Randomness(String),
}

/// Why a transaction was not signed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignError {
    /// A chain id of 0 would make the transaction valid on every chain; a very large one does not fit a signature.
    #[error("chain id {0} cannot be signed for: must be from 1 to 2^63-19")]
    ChainId(u64),
    /// The priority fee is above the maximum fee: no node takes such a transaction.
    #[error("the priority fee {max_priority} wei is above the maximum fee {max_fee} wei")]
    Fee {
        /// Highest price of a unit of gas in all, wei.
        max_fee: U256,
        /// Highest tip of a unit of gas, wei.
        max_priority: U256,
    },
    /// The signature failed, which does not happen with a valid key.
    #[error("signing failed")]
    Signature,
}

/// The private key of one account. Overwritten when dropped; shows its address only.
pub struct SecretKey(LocalWallet);

impl SecretKey {
    /// A key from its 32 big-endian bytes.
    ///
    /// # Errors
    /// [`KeyError::Invalid`] for zero or a number not below the order of the curve.
    pub fn from_bytes(bytes: &[u8; 32]) -> Result<Self, KeyError> {
        LocalWallet::from_bytes(bytes).map(Self).map_err(|_| KeyError::Invalid)
    }

    /// A new key from the operating system's randomness.
    ///
    /// # Errors
    /// [`KeyError::Randomness`] if there is none.
    pub fn random() -> Result<Self, KeyError> {
        let mut bytes = Zeroizing::new([0; 32]);
        loop {
            getrandom::fill(bytes.as_mut_slice()).map_err(|error| KeyError::Randomness(error.to_string()))?;
            // Nearly every 32 bytes are a key: a second round has a probability of 2^-127.
            if let Ok(key) = Self::from_bytes(&bytes) {
                return Ok(key);
            }
        }
    }

    /// The account's address.
    #[must_use]
    pub fn address(&self) -> Address {
        Address(self.0.address().0)
    }

    /// The 32 big-endian bytes, for a key store or a pipe to the process that signs.
    #[must_use]
    pub fn to_bytes(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(self.0.signer().to_bytes().into())
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretKey([secret] of {})", self.address())
    }
}

/// What a unit of gas may cost, in wei.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub enum Fee {
    /// One price (EIP-155 transactions), for chains without a base fee.
    Legacy {
        /// Price of a unit of gas, wei.
        gas_price: U256,
    },
    /// Base fee and tip (EIP-1559 transactions).
    Dynamic {
        /// Highest price of a unit of gas in all, wei.
        max_fee: U256,
        /// Highest tip of a unit of gas, wei.
        max_priority: U256,
    },
}

/// A transaction to a contract or an account.
#[derive(Clone, PartialEq, Eq, Encode, Decode)]
pub struct Transaction {
    /// The chain it is valid on.
    pub chain_id: u64,
    /// The account's transaction count at its turn.
    pub nonce: u64,
    /// Receiver.
    pub to: Address,
    /// Base coin sent along, wei.
    pub value: U256,
    /// Call data. Not shown by `Debug`: it may reveal an unlock secret.
    pub data: Bytes,
    /// Most gas it may use.
    pub gas_limit: u64,
    /// What the gas may cost.
    pub fee: Fee,
}

impl fmt::Debug for Transaction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transaction")
            .field("chain_id", &self.chain_id)
            .field("nonce", &self.nonce)
            .field("to", &self.to)
            .field("value", &self.value)
            .field("data", &format_args!("[{} bytes]", self.data.0.len()))
            .field("gas_limit", &self.gas_limit)
            .field("fee", &self.fee)
            .finish()
    }
}

/// A signed transaction.
#[derive(Clone, PartialEq, Eq, Encode, Decode)]
pub struct Signed {
    /// The transaction's hash.
    pub hash: B256,
    /// The bytes for `eth_sendRawTransaction`. Not shown by `Debug`, like the call data in them.
    pub raw: Bytes,
}

impl fmt::Debug for Signed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signed({}, [{} bytes])", self.hash, self.raw.0.len())
    }
}

/// Signs a transaction. The same input gives the same bytes.
///
/// # Errors
/// [`SignError`] if chain id or fee make no valid transaction.
pub fn sign(transaction: &Transaction, key: &SecretKey) -> Result<Signed, SignError> {
    if transaction.chain_id == 0 || transaction.chain_id > MAX_CHAIN_ID {
        return Err(SignError::ChainId(transaction.chain_id));
    }
    let typed = typed(transaction)?;
    let signature = key.0.sign_transaction_sync(&typed).map_err(|_| SignError::Signature)?;
    let raw = typed.rlp_signed(&signature).to_vec();
    Ok(Signed { hash: keccak256(&raw), raw: Bytes(raw) })
}

/// What signed bytes hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opened {
    /// The transaction.
    pub transaction: Transaction,
    /// The account that signed it.
    pub sender: Address,
}

/// Reads the bytes of [`Signed`] back: a replacement repeats their receiver, value and call data. `None` for bytes that
/// are no signed transaction to an account, or of another kind than [`Fee`] knows.
#[must_use]
pub fn open(raw: &Bytes) -> Option<Opened> {
    let (typed, signature) = TypedTransaction::decode_signed(&Rlp::new(raw.as_slice())).ok()?;
    let sender = signature.recover(typed.sighash()).ok()?;
    let fee = match &typed {
        TypedTransaction::Legacy(request) => Fee::Legacy { gas_price: outer(request.gas_price?) },
        TypedTransaction::Eip1559(request) => Fee::Dynamic {
            max_fee: outer(request.max_fee_per_gas?),
            max_priority: outer(request.max_priority_fee_per_gas?),
        },
        TypedTransaction::Eip2930(_) => return None,
    };
    let transaction = Transaction {
        chain_id: typed.chain_id()?.as_u64(),
        nonce: outer(*typed.nonce()?).to_u64()?,
        to: Address(typed.to_addr()?.0),
        value: typed.value().copied().map_or(U256::ZERO, outer),
        data: typed.data().map_or_else(Bytes::default, |data| Bytes(data.to_vec())),
        gas_limit: outer(*typed.gas()?).to_u64()?,
        fee,
    };
    Some(Opened { transaction, sender: Address(sender.0) })
}

/// The nonce that signed bytes use; `None` for bytes that are no signed transaction.
#[must_use]
pub fn nonce_of(raw: &Bytes) -> Option<u64> {
    let (typed, _) = TypedTransaction::decode_signed(&Rlp::new(raw.as_slice())).ok()?;
    outer(*typed.nonce()?).to_u64()
}

fn typed(transaction: &Transaction) -> Result<TypedTransaction, SignError> {
    let Transaction { chain_id, nonce, to, value, data, gas_limit, fee } = transaction;
    let to = H160(to.0);
    match *fee {
        Fee::Legacy { gas_price } => Ok(TransactionRequest::new()
            .chain_id(*chain_id)
            .nonce(*nonce)
            .to(to)
            .value(inner(*value))
            .data(data.0.clone())
            .gas(*gas_limit)
            .gas_price(inner(gas_price))
            .into()),
        Fee::Dynamic { max_fee, max_priority } if max_priority > max_fee => {
            Err(SignError::Fee { max_fee, max_priority })
        }
        Fee::Dynamic { max_fee, max_priority } => Ok(Eip1559TransactionRequest::new()
            .chain_id(*chain_id)
            .nonce(*nonce)
            .to(to)
            .value(inner(*value))
            .data(data.0.clone())
            .gas(*gas_limit)
            .max_fee_per_gas(inner(max_fee))
            .max_priority_fee_per_gas(inner(max_priority))
            .into()),
    }
}

fn inner(value: U256) -> Inner {
    Inner::from_big_endian(&value.to_be_bytes())
}

fn outer(value: Inner) -> U256 {
    let mut bytes = [0; 32];
    value.to_big_endian(&mut bytes);
    U256::from_be_bytes(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signed_bytes_are_read_back() {
        let key = SecretKey::from_bytes(&[7; 32]).unwrap();
        let gwei = U256::exp10(9);
        for fee in [Fee::Legacy { gas_price: gwei }, Fee::Dynamic { max_fee: gwei, max_priority: U256::ONE }] {
            for data in [Bytes::default(), Bytes(vec![0x7f]), Bytes(vec![9; 700])] {
                let to = Address([5; 20]);
                let (nonce, gas_limit) = (0, 21_000);
                let transaction = Transaction { chain_id: 1406, nonce, to, value: U256::ZERO, data, gas_limit, fee };
                let signed = sign(&transaction, &key).unwrap();
                assert_eq!(open(&signed.raw), Some(Opened { transaction, sender: key.address() }));
                for end in 0..signed.raw.0.len().min(130) {
                    assert_eq!(open(&Bytes(signed.raw.0[..end].to_vec())), None, "cut at {end}");
                }
            }
        }
    }
}
