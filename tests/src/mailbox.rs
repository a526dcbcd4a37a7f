//! A program that is told of something over HTTP: a chat, an error tracker, anybody's webhook.
//!
//! It answers each letter with the status that it was set to, and keeps all.

use crate::rpc_proxy::http::{Message, read_message};
use anyhow::Result;
use serde_json::Value as Json;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::{
    io::BufReader,
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

/// What was posted.
#[derive(Debug, Clone)]
pub struct Letter {
    /// The first line and the headers.
    pub head: String,
    /// The body.
    pub body: String,
    /// What was answered.
    pub status: u16,
}

impl Letter {
    /// A header's value.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().filter_map(|line| line.split_once(':'));
        lines.filter(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim()).next()
    }

    /// The body's lines as JSON.
    #[must_use]
    pub fn lines(&self) -> Vec<Json> {
        self.body.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }
}

#[derive(Debug)]
struct State {
    status: u16,
    letters: Vec<Letter>,
}

/// The program. Ends when dropped.
#[derive(Debug)]
pub struct Mailbox {
    /// Where it listens: host and port.
    pub address: String,
    state: Arc<Mutex<State>>,
    task: JoinHandle<()>,
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Mailbox {
    /// Opens one that takes everything.
    ///
    /// # Errors
    /// When there is no free port.
    pub async fn open() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?.to_string();
        let state = Arc::new(Mutex::new(State { status: 200, letters: vec![] }));
        let shared = Arc::clone(&state);
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&shared)));
            }
        });
        Ok(Self { address, state, task })
    }

    /// Answers with this status from now on.
    pub fn answer(&self, status: u16) {
        lock(&self.state).status = status;
    }

    /// Everything that came.
    #[must_use]
    pub fn letters(&self) -> Vec<Letter> {
        lock(&self.state).letters.clone()
    }

    /// What was taken: answered with 200.
    #[must_use]
    pub fn taken(&self) -> Vec<Letter> {
        self.letters().into_iter().filter(|letter| letter.status == 200).collect()
    }
}

impl Drop for Mailbox {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(stream: TcpStream, state: Arc<Mutex<State>>) -> Result<()> {
    let mut stream = BufReader::new(stream);
    while let Some(message) = read_message(&mut stream).await? {
        let status = {
            let mut state = lock(&state);
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            let letter = Letter { head: text(&message.head), body: text(&message.body), status: state.status };
            state.letters.push(letter);
            state.status
        };
        Message::answer(status, "", "").write(stream.get_mut()).await?;
    }
    Ok(())
}
