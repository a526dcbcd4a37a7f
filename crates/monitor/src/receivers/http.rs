//! Posting to a receiver over HTTP.
//!
//! Invariant: whatever goes wrong, neither the URL nor a header reaches the error.

use reqwest::{StatusCode, header, redirect};
use std::time::Duration;
use url::Url;

/// How often a receiver that limits the rate is waited for, and for how long each time at most.
const PATIENCE: (u32, Duration) = (3, Duration::from_secs(5));

/// A text that is no URL to post to. Does not repeat it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be a URL that begins with http:// or https://")]
pub struct BadUrl;

/// Posts to one URL.
#[derive(Clone)]
pub struct Client {
    client: reqwest::Client,
    url: Url,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Client([hidden])")
    }
}

impl Client {
    /// A client that waits no longer than `timeout` for an answer.
    ///
    /// # Errors
    /// [`BadUrl`].
    pub fn new(url: &str, timeout: Duration) -> Result<Self, BadUrl> {
        let url = Url::parse(url).map_err(|_| BadUrl)?;
        if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none_or(str::is_empty) {
            return Err(BadUrl);
        }
        // Fails only if a provider is installed already, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut builder = reqwest::Client::builder()
            .timeout(timeout)
            .connect_timeout(timeout)
            // A redirected POST would lose its body or carry credentials to another host.
            .redirect(redirect::Policy::none())
            .user_agent(concat!("facilitator/", env!("CARGO_PKG_VERSION")));
        if url.scheme() == "http" {
            builder = builder.tls_certs_only([]);
        }
        let client = builder.build().map_err(|_| BadUrl)?;
        Ok(Self { client, url })
    }

    /// Posts; anything but a status of 200 to 299 is an error.
    pub(super) async fn post(&self, headers: &[(&'static str, String)], body: &str) -> Result<(), String> {
        for _ in 0..PATIENCE.0 {
            match self.once(headers, body).await? {
                Sent::Taken => return Ok(()),
                Sent::Later(pause) => tokio::time::sleep(pause).await,
            }
        }
        Err("it limits the rate of events (HTTP status 429)".to_owned())
    }

    async fn once(&self, headers: &[(&'static str, String)], body: &str) -> Result<Sent, String> {
        let mut request = self.client.post(self.url.clone()).body(body.to_owned());
        for (name, value) in headers {
            let mut value = header::HeaderValue::from_str(value).map_err(|_| format!("a wrong header {name}"))?;
            value.set_sensitive(true);
            request = request.header(*name, value);
        }
        let answer = request.send().await.map_err(|error| told(&error))?;
        let status = answer.status();
        if status.is_success() {
            return Ok(Sent::Taken);
        }
        let wait = answer.headers().get(header::RETRY_AFTER).and_then(|value| value.to_str().ok()?.trim().parse().ok());
        match wait.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()) {
            Some(pause) if status == StatusCode::TOO_MANY_REQUESTS && pause <= PATIENCE.1 => Ok(Sent::Later(pause)),
            Some(_) | None => Err(format!("HTTP status {}", status.as_u16())),
        }
    }
}

enum Sent {
    Taken,
    Later(Duration),
}

/// What a failed request may say of itself.
fn told(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        "it did not answer in time".to_owned()
    } else if error.is_connect() {
        "it can't be reached".to_owned()
    } else {
        "the connection broke".to_owned()
    }
}
