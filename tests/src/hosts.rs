//! A host of its own for an instance: nodes and database are reached over roads that can be cut, and where the machine
//! allows it, out of a network namespace whose only link can be taken down.
//!
//! A cut is silent, as a pulled cable is: nothing arrives and nobody is told. What was under way arrives after it.

use anyhow::{Context as _, Result, ensure};
use serde_json::Value as Json;
use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    process::{Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinHandle,
};

/// How many namespaces this process has made.
static MADE: AtomicU8 = AtomicU8::new(0);

/// A host beside this one.
#[derive(Debug)]
pub struct Host {
    namespace: Option<Namespace>,
    roads: Vec<Road>,
}

impl Host {
    /// A host from which these places, each with host and port, can be reached.
    ///
    /// # Errors
    /// When there is no room for it, or no port.
    pub async fn new(places: &[String]) -> Result<Self> {
        let namespace = Namespace::allowed().then(Namespace::new).transpose()?;
        let at = namespace.as_ref().map_or(Ipv4Addr::LOCALHOST, |namespace| namespace.outside);
        let mut roads = Vec::new();
        for place in places {
            roads.push(Road::start(at.into(), place).await?);
        }
        Ok(Self { namespace, roads })
    }

    /// Its namespace, if it has one.
    pub(crate) fn namespace(&self) -> Option<&str> {
        self.namespace.as_ref().map(|namespace| namespace.name.as_str())
    }

    /// Has a facilitator config name the roads instead of the places where they lead.
    pub(crate) fn rewrite(&self, config: &mut Json) {
        match config {
            Json::String(text) => {
                let place = place_of(text);
                if let Some(road) = self.roads.iter().find(|road| road.to == place) {
                    *text = text.replace(&place, &road.address.to_string());
                }
            }
            Json::Array(items) => items.iter_mut().for_each(|item| self.rewrite(item)),
            Json::Object(fields) => fields.values_mut().for_each(|field| self.rewrite(field)),
            Json::Null | Json::Bool(_) | Json::Number(_) => {}
        }
    }

    /// From now on nothing passes, in either direction.
    ///
    /// # Errors
    /// When the link can't be taken down.
    pub fn cut(&self) -> Result<()> {
        self.set_open(false)
    }

    /// Everything passes again.
    ///
    /// # Errors
    /// When the link can't be brought up.
    pub fn mend(&self) -> Result<()> {
        self.set_open(true)
    }

    fn set_open(&self, open: bool) -> Result<()> {
        match &self.namespace {
            Some(namespace) => namespace.set_up(open),
            None => {
                for road in &self.roads {
                    road.open.send_replace(open);
                }
                Ok(())
            }
        }
    }
}

/// A way to one place.
#[derive(Debug)]
struct Road {
    to: String,
    address: SocketAddr,
    open: Arc<watch::Sender<bool>>,
    task: JoinHandle<()>,
}

impl Road {
    async fn start(at: IpAddr, to: &str) -> Result<Self> {
        let listener = TcpListener::bind((at, 0)).await?;
        let address = listener.local_addr()?;
        let open = Arc::new(watch::Sender::new(true));
        let (place, watched) = (to.to_owned(), open.subscribe());
        let task = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                // A connection that breaks off is for its ends to notice.
                let carrying = carry(client, place.clone(), watched.clone());
                tokio::spawn(async move { drop(carrying.await) });
            }
        });
        Ok(Self { to: to.to_owned(), address, open, task })
    }
}

