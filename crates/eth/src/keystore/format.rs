//! The JSON of a key store: read with limits, written in the form that every tool reads.

use super::{Cost, KeystoreError};
use crate::{Address, B256};
use serde_json::{Map, Value, json};

/// Most memory that scrypt may take, bytes: four times geth's standard.
const MAX_SCRYPT_MEMORY: u64 = 1 << 30;
/// Most work of scrypt, N * r * p: sixteen times geth's standard, some seconds.
const MAX_SCRYPT_WORK: u64 = 1 << 25;
/// Most rounds of PBKDF2: ten times what eth-account writes, some seconds.
const MAX_ROUNDS: u64 = 10_000_000;
/// Longest salt, bytes. All tools write 32.
const MAX_SALT: usize = 1024;

/// How the keys come from the password.
pub(super) enum Kdf {
    Scrypt { log_n: u8, r: u32, p: u32, salt: Vec<u8> },
    Pbkdf2 { rounds: u32, salt: Vec<u8> },
}

impl Kdf {
    /// What a derivation takes. Cannot overflow within the limits that were checked when it was read.
    pub(super) fn cost(&self) -> Cost {
        match self {
            Self::Scrypt { log_n, r, p, salt: _ } => {
                let (n, r, p) = (1u64 << (log_n & 63), u64::from(*r), u64::from(*p));
                Cost {
                    memory: n.saturating_add(p).saturating_mul(r).saturating_mul(128),
                    work: n.saturating_mul(r).saturating_mul(p),
                }
            }
            Self::Pbkdf2 { rounds, salt } => Cost { memory: salt.len() as u64, work: u64::from(*rounds) },
        }
    }
}

/// What matters of a key store.
pub(super) struct File {
    pub(super) kdf: Kdf,
    pub(super) iv: [u8; 16],
    /// Cipher text, at most 32 bytes.
    pub(super) text: Vec<u8>,
    pub(super) mac: B256,
}

impl File {
    pub(super) fn to_json(&self, address: Option<Address>, id: [u8; 16]) -> Value {
        let (kdf, parameters) = match &self.kdf {
            Kdf::Scrypt { log_n, r, p, salt } => {
                let n = 1u64 << (log_n & 63);
                ("scrypt", json!({"dklen": 32, "n": n, "p": p, "r": r, "salt": hex::encode(salt)}))
            }
            Kdf::Pbkdf2 { rounds, salt } => {
                ("pbkdf2", json!({"c": rounds, "dklen": 32, "prf": "hmac-sha256", "salt": hex::encode(salt)}))
            }
        };
        let mut store = json!({
            "crypto": {
                "cipher": "aes-128-ctr",
                "cipherparams": { "iv": hex::encode(self.iv) },
                "ciphertext": hex::encode(&self.text),
                "kdf": kdf,
                "kdfparams": parameters,
                "mac": hex::encode(self.mac),
            },
            "id": uuid(id),
            "version": 3,
        });
        if let (Some(address), Value::Object(map)) = (address, &mut store) {
            // Without 0x, as geth writes it.
            map.insert("address".to_owned(), hex::encode(address.0).into());
        }
        store
    }

    pub(super) fn from_json(store: &Value) -> Result<Self, KeystoreError> {
        let top = Fields::of(store, "the key store")?;
        let version = top.number("version")?;
        if version != 3 {
            return Err(KeystoreError::Unsupported(format!("version {version}, only 3 is read")));
        }
        // Old tools wrote a capital letter.
        let crypto = top.object("crypto").or_else(|error| top.object("Crypto").map_err(|_| error))?;
        let cipher = crypto.text("cipher")?;
        if cipher != "aes-128-ctr" {
            return Err(KeystoreError::Unsupported(format!("cipher {cipher:?}, only \"aes-128-ctr\" is read")));
        }
        let text = crypto.bytes("ciphertext", 32)?;
        if text.is_empty() {
            return Err(crypto.malformed("ciphertext", "must not be empty"));
        }
        let (iv, mac) = (crypto.object("cipherparams")?.exactly("iv")?, B256(crypto.exactly("mac")?));
        Ok(Self { kdf: kdf(&crypto)?, iv, text, mac })
    }
}

fn kdf(crypto: &Fields<'_>) -> Result<Kdf, KeystoreError> {
    let parameters = crypto.object("kdfparams")?;
    let length = parameters.number("dklen")?;
    if length != 32 {
        return Err(KeystoreError::Unsupported(format!("a derived key of {length} bytes, only 32 are read")));
    }
    let salt = parameters.bytes("salt", MAX_SALT)?;
    match crypto.text("kdf")? {
        "scrypt" => scrypt(&parameters, salt),
        "pbkdf2" => pbkdf2(&parameters, salt),
        other => Err(KeystoreError::Unsupported(format!("key derivation {other:?}"))),
    }
}

