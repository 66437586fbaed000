//! The Lambda function.

use aws::{ConfigError, Environment, Executions, SdkConfig, Table};
use dispatch::Dispatch;
use lambda_runtime::{Diagnostic, Error, LambdaEvent, service_fn};
use relay::ports::Clock;
use serde_json::Value;
use web::clock::TokioClock;

/// Why a minute was not dispatched.
#[derive(Clone, Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Configuration(#[from] ConfigError),
    #[error(transparent)]
    Aws(#[from] aws::Error),
}

impl From<Failure> for Diagnostic {
    fn from(failure: Failure) -> Self {
        let name = match &failure {
            Failure::Configuration(_) => "Ferry.BadConfiguration",
            Failure::Aws(aws::Error::Denied { .. }) => "Ferry.Denied",
            Failure::Aws(aws::Error::Throttled { .. }) => "Ferry.Throttled",
            Failure::Aws(aws::Error::Unavailable { .. } | aws::Error::Malformed { .. }) => {
                "Ferry.Unavailable"
            }
        };
        Self { error_type: name.to_owned(), error_message: failure.to_string() }
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let environment = Environment(&|name| std::env::var(name).ok());
    aws::log_to_stdout(&environment);
    let dispatch = set_up(&environment, &aws::sdk().await);
    let clock = TokioClock::new();
    lambda_runtime::run(service_fn(|_: LambdaEvent<Value>| minute(&dispatch, &clock))).await
}

async fn minute(
    dispatch: &Result<Dispatch, ConfigError>,
    clock: &TokioClock,
) -> Result<(), Failure> {
    let dispatch = dispatch.as_ref().map_err(Clone::clone)?;
    let minute = dispatch.minute(clock.now(), &|line| println!("{line}")).await;
    Ok(minute.inspect_err(|error| tracing::error!(%error, "cannot dispatch"))?)
}

fn set_up(environment: &Environment<'_>, config: &SdkConfig) -> Result<Dispatch, ConfigError> {
    Ok(Dispatch {
        table: Table::new(config, environment.required("FERRY_TABLE")?),
        executions: Executions::new(config, environment.required("FERRY_STATE_MACHINE")?),
        run_seconds: environment.parsed("FERRY_RUN_SECONDS")?.unwrap_or(240),
        metrics: environment.text("FERRY_METRICS").unwrap_or_else(|| "hls-ferry".to_owned()),
    })
}
