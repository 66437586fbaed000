//! The channel engine on AWS: its API behind an HTTP API, playlists behind CloudFront, schedules that are looked
//! after every minute, and assets and channels as resources of a stack.

mod on_air;

use api::channels::{Channels, Origins};
use aws::{ConfigError, DynamoShelf, Environment, SdkConfig, custom_resource};
use axum::Router;
use channel::ports::ShelfError;
use hls::Micros;
use lambda_http::Adapter;
use lambda_http::request::LambdaRequest;
use lambda_runtime::tower::ServiceExt;
use lambda_runtime::{Context, LambdaEvent};
use relay::ports::Clock;
use serde_json::Value;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use web::clock::TokioClock;
use web::{Connector, HttpOrigin, Patience, Reach};

/// How old the knowledge of a log may be: `channel::FREEZE` is longer by what clocks differ.
const STALE: Micros = Micros::from_secs(4);
/// How long it may be until schedules are looked after again: every minute, anywhere within it.
const EVERY: Micros = Micros::from_secs(120);
/// How long that may take.
const TENDING: Duration = Duration::from_secs(25);
/// How long live sources are followed: until the next minute does, however late it comes. The function has longer.
const FOLLOWING: Micros = Micros::from_secs(115);
/// To read one playlist of a VOD: an HTTP API waits for 30 s in all.
const READING: Duration = Duration::from_secs(5);
/// The route of an event that no route of the API was matched for.
const NO_ROUTE: &str = "$default";

/// The function: what its invocations share.
#[derive(Clone)]
pub struct World {
    channels: Channels<DynamoShelf, Origins<HttpOrigin>, TokioClock>,
    /// All routes, for those whom the API let in.
    administration: Router,
    /// Playlists, for everybody.
    viewers: Router,
}

/// Why an invocation fails.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Failure {
    /// The function is not set up.
    #[error("{0}")]
    Configuration(String),
    /// What it was given is no request, no minute and nothing of a stack.
    #[error("the event is not known: {0}")]
    Event(String),
    /// Schedules were not looked after.
    #[error("schedules were not looked after: {0}")]
    Untended(String),
    /// The stack could not be told what came of its resource.
    #[error("{0}")]
    Untold(String),
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self::Configuration(error.to_string())
    }
}

impl From<ShelfError> for Failure {
    fn from(error: ShelfError) -> Self {
        Self::Untended(error.to_string())
    }
}

impl From<Failure> for lambda_runtime::Diagnostic {
    fn from(failure: Failure) -> Self {
        let name = match &failure {
            Failure::Configuration(_) => "Ferry.BadConfiguration",
            Failure::Event(_) => "Ferry.BadInput",
            Failure::Untended(_) => "Ferry.Unavailable",
            Failure::Untold(_) => "Ferry.Untold",
        };
        Self { error_type: name.to_owned(), error_message: failure.to_string() }
    }
}

impl World {
    /// The function, as its environment says. `random` gives 64 random bits.
    ///
    /// # Errors
    /// When a variable is missing or malformed.
    pub fn new(
        environment: &Environment<'_>,
        config: &SdkConfig,
        random: fn() -> u64,
    ) -> Result<Self, Failure> {
        let shelf = DynamoShelf::new(config, environment.required("FERRY_SHELF")?, random);
        let also: Vec<IpAddr> = environment.list("FERRY_ALSO_REACH")?;
        let reach = if also.is_empty() { Reach::Public } else { Reach::PublicAnd(also) };
        let patience = Patience { playlist: READING, ..Patience::default() };
        let connector =
            Connector::new(web::Settings { reach, patience, ..web::Settings::default() })
                .map_err(|error| Failure::Configuration(error.to_string()))?;
        let reader = connector.clone();
        let channels = Channels::new(
            Arc::new(shelf),
            Arc::new(Origins::new(move |access| reader.origin(access))),
            Arc::new(TokioClock::new()),
            Arc::new(move |url| connector.refuses(url)),
            Some(STALE),
        );
        let administration = api::channels::router(channels.clone());
        let viewers = api::channels::viewers(channels.clone());
        Ok(Self { channels, administration, viewers })
    }

    /// Answers a request, looks after schedules, or does what a stack asks.
    ///
    /// # Errors
    /// When it is none of these, schedules cannot be looked after, or the stack cannot be told.
    pub async fn invoke(&self, event: Value, context: Context) -> Result<Value, Failure> {
        if event.get("RequestType").is_some() {
            let request: custom_resource::Request =
                serde_json::from_value(event).map_err(|error| Failure::Event(error.to_string()))?;
            let result = on_air::change(&self.administration, &request).await;
            if let Err(reason) = &result {
                tracing::error!("what the stack asks for is not as it should be: {reason}");
            }
            request.answer(&result).await.map_err(Failure::Untold)?;
            return Ok(Value::Null);
        }
        if event.get("tend").is_some() {
            return self.tend().await.map(|()| Value::Null);
        }
        // What comes by a route of the API was let in by it; all else is for viewers.
        let route = event.get("routeKey").and_then(Value::as_str).unwrap_or(NO_ROUTE);
        let router = if route == NO_ROUTE { &self.viewers } else { &self.administration };
        let router = router.clone();
        let request: LambdaRequest =
            serde_json::from_value(event).map_err(|error| Failure::Event(error.to_string()))?;
        let adapter = Adapter::from(router);
        let Ok(response) = adapter.oneshot(LambdaEvent::new(request, context)).await;
        Ok(serde_json::to_value(response).expect("a response has string keys only"))
    }

    /// Every step lasts by itself: what does not fit is left for the next minute.
    async fn tend(&self) -> Result<(), Failure> {
        let until = self.channels.clock.now() + FOLLOWING;
        let late = |_| Failure::Untended(format!("they took longer than {TENDING:?}"));
        // On the heap: they are deep in calls of calls.
        let tend = tokio::time::timeout(TENDING, Box::pin(self.channels.tend(EVERY)));
        let follow = Box::pin(async {
            // Only then does it cost two minutes.
            match self.channels.live_within(EVERY).await?.is_empty() {
                true => Ok(()),
                false => self.channels.follow(until).await,
            }
        });
        let (tended, followed) = tokio::join!(tend, follow);
        followed?;
        Ok(tended.map_err(late)??)
    }
}
