//! The server as a client sees it, over real sockets.

use super::*;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::task::JoinHandle;

/// Limits that a test need not wait for long.
const SHORT: Limits = Limits {
    connections: 8,
    of_a_peer: 2,
    head: Duration::from_millis(100),
    write: Duration::from_millis(100),
    ..LIMITS
};

/// More than the buffers of both ends take.
const LARGE: usize = 64 << 20;

struct Echo;

impl Pages for Echo {
    fn page<'a>(&'a self, path: &'a str, query: &'a str) -> Answer<'a> {
        Box::pin(async move {
            match path {
                "/large" => Page::text(200, "x".repeat(LARGE)),
                _ => Page::text(200, format!("{path} {query}")),
            }
        })
    }
}

async fn server() -> (SocketAddr, JoinHandle<Infallible>) {
    server_within("127.0.0.1:0", LIMITS).await
}

async fn server_within(address: &str, limits: Limits) -> (SocketAddr, JoinHandle<Infallible>) {
    let listener = TcpListener::bind(address).await.unwrap();
    let address = listener.local_addr().unwrap();
    let hosts = Hosts::of(address, ["ops.example".to_owned()]);
    (address, tokio::spawn(serve_within(listener, Arc::new(Echo), hosts, limits)))
}

/// What comes back until the server closes; one that closes early may take its answer with it.
async fn send(to: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(to).await.unwrap();
    let mut said = Vec::new();
    if stream.write_all(request.as_bytes()).await.is_ok() {
        let _cut_off = stream.read_to_end(&mut said).await;
    }
    String::from_utf8(said).unwrap()
}

async fn ask(to: SocketAddr, method: &str, host: &str) -> String {
    send(to, &format!("{method} /a?b=c HTTP/1.1\r\n{host}Connection: close\r\n\r\n")).await
}

#[tokio::test]
async fn it_is_looked_at_by_this_host_alone_and_nothing_else() {
    let (to, serving) = server().await;
    let own = format!("Host: {to}\r\n");
    for (method, host, status, body) in [
        ("GET", own.as_str(), 200, "/a b=c"),
        ("GET", "Host: LOCALHOST\r\n", 200, "/a b=c"),
        ("GET", "Host: ops.example\r\n", 200, "/a b=c"),
        ("HEAD", own.as_str(), 200, ""),
        ("POST", own.as_str(), 405, "use GET"),
        ("DELETE", own.as_str(), 405, "use GET"),
        ("OPTIONS", own.as_str(), 405, "use GET"),
        ("GET", "Host: rebound.example\r\n", 421, "localhost"),
        ("GET", "Host: 127.0.0.1.example:80\r\n", 421, "localhost"),
        ("GET", "", 421, "localhost"),
        ("GET", "Host: localhost\r\nHost: rebound.example\r\n", 421, "localhost"),
    ] {
        let said = ask(to, method, host).await;
        let (head, found) = said.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{method} {host}: {said}");
        assert!(if body.is_empty() { found.is_empty() } else { found.contains(body) }, "{method} {host}: {said}");
        for header in ["content-security-policy: default-src 'none'", "x-content-type-options: nosniff", "no-store"] {
            assert!(head.contains(header), "{header}: {head}");
        }
    }
    serving.abort();
}

#[tokio::test]
async fn heads_without_end_are_cut_off() {
    let (to, serving) = server().await;
    let many = (0..2 * HEADERS).map(|number| format!("X-{number}: 1\r\n")).collect::<String>();
    let long = format!("X: {}\r\n", "1".repeat(2 * HEAD_BYTES));
    for headers in [many, long] {
        let said = send(to, &format!("GET / HTTP/1.1\r\nHost: localhost\r\n{headers}Connection: close\r\n\r\n")).await;
        assert!(said.is_empty() || said.starts_with("HTTP/1.1 431 "), "{said}");
    }
    let said = ask(to, "GET", "Host: localhost\r\n").await;
    assert!(said.starts_with("HTTP/1.1 200 "), "others are answered as before: {said}");
    serving.abort();
}

