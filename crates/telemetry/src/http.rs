//! A small HTTP/1.1 server for pages that are only looked at.
//!
//! Invariants: only GET and HEAD are answered, bodies are never read; heads, connections, those of one peer and their
//! lives are limited, whoever is slow to ask or to take an answer is cut off; only requests by known names are answered
//! (see [`Hosts`]), and none that another site's page makes; no answer may be kept, framed or read by another site.
//!
//! Left alone: encryption and log-ins, which belong to a reverse proxy.

mod hosts;
mod paced;
mod peers;

pub use hosts::Hosts;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use paced::Paced;
use peers::Peers;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// How many are served at a time, and how long each may take.
#[derive(Debug, Clone, Copy)]
struct Limits {
    /// Most connections; further ones wait.
    connections: usize,
    /// Most of them from one address; further ones are closed. A reverse proxy is one address.
    of_a_peer: usize,
    /// Longest time without a complete head of a request.
    head: Duration,
    /// Longest time in which nothing of an answer is taken.
    write: Duration,
    /// A connection that is older is closed behind the answer under way.
    life: Duration,
    /// Longest wait for that answer to be taken.
    last_answer: Duration,
}

const LIMITS: Limits = Limits {
    connections: 64,
    of_a_peer: 32,
    head: Duration::from_secs(10),
    write: Duration::from_secs(10),
    life: Duration::from_secs(300),
    last_answer: Duration::from_secs(10),
};

/// Longest head of a request in bytes, and most headers in it.
const HEAD_BYTES: usize = 16 * 1024;
const HEADERS: usize = 64;

/// Pause after the system refused a connection: it may have run out of files.
const PAUSE: Duration = Duration::from_millis(100);

/// What a browser may do with an answer that is no page: nothing.
const NO_CONTENT_POLICY: &str = "default-src 'none'; frame-ancestors 'none'";

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// Status code.
    pub status: u16,
    /// Its media type.
    pub content_type: &'static str,
    /// What a browser may load and run for it; nothing if not given.
    pub content_policy: Option<String>,
    /// The body; cheap to clone.
    pub body: Bytes,
}

impl Page {
    /// Plain text.
    #[must_use]
    pub fn text(status: u16, text: impl Into<String>) -> Self {
        let body = Bytes::from(text.into());
        Self { status, content_type: "text/plain; charset=utf-8", content_policy: None, body }
    }

    /// JSON that is written already.
    #[must_use]
    pub fn json(status: u16, json: impl Into<Bytes>) -> Self {
        Self { status, content_type: "application/json", content_policy: None, body: json.into() }
    }
}

/// An answer that is being made.
pub type Answer<'a> = Pin<Box<dyn Future<Output = Page> + Send + 'a>>;

/// Whoever knows the pages.
pub trait Pages: Send + Sync + 'static {
    /// The answer for a path and its query, which is empty if there is none.
    fn page<'a>(&'a self, path: &'a str, query: &'a str) -> Answer<'a>;
}

/// Serves until the caller drops this. `hosts`: as whom it is asked.
pub async fn serve(listener: TcpListener, pages: Arc<dyn Pages>, hosts: Hosts) -> Infallible {
    serve_within(listener, pages, hosts, LIMITS).await
}

async fn serve_within(listener: TcpListener, pages: Arc<dyn Pages>, hosts: Hosts, limits: Limits) -> Infallible {
    let hosts = Arc::new(hosts);
    let room = Arc::new(Semaphore::new(limits.connections));
    let peers = Peers::new(limits.of_a_peer);
    let mut open = JoinSet::new();
    loop {
        // Nobody closes the semaphore.
        let Ok(place) = Arc::clone(&room).acquire_owned().await else { return std::future::pending().await };
        match listener.accept().await {
            Ok((stream, peer)) => match peers.admit(peer.ip()) {
                None => tracing::debug!(%peer, "a connection was closed: this peer has too many"),
                Some(admitted) => {
                    let (pages, hosts) = (Arc::clone(&pages), Arc::clone(&hosts));
                    open.spawn(async move {
                        talk(stream, peer, pages, hosts, limits).await;
                        drop((admitted, place));
                    });
                }
            },
            Err(error) => {
                tracing::debug!(%error, "a connection was not taken");
                tokio::time::sleep(PAUSE).await;
            }
        }
        while open.try_join_next().is_some() {}
    }
}

async fn talk(stream: TcpStream, peer: SocketAddr, pages: Arc<dyn Pages>, hosts: Arc<Hosts>, limits: Limits) {
    let service = service_fn(move |request: Request<Incoming>| {
        let (pages, hosts) = (Arc::clone(&pages), Arc::clone(&hosts));
        async move { Ok::<_, Infallible>(answer(&request, &*pages, &hosts).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head)
        .max_buf_size(HEAD_BYTES)
        .max_headers(HEADERS)
        .serve_connection(TokioIo::new(Paced::new(stream, limits.write)), service);
    let mut connection = pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = tokio::time::sleep(limits.life) => {
            connection.as_mut().graceful_shutdown();
            tokio::time::timeout(limits.last_answer, connection).await.unwrap_or(Ok(()))
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%peer, %error, "a connection broke");
    }
}

async fn answer(request: &Request<Incoming>, pages: &dyn Pages, hosts: &Hosts) -> Response<Full<Bytes>> {
    let page = if !hosts.include(request.headers()) {
        Page::text(421, hosts.refusal())
    } else if comes_from_elsewhere(request.headers()) {
        Page::text(403, "this page is not for the pages of other sites: open it by itself\n")
    } else if request.method() == Method::GET || request.method() == Method::HEAD {
        let uri = request.uri();
        pages.page(uri.path(), uri.query().unwrap_or_default()).await
    } else {
        Page::text(405, "this is only to be looked at: use GET\n")
    };
    response(page)
}

/// Whether a browser says that the page of another site asks. Following a link from there is no such thing, and whoever
/// is no browser does not say.
fn comes_from_elsewhere(headers: &HeaderMap) -> bool {
    let said = |name: &str| headers.get(name).map(|value| value.as_bytes().to_ascii_lowercase());
    let Some(site) = said("sec-fetch-site") else { return false };
    let is_own = site == b"same-origin" || site == b"none";
    let is_link = said("sec-fetch-mode").is_some_and(|mode| mode == b"navigate")
        && said("sec-fetch-dest").is_some_and(|dest| dest == b"document");
    !is_own && !is_link
}

fn response(page: Page) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(page.body));
    *response.status_mut() = StatusCode::from_u16(page.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let policy = page.content_policy.as_deref().unwrap_or(NO_CONTENT_POLICY);
    let policy = HeaderValue::from_str(policy).unwrap_or(HeaderValue::from_static(NO_CONTENT_POLICY));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(page.content_type));
    headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    for (name, value) in [
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "no-referrer"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if page.status == 405 {
        headers.insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
    }
    response
}

#[cfg(test)]
#[path = "http_tests.rs"]
mod tests;
