//! The HTTP client of an endpoint, and what its errors say.
//!
//! Invariant: an error comes with its causes, since reqwest's own words alone tell little, and without credentials.

use super::{Endpoint, RpcError, RpcOptions, classify};
use reqwest::{Client, ClientBuilder, redirect};
use std::time::Duration;

/// Why no client can be made for `endpoint`, such as a machine without certificates.
pub(crate) fn no_client(endpoint: &Endpoint, error: reqwest::Error) -> RpcError {
    RpcError::Endpoint { message: format!("no client for {endpoint}: {}", told(endpoint, error)) }
}

/// The error with its causes, without credentials of the endpoint.
pub(super) fn told(endpoint: &Endpoint, error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut message = error.to_string();
    let mut source = std::error::Error::source(&error);
    while let Some(cause) = source {
        message = format!("{message}: {cause}");
        source = cause.source();
    }
    classify::tidy(endpoint, &message)
}

/// What the clients of calls and of announced heads have in common. Certificates are loaded only where TLS is spoken.
pub(crate) fn builder(endpoint: &Endpoint, connect_within: Duration) -> ClientBuilder {
    // Fails only if a provider is installed already, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let builder = Client::builder()
        .connect_timeout(connect_within)
        // A redirected POST would lose its body or carry credentials to another host.
        .redirect(redirect::Policy::none())
        .tcp_nodelay(true)
        .user_agent(concat!("facilitator/", env!("CARGO_PKG_VERSION")));
    if endpoint.is_tls() { builder } else { builder.tls_certs_only([]) }
}

/// The HTTP client of the calls.
pub(super) fn client(endpoint: &Endpoint, options: &RpcOptions) -> Result<Client, RpcError> {
    let builder = builder(endpoint, options.timeout).timeout(options.timeout);
    builder.build().map_err(|error| no_client(endpoint, error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn why_there_is_no_client_is_told_with_its_causes_and_without_credentials() {
        let endpoint = Endpoint::parse("https://node.example/v3/0123456789abcdef").unwrap();
        let error = Client::builder().user_agent("two\nlines").build().unwrap_err();
        let told = no_client(&endpoint, error).to_string();
        assert!(told.contains("builder error: ") && told.contains("header value"), "{told}");
        assert!(told.contains("node.example") && !told.contains("0123456789abcdef"), "{told}");
    }
}
