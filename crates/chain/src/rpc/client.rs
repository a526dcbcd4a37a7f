//! The HTTP client of an endpoint, and what its errors say.
//!
//! Invariant: an error comes with its causes, since reqwest's own words alone tell little, and without credentials.

use super::{Endpoint, RpcError, RpcOptions, classify};
use reqwest::{Client, redirect};

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

/// The HTTP client of the calls. Certificates are loaded only for an `https` endpoint.
pub(super) fn client(endpoint: &Endpoint, options: &RpcOptions) -> Result<Client, RpcError> {
    // Fails only if a provider is installed already, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut builder = Client::builder()
        .timeout(options.timeout)
        .connect_timeout(options.timeout)
        // A redirected POST would lose its body or carry credentials to another host.
        .redirect(redirect::Policy::none())
        .tcp_nodelay(true)
        .user_agent(concat!("facilitator/", env!("CARGO_PKG_VERSION")));
    if !endpoint.is_tls() {
        builder = builder.tls_certs_only([]);
    }
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
