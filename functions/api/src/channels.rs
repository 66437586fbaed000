//! The channel engine's routes: assets, channels, schedules, and the playlists that viewers read.

mod air;
mod assets;
mod definition;
mod events;
mod fill;
mod look;
mod playlists;
mod routes;
mod schedule;
mod shown;
mod slate;
mod tend;
mod vods;
mod wishes;

use crate::problem::{self, Problem};
use air::Air;
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::{StatusCode, header};
use axum::routing::{get, post};
use channel::ports::{ChannelRecord, Shelf, ShelfError};
use futures_util::stream::{self, StreamExt, TryStreamExt};
use hls::Micros;
use look::Looked;
pub(crate) use playlists::is_plain;
use relay::ports::Clock;
use std::sync::Arc;
pub use vods::{Origins, Vods};

/// The longest schedule that is taken in one request.
const BODY_BYTES: usize = 4 << 20;

/// Channels that are looked after side by side.
const AT_ONCE: usize = 32;

/// What the channel engine is made of.
pub struct Channels<H, V, C> {
    /// Where assets, channels and logs last.
    pub shelf: Arc<H>,
    /// Reads VODs.
    pub vods: Arc<V>,
    /// The time.
    pub clock: Arc<C>,
    /// Says why an address may not be connected to, as far as it tells.
    pub refuses: Arc<crate::Refuses>,
    /// What is on the air.
    air: Arc<Air>,
}

impl<H, V, C> Clone for Channels<H, V, C> {
    fn clone(&self) -> Self {
        Self {
            shelf: Arc::clone(&self.shelf),
            vods: Arc::clone(&self.vods),
            clock: Arc::clone(&self.clock),
            refuses: Arc::clone(&self.refuses),
            air: Arc::clone(&self.air),
        }
    }
}

impl<H: Shelf, V: Vods, C: Clock> Channels<H, V, C> {
    /// Channels over a shelf.
    ///
    /// What others wrote to it is seen after `stale` at the latest; absent: nobody else writes to it.
    pub fn new(
        shelf: Arc<H>,
        vods: Arc<V>,
        clock: Arc<C>,
        refuses: Arc<crate::Refuses>,
        stale: Option<Micros>,
    ) -> Self {
        Self { shelf, vods, clock, refuses, air: Arc::new(Air::new(stale)) }
    }

    /// Looks after every schedule, and will again after `every` at the latest: extends those that are
    /// extended by themselves, lets the slate play where what was scheduled is gone, and takes from the logs
    /// what nobody is shown any more.
    ///
    /// # Errors
    /// When the shelf cannot be asked.
    pub async fn tend(&self, every: Micros) -> Result<(), ShelfError> {
        // All that is in memory of channels that nobody watches are their names.
        let ids = self.shelf.channel_ids().await?;
        let looked = Looked::at(self.shelf.assets().await?);
        let extended = ids.iter().map(|id| self.extend(id, &looked));
        stream::iter(extended).buffer_unordered(AT_ONCE).try_collect::<()>().await?;
        // A VOD that answers late, or never, holds up no other channel, and its own only until it must be settled.
        let tended = ids.iter().map(|id| self.look_ahead(id, every, &looked));
        stream::iter(tended).buffer_unordered(AT_ONCE).try_collect().await
    }

    /// Takes from the log of a channel what nobody is shown any more, and adds what is picked by itself.
    async fn extend(&self, id: &str, looked: &Looked) -> Result<(), ShelfError> {
        let Some(record) = self.shelf.channel(id).await? else { return Ok(()) };
        let now = self.clock.now();
        let before = record.channel.as_ref().map_or(now, |channel| channel.kept_since(now));
        if let Err(error) = self.shelf.purge(id, before).await {
            // It goes on growing, and plays.
            tracing::warn!(channel = id, %error, "what is long over stays in the log");
        }
        if record.is_scheduled() { fill::extend(self, id, looked).await } else { Ok(()) }
    }

    /// Looks at what begins soon on a channel.
    async fn look_ahead(&self, id: &str, every: Micros, looked: &Looked) -> Result<(), ShelfError> {
        match self.shelf.channel(id).await? {
            Some(record) if record.is_scheduled() => tend::tend(self, &record, every, looked).await,
            Some(_) | None => Ok(()),
        }
    }

    /// A channel that plays.
    async fn find(&self, id: &str) -> Result<ChannelRecord, Problem> {
        match self.shelf.channel(id).await.map_err(|error| failed(&error))? {
            Some(record) if record.gone => Err(gone(id)),
            Some(record) => Ok(record),
            None => Err(no_channel(id)),
        }
    }
}

/// The routes of viewers: playlists, and nothing else.
pub fn viewers<H, V, C>(channels: Channels<H, V, C>) -> Router
where
    H: Shelf + 'static,
    V: Vods + 'static,
    C: Clock + 'static,
{
    playlists::routes()
        .fallback(problem::no_route)
        .method_not_allowed_fallback(problem::no_method)
        .with_state(channels)
}

/// The routes of the channel engine.
pub fn router<H, V, C>(channels: Channels<H, V, C>) -> Router
where
    H: Shelf + 'static,
    V: Vods + 'static,
    C: Clock + 'static,
{
    Router::new()
        .route("/assets", get(assets::list::<H, V, C>).post(assets::add::<H, V, C>))
        .route("/assets/{id}", get(assets::show::<H, V, C>).delete(assets::remove::<H, V, C>))
        .route("/channels", get(routes::list::<H, V, C>))
        .route(
            "/channels/{id}",
            get(routes::show::<H, V, C>)
                .put(routes::put::<H, V, C>)
                .delete(routes::remove::<H, V, C>),
        )
        .route("/channels/{id}/now", get(schedule::now::<H, V, C>))
        .route(
            "/channels/{id}/schedule",
            get(schedule::show::<H, V, C>).merge(post(schedule::change::<H, V, C>)),
        )
        .merge(playlists::routes())
        .method_not_allowed_fallback(problem::no_method)
        .layer(DefaultBodyLimit::max(BODY_BYTES))
        .with_state(channels)
}

fn no_channel(id: &str) -> Problem {
    Problem::new(StatusCode::NOT_FOUND, format!("there is no channel {id}"))
}

fn gone(id: &str) -> Problem {
    Problem::new(StatusCode::GONE, format!("channel {id} was deleted"))
}

fn failed(error: &ShelfError) -> Problem {
    tracing::error!(%error, "cannot answer a request");
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "the channels cannot be read or written now")
        .header(header::RETRY_AFTER, "1")
}

/// Somebody else changed the channel at the same time.
fn overtaken(id: &str) -> Problem {
    let detail = format!("channel {id} was changed by another request: try again");
    Problem::new(StatusCode::CONFLICT, detail)
}
