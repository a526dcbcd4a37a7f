//! The URL of a node. Checked when read; shown without the credentials it may carry.

use std::{fmt, str::FromStr};
use url::{ParseError, Url};

/// Longest URL that is taken.
const MAX_LENGTH: usize = 2048;

/// The JSON-RPC endpoint of a node: an `http` or `https` URL. Providers put access keys into user name, path and query,
/// so `Display` and `Debug` show scheme, host and port alone.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Endpoint(String);

/// Why a text is no endpoint. Does not repeat the text, which may hold credentials.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EndpointError {
    /// Empty or longer than 2048 characters.
    #[error("must be a URL of 1 to {MAX_LENGTH} characters")]
    Length,
    /// Spaces, control characters or characters beyond ASCII.
    #[error("must be a URL without spaces, control characters or letters beyond ASCII")]
    Characters,
    /// Another scheme than http or https.
    #[error("must begin with http:// or https://")]
    Scheme,
    /// No host, or a host with impossible characters.
    #[error("must have a host name or address after the scheme")]
    Host,
    /// A port that is not 1 to 65535.
    #[error("must have a port from 1 to 65535")]
    Port,
    /// A `#fragment`, which is never sent.
    #[error("must not have a # fragment")]
    Fragment,
}

impl Endpoint {
    /// The whole URL with its credentials, for the client that connects.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.0
    }

    /// `http://127.0.0.1:8545`: a node on this host at its default port, tried when a chain has no `rpc`.
    #[must_use]
    pub fn localhost() -> Self {
        Self("http://127.0.0.1:8545".to_owned())
    }
}

impl FromStr for Endpoint {
    type Err = EndpointError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.is_empty() || text.len() > MAX_LENGTH {
            return Err(EndpointError::Length);
        }
        // A backslash is a slash to those who connect, and a letter of a password to those who read.
        if !text.bytes().all(|b| b.is_ascii_graphic() && b != b'\\') {
            return Err(EndpointError::Characters);
        }
        if text.contains('#') {
            return Err(EndpointError::Fragment);
        }
        let scheme = text.split_once("://").map(|(scheme, _)| scheme.to_ascii_lowercase());
        if !matches!(scheme.as_deref(), Some("http" | "https")) {
            return Err(EndpointError::Scheme);
        }
        check_host(authority(text))?;
        // The client reads it once more, and more strictly: numbers that look like addresses, names beyond ASCII.
        match Url::parse(text) {
            Ok(url) if url.host_str().is_some_and(|host| !host.is_empty()) => Ok(Self(text.to_owned())),
            Err(ParseError::InvalidPort) => Err(EndpointError::Port),
            Ok(_) | Err(_) => Err(EndpointError::Host),
        }
    }
}

/// Host and port as they stand in a URL, without the user.
fn authority(text: &str) -> &str {
    let rest = text.split_once("://").map_or(text, |(_, rest)| rest);
    let authority = rest.split(['/', '?']).next().unwrap_or_default();
    authority.rsplit_once('@').map_or(authority, |(_, host)| host)
}

fn check_host(host_and_port: &str) -> Result<(), EndpointError> {
    let (host, port) = match host_and_port.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, "")) => (host, None),
        Some((host, rest)) => (host, Some(rest.strip_prefix(':').ok_or(EndpointError::Host)?)),
        None => host_and_port.split_once(':').map_or((host_and_port, None), |(host, port)| (host, Some(port))),
    };
    let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_' | b':' | b'%');
    if host.is_empty() || !host.bytes().all(allowed) {
        return Err(EndpointError::Host);
    }
    match port.map(str::parse::<u16>) {
        None => Ok(()),
        Some(Ok(port)) if port != 0 => Ok(()),
        Some(_) => Err(EndpointError::Port),
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Ok(url) = Url::parse(&self.0) else { return f.write_str("[no URL]") };
        write!(f, "{}://{}", url.scheme(), url.host_str().unwrap_or_default())?;
        if let Some(port) = url.port() {
            write!(f, ":{port}")?;
        }
        if url.path().len() > 1 || url.query().is_some() { f.write_str("/…") } else { Ok(()) }
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_checked_and_shown_without_credentials() {
        for (text, shown) in [
            ("http://127.0.0.1:8545", "http://127.0.0.1:8545"),
            ("https://user:pass@node.example/", "https://node.example"),
            ("https://mainnet.infura.io/v3/0123456789abcdef", "https://mainnet.infura.io/…"),
            ("https://node.example?apikey=1", "https://node.example/…"),
            ("http://[::1]:8545/x", "http://[::1]:8545/…"),
        ] {
            let endpoint: Endpoint = text.parse().unwrap();
            assert_eq!((endpoint.url(), endpoint.to_string().as_str()), (text, shown));
            assert_eq!(format!("{endpoint:?}"), shown);
        }
        for (text, error) in [
            ("", EndpointError::Length),
            ("http://a b", EndpointError::Characters),
            ("ws://localhost:8546", EndpointError::Scheme),
            ("localhost:8545", EndpointError::Scheme),
            ("http://", EndpointError::Host),
            ("http://:8545", EndpointError::Host),
            ("http://user@:1", EndpointError::Host),
            ("http://[::1]8545", EndpointError::Host),
            ("http://a:70000", EndpointError::Port),
            ("http://a:0", EndpointError::Port),
            ("http://a:", EndpointError::Port),
            ("http://a/#x", EndpointError::Fragment),
            // Found by fuzzing: what the client would refuse, or take for another host than it was shown as.
            ("http://127C0.0.1:8545", EndpointError::Host),
            ("http://1.2.3.4.5", EndpointError::Host),
            ("http://host\\user:secret@other", EndpointError::Characters),
        ] {
            assert_eq!(text.parse::<Endpoint>(), Err(error), "{text}");
        }
    }
}