fn scrypt(parameters: &Fields<'_>, salt: Vec<u8>) -> Result<Kdf, KeystoreError> {
    let (n, r, p) = (parameters.number("n")?, parameters.number("r")?, parameters.number("p")?);
    let refuse = || KeystoreError::Unsupported(format!("scrypt with n = {n}, r = {r}, p = {p}"));
    if n < 2 || !n.is_power_of_two() || r == 0 || p == 0 {
        return Err(refuse());
    }
    let blocks = n.checked_add(p).ok_or_else(refuse)?;
    let memory = blocks.checked_mul(r).and_then(|size| size.checked_mul(128)).ok_or_else(refuse)?;
    let work = n.checked_mul(r).and_then(|size| size.checked_mul(p)).ok_or_else(refuse)?;
    if memory > MAX_SCRYPT_MEMORY || work > MAX_SCRYPT_WORK {
        return Err(refuse());
    }
    let log_n = u8::try_from(n.trailing_zeros()).map_err(|_| refuse())?;
    let (r, p) = (u32::try_from(r).map_err(|_| refuse())?, u32::try_from(p).map_err(|_| refuse())?);
    Ok(Kdf::Scrypt { log_n, r, p, salt })
}

fn pbkdf2(parameters: &Fields<'_>, salt: Vec<u8>) -> Result<Kdf, KeystoreError> {
    let prf = parameters.text("prf")?;
    if prf != "hmac-sha256" {
        return Err(KeystoreError::Unsupported(format!("pbkdf2 with {prf:?}, only \"hmac-sha256\" is read")));
    }
    let rounds = parameters.number("c")?;
    match u32::try_from(rounds) {
        Ok(rounds) if rounds > 0 && u64::from(rounds) <= MAX_ROUNDS => Ok(Kdf::Pbkdf2 { rounds, salt }),
        Ok(_) | Err(_) => Err(KeystoreError::Unsupported(format!("pbkdf2 with {rounds} rounds"))),
    }
}

/// The fields of one JSON object, with its place for errors.
struct Fields<'a> {
    map: &'a Map<String, Value>,
    place: &'a str,
}

impl<'a> Fields<'a> {
    fn of(value: &'a Value, place: &'a str) -> Result<Self, KeystoreError> {
        let map = value.as_object();
        map.map(|map| Self { map, place }).ok_or_else(|| KeystoreError::Malformed(format!("{place} must be an object")))
    }

    fn malformed(&self, key: &str, what: &str) -> KeystoreError {
        KeystoreError::Malformed(format!("\"{key}\" of {} {what}", self.place))
    }

    fn get(&self, key: &str) -> Result<&'a Value, KeystoreError> {
        self.map.get(key).ok_or_else(|| self.malformed(key, "is missing"))
    }

    fn object(&self, key: &'a str) -> Result<Fields<'a>, KeystoreError> {
        Fields::of(self.get(key)?, key)
    }

    fn text(&self, key: &str) -> Result<&'a str, KeystoreError> {
        self.get(key)?.as_str().ok_or_else(|| self.malformed(key, "must be a text"))
    }

    fn number(&self, key: &str) -> Result<u64, KeystoreError> {
        self.get(key)?.as_u64().ok_or_else(|| self.malformed(key, "must be a whole number"))
    }

    /// Hexadecimal bytes, with or without `0x`.
    fn bytes(&self, key: &str, limit: usize) -> Result<Vec<u8>, KeystoreError> {
        let text = self.text(key)?;
        let digits = text.strip_prefix("0x").unwrap_or(text);
        if digits.len() > limit * 2 {
            return Err(self.malformed(key, &format!("must be at most {limit} bytes")));
        }
        hex::decode(digits).map_err(|_| self.malformed(key, "must be hexadecimal digits"))
    }

    fn exactly<const N: usize>(&self, key: &str) -> Result<[u8; N], KeystoreError> {
        self.bytes(key, N)?.try_into().map_err(|_| self.malformed(key, &format!("must be {N} bytes")))
    }
}

/// Sixteen random bytes as the text of a version 4 UUID.
fn uuid(mut bytes: [u8; 16]) -> String {
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let text = hex::encode(bytes);
    let parts = [0..8, 8..12, 12..16, 16..20, 20..32].map(|range| text.get(range).unwrap_or_default().to_owned());
    parts.join("-")
}
