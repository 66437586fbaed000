//! Puts the ingest credentials of MediaPackage's channels into secrets, and changes them.

mod inputs;
mod rotation;

use aws::{SdkConfig, custom_resource};
use aws_sdk_mediapackage::Client as MediaPackage;
use aws_sdk_secretsmanager::Client as SecretsManager;
use custom_resource::{Kind, Resource};
use serde_json::{Map, Value};

/// The function: what its invocations share.
#[derive(Clone, Debug)]
pub struct World {
    pub(crate) packager: MediaPackage,
    pub(crate) secrets: SecretsManager,
}

/// Why an invocation fails.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// What it was given is neither a stack's request nor a step of a rotation.
    #[error("the event is neither a stack's nor a rotation's: {0}")]
    Event(String),
    /// AWS did not do what it was asked.
    #[error(transparent)]
    Aws(#[from] aws::Error),
    /// The channel or its secret is not what it should be.
    #[error("{0}")]
    Unfit(String),
}

impl From<Failure> for lambda_runtime::Diagnostic {
    fn from(failure: Failure) -> Self {
        let name = match &failure {
            Failure::Event(_) => "Ferry.BadInput",
            Failure::Aws(aws::Error::Denied { .. }) => "Ferry.Denied",
            Failure::Aws(_) => "Ferry.Unavailable",
            Failure::Unfit(_) => "Ferry.Unfit",
        };
        Self { error_type: name.to_owned(), error_message: failure.to_string() }
    }
}

impl World {
    /// The function, with MediaPackage and everything else where these say.
    #[must_use]
    pub fn new(packager: &SdkConfig, config: &SdkConfig) -> Self {
        Self { packager: MediaPackage::new(packager), secrets: SecretsManager::new(config) }
    }

    /// Does what a stack or a rotation asks. `now` is in seconds since 1970.
    ///
    /// # Errors
    /// When a step of a rotation fails, or a stack cannot be told that its resource did.
    pub async fn invoke(&self, event: Value, now: u64) -> Result<(), Failure> {
        let unfit = |error: serde_json::Error| Failure::Event(error.to_string());
        if event.get("RequestType").is_some() {
            let request: custom_resource::Request = serde_json::from_value(event).map_err(unfit)?;
            let result = self.change(&request).await.map_err(|failure| failure.to_string());
            if let Err(reason) = &result {
                tracing::error!("the channel's secret cannot be filled: {reason}");
            }
            return request.answer(&result).await.map_err(Failure::Unfit);
        }
        self.rotate(&serde_json::from_value(event).map_err(unfit)?, now).await
    }

    /// Makes the secret of a channel hold what MediaPackage says of its inputs.
    async fn change(&self, request: &custom_resource::Request) -> Result<Resource, Failure> {
        let property = |name| request.property(name).map_err(Failure::Unfit);
        let channel = property("ChannelId")?;
        let id = channel.to_owned();
        if request.request_type == Kind::Delete {
            // The secret goes with the stack.
            return Ok(Resource { id, data: Map::new() });
        }
        let secret = self.inputs(channel).await?;
        self.put(property("SecretId")?, None, &secret).await?;
        let mut data = Map::new();
        for (number, input) in secret.endpoints.iter().enumerate() {
            let number = number + 1;
            data.insert(format!("IngestEndpointId{number}"), Value::from(input.id.as_str()));
            data.insert(format!("IngestUrl{number}"), Value::from(input.url.as_str()));
        }
        Ok(Resource { id, data })
    }
}
