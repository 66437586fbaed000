//! What all sessions share.

use crate::budget::Budget;
use crate::guard::Guard;
use crate::names::Names;
use crate::{HttpOrigin, Settings, WebDavIngest};
use relay::session::{Access, Endpoint, OutputKind};
use reqwest::redirect::Policy;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use std::sync::Arc;
use std::time::Duration;
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
    pub(crate) http: reqwest::Client,
    pub(crate) guard: Guard,
    pub(crate) budget: Budget,
    pub(crate) settings: Settings,
}

/// Idle connections that are kept to one host: about as many as requests run at once when 200
/// sessions poll it.
const IDLE_A_HOST: usize = 256;
/// How long a connection is kept idle: longer than the usual segment, shorter than the usual
/// server's patience.
const IDLE: Duration = Duration::from_secs(30);
/// How long what was sent may stay without the other side's acknowledgement. A peer that went
/// away silently is noticed so, before the deadline of an upload.
const UNACKNOWLEDGED: Duration = Duration::from_secs(8);
/// What sources and endpoints see in their logs.
const USER_AGENT: &str = concat!("hls-ferry/", env!("CARGO_PKG_VERSION"));

impl Connector {
    /// A connector that keeps `settings`.
    ///
    /// # Errors
    /// When the extra certificates cannot be read, or the machine gives no randomness.
    pub fn new(settings: Settings) -> Result<Self, SetupError> {
        let guard = Guard::new(settings.reach.clone());
        let http = reqwest::Client::builder()
            .tls_backend_preconfigured(tls(&settings.extra_roots_pem)?)
            .dns_resolver(Arc::new(Names::new(guard.clone())))
            .no_proxy()
            .redirect(Policy::none())
            .retry(reqwest::retry::never())
            .referer(false)
            .user_agent(USER_AGENT)
            .connect_timeout(settings.patience.connect)
            .tcp_user_timeout(UNACKNOWLEDGED)
            // A server that defers accepting (Apache does) has a connection that was never used half
            // open; after a probe on it, Linux 6.15 and later drop its first request for seconds.
            .tcp_keepalive(None)
            .pool_idle_timeout(IDLE)
            .pool_max_idle_per_host(IDLE_A_HOST)
            .build()
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
