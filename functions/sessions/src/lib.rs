//! The session API behind an HTTP API, and sessions as resources of a stack.

mod channel;
mod on_air;
mod runs;

use api::Api;
use aws::{
    ConfigError, DynamoSessions, Environment, Executions, SdkConfig, Secrets, Table,
    custom_resource,
};
use axum::Router;
use lambda_http::Adapter;
use lambda_http::request::LambdaRequest;
use lambda_runtime::tower::ServiceExt;
use lambda_runtime::{Context, LambdaEvent};
use runs::Starts;
use serde_json::Value;
use std::net::IpAddr;
use std::sync::Arc;
use web::clock::TokioClock;
use web::{Connector, Reach};

/// The function: what its invocations share.
#[derive(Clone)]
pub struct World {
    router: Router,
}

/// Why an invocation fails.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Failure {
    /// The function is not set up.
    #[error("{0}")]
    Configuration(String),
    /// What it was given is neither a request to the API nor one of a stack.
    #[error("the event is neither a request nor a stack's: {0}")]
    Event(String),
    /// The stack could not be told what came of its resource.
    #[error("{0}")]
    Untold(String),
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self::Configuration(error.to_string())
    }
}

impl From<Failure> for lambda_runtime::Diagnostic {
    fn from(failure: Failure) -> Self {
        let name = match &failure {
            Failure::Configuration(_) => "Ferry.BadConfiguration",
            Failure::Event(_) => "Ferry.BadInput",
            Failure::Untold(_) => "Ferry.Untold",
        };
        Self { error_type: name.to_owned(), error_message: failure.to_string() }
    }
}

impl World {
    /// The function, as its environment says. `new_id` gives 80 random bits.
    ///
    /// # Errors
    /// When a variable is missing or malformed.
    pub fn new(
        environment: &Environment<'_>,
        config: &SdkConfig,
        new_id: fn() -> [u8; 10],
    ) -> Result<Self, Failure> {
        let clock = Arc::new(TokioClock::new());
        let secrets = Secrets::new(config, environment.required("FERRY_SECRETS")?);
        let secrets = Arc::new(secrets);
        let table = Table::new(config, environment.required("FERRY_TABLE")?);
        let sessions = DynamoSessions::new(table, Arc::clone(&secrets), Arc::clone(&clock));
        let sessions = Arc::new(sessions);
        let machine = environment.required("FERRY_STATE_MACHINE")?;
        let runs = Starts {
            executions: Executions::new(config, machine),
            sessions: Arc::clone(&sessions),
            clock: Arc::clone(&clock),
            run_seconds: environment.parsed("FERRY_RUN_SECONDS")?.unwrap_or(240),
        };
        let also: Vec<IpAddr> = environment.list("FERRY_ALSO_REACH")?;
        let reach = if also.is_empty() { Reach::Public } else { Reach::PublicAnd(also) };
        let connector = Connector::new(web::Settings { reach, ..web::Settings::default() })
            .map_err(|error| Failure::Configuration(error.to_string()))?;
        let api = Api {
            sessions,
            runs: Arc::new(runs),
            clock,
            new_id: Arc::new(move || api::session_id(new_id())),
            refuses: Arc::new(move |url| connector.refuses(url)),
            here: environment.parsed("FERRY_CHANNELS_URL")?,
        };
        let channels = channel::Channels { names: environment.list("FERRY_CHANNELS")?, secrets };
        Ok(Self { router: channel::with_channels(api::router(api), channels) })
    }

    /// Answers a request to the API, or does what a stack asks.
    ///
    /// # Errors
    /// When it is neither, or the stack cannot be told.
    pub async fn invoke(&self, event: Value, context: Context) -> Result<Value, Failure> {
        if event.get("RequestType").is_some() {
            let request: custom_resource::Request =
                serde_json::from_value(event).map_err(|error| Failure::Event(error.to_string()))?;
            let result = on_air::change(&self.router, &request).await;
            if let Err(reason) = &result {
                tracing::error!("the stack's session is not as it should be: {reason}");
            }
            request.answer(&result).await.map_err(Failure::Untold)?;
            return Ok(Value::Null);
        }
        let request: LambdaRequest =
            serde_json::from_value(event).map_err(|error| Failure::Event(error.to_string()))?;
        let adapter = Adapter::from(self.router.clone());
        let Ok(response) = adapter.oneshot(LambdaEvent::new(request, context)).await;
        Ok(serde_json::to_value(response).expect("a response has string keys only"))
    }
}
