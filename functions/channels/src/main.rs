//! The Lambda function.

use aws::Environment;
use channels::{Failure, World};
use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde_json::Value;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let environment = Environment(&|name| std::env::var(name).ok());
    aws::log_to_stdout(&environment);
    let world = World::new(&environment, &aws::sdk().await, random);
    lambda_runtime::run(service_fn(|event| answer(&world, event))).await
}

async fn answer(
    world: &Result<World, Failure>,
    event: LambdaEvent<Value>,
) -> Result<Value, Failure> {
    let answer = async {
        let world = world.as_ref().map_err(Clone::clone)?;
        world.invoke(event.payload, event.context).await
    };
    answer.await.inspect_err(|failure| tracing::error!("{failure}"))
}

fn random() -> u64 {
    getrandom::u64().expect("Lambda's kernel has randomness")
}
