//! The optional settings of metrics and the status page.

use super::{Scope, Setting, read};
use crate::{
    ConfigError,
    kinds::{Hosts, Kind as _, Listen, Maybe},
    node::{Fields, Node},
};
use std::net::SocketAddr;

settings! {
    /// Optional settings of metrics and the status page, in the object `metrics`.
    MetricsSettings, Scope::Metrics;
    /// Where metrics, health and the status page are served over HTTP: a port of the loopback address, or an address with its port, such as `"127.0.0.1:9184"`; null for nowhere. Whoever reaches another address sees balances and requests, without a password.
    "listen" listen: Option<SocketAddr> = None, Maybe(Listen);
    /// Names by which a browser or a reverse proxy asks for the pages. Others are refused, so that no page of the web reaches them under a name of its own; addresses, `localhost` and the name of the host need not stand here.
    "hosts" hosts: Vec<String> = Vec::new(), Hosts(100);
}

impl MetricsSettings {
    /// Reads the object `metrics` at `node`, default for what is not there.
    pub(crate) fn read(node: &Node<'_>) -> Result<Self, ConfigError> {
        Self::read_fields(&node.fields(&[Self::KEYS])?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use std::path::Path;

    #[test]
    fn names_of_hosts_are_read_in_lower_case_and_nothing_else_is_one() {
        let read = |value| MetricsSettings::read(&Node::root(Path::new("f"), &json!({ "hosts": value })));
        assert_eq!(read(json!(["Mosaic.Example"])).unwrap().hosts, ["mosaic.example"]);
        assert_eq!(read(json!([])).unwrap().hosts, Vec::<String>::new());
        for wrong in ["http://mosaic.example", "mosaic.example:80", "", "a b", "*"] {
            assert_eq!(read(json!(["a", wrong])).unwrap_err().path, "hosts[1]", "{wrong}");
        }
    }

    #[test]
    fn a_bare_port_means_loopback_and_nonsense_is_refused() {
        let local = |port| SocketAddr::from(([127, 0, 0, 1], port));
        for (value, listen) in [
            (json!(null), Some(None)),
            (json!(9184), Some(Some(local(9184)))),
            (json!("9184"), Some(Some(local(9184)))),
            (json!("localhost:9184"), Some(Some(local(9184)))),
            (json!("10.0.0.1:80"), Some(Some(SocketAddr::from(([10, 0, 0, 1], 80))))),
            (json!("[::1]:9184"), Some(Some(SocketAddr::from(([0, 0, 0, 0, 0, 0, 0, 1], 9184))))),
            (json!(0), None),
            (json!("0"), None),
            (json!("127.0.0.1:0"), None),
            (json!(65_536), None),
            (json!("127.0.0.1"), None),
            (json!("example.com:80"), None),
            (json!(true), None),
            (json!(""), None),
        ] {
            let object = json!({ "listen": value });
            let read = MetricsSettings::read(&Node::root(Path::new("f"), &object));
            match (read, listen) {
                (Ok(settings), Some(listen)) => assert_eq!(settings.listen, listen, "{value}"),
                (Err(error), None) => assert!(error.path == "listen" && error.message.contains("9184"), "{error}"),
                other => panic!("{value}: {other:?}"),
            }
        }
    }
}