impl Drop for Road {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn carry(client: TcpStream, to: String, mut open: watch::Receiver<bool>) -> Result<()> {
    open.wait_for(|open| *open).await?;
    let place = TcpStream::connect(to).await?;
    for stream in [&client, &place] {
        stream.set_nodelay(true)?;
    }
    let (from_client, to_client) = client.into_split();
    let (from_place, to_place) = place.into_split();
    tokio::try_join!(pass(from_client, to_place, open.clone()), pass(from_place, to_client, open))?;
    Ok(())
}

async fn pass(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    mut open: watch::Receiver<bool>,
) -> Result<()> {
    let mut bytes = vec![0; 16_384];
    loop {
        let length = from.read(&mut bytes).await?;
        open.wait_for(|open| *open).await?;
        if length == 0 {
            to.shutdown().await?;
            return Ok(());
        }
        to.write_all(bytes.get(..length).context("more than was room for")?).await?;
    }
}

/// A network namespace with one link to this host.
#[derive(Debug)]
struct Namespace {
    name: String,
    link: String,
    /// This host's address on the link.
    outside: Ipv4Addr,
}

impl Namespace {
    /// Whether this machine lets us make one.
    fn allowed() -> bool {
        static ALLOWED: std::sync::OnceLock<bool> = std::sync::OnceLock::new();
        *ALLOWED.get_or_init(|| {
            let name = format!("fct{}", std::process::id());
            ip(&["netns", "add", &name]).is_ok() && ip(&["netns", "delete", &name]).is_ok()
        })
    }

    fn new() -> Result<Self> {
        let (pid, number) = (std::process::id(), MADE.fetch_add(1, Ordering::Relaxed));
        let [.., high, low] = pid.to_be_bytes();
        // One of the networks of four addresses, by the process and how many it has made.
        let at = |last: u8| Ipv4Addr::new(10, 128 | (high & 0x7f), low, number.wrapping_mul(4).wrapping_add(last));
        let made = Self { name: format!("fc{pid}-{number}"), link: format!("fc{pid}-{number}"), outside: at(1) };
        let (name, link) = (made.name.as_str(), made.link.as_str());
        let (outside, inside) = (format!("{}/30", at(1)), format!("{}/30", at(2)));
        ip(&["netns", "add", name])?;
        ip(&["link", "add", link, "type", "veth", "peer", "name", "eth0", "netns", name])?;
        ip(&["address", "add", &outside, "dev", link])?;
        ip(&["-netns", name, "address", "add", &inside, "dev", "eth0"])?;
        ip(&["-netns", name, "link", "set", "lo", "up"])?;
        ip(&["-netns", name, "link", "set", "eth0", "up"])?;
        made.set_up(true)?;
        Ok(made)
    }

    fn set_up(&self, up: bool) -> Result<()> {
        ip(&["link", "set", &self.link, if up { "up" } else { "down" }])
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        // Its link goes with it. What can't be removed is no reason for a test to fail.
        let _left = ip(&["netns", "delete", &self.name]);
    }
}

fn ip(arguments: &[&str]) -> Result<()> {
    let said = Command::new("ip").args(arguments).stdin(Stdio::null()).output().context("ip (iproute2)")?;
    ensure!(said.status.success(), "ip {arguments:?}: {}", String::from_utf8_lossy(&said.stderr).trim_end());
    Ok(())
}

/// Host and port of a URL.
#[must_use]
pub fn place_of(url: &str) -> String {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let rest = rest.split('/').next().unwrap_or(rest);
    rest.rsplit_once('@').map_or(rest, |(_, place)| place).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn places_are_found_in_urls() {
        assert_eq!(place_of("http://127.0.0.1:8545"), "127.0.0.1:8545");
        assert_eq!(place_of("postgres://tester@127.0.0.1:5432/postgres?x=/"), "127.0.0.1:5432");
    }

    #[tokio::test]
    async fn what_is_said_during_a_cut_arrives_after_it() -> Result<()> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let place = listener.local_addr()?.to_string();
        let host = Host { namespace: None, roads: vec![Road::start(Ipv4Addr::LOCALHOST.into(), &place).await?] };
        let mut config = json!({ "chains": { "3": { "rpc": [format!("http://{place}")] } } });
        host.rewrite(&mut config);
        let address = host.roads[0].address;
        assert_eq!(config["chains"]["3"]["rpc"][0], format!("http://{address}"));
        let mut near = TcpStream::connect(address).await?;
        let (mut far, _) = listener.accept().await?;
        near.write_all(b"a").await?;
        assert_eq!(far.read_u8().await?, b'a');
        host.cut()?;
        near.write_all(b"b").await?;
        let pause = std::time::Duration::from_millis(200);
        assert!(tokio::time::timeout(pause, far.read_u8()).await.is_err(), "nothing passes");
        host.mend()?;
        assert_eq!(far.read_u8().await?, b'b');
        Ok(())
    }
}
