//! The address of a node, with its credentials kept out of sight.
//!
//! Invariant: neither `Display` nor `Debug` of an [`Endpoint`] shows user information, path or query of the URL, since
//! providers put access keys into any of them. Connecting is left to the client.

use super::RpcError;
use reqwest::Url;
use std::fmt;

/// What stands for a hidden text.
const HIDDEN: &str = "[secret]";
/// Shorter pieces of a path (`v3`, `rpc`, `mainnet`) are names rather than keys and may appear in messages.
const SHORTEST_KEY: usize = 12;
/// Shorter values of a query are numbers and switches.
const SHORTEST_VALUE: usize = 4;

/// The HTTP(S) address of a JSON-RPC node. Shown as scheme, host and port alone.
#[derive(Clone, PartialEq, Eq)]
pub struct Endpoint {
    url: Url,
    /// The URL as it was given, which the parsed one may spell otherwise.
    given: String,
}

impl Endpoint {
    /// Reads a URL.
    ///
    /// # Errors
    /// [`RpcError::Endpoint`] when it is no URL, has no host, or a scheme other than `http` and `https`. The text does
    /// not repeat the URL.
    pub fn parse(given: &str) -> Result<Self, RpcError> {
        let url = Url::parse(given).map_err(|e| RpcError::Endpoint { message: format!("not a URL ({e})") })?;
        if !matches!(url.scheme(), "http" | "https") {
            let message = format!("scheme {:?} is not supported, use http or https", url.scheme());
            return Err(RpcError::Endpoint { message });
        }
        if url.host_str().is_none_or(str::is_empty) {
            return Err(RpcError::Endpoint { message: "the URL names no host".into() });
        }
        Ok(Self { url, given: given.to_owned() })
    }

    /// The whole URL, credentials included: for the connection alone.
    pub(crate) fn url(&self) -> &Url {
        &self.url
    }

    /// Whether the connection is encrypted, so that certificates are needed.
    #[must_use]
    pub fn is_tls(&self) -> bool {
        self.url.scheme() == "https"
    }

    /// `text` without any key of this URL: servers and libraries like to repeat them in messages, as they were given,
    /// encoded with `%`, or decoded.
    #[must_use]
    pub fn scrub(&self, text: &str) -> String {
        let mut out = text.replace(self.url.as_str(), &self.to_string()).replace(&self.given, &self.to_string());
        for secret in self.secrets() {
            out = out.replace(&secret, HIDDEN);
        }
        out
    }

    /// All spellings of all keys, the longest first, since one may be part of another.
    fn secrets(&self) -> Vec<String> {
        let mut secrets: Vec<String> = [self.url.as_str(), &self.given]
            .into_iter()
            .flat_map(pieces)
            .flat_map(|key| [decoded(key), key.to_owned()])
            .collect();
        secrets.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        secrets.dedup();
        secrets
    }
}

/// The parts of a URL's text that may be keys: user, password, long pieces of the path, and of the query the values and
/// long names.
fn pieces(url: &str) -> Vec<&str> {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let rest = rest.split_once('#').map_or(rest, |(rest, _)| rest);
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let user = authority.rsplit_once('@').map_or("", |(user, _)| user);
    let (user, password) = user.split_once(':').unwrap_or((user, ""));
    let pairs = query.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    let mut found = vec![(user, 1), (password, 1)];
    found.extend(path.split('/').map(|segment| (segment, SHORTEST_KEY)));
    found.extend(pairs.flat_map(|(name, value)| [(name, SHORTEST_KEY), (value, SHORTEST_VALUE)]));
    found.into_iter().filter(|(text, shortest)| text.len() >= *shortest).map(|(text, _)| text).collect()
}

/// `text` with its `%41` and the like replaced by what they stand for.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        let code = tail.get(..2).and_then(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok());
        match code.filter(|_| *first == b'%') {
            Some(byte) => {
                bytes.push(byte);
                rest = tail.get(2..).unwrap_or_default();
            }
            None => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.url.scheme(), self.url.host_str().unwrap_or_default())?;
        if let Some(port) = self.url.port() {
            write!(f, ":{port}")?;
        }
        if self.url.path().len() > 1 || self.url.query().is_some() {
            f.write_str("/…")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Endpoint({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_part_of_a_url_that_may_be_a_key_is_shown() {
        let url = "https://bob:hunter2@node.example:8545/v3/0123456789abcdef?apikey=zyxw9876";
        let endpoint = Endpoint::parse(url).unwrap();
        assert_eq!(endpoint.to_string(), "https://node.example:8545/…");
        assert_eq!(format!("{endpoint:?}"), "Endpoint(https://node.example:8545/…)");
        let echoed = format!("bad key 0123456789abcdef (zyxw9876) of bob hunter2 at {url} in v3");
        let scrubbed = endpoint.scrub(&echoed);
        for secret in ["0123456789abcdef", "zyxw9876", "bob", "hunter2"] {
            assert!(!scrubbed.contains(secret), "{scrubbed}");
        }
        assert!(scrubbed.ends_with("in v3"), "{scrubbed}");
    }

    #[test]
    fn a_key_is_hidden_in_every_spelling() {
        // Found by fuzzing: a quotation mark is encoded on the way, and comes back from the server as it was given.
        let given = "https://b%6fb:hun\"ter2@node.example/0123456789\"%41bcdef?0123456789ABCDEF&k=zy\"xw";
        let endpoint = Endpoint::parse(given).unwrap();
        for told in
            [given, endpoint.url().as_str(), "0123456789\"Abcdef", "bob", "hun%22ter2", "0123456789ABCDEF zy\"xw"]
        {
            let scrubbed = endpoint.scrub(&format!("no access: {told}"));
            for secret in ["0123456789", "bob", "b%6fb", "ter2", "zy\"xw", "zy%22xw"] {
                assert!(!scrubbed.contains(secret), "{told} is shown as {scrubbed}");
            }
        }
    }

    #[test]
    fn wrong_urls_are_refused_without_repeating_them() {
        for bad in ["", "node.example", "ws://secret@node", "ipc:///secret", "http://"] {
            let error = Endpoint::parse(bad).unwrap_err().to_string();
            assert!(!error.contains("secret"), "{error}");
        }
        assert_eq!(Endpoint::parse("http://127.0.0.1:8545").unwrap().to_string(), "http://127.0.0.1:8545");
    }
}
