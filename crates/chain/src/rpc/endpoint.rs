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

/// The HTTP(S) address of a JSON-RPC node. Shown as scheme, host and port alone.
#[derive(Clone, PartialEq, Eq)]
pub struct Endpoint {
    url: Url,
}

impl Endpoint {
    /// Reads a URL.
    ///
    /// # Errors
    /// [`RpcError::Endpoint`] when it is no URL, has no host, or a scheme other than `http` and `https`. The text does
    /// not repeat the URL.
    pub fn parse(url: &str) -> Result<Self, RpcError> {
        let url = Url::parse(url).map_err(|e| RpcError::Endpoint { message: format!("not a URL ({e})") })?;
        if !matches!(url.scheme(), "http" | "https") {
            let message = format!("scheme {:?} is not supported, use http or https", url.scheme());
            return Err(RpcError::Endpoint { message });
        }
        if url.host_str().is_none_or(str::is_empty) {
            return Err(RpcError::Endpoint { message: "the URL names no host".into() });
        }
        Ok(Self { url })
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

    /// `text` without any key of this URL: servers and libraries like to repeat them in messages.
    #[must_use]
    pub fn scrub(&self, text: &str) -> String {
        let mut out = text.replace(self.url.as_str(), &self.to_string());
        for secret in self.secrets() {
            out = out.replace(secret.as_ref(), HIDDEN);
        }
        out
    }

    fn secrets(&self) -> impl Iterator<Item = std::borrow::Cow<'_, str>> {
        let user = Some(self.url.username()).filter(|u| !u.is_empty());
        let segments = self.url.path_segments().into_iter().flatten().filter(|s| s.len() >= SHORTEST_KEY);
        let values = self.url.query_pairs().map(|(_, value)| value).filter(|v| v.len() >= 4);
        user.into_iter().chain(self.url.password()).chain(segments).map(Into::into).chain(values)
    }
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
    fn wrong_urls_are_refused_without_repeating_them() {
        for bad in ["", "node.example", "ws://secret@node", "ipc:///secret", "http://"] {
            let error = Endpoint::parse(bad).unwrap_err().to_string();
            assert!(!error.contains("secret"), "{error}");
        }
        assert_eq!(Endpoint::parse("http://127.0.0.1:8545").unwrap().to_string(), "http://127.0.0.1:8545");
    }
}
