//! What all sessions share.

use crate::budget::Budget;
use crate::guard::Guard;
use crate::http::Http;
use crate::names::Names;
use crate::{HttpOrigin, Settings, WebDavIngest};
use relay::session::{Access, Endpoint, OutputKind};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use std::sync::Arc;
use url::Url;

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
    pub(crate) http: Http,
    pub(crate) guard: Guard,
    pub(crate) budget: Budget,
    pub(crate) settings: Settings,
}

impl Connector {
    /// A connector that keeps `settings`.
    ///
    /// # Errors
    /// When the extra certificates cannot be read, or the machine gives no randomness.
    pub fn new(settings: Settings) -> Result<Self, SetupError> {
        let guard = Guard::new(settings.reach.clone());
        let tls = tls(&settings.extra_roots_pem)?;
        let http = Http::new(tls, Names::new(guard.clone()), settings.patience.connect)
            .map_err(|error| SetupError::Client(error.to_string()))?;
        let budget = Budget::new(settings.limits.bytes_in_flight);
        Ok(Self { shared: Arc::new(Shared { http, guard, budget, settings }) })
    }

    /// Why an address may not be connected to, as far as it tells itself: a name is looked up, and
    /// judged, when a connection is made.
    #[must_use]
    pub fn refuses(&self, url: &Url) -> Option<String> {
        self.shared.guard.check(url).err().map(|refusal| refusal.to_string())
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

fn tls(extra_roots_pem: &[u8]) -> Result<ClientConfig, SetupError> {
    let mut roots = RootCertStore::from_iter(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    let public = roots.len();
    for certificate in CertificateDer::pem_slice_iter(extra_roots_pem) {
        let certificate = certificate.map_err(|e| SetupError::ExtraRoots(e.to_string()))?;
        roots.add(certificate).map_err(|e| SetupError::ExtraRoots(e.to_string()))?;
    }
    if !extra_roots_pem.is_empty() && roots.len() == public {
        return Err(SetupError::ExtraRoots("there is none".to_owned()));
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| SetupError::Client(error.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(config)
}
