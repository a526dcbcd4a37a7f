//! By which names the pages may be asked for.
//!
//! A page of the web can have its own name point at the address of this server (DNS rebinding); the browser then takes
//! what it gets for that page's own. It asks by that name, so only names that nobody else can have are answered: addresses,
//! `localhost`, and what the operator named.

use hyper::header::{self, HeaderMap};
use std::net::{IpAddr, SocketAddr};

/// Names by which a server is asked.
#[derive(Debug, Clone)]
pub struct Hosts {
    /// Whether others than this host may ask.
    everybody: bool,
    /// In lower case.
    names: Vec<String>,
}

impl Hosts {
    /// Of a server at `address`: on a loopback address loopback addresses and `localhost`, else any address, and always
    /// `names`.
    #[must_use]
    pub fn of(address: SocketAddr, names: impl IntoIterator<Item = String>) -> Self {
        let names = names.into_iter().map(|name| name.to_ascii_lowercase()).collect();
        Self { everybody: !address.ip().is_loopback(), names }
    }

    /// Whether the one `Host` is among them, under whatever port: a tunnel may end at another one.
    pub(super) fn include(&self, headers: &HeaderMap) -> bool {
        let mut hosts = headers.get_all(header::HOST).iter();
        let (Some(host), None) = (hosts.next(), hosts.next()) else { return false };
        host.to_str().is_ok_and(|host| self.is_known(host))
    }

    /// What the others are told.
    pub(super) const fn refusal(&self) -> &'static str {
        if self.everybody {
            "this page is not served under that name: ask for it by its address, or name the host in `metrics.hosts`\n"
        } else {
            "this page is for this host alone: ask for it as localhost or 127.0.0.1, or name the host in `metrics.hosts`\n"
        }
    }

    fn is_known(&self, host: &str) -> bool {
        let name = match host.rsplit_once(':') {
            // The colons of an address of version 6 stand in brackets.
            Some((name, port)) if !port.contains(']') => {
                if port.parse::<u16>().is_err() {
                    return false;
                }
                name
            }
            Some(_) | None => host,
        };
        let address = name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(name);
        let is_address = address.parse::<IpAddr>().is_ok_and(|address| self.everybody || address.is_loopback());
        // A name may end with the dot of the root.
        let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
        is_address || name == "localhost" || (!name.is_empty() && self.names.contains(&name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn on_loopback_only_names_of_this_host_are_known_and_elsewhere_addresses_and_what_was_named() {
        let here = Hosts::of(SocketAddr::from(([127, 0, 0, 1], 9184)), []);
        let named = Hosts::of(SocketAddr::from(([127, 0, 0, 1], 9184)), ["Ops.Example".to_owned()]);
        let everywhere = Hosts::of(SocketAddr::from(([0, 0, 0, 0], 9184)), ["ops.example".to_owned()]);
        for (host, known) in [
            ("localhost", [true, true, true]),
            ("localhost:9184", [true, true, true]),
            ("127.0.0.1:1", [true, true, true]),
            ("127.8.9.1", [true, true, true]),
            ("[::1]:9184", [true, true, true]),
            ("[::1]", [true, true, true]),
            ("10.0.0.1:9184", [false, false, true]),
            ("[2001:db8::1]:9184", [false, false, true]),
            ("ops.example", [false, true, true]),
            ("OPS.example.:9184", [false, true, true]),
            ("rebound.example", [false, false, false]),
            ("localhost.example", [false, false, false]),
            ("localhost:", [false, false, false]),
            ("localhost:port", [false, false, false]),
            ("", [false, false, false]),
            (".", [false, false, false]),
            ("127.0.0.1@example", [false, false, false]),
            ("10.0.0.1.example", [false, false, false]),
        ] {
            assert_eq!([&here, &named, &everywhere].map(|hosts| hosts.is_known(host)), known, "{host}");
        }
    }
}