#[tokio::test]
async fn beyond_loopback_too_only_known_names_are_answered() {
    let (to, serving) = server_within("0.0.0.0:0", LIMITS).await;
    let to = SocketAddr::from(([127, 0, 0, 1], to.port()));
    for (host, status) in [("192.0.2.7:9184", 200), ("ops.example", 200), ("rebound.example", 421)] {
        let said = ask(to, "GET", &format!("Host: {host}\r\n")).await;
        assert!(said.starts_with(&format!("HTTP/1.1 {status} ")), "{host}: {said}");
    }
    serving.abort();
}

#[tokio::test]
async fn the_page_of_another_site_gets_nothing_but_a_link_from_there_leads_here() {
    let (to, serving) = server().await;
    for (site, mode, dest, status) in [
        ("same-origin", "cors", "empty", 200),
        ("none", "navigate", "document", 200),
        ("cross-site", "navigate", "document", 200),
        ("cross-site", "cors", "empty", 403),
        ("cross-site", "no-cors", "image", 403),
        ("same-site", "no-cors", "script", 403),
        ("cross-site", "navigate", "iframe", 403),
    ] {
        let headers = format!(
            "Host: localhost\r\nSec-Fetch-Site: {site}\r\nSec-Fetch-Mode: {mode}\r\nSec-Fetch-Dest: {dest}\r\n"
        );
        let said = ask(to, "GET", &headers).await;
        assert!(said.starts_with(&format!("HTTP/1.1 {status} ")), "{site} {mode} {dest}: {said}");
    }
    serving.abort();
}

/// Everything until the other end closes or breaks; fails if it never does.
async fn drain(stream: &mut TcpStream) -> usize {
    let mut said = Vec::new();
    let ended = tokio::time::timeout(Duration::from_secs(60), stream.read_to_end(&mut said)).await;
    let _closed_or_broken = ended.expect("the connection was never ended");
    said.len()
}

#[tokio::test]
async fn whoever_is_slow_to_ask_is_cut_off() {
    let (to, serving) = server_within("127.0.0.1:0", SHORT).await;
    for begun in ["", "GET / HTTP/1.1\r\nHost: loc"] {
        let mut stream = TcpStream::connect(to).await.unwrap();
        stream.write_all(begun.as_bytes()).await.unwrap();
        drain(&mut stream).await;
    }
    // Between two requests too.
    let mut stream = TcpStream::connect(to).await.unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    assert!(drain(&mut stream).await > 0);
    serving.abort();
}

#[tokio::test]
async fn whoever_does_not_take_an_answer_is_cut_off() {
    let (to, serving) = server_within("127.0.0.1:0", SHORT).await;
    let mut lazy = TcpStream::connect(to).await.unwrap();
    lazy.write_all(b"GET /large HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    // A second one does not take its answer either: with both this peer has no further place until they are ended.
    let mut second = TcpStream::connect(to).await.unwrap();
    second.write_all(b"GET /large HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    let start = std::time::Instant::now();
    loop {
        let said = ask(to, "GET", "Host: localhost\r\n").await;
        if said.starts_with("HTTP/1.1 200 ") {
            break;
        }
        assert!(start.elapsed() < Duration::from_secs(60), "never cut off");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(drain(&mut lazy).await < LARGE, "all of it was taken");
    serving.abort();
}

#[tokio::test]
async fn one_peer_alone_can_not_take_all_places() {
    let limits = Limits { head: Duration::from_secs(300), ..SHORT };
    let (to, serving) = server_within("127.0.0.1:0", limits).await;
    let mut held = Vec::new();
    for _ in 0..limits.of_a_peer {
        held.push(TcpStream::connect(to).await.unwrap());
    }
    let mut further = TcpStream::connect(to).await.unwrap();
    assert_eq!(drain(&mut further).await, 0, "one too many");
    // Another address is served meanwhile.
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind(SocketAddr::from(([127, 0, 0, 2], 0))).unwrap();
    let mut other = socket.connect(to).await.unwrap();
    other.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await.unwrap();
    assert!(drain(&mut other).await > 0);
    // And so is the first one, once it lets go of a connection.
    held.pop();
    let start = std::time::Instant::now();
    while !ask(to, "GET", "Host: localhost\r\n").await.starts_with("HTTP/1.1 200 ") {
        assert!(start.elapsed() < Duration::from_secs(60), "its place was never free again");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    serving.abort();
}
