//! A real browser without a screen, driven over its DevTools protocol.
//!
//! Everything that its console says, every exception and every address that it asks are kept, so that a test can look
//! for what should not be there.

use anyhow::{Context as _, Result, bail, ensure};
use futures_util::{
    SinkExt as _, StreamExt as _,
    stream::{SplitSink, SplitStream},
};
use serde_json::{Value as Json, json};
use std::{
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    net::TcpStream,
    process::{Child, Command},
};
use tokio_tungstenite::{WebSocketStream, tungstenite::Message};

/// Longest wait for the browser to come up, and for one answer of it.
const START_LIMIT: Duration = Duration::from_secs(60);
const ANSWER_LIMIT: Duration = Duration::from_secs(60);

/// A browser with one page.
#[derive(Debug)]
pub struct Browser {
    _process: Child,
    _profile: TempDir,
    to: SplitSink<WebSocketStream<TcpStream>, Message>,
    from: SplitStream<WebSocketStream<TcpStream>>,
    session: Option<String>,
    last: u64,
    /// What was written to the console as a warning or an error, exceptions included.
    pub complaints: Vec<String>,
    /// Every address that was asked for.
    pub asked: Vec<String>,
}

/// The browser to use.
async fn program() -> Result<PathBuf> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scripts/browser");
    let found = Command::new(script).stderr(Stdio::inherit()).output().await?;
    ensure!(found.status.success(), "there is no browser: see scripts/browser");
    Ok(String::from_utf8(found.stdout)?.trim().into())
}

impl Browser {
    /// Starts one with an empty page.
    ///
    /// # Errors
    /// When there is none, or it does not come up.
    pub async fn start() -> Result<Self> {
        let profile = tempfile::tempdir()?;
        let mut command = Command::new(program().await?);
        // Tests run as root in containers, where the browser's own sandbox does not work.
        command
            .args(["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"])
            .args(["--disable-background-networking", "--disable-component-update", "--remote-debugging-port=0"])
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .arg("about:blank")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        let mut process = command.spawn()?;
        let errors = process.stderr.take().context("no standard error")?;
        let address = tokio::time::timeout(START_LIMIT, address(errors)).await.context("the browser is not up")??;
        let host = address.strip_prefix("ws://").and_then(|rest| rest.split('/').next()).context("no host")?;
        let stream = TcpStream::connect(host).await?;
        let (socket, _) = tokio_tungstenite::client_async(&address, stream).await?;
        let (to, from) = socket.split();
        let (complaints, asked) = (Vec::new(), Vec::new());
        let mut browser =
            Self { _process: process, _profile: profile, to, from, session: None, last: 0, complaints, asked };
        let target = browser.command("Target.createTarget", json!({ "url": "about:blank" })).await?;
        let attach = json!({ "targetId": target["targetId"], "flatten": true });
        let attached = browser.command("Target.attachToTarget", attach).await?;
        browser.session = attached["sessionId"].as_str().map(str::to_owned);
        for domain in ["Page", "Runtime", "Log", "Network"] {
            browser.command(&format!("{domain}.enable"), json!({})).await?;
        }
        Ok(browser)
    }

    /// Opens an address.
    ///
    /// # Errors
    /// When it can't be opened.
    pub async fn open(&mut self, url: &str) -> Result<()> {
        let opened = self.command("Page.navigate", json!({ "url": url })).await?;
        ensure!(opened["errorText"].is_null(), "{url}: {opened}");
        Ok(())
    }

    /// The value of an expression in the page.
    ///
    /// # Errors
    /// When it throws.
    pub async fn value(&mut self, expression: &str) -> Result<Json> {
        let ask = json!({ "expression": expression, "returnByValue": true, "awaitPromise": true });
        let said = self.command("Runtime.evaluate", ask).await?;
        ensure!(said["exceptionDetails"].is_null(), "{expression}: {}", said["exceptionDetails"]);
        Ok(said["result"]["value"].clone())
    }

