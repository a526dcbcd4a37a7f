//! The batching JSON-RPC client of one endpoint.
//!
//! Invariants: every call gets exactly one outcome, in the order asked; calls of one batch are sent in their order
//! (an account's transactions by nonce); no credential of the URL and no parameter of a call (raw transactions may
//! reveal secrets) reaches an error or a log. Which endpoint to use and whether to ask again is left to the caller:
//! nothing is retried here, except that a batch the server finds too large is cut.

mod classify;
mod client;
mod endpoint;
mod error;
mod limit;
mod wire;

pub use endpoint::Endpoint;
pub use error::RpcError;

use classify::BatchVerdict;
pub(crate) use client::{builder, no_client};
use client::{client, told};
use limit::BatchLimit;
use reqwest::{Client, header};
use serde_json::Value;
use std::{
    borrow::Cow,
    collections::VecDeque,
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::sync::Semaphore;
use wire::{Body, Outcome};
use zeroize::{Zeroize as _, Zeroizing};

/// Longest time that a server's `Retry-After` is believed.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(3600);

/// One JSON-RPC call. Its `Debug` shows the method alone: parameters may hold what must not be logged. They are
/// overwritten when it is dropped.
#[derive(Clone, PartialEq)]
pub struct Call {
    method: Cow<'static, str>,
    params: Value,
}

impl Call {
    /// A call of `method` with `params`, an array or object as the method has it.
    pub fn new(method: impl Into<Cow<'static, str>>, params: Value) -> Self {
        Self { method: method.into(), params }
    }

    /// The method's name.
    #[must_use]
    pub fn method(&self) -> &str {
        &self.method
    }

    /// The parameters.
    #[must_use]
    pub fn params(&self) -> &Value {
        &self.params
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        wipe(&mut self.params);
    }
}

/// Overwrites every text in it.
fn wipe(value: &mut Value) {
    match value {
        Value::String(text) => text.zeroize(),
        Value::Array(items) => items.iter_mut().for_each(wipe),
        Value::Object(fields) => fields.values_mut().for_each(wipe),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Call({})", self.method)
    }
}

/// Limits of a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RpcOptions {
    /// Longest wait for the whole answer of one HTTP request.
    pub timeout: Duration,
    /// Most calls in one HTTP request.
    pub max_batch: usize,
    /// Largest answer that is read, in bytes.
    pub max_response_bytes: usize,
    /// Most HTTP requests under way at once; more wait their turn.
    pub max_in_flight: usize,
}

impl Default for RpcOptions {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(10),
            max_batch: 100,
            max_response_bytes: 64 * 1024 * 1024,
            max_in_flight: 16,
        }
    }
}

/// What a client has done since it was made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RpcStats {
    /// JSON-RPC calls sent.
    pub calls: u64,
    /// HTTP requests sent.
    pub requests: u64,
    /// HTTP requests without a usable answer.
    pub failures: u64,
}

#[derive(Default)]
struct Counters {
    calls: AtomicU64,
    requests: AtomicU64,
    failures: AtomicU64,
}

struct Inner {
    client: Client,
    endpoint: Endpoint,
    options: RpcOptions,
    limit: Mutex<BatchLimit>,
    slots: Semaphore,
    next_id: AtomicU64,
    counters: Counters,
}

/// A JSON-RPC client of one endpoint. Clones share connections, limits and counters.
#[derive(Clone)]
pub struct Rpc {
    inner: Arc<Inner>,
}

impl fmt::Debug for Rpc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Rpc({})", self.inner.endpoint)
    }
}

/// What became of the calls of one HTTP request.
enum Sent {
    /// Each call's outcome.
    Each(Vec<Result<Value, RpcError>>),
    /// The batch must be cut, for the reason given should it be a single call already.
    Cut(RpcError),
}

