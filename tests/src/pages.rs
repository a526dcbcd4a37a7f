//! The pages that a facilitator serves, as whoever asks for them sees them.

use crate::operator::Operator;
use anyhow::{Context as _, Result, ensure};
use serde_json::{Value as Json, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

/// Longest wait for an answer.
const LIMIT: Duration = Duration::from_secs(20);

/// Where they are served.
#[derive(Debug, Clone, Copy)]
pub struct Pages {
    /// The address.
    pub address: SocketAddr,
}

/// An answer.
#[derive(Debug, Clone)]
pub struct Reply {
    /// Status code.
    pub status: u16,
    /// First line and headers.
    pub head: String,
    /// The body.
    pub body: String,
}

/// Metrics by name and labels, as they stand in the text.
#[derive(Debug, Clone)]
pub struct Metrics(pub BTreeMap<String, String>);

impl Metrics {
    /// A sample as text.
    ///
    /// # Errors
    /// When there is none.
    pub fn get(&self, sample: &str) -> Result<&str> {
        self.0.get(sample).map(String::as_str).with_context(|| format!("no {sample} in {:#?}", self.0))
    }

    /// The names of all metrics, without labels.
    #[must_use]
    pub fn names(&self) -> BTreeSet<&str> {
        self.0.keys().filter_map(|sample| sample.split('{').next()).collect()
    }

    /// The samples of one metric, by their labels.
    #[must_use]
    pub fn of<'a>(&'a self, name: &str) -> Vec<(&'a str, &'a str)> {
        let own = |(sample, value): (&'a String, &'a String)| {
            let labels = sample.strip_prefix(name)?;
            (labels.is_empty() || labels.starts_with('{')).then_some((labels, value.as_str()))
        };
        self.0.iter().filter_map(own).collect()
    }
}

impl Pages {
    /// Has the operator serve them at a free port from the next start on.
    ///
    /// # Errors
    /// When there is no free port, or the config can't be written.
    pub async fn configure(operator: &Operator) -> Result<Self> {
        let address = TcpListener::bind("127.0.0.1:0").await?.local_addr()?;
        operator.edit_config(|config| config["metrics"] = json!({ "listen": address.port() }))?;
        Ok(Self { address })
    }

    /// Sends a request and takes the answer.
    ///
    /// # Errors
    /// When nobody answers, or nonsense.
    pub async fn ask(&self, method: &str, path: &str, host: &str) -> Result<Reply> {
        let request = format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        let answer = async {
            let mut stream = TcpStream::connect(self.address).await?;
            stream.write_all(request.as_bytes()).await?;
            let mut bytes = Vec::new();
            stream.read_to_end(&mut bytes).await?;
            anyhow::Ok(String::from_utf8(bytes)?)
        };
        let said = tokio::time::timeout(LIMIT, answer).await.with_context(|| format!("no answer for {path}"))??;
        let (head, body) = said.split_once("\r\n\r\n").with_context(|| format!("no answer: {said}"))?;
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).context("no status")?;
        ensure!(!head.to_lowercase().contains("transfer-encoding"), "in pieces: {head}");
        Ok(Reply { status, head: head.to_owned(), body: body.to_owned() })
    }

    /// A page.
    ///
    /// # Errors
    /// When nobody answers.
    pub async fn get(&self, path: &str) -> Result<Reply> {
        self.ask("GET", path, &self.address.to_string()).await
    }

    /// A page of JSON that must be there.
    ///
    /// # Errors
    /// When it isn't.
    pub async fn json(&self, path: &str) -> Result<Json> {
        let reply = self.get(path).await?;
        ensure!(reply.status == 200, "{path}: {reply:?}");
        Ok(serde_json::from_str(&reply.body)?)
    }

    /// The metrics.
    ///
    /// # Errors
    /// When they can't be read, or stand there twice.
    pub async fn metrics(&self) -> Result<Metrics> {
        let reply = self.get("/metrics").await?;
        ensure!(reply.status == 200 && reply.head.contains("text/plain; version=0.0.4"), "{reply:?}");
        let mut metrics = BTreeMap::new();
        for line in reply.body.lines().filter(|line| !line.starts_with('#')) {
            let (sample, value) = line.rsplit_once(' ').with_context(|| format!("no sample: {line}"))?;
            ensure!(value.parse::<f64>().is_ok(), "no number: {line}");
            ensure!(metrics.insert(sample.to_owned(), value.to_owned()).is_none(), "twice: {line}");
        }
        Ok(Metrics(metrics))
    }

    /// Waits until they are served.
    ///
    /// # Errors
    /// When they aren't within `limit`.
    pub async fn wait(&self, limit: Duration) -> Result<()> {
        let served = async {
            while !self.get("/healthz").await.is_ok_and(|reply| reply.status == 200) {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        tokio::time::timeout(limit, served).await.context("no pages are served")
    }
}
