//! A stretch of network that breaks at a chosen moment.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// Where the next commit is cut off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cut {
    Nothing = 0,
    /// The server never hears of it.
    Before = 1,
    /// The server carries it out; its answer is lost.
    After = 2,
    /// The server never hears of it, and from then on nobody gets through.
    Off = 3,
    /// The server hears of it, and the connection ends before it has answered.
    Under = 5,
}

/// A commit was cut by [`Cut::Off`].
const OFF: u8 = 4;

/// A commit was cut by [`Cut::Under`].
const UNDER: u8 = 6;

/// Passes everything on, until it is told to cut.
pub(crate) struct Proxy {
    pub(crate) port: u16,
    cut: Arc<AtomicU8>,
}

impl Proxy {
    pub(crate) async fn start(server: (String, u16)) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (port, cut) = (listener.local_addr().unwrap().port(), Arc::new(AtomicU8::new(0)));
        let shared = Arc::clone(&cut);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let is_off = shared.load(Ordering::SeqCst) == OFF;
                if !is_off && let Ok(server) = TcpStream::connect(server.clone()).await {
                    tokio::spawn(carry(client, server, Arc::clone(&shared)));
                }
            }
        });
        Self { port, cut }
    }

    /// Cuts the next commit, once; [`Cut::Nothing`] lets everybody through again.
    pub(crate) fn cut(&self, at: Cut) {
        self.cut.store(at as u8, Ordering::SeqCst);
    }

    /// Whether a commit was cut by [`Cut::Off`] or [`Cut::Under`].
    pub(crate) fn has_cut(&self) -> bool {
        [OFF, UNDER].contains(&self.cut.load(Ordering::SeqCst))
    }
}

async fn carry(client: TcpStream, server: TcpStream, cut: Arc<AtomicU8>) {
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let (mut asked, mut said) = (vec![0; 65_536], vec![0; 65_536]);
    let mut deaf = false;
    loop {
        tokio::select! {
            read = from_client.read(&mut asked) => {
                let Ok(length @ 1..) = read else { return };
                let commits = asked[..length].windows(7).any(|word| word == b"COMMIT\0");
                let at = if commits { cut.swap(0, Ordering::SeqCst) } else { 0 };
                if at == Cut::Before as u8 {
                    return;
                }
                if at == Cut::Off as u8 {
                    cut.store(OFF, Ordering::SeqCst);
                    return;
                }
                to_server.write_all(&asked[..length]).await.unwrap();
                if at == Cut::Under as u8 {
                    cut.store(UNDER, Ordering::SeqCst);
                    return;
                }
                deaf |= at == Cut::After as u8;
            }
            read = from_server.read(&mut said) => {
                let Ok(length @ 1..) = read else { return };
                if deaf {
                    return;
                }
                to_client.write_all(&said[..length]).await.unwrap();
            }
        }
    }
}
