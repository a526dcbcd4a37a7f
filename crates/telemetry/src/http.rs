//! A small HTTP/1.1 server for pages that are only looked at.
//!
//! Invariants: only GET and HEAD are answered, bodies are never read; heads, connections and their lives are limited,
//! whoever is slow is cut off; on a loopback address only requests that name this host are answered, so that no page of
//! the web can reach it under a name of its own (DNS rebinding); no answer may be kept, framed or read by another site.
//!
//! Left alone: encryption and log-ins, which belong to a reverse proxy.

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// Most connections at a time; further ones wait.
const CONNECTIONS: usize = 64;

/// Longest time without a complete head of a request.
const HEAD_LIMIT: Duration = Duration::from_secs(30);

/// A connection that is older is closed behind the answer under way.
const LIFE: Duration = Duration::from_secs(300);

/// Longest wait for that answer to be taken.
const LAST_ANSWER: Duration = Duration::from_secs(10);

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
    /// The body.
    pub body: Vec<u8>,
}

impl Page {
    /// Plain text.
    #[must_use]
    pub fn text(status: u16, text: impl Into<String>) -> Self {
        let body = text.into().into_bytes();
        Self { status, content_type: "text/plain; charset=utf-8", content_policy: None, body }
    }

    /// JSON that is written already.
    #[must_use]
    pub fn json(status: u16, json: impl Into<String>) -> Self {
        Self { content_type: "application/json", ..Self::text(status, json) }
    }
}

/// An answer that is being made.
pub type Answer<'a> = Pin<Box<dyn Future<Output = Page> + Send + 'a>>;

/// Whoever knows the pages.
pub trait Pages: Send + Sync + 'static {
    /// The answer for a path and its query, which is empty if there is none.
    fn page<'a>(&'a self, path: &'a str, query: &'a str) -> Answer<'a>;
}

/// Serves until the caller drops this.
pub async fn serve(listener: TcpListener, pages: Arc<dyn Pages>) -> Infallible {
    let only_this_host = listener.local_addr().is_ok_and(|address| address.ip().is_loopback());
    let room = Arc::new(Semaphore::new(CONNECTIONS));
    let mut open = JoinSet::new();
    loop {
        // Nobody closes the semaphore.
        let Ok(place) = Arc::clone(&room).acquire_owned().await else { return std::future::pending().await };
        match listener.accept().await {
            Ok((stream, peer)) => {
                let pages = Arc::clone(&pages);
                open.spawn(async move {
                    talk(stream, peer, pages, only_this_host).await;
                    drop(place);
                });
            }
            Err(error) => {
                tracing::debug!(%error, "a connection was not taken");
                tokio::time::sleep(PAUSE).await;
            }
        }
        while open.try_join_next().is_some() {}
    }
}

async fn talk(stream: TcpStream, peer: SocketAddr, pages: Arc<dyn Pages>, only_this_host: bool) {
    let service = service_fn(move |request: Request<Incoming>| {
        let pages = Arc::clone(&pages);
        async move { Ok::<_, Infallible>(answer(&request, &*pages, only_this_host).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_LIMIT)
        .max_buf_size(HEAD_BYTES)
        .max_headers(HEADERS)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = tokio::time::sleep(LIFE) => {
            connection.as_mut().graceful_shutdown();
            tokio::time::timeout(LAST_ANSWER, connection).await.unwrap_or(Ok(()))
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%peer, %error, "a connection broke");
    }
}

async fn answer(request: &Request<Incoming>, pages: &dyn Pages, only_this_host: bool) -> Response<Full<Bytes>> {
    let page = if only_this_host && !names_this_host(request.headers()) {
        Page::text(421, "this page is for this host alone: ask for it as localhost or 127.0.0.1\n")
    } else if request.method() == Method::GET || request.method() == Method::HEAD {
        let uri = request.uri();
        pages.page(uri.path(), uri.query().unwrap_or_default()).await
    } else {
        Page::text(405, "this is only to be looked at: use GET\n")
    };
    response(page)
}

fn response(page: Page) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(page.body)));
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

/// Whether the one `Host` is a name of this host, under whatever port: a tunnel may end at another one.
fn names_this_host(headers: &HeaderMap) -> bool {
    let mut hosts = headers.get_all(header::HOST).iter();
    let (Some(host), None) = (hosts.next(), hosts.next()) else { return false };
    host.to_str().is_ok_and(is_this_host)
}

fn is_this_host(host: &str) -> bool {
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
    name.eq_ignore_ascii_case("localhost") || address.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
#[path = "http_tests.rs"]
mod tests;
