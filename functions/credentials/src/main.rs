//! The Lambda function.

use aws::Environment;
use credentials::{Failure, World};
use lambda_runtime::{Error, LambdaEvent, service_fn};
use relay::ports::Clock;
use serde_json::Value;
use web::clock::TokioClock;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let environment = Environment(&|name| std::env::var(name).ok());
    aws::log_to_stdout(&environment);
    let config = aws::sdk().await;
    let world = World::new(&config, &config);
    let clock = TokioClock::new();
    lambda_runtime::run(service_fn(|event| answer(&world, &clock, event))).await
}

async fn answer(
    world: &World,
    clock: &TokioClock,
    event: LambdaEvent<Value>,
) -> Result<(), Failure> {
    let answer = world.invoke(event.payload, clock.now().as_secs()).await;
    answer.inspect_err(|failure| tracing::error!("{failure}"))
}