    /// Waits until an expression is true in the page.
    ///
    /// # Errors
    /// When it isn't within `limit`: what the page shows.
    pub async fn until(&mut self, expression: &str, limit: Duration) -> Result<()> {
        let start = std::time::Instant::now();
        while self.value(expression).await? != json!(true) {
            if start.elapsed() > limit {
                let shown = self.value("document.body.innerText").await?;
                bail!("never {expression}; the page shows: {shown}\ncomplaints: {:#?}", self.complaints);
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        Ok(())
    }

    /// How people look at it: the colours that they prefer, and the size of their screen.
    ///
    /// # Errors
    /// When the browser refuses.
    pub async fn look_like(&mut self, scheme: &str, width: u32, height: u32) -> Result<()> {
        let media = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
        self.command("Emulation.setEmulatedMedia", media).await?;
        let mobile = width < 600;
        let screen = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": mobile });
        self.command("Emulation.setDeviceMetricsOverride", screen).await.map(drop)
    }

    /// Takes a picture of the whole page as it is.
    ///
    /// # Errors
    /// When it can't be taken or written.
    pub async fn picture(&mut self, file: &Path) -> Result<()> {
        let ask = json!({ "format": "png", "captureBeyondViewport": true });
        let taken = self.command("Page.captureScreenshot", ask).await?;
        let bytes = from_base64(taken["data"].as_str().context("no picture")?)?;
        ensure!(bytes.starts_with(b"\x89PNG"), "no picture");
        Ok(std::fs::write(file, bytes)?)
    }

    async fn command(&mut self, method: &str, parameters: Json) -> Result<Json> {
        self.last += 1;
        let mut message = json!({ "id": self.last, "method": method, "params": parameters });
        if let Some(session) = &self.session {
            message["sessionId"] = json!(session);
        }
        self.to.send(Message::text(message.to_string())).await?;
        let answer = tokio::time::timeout(ANSWER_LIMIT, self.answer()).await;
        let answer = answer.with_context(|| format!("no answer to {method}"))??;
        ensure!(answer["error"].is_null(), "{method}: {}", answer["error"]);
        Ok(answer["result"].clone())
    }

    /// The answer to the last command; what comes before is taken note of.
    async fn answer(&mut self) -> Result<Json> {
        loop {
            let message = self.from.next().await.context("the browser is gone")??;
            let Ok(text) = message.to_text() else { continue };
            let Ok(said) = serde_json::from_str::<Json>(text) else { continue };
            if said["id"].as_u64() == Some(self.last) {
                return Ok(said);
            }
            self.note(&said);
        }
    }

    fn note(&mut self, event: &Json) {
        let parameters = &event["params"];
        match event["method"].as_str().unwrap_or_default() {
            "Runtime.exceptionThrown" => self.complaints.push(parameters["exceptionDetails"].to_string()),
            "Runtime.consoleAPICalled"
                if ["error", "warning", "assert"].iter().any(|kind| parameters["type"] == *kind) =>
            {
                self.complaints.push(parameters["args"].to_string());
            }
            "Log.entryAdded" => self.complaints.push(parameters["entry"].to_string()),
            "Network.requestWillBeSent" => {
                self.asked.extend(parameters["request"]["url"].as_str().map(str::to_owned));
            }
            _ => {}
        }
    }
}

/// Where the browser says that it can be driven.
async fn address(errors: tokio::process::ChildStderr) -> Result<String> {
    let mut lines = BufReader::new(errors).lines();
    let mut said = Vec::new();
    while let Some(line) = lines.next_line().await? {
        if let Some(address) = line.strip_prefix("DevTools listening on ") {
            let address = address.to_owned();
            // Nobody else reads what it goes on to say; a full pipe would stop it.
            tokio::spawn(async move { while lines.next_line().await.is_ok_and(|line| line.is_some()) {} });
            return Ok(address);
        }
        said.push(line);
    }
    bail!("the browser ended: {said:?}")
}

fn from_base64(text: &str) -> Result<Vec<u8>> {
    let digit = |byte: u8| match byte {
        b'A'..=b'Z' => Some(byte - b'A'),
        b'a'..=b'z' => Some(byte - b'a' + 26),
        b'0'..=b'9' => Some(byte - b'0' + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    };
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    for group in text.trim_end_matches('=').as_bytes().chunks(4) {
        let mut bits = 0_u32;
        for at in 0..4 {
            let value = group.get(at).map_or(Some(0), |byte| digit(*byte)).context("no base64")?;
            bits = bits << 6 | u32::from(value);
        }
        bytes.extend_from_slice(&bits.to_be_bytes()[1..group.len()]);
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    #[test]
    fn base64_is_read_back() {
        for (text, bytes) in [("Zg==", "f"), ("Zm8=", "fo"), ("Zm9v", "foo"), ("Zm9vYmFy", "foobar"), ("", "")] {
            assert_eq!(super::from_base64(text).unwrap(), bytes.as_bytes());
        }
        assert!(super::from_base64("a*==").is_err());
    }
}
