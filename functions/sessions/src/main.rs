//! The Lambda function.

use aws::Environment;
use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde_json::Value;
use sessions::{Failure, World};

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

fn random() -> [u8; 10] {
    let mut bits = [0; 10];
    getrandom::fill(&mut bits).expect("Lambda's kernel has randomness");
    bits
}
