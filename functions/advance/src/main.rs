//! The Lambda function.

use advance::{Answer, Failure, Settings, World};
use aws::{Environment, Input};
use lambda_runtime::{Error, LambdaEvent, service_fn};
use relay::Timestamp;
use serde_json::Value;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    aws::log_to_stdout(&environment());
    // A function that is not set up says so to whoever calls it, by a name that he knows.
    let world = world().await;
    lambda_runtime::run(service_fn(|event| answer(&world, event))).await
}

async fn answer(
    world: &Result<World, Failure>,
    event: LambdaEvent<Value>,
) -> Result<Answer, Failure> {
    let answer = async {
        let world = world.as_ref().map_err(Clone::clone)?;
        let Input { run } = serde_json::from_value(event.payload)
            .map_err(|error| Failure::BadInput(error.to_string()))?;
        let deadline = Timestamp(event.context.deadline.saturating_mul(1_000));
        let print = |line: &str| println!("{line}");
        world.invoke(run, deadline, &print).await
    };
    answer.await.inspect_err(|failure| tracing::error!(name = failure.name(), "{failure}"))
}

async fn world() -> Result<World, Failure> {
    let environment = environment();
    let settings = Settings::read(&environment)?;
    World::new(settings, &aws::sdk().await, || getrandom::u32().unwrap_or_default())
}

fn environment() -> Environment<'static> {
    Environment(&|name| std::env::var(name).ok())
}
