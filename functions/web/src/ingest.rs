//! The WebDAV ingest client.

use crate::connector::Shared;
use bytes::Bytes;
use relay::ports::{ContentType, Ingest, IngestError};
use relay::session::{Endpoint, OutputKind};
use std::sync::Arc;
use url::Url;

/// One endpoint of one session.
#[derive(Debug)]
pub struct WebDavIngest {
    shared: Arc<Shared>,
    beside: Url,
}

impl WebDavIngest {
    pub(crate) fn new(shared: Arc<Shared>, endpoint: &Endpoint, _kind: OutputKind) -> Self {
        Self { shared, beside: endpoint.url.clone() }
    }

    fn address(&self, name: &str) -> Url {
        let mut url = self.beside.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop().push(name);
        }
        url
    }
}

impl Ingest for WebDavIngest {
    async fn put(
        &self,
        name: &str,
        content_type: ContentType,
        body: Bytes,
    ) -> Result<(), IngestError> {
        let request = self.shared.http.put(self.address(name));
        let answer = request.header("content-type", content_type.0).body(body).send().await;
        answer
            .and_then(reqwest::Response::error_for_status)
            .map(drop)
            .map_err(|error| IngestError::Unavailable { reason: error.without_url().to_string() })
    }

    async fn delete(&self, name: &str) -> Result<(), IngestError> {
        let answer = self.shared.http.delete(self.address(name)).send().await;
        answer
            .map(drop)
            .map_err(|error| IngestError::Unavailable { reason: error.without_url().to_string() })
    }
}
