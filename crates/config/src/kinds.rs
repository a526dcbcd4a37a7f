//! The kinds of optional settings: how each is read, shown, and described in the documentation.

use crate::{ConfigError, Secret, node::Node};
use facilitator_eth::{Decimal, U256};
use serde_json::Value;
use std::{
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

/// How one setting is read from JSON and described.
pub(crate) trait Kind {
    /// The type in the code.
    type Value;
    /// Reads and checks the value at `node`.
    fn read(&self, node: &Node<'_>) -> Result<Self::Value, ConfigError>;
    /// The JSON form of `value`, which [`Kind::read`] reads back.
    fn show(&self, value: &Self::Value) -> Value;
    /// The unit, for the documentation.
    fn unit(&self) -> String;
    /// What values are allowed, for the documentation.
    fn allowed(&self) -> String;
}

/// A whole number of something.
pub(crate) struct Count {
    pub(crate) unit: &'static str,
    pub(crate) min: u64,
    pub(crate) max: u64,
}

/// A [`Count`], as a function so that the table of settings reads well.
pub(crate) const fn count(unit: &'static str, min: u64, max: u64) -> Count {
    Count { unit, min, max }
}

impl Kind for Count {
    type Value = u64;

    fn read(&self, node: &Node<'_>) -> Result<u64, ConfigError> {
        node.uint(self.min, self.max)
    }

    fn show(&self, value: &u64) -> Value {
        (*value).into()
    }

    fn unit(&self) -> String {
        self.unit.to_owned()
    }

    fn allowed(&self) -> String {
        format!("{} to {}", self.min, self.max)
    }
}

/// A [`Count`] that fits 32 bits.
pub(crate) struct Small(pub(crate) &'static str, pub(crate) u32, pub(crate) u32);

impl Kind for Small {
    type Value = u32;

    fn read(&self, node: &Node<'_>) -> Result<u32, ConfigError> {
        let number = node.uint(self.1.into(), self.2.into())?;
        u32::try_from(number).map_err(|_| node.error(format!("must be at most {}", u32::MAX)))
    }

    fn show(&self, value: &u32) -> Value {
        (*value).into()
    }

    fn unit(&self) -> String {
        self.0.to_owned()
    }

    fn allowed(&self) -> String {
        format!("{} to {}", self.1, self.2)
    }
}

/// A time in milliseconds; its key ends in `_ms`.
pub(crate) struct Millis(pub(crate) u64, pub(crate) u64);

impl Kind for Millis {
    type Value = Duration;

    fn read(&self, node: &Node<'_>) -> Result<Duration, ConfigError> {
        node.uint(self.0, self.1).map(Duration::from_millis)
    }

    fn show(&self, value: &Duration) -> Value {
        u64::try_from(value.as_millis()).unwrap_or(u64::MAX).into()
    }

    fn unit(&self) -> String {
        "milliseconds".to_owned()
    }

    fn allowed(&self) -> String {
        format!("{} to {}", self.0, self.1)
    }
}

/// A time in seconds; its key ends in `_s`.
pub(crate) struct Seconds(pub(crate) u64, pub(crate) u64);

impl Kind for Seconds {
    type Value = Duration;

    fn read(&self, node: &Node<'_>) -> Result<Duration, ConfigError> {
        node.uint(self.0, self.1).map(Duration::from_secs)
    }

    fn show(&self, value: &Duration) -> Value {
        value.as_secs().into()
    }

    fn unit(&self) -> String {
        "seconds".to_owned()
    }

    fn allowed(&self) -> String {
        format!("{} to {}", self.0, self.1)
    }
}

/// An amount in the smallest unit, as decimal text (law 11), because JSON numbers lose digits beyond 2^53.
pub(crate) struct Wei(pub(crate) &'static str);

impl Kind for Wei {
    type Value = U256;

    fn read(&self, node: &Node<'_>) -> Result<U256, ConfigError> {
        let wrong = || node.error("must be a whole number as decimal text, e.g. \"1000000000\", at most 2^256-1");
        let text = node.value.as_str().filter(|text| text.bytes().all(|b| b.is_ascii_digit())).ok_or_else(wrong)?;
        text.parse().map_err(|_| wrong())
    }

    fn show(&self, value: &U256) -> Value {
        value.to_string().into()
    }

    fn unit(&self) -> String {
        self.0.to_owned()
    }

    fn allowed(&self) -> String {
        "decimal text".to_owned()
    }
}

/// A decimal fraction as text, because JSON numbers lose digits.
pub(crate) struct Fraction(pub(crate) &'static str);

impl Kind for Fraction {
    type Value = Decimal;

    fn read(&self, node: &Node<'_>) -> Result<Decimal, ConfigError> {
        node.decimal()
    }

    fn show(&self, value: &Decimal) -> Value {
        value.to_string().into()
    }

    fn unit(&self) -> String {
        self.0.to_owned()
    }

    fn allowed(&self) -> String {
        "decimal text".to_owned()
    }
}

/// Another kind, or `null` for none.
pub(crate) struct Maybe<K>(pub(crate) K);

impl<K: Kind> Kind for Maybe<K> {
    type Value = Option<K::Value>;

    fn read(&self, node: &Node<'_>) -> Result<Self::Value, ConfigError> {
        if node.value.is_null() { Ok(None) } else { self.0.read(node).map(Some) }
    }

    fn show(&self, value: &Self::Value) -> Value {
        value.as_ref().map_or(Value::Null, |value| self.0.show(value))
    }

    fn unit(&self) -> String {
        self.0.unit()
    }

    fn allowed(&self) -> String {
        format!("{}, or null", self.0.allowed())
    }
}

/// The path of a file or folder.
pub(crate) struct PathText;

impl Kind for PathText {
    type Value = String;

    fn read(&self, node: &Node<'_>) -> Result<String, ConfigError> {
        node.text().map(str::to_owned)
    }

    fn show(&self, value: &String) -> Value {
        value.as_str().into()
    }

    fn unit(&self) -> String {
        "path".to_owned()
    }

    fn allowed(&self) -> String {
        "text".to_owned()
    }
}

/// A short text of letters, digits and `-_.:`.
pub(crate) struct Name;

impl Kind for Name {
    type Value = String;

    fn read(&self, node: &Node<'_>) -> Result<String, ConfigError> {
        let text = node.text()?;
        let fits = |letter: char| letter.is_ascii_alphanumeric() || "-_.:".contains(letter);
        if text.is_empty() || text.len() > 100 || !text.chars().all(fits) {
            return Err(node.error("must be 1 to 100 letters, digits or -_.:"));
        }
        Ok(text.to_owned())
    }

    fn show(&self, value: &String) -> Value {
        value.as_str().into()
    }

    fn unit(&self) -> String {
        "name".to_owned()
    }

    fn allowed(&self) -> String {
        "1 to 100 letters, digits or -_.:".to_owned()
    }
}

/// Text that no log may show.
pub(crate) struct HiddenText;

impl Kind for HiddenText {
    type Value = Secret;

    fn read(&self, node: &Node<'_>) -> Result<Secret, ConfigError> {
        node.text().map(Secret::from)
    }

    fn show(&self, value: &Secret) -> Value {
        value.expose().into()
    }

    fn unit(&self) -> String {
        "secret".to_owned()
    }

    fn allowed(&self) -> String {
        "text".to_owned()
    }
}

/// A URL to which something is sent. It may hold credentials.
pub(crate) struct HttpUrl;

impl Kind for HttpUrl {
    type Value = Secret;

    fn read(&self, node: &Node<'_>) -> Result<Secret, ConfigError> {
        node.endpoint().map(|endpoint| endpoint.url().into())
    }

    fn show(&self, value: &Secret) -> Value {
        value.expose().into()
    }

    fn unit(&self) -> String {
        "URL".to_owned()
    }

    fn allowed(&self) -> String {
        "http or https".to_owned()
    }
}

/// An address to listen at, or a port of the loopback address.
pub(crate) struct Listen;

impl Listen {
    fn parse(text: &str) -> Option<SocketAddr> {
        let port = |text: &str| text.parse().ok().map(|port: u16| SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
        let address = text.parse().ok().or_else(|| port(text.strip_prefix("localhost:").unwrap_or(text)));
        // Nobody would know a port that the system chooses.
        address.filter(|address: &SocketAddr| address.port() != 0)
    }
}

impl Kind for Listen {
    type Value = SocketAddr;

    fn read(&self, node: &Node<'_>) -> Result<SocketAddr, ConfigError> {
        let text = node.value.as_str().map_or_else(|| node.value.to_string(), str::to_owned);
        Self::parse(&text).ok_or_else(|| node.error(format!("must be {}", self.allowed())))
    }

    fn show(&self, value: &SocketAddr) -> Value {
        value.to_string().into()
    }

    fn unit(&self) -> String {
        "address".to_owned()
    }

    fn allowed(&self) -> String {
        "a port as in 9184, or an address with its port as in \"127.0.0.1:9184\"".to_owned()
    }
}

/// Paths of files, at most so many, as they stand there.
pub(crate) struct Paths(pub(crate) usize);

impl Kind for Paths {
    type Value = Vec<String>;

    fn read(&self, node: &Node<'_>) -> Result<Vec<String>, ConfigError> {
        if node.value.as_array().is_some_and(Vec::is_empty) {
            return Ok(Vec::new());
        }
        node.items(self.0)?.iter().map(|item| item.text().map(str::to_owned)).collect()
    }

    fn show(&self, value: &Vec<String>) -> Value {
        value.clone().into()
    }

    fn unit(&self) -> String {
        "files".to_owned()
    }

    fn allowed(&self) -> String {
        format!("list of at most {}", self.0)
    }
}

/// Names of hosts, at most so many, in lower case.
pub(crate) struct Hosts(pub(crate) usize);

impl Kind for Hosts {
    type Value = Vec<String>;

    fn read(&self, node: &Node<'_>) -> Result<Vec<String>, ConfigError> {
        let is_name = |text: &str| {
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'.' || byte == b'_';
            !text.is_empty() && text.len() <= 253 && text.bytes().all(plain)
        };
        let host = |item: &Node<'_>| match item.text()? {
            text if is_name(text) => Ok(text.to_ascii_lowercase()),
            _ => Err(item.error("must be the name of a host, without scheme and port, as in \"facilitator.example\"")),
        };
        if node.value.as_array().is_some_and(Vec::is_empty) {
            return Ok(Vec::new());
        }
        node.items(self.0)?.iter().map(host).collect()
    }

    fn show(&self, value: &Vec<String>) -> Value {
        value.clone().into()
    }

    fn unit(&self) -> String {
        "names".to_owned()
    }

    fn allowed(&self) -> String {
        format!("list of at most {}", self.0)
    }
}

/// Yes or no.
pub(crate) struct Switch;

impl Kind for Switch {
    type Value = bool;

    fn read(&self, node: &Node<'_>) -> Result<bool, ConfigError> {
        node.value.as_bool().ok_or_else(|| node.error(format!("must be {}, not {}", self.allowed(), node.value)))
    }

    fn show(&self, value: &bool) -> Value {
        (*value).into()
    }

    fn unit(&self) -> String {
        "yes or no".to_owned()
    }

    fn allowed(&self) -> String {
        "true or false".to_owned()
    }
}

/// One of a few words.
pub(crate) struct Choice<T: 'static>(pub(crate) &'static [(&'static str, T)]);

impl<T: Copy + PartialEq> Kind for Choice<T> {
    type Value = T;

    fn read(&self, node: &Node<'_>) -> Result<T, ConfigError> {
        let text = node.text()?;
        let found = self.0.iter().find(|(word, _)| *word == text).map(|(_, value)| *value);
        found.ok_or_else(|| node.error(format!("must be {}", self.allowed())))
    }

    fn show(&self, value: &T) -> Value {
        self.0.iter().find(|(_, known)| known == value).map_or(Value::Null, |(word, _)| (*word).into())
    }

    fn unit(&self) -> String {
        "word".to_owned()
    }

    fn allowed(&self) -> String {
        self.0.iter().map(|(word, _)| *word).collect::<Vec<_>>().join(", ")
    }
}
