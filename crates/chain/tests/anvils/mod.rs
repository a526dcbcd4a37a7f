//! A real node, the pinned anvil that `scripts/devnet-tools` installs.
#![allow(dead_code, unreachable_pub, missing_docs, reason = "each test file uses another part of it")]

use facilitator_chain::{
    rpc::{Rpc, RpcOptions},
    scan::fetch_chain_id,
};
use std::{
    net::TcpListener,
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::Duration,
};

pub struct Anvil {
    pub url: String,
    pub rpc: Rpc,
    port: u16,
    fork: String,
    child: Child,
}

impl Drop for Anvil {
    fn drop(&mut self) {
        self.stop();
    }
}

fn binary() -> Option<PathBuf> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../node_modules/@foundry-rs");
    let found = std::fs::read_dir(folder).ok()?.flatten().map(|entry| entry.path().join("bin/anvil"));
    found.into_iter().find(|path| path.is_file())
}

fn spawn(port: u16, fork: &str) -> Option<Child> {
    let Some(binary) = binary() else {
        eprintln!("anvil is not installed, run scripts/devnet-tools: skipped");
        return None;
    };
    let mut command = Command::new(binary);
    command.args(["--port", &port.to_string(), "--hardfork", fork, "--silent", "--chain-id", "1407"]);
    Some(command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
}

impl Anvil {
    pub async fn start(fork: &str) -> Option<Self> {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let child = spawn(port, fork)?;
        let url = format!("http://127.0.0.1:{port}");
        let rpc = Rpc::new(&url, RpcOptions::default()).unwrap();
        let anvil = Self { url, rpc, port, fork: fork.to_owned(), child };
        anvil.answers().await;
        Some(anvil)
    }

    pub fn stop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// A new chain at the same address.
    pub async fn start_again(&mut self) {
        self.child = spawn(self.port, &self.fork).unwrap();
        self.answers().await;
    }

    async fn answers(&self) {
        for _ in 0..400 {
            if fetch_chain_id(&self.rpc).await.is_ok() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        panic!("anvil does not answer");
    }
}
