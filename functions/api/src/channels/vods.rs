//! The VODs that channels play.

use bytes::Bytes;
use relay::ports::{Fetched, Origin, OriginError, Slice};
use relay::session::Access;
use std::future::Future;
use url::Url;

/// Reads playlists of VODs.
pub trait Vods: Send + Sync {
    /// A playlist, and where it came from in the end.
    fn playlist(&self, url: &Url)
    -> impl Future<Output = Result<(Bytes, Url), OriginError>> + Send;

    /// Reads the beginning of a segment, as a player would that was given its address.
    fn segment(&self, url: &Url) -> impl Future<Output = Result<(), OriginError>> + Send;
}

/// Reads VODs as sessions read their sources.
pub struct Origins<O>(Box<dyn Fn(&Access) -> O + Send + Sync>);

impl<O: Origin> Origins<O> {
    /// Those that `origin` gives; they are asked for playlists, and for the beginnings of segments.
    pub fn new(origin: impl Fn(&Access) -> O + Send + Sync + 'static) -> Self {
        Self(Box::new(origin))
    }
}

impl<O> Origins<O> {
    fn of(&self, url: &Url) -> O {
        (self.0)(&Access {
            source: url.clone(),
            fallbacks: Vec::new(),
            headers: Vec::new(),
            endpoints: Vec::new(),
        })
    }
}

impl<O: Origin> Vods for Origins<O> {
    async fn playlist(&self, url: &Url) -> Result<(Bytes, Url), OriginError> {
        match self.of(url).playlist(url, None).await? {
            Fetched::Changed { text, url, .. } => Ok((text, url)),
            Fetched::Unchanged => {
                let reason = "origin answered 304 to a request without conditions".to_owned();
                Err(OriginError::Unavailable { reason })
            }
        }
    }
    async fn segment(&self, url: &Url) -> Result<(), OriginError> {
        let beginning = Slice { offset: 0, length: 1 };
        self.of(url).segment(url, Some(beginning)).await.map(|_| ())
    }
}
