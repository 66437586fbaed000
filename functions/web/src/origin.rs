//! The origin client.

use crate::connector::Shared;
use bytes::Bytes;
use relay::ports::{Fetched, Origin, OriginError, Validators};
use relay::session::Access;
use std::sync::Arc;
use url::Url;

/// The origin of one session.
#[derive(Debug)]
pub struct HttpOrigin {
    shared: Arc<Shared>,
}

impl HttpOrigin {
    pub(crate) fn new(shared: Arc<Shared>, _access: &Access) -> Self {
        Self { shared }
    }

    async fn get(&self, url: &Url) -> Result<(Bytes, Url), OriginError> {
        let unavailable = |error: reqwest::Error| OriginError::Unavailable {
            reason: error.without_url().to_string(),
        };
        let answer = self.shared.http.get(url.clone()).send().await.map_err(unavailable)?;
        let answer = answer.error_for_status().map_err(unavailable)?;
        let url = answer.url().clone();
        Ok((answer.bytes().await.map_err(unavailable)?, url))
    }
}

impl Origin for HttpOrigin {
    async fn playlist(
        &self,
        url: &Url,
        _known: Option<&Validators>,
    ) -> Result<Fetched, OriginError> {
        let (text, url) = self.get(url).await?;
        Ok(Fetched::Changed { text, url, validators: Validators::default() })
    }

    async fn segment(&self, url: &Url) -> Result<Bytes, OriginError> {
        Ok(self.get(url).await?.0)
    }
}
