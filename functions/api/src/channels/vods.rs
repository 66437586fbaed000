//! The VODs that channels play.

use bytes::Bytes;
use relay::ports::{Fetched, Origin, OriginError};
use relay::session::Access;
use std::future::Future;
use url::Url;

/// Reads playlists of VODs.
pub trait Vods: Send + Sync {
    /// A playlist, and where it came from in the end.
    fn playlist(&self, url: &Url)
    -> impl Future<Output = Result<(Bytes, Url), OriginError>> + Send;
}

/// Reads VODs as sessions read their sources.
pub struct Origins<O>(Box<dyn Fn(&Access) -> O + Send + Sync>);

impl<O: Origin> Origins<O> {
    /// Those that `origin` gives; they are asked for nothing but playlists.
    pub fn new(origin: impl Fn(&Access) -> O + Send + Sync + 'static) -> Self {
        Self(Box::new(origin))
    }
}

impl<O: Origin> Vods for Origins<O> {
    async fn playlist(&self, url: &Url) -> Result<(Bytes, Url), OriginError> {
        let access = Access {
            source: url.clone(),
            fallbacks: Vec::new(),
            headers: Vec::new(),
            endpoints: Vec::new(),
        };
        let origin = (self.0)(&access);
        match origin.playlist(url, None).await? {
            Fetched::Changed { text, url, .. } => Ok((text, url)),
            Fetched::Unchanged => {
                let reason = "origin answered 304 to a request without conditions".to_owned();
                Err(OriginError::Unavailable { reason })
            }
        }
    }
}
