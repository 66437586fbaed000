//! The HTTP client of the tests.

use reqwest::Client;
use std::time::Duration;

/// A client for addresses on this machine. Make one a test: its connections belong to the runtime.
pub fn client() -> Client {
    // The client wants a provider for TLS that it never uses; another test may have set it.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::builder()
        .no_proxy()
        .tls_certs_only([])
        // Apache defers accepting; a probe on a connection that was not used yet makes Linux 6.15 and later drop
        // its first request for seconds.
        .tcp_keepalive(None)
        .timeout(Duration::from_secs(10))
        .build()
        .expect("the settings are plain")
}
