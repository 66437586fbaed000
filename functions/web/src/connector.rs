//! What all sessions share.

use crate::{HttpOrigin, Settings, WebDavIngest};
use relay::session::{Access, Endpoint, OutputKind};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use std::sync::Arc;

/// Why no connector can be built.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// The extra certificates cannot be read.
    #[error("the extra certificates are not PEM certificates: {0}")]
    ExtraRoots(String),
    /// TLS or HTTP cannot be set up.
    #[error("the HTTP client cannot be set up: {0}")]
    Client(String),
}

/// Connections, TLS and limits, shared by all sessions.
#[derive(Clone, Debug)]
pub struct Connector {
    shared: Arc<Shared>,
}

#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) http: reqwest::Client,
    pub(crate) settings: Settings,
}

impl Connector {
    /// A connector that keeps `settings`.
    ///
    /// # Errors
    /// When the extra certificates cannot be read, or the machine gives no randomness.
    pub fn new(settings: Settings) -> Result<Self, SetupError> {
        let http = reqwest::Client::builder()
            .tls_backend_preconfigured(tls(&settings.extra_roots_pem)?)
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .no_proxy()
            .build()
            .map_err(|error| SetupError::Client(error.to_string()))?;
        Ok(Self { shared: Arc::new(Shared { http, settings }) })
    }

    /// The origin of one session.
    #[must_use]
    pub fn origin(&self, access: &Access) -> HttpOrigin {
        HttpOrigin::new(Arc::clone(&self.shared), access)
    }

    /// One endpoint of one session.
    #[must_use]
    pub fn ingest(&self, endpoint: &Endpoint, kind: OutputKind) -> WebDavIngest {
        WebDavIngest::new(Arc::clone(&self.shared), endpoint, kind)
    }
}

fn tls(extra_roots_pem: &[u8]) -> Result<rustls::ClientConfig, SetupError> {
    let mut roots =
        rustls::RootCertStore::from_iter(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    for certificate in CertificateDer::pem_slice_iter(extra_roots_pem) {
        let certificate = certificate.map_err(|e| SetupError::ExtraRoots(e.to_string()))?;
        roots.add(certificate).map_err(|e| SetupError::ExtraRoots(e.to_string()))?;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| SetupError::Client(error.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(config)
}