impl Rpc {
    /// Makes a client; connects only with the first call. Certificates are loaded only for an `https` endpoint.
    ///
    /// # Errors
    /// [`RpcError::Endpoint`] when the URL can't be used.
    pub fn new(url: &str, options: RpcOptions) -> Result<Self, RpcError> {
        let endpoint = Endpoint::parse(url)?;
        let client = client(&endpoint, &options)?;
        let inner = Inner {
            client,
            endpoint,
            limit: Mutex::new(BatchLimit::new(options.max_batch)),
            slots: Semaphore::new(options.max_in_flight.clamp(1, 1024)),
            options,
            next_id: AtomicU64::new(1),
            counters: Counters::default(),
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// The endpoint; its `Display` holds no credentials.
    #[must_use]
    pub fn endpoint(&self) -> &Endpoint {
        &self.inner.endpoint
    }

    /// What this client and its clones have done so far.
    #[must_use]
    pub fn stats(&self) -> RpcStats {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let counters = &self.inner.counters;
        RpcStats {
            calls: read(&counters.calls),
            requests: read(&counters.requests),
            failures: read(&counters.failures),
        }
    }

    /// One call.
    ///
    /// # Errors
    /// Any [`RpcError`]; see its variants for what to do.
    pub async fn call(&self, method: impl Into<Cow<'static, str>>, params: Value) -> Result<Value, RpcError> {
        let calls = [Call::new(method, params)];
        match self.batch(&calls).await?.pop() {
            Some(outcome) => outcome,
            None => Err(RpcError::malformed("no outcome for the call")),
        }
    }

    /// All `calls` in as few HTTP requests as the server allows, one after the other. The outcomes are in the order of
    /// the calls.
    ///
    /// # Errors
    /// When no call at all was answered: the reason. If some were, the others have their error in the list.
    pub async fn batch(&self, calls: &[Call]) -> Result<Vec<Result<Value, RpcError>>, RpcError> {
        let mut outcomes: Vec<Option<Result<Value, RpcError>>> = calls.iter().map(|_| None).collect();
        let mut waiting: VecDeque<usize> = (0..calls.len()).collect();
        let mut answered = false;
        while !waiting.is_empty() {
            let take = self.limit().current().min(waiting.len());
            let chunk: Vec<usize> = waiting.drain(..take).collect();
            let chosen: Vec<&Call> = chunk.iter().filter_map(|i| calls.get(*i)).collect();
            let results = match self.send(&chosen).await {
                Ok(Sent::Each(results)) => results,
                Ok(Sent::Cut(_)) if take > 1 => {
                    chunk.into_iter().rev().for_each(|index| waiting.push_front(index));
                    continue;
                }
                Ok(Sent::Cut(error)) | Err(error) => {
                    if !answered {
                        return Err(error);
                    }
                    // The rest would meet the same fault; what was answered must still reach the caller.
                    for index in chunk.into_iter().chain(waiting.drain(..)) {
                        set(&mut outcomes, index, Err(error.clone()));
                    }
                    break;
                }
            };
            answered = true;
            for (index, result) in chunk.into_iter().zip(results).rev() {
                match result {
                    Err(RpcError::TooLarge { .. }) if take > 1 => waiting.push_front(index),
                    result => set(&mut outcomes, index, result),
                }
            }
        }
        let missing = || Err(RpcError::malformed("no outcome for the call"));
        Ok(outcomes.into_iter().map(|outcome| outcome.unwrap_or_else(missing)).collect())
    }

    fn limit(&self) -> MutexGuard<'_, BatchLimit> {
        self.inner.limit.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends `calls` as one HTTP request.
    async fn send(&self, calls: &[&Call]) -> Result<Sent, RpcError> {
        let inner = &*self.inner;
        let count = u64::try_from(calls.len()).unwrap_or(u64::MAX);
        let first_id = inner.next_id.fetch_add(count, Ordering::Relaxed);
        let request = wire::request(calls, first_id);
        let _slot = inner.slots.acquire().await;
        inner.counters.calls.fetch_add(count, Ordering::Relaxed);
        inner.counters.requests.fetch_add(1, Ordering::Relaxed);
        let result = match self.post(request).await {
            Ok((status, retry_after, body)) => self.judge(calls, first_id, status, retry_after, &body),
            Err(error @ RpcError::TooLarge { .. }) if calls.len() > 1 => {
                self.limit().shrink(calls.len());
                Ok(Sent::Cut(error))
            }
            Err(error) => Err(error),
        };
        if result.is_err() {
            inner.counters.failures.fetch_add(1, Ordering::Relaxed);
        }
        result
    }

    async fn post(&self, request: Zeroizing<Vec<u8>>) -> Result<(u16, Option<Duration>, Vec<u8>), RpcError> {
        let inner = &*self.inner;
        let sent = inner.client.post(inner.endpoint.url().clone()).header(header::CONTENT_TYPE, "application/json");
        let mut response =
            sent.body(bytes::Bytes::from_owner(request)).send().await.map_err(|e| self.connection_error(e))?;
        let status = response.status().as_u16();
        let retry_after = response.headers().get(header::RETRY_AFTER).and_then(|v| retry_after(v.to_str().ok()?));
        let limit = inner.options.max_response_bytes;
        let too_large = || RpcError::TooLarge { message: format!("more than {limit} bytes from {}", inner.endpoint) };
        if response.content_length().is_some_and(|len| usize::try_from(len).map_or(true, |len| len > limit)) {
            return Err(too_large());
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|e| self.connection_error(e))? {
            if body.len() + chunk.len() > limit {
                return Err(too_large());
            }
            body.extend_from_slice(&chunk);
        }
        Ok((status, retry_after, body))
    }

    /// What the server's answer means for the calls and for the size of batches.
    fn judge(
        &self,
        calls: &[&Call],
        first_id: u64,
        status: u16,
        retry_after: Option<Duration>,
        body: &[u8],
    ) -> Result<Sent, RpcError> {
        let endpoint = &self.inner.endpoint;
        let success = (200..300).contains(&status);
        // Many servers put a JSON-RPC error into a 4xx or 5xx answer; its text says more than the status.
        let parsed = if status == 429 { None } else { Some(wire::read(body, first_id, calls.len())) };
        let outcomes = match parsed {
            Some(Ok(Body::Answers(outcomes))) => outcomes,
            Some(Ok(Body::Refused(error))) => return Ok(self.refused(calls, error)),
            Some(Err(why)) if success => return Err(RpcError::malformed(classify::tidy(endpoint, &why))),
            Some(Err(_)) | None => {
                let error = classify::http_error(endpoint, status, retry_after, &String::from_utf8_lossy(body));
                if calls.len() > 1 && matches!(status, 400 | 405 | 413 | 415 | 422) {
                    self.limit().shrink(calls.len());
                    return Ok(Sent::Cut(error));
                }
                return Err(error);
            }
        };
        if let Some(error) = outcomes.iter().find_map(|o| about_batch(calls, o)) {
            return Ok(self.refused(calls, error));
        }
        self.limit().succeeded();
        let each = calls.iter().zip(outcomes).map(|(call, outcome)| match outcome {
            Outcome::Result(value) => Ok(value),
            Outcome::Error(error) => Err(classify::server_error(endpoint, call.method(), error)),
            Outcome::Nothing(why) => Err(RpcError::malformed(format!("{}: {why}", call.method()))),
        });
        let each: Vec<_> = each.collect();
        if calls.len() > 1 && each.iter().any(|r| matches!(r, Err(RpcError::TooLarge { .. }))) {
            self.limit().shrink(calls.len());
        }
        Ok(Sent::Each(each))
    }

    /// A batch that the server answered with one error for all of it.
    fn refused(&self, calls: &[&Call], error: wire::ErrorObject) -> Sent {
        let verdict = classify::batch_verdict(&error.message);
        let method = calls.first().map_or("", |call| call.method());
        let error = classify::server_error(&self.inner.endpoint, method, error);
        // Waiting helps against a rate limit; more and smaller requests would make it worse.
        if matches!(error, RpcError::RateLimited { .. } | RpcError::Timeout { .. }) && verdict == BatchVerdict::Fine {
            return Sent::Each(calls.iter().map(|_| Err(error.clone())).collect());
        }
        match verdict {
            // A fault of the moment looks the same as a server that takes no batches without saying so.
            BatchVerdict::Smaller | BatchVerdict::Fine => self.limit().shrink(calls.len()),
            BatchVerdict::Single => self.limit().forbid(),
        }
        Sent::Cut(error)
    }

    fn connection_error(&self, error: reqwest::Error) -> RpcError {
        let endpoint = self.inner.endpoint.to_string();
        if error.is_timeout() {
            let message = format!("gave up after {} ms", self.inner.options.timeout.as_millis());
            return RpcError::Timeout { endpoint, message };
        }
        RpcError::Transport { endpoint, message: told(&self.inner.endpoint, error) }
    }
}

/// The error of `outcome` if it is about the batch rather than about its call.
fn about_batch(calls: &[&Call], outcome: &Outcome) -> Option<wire::ErrorObject> {
    match outcome {
        Outcome::Error(error) if calls.len() > 1 => {
            let text = error.message.to_ascii_lowercase();
            let about = classify::batch_verdict(&text) != BatchVerdict::Fine;
            (about && !text.contains(classify::RESPONSE_TOO_LARGE) && !text.contains("revert")).then(|| error.clone())
        }
        Outcome::Error(_) | Outcome::Result(_) | Outcome::Nothing(_) => None,
    }
}

fn set(outcomes: &mut [Option<Result<Value, RpcError>>], index: usize, result: Result<Value, RpcError>) {
    if let Some(slot) = outcomes.get_mut(index) {
        *slot = Some(result);
    }
}

/// `Retry-After` in seconds; its other form, a date, needs a clock and is rare enough to be ignored.
fn retry_after(text: &str) -> Option<Duration> {
    let seconds: u64 = text.trim().parse().ok()?;
    Some(Duration::from_secs(seconds).min(MAX_RETRY_AFTER))
}
