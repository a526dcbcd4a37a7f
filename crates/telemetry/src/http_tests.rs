//! The server as a client sees it, over real sockets.

use super::*;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::task::JoinHandle;

struct Echo;

impl Pages for Echo {
    fn page<'a>(&'a self, path: &'a str, query: &'a str) -> Answer<'a> {
        Box::pin(async move { Page::text(200, format!("{path} {query}")) })
    }
}

async fn server() -> (SocketAddr, JoinHandle<Infallible>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    (listener.local_addr().unwrap(), tokio::spawn(serve(listener, Arc::new(Echo))))
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

#[test]
fn names_of_this_host() {
    for (host, is) in [
        ("localhost", true),
        ("localhost:9184", true),
        ("127.0.0.1:1", true),
        ("127.8.9.1", true),
        ("[::1]:9184", true),
        ("[::1]", true),
        ("localhost.example", false),
        ("localhost:", false),
        ("localhost:port", false),
        ("10.0.0.1:9184", false),
        ("0.0.0.0", false),
        ("[::]:1", false),
        ("", false),
        ("127.0.0.1@example", false),
    ] {
        assert_eq!(is_this_host(host), is, "{host}");
    }
}
