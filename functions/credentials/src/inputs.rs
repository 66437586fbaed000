//! What MediaPackage says of a channel's inputs, and the secret that holds it.

use crate::{Failure, World};
use aws::{ChannelInput, ChannelSecret, call_error};
use aws_sdk_mediapackage::types::IngestEndpoint;
use url::Url;

impl World {
    /// The inputs of a channel.
    pub(crate) async fn inputs(&self, channel: &str) -> Result<ChannelSecret, Failure> {
        let answer = self.packager.describe_channel().id(channel).send().await;
        let answer = answer.map_err(|error| call_error("mediapackage:DescribeChannel", &error))?;
        let inputs = answer.hls_ingest().map(|ingest| ingest.ingest_endpoints());
        let inputs = inputs.unwrap_or_default();
        let unfit = || Failure::Unfit(format!("channel {channel} does not tell its inputs"));
        let endpoints: Option<Vec<ChannelInput>> = inputs.iter().map(input).collect();
        let endpoints = endpoints.filter(|all| !all.is_empty()).ok_or_else(unfit)?;
        Ok(ChannelSecret { channel: channel.to_owned(), endpoints })
    }

    /// Puts the inputs of a channel into its secret: as the pending version of a rotation, or for use
    /// at once.
    pub(crate) async fn put(
        &self,
        secret: &str,
        pending: Option<&str>,
        inputs: &ChannelSecret,
    ) -> Result<(), Failure> {
        let text = serde_json::to_string(inputs).expect("it has string keys only");
        let mut request = self.secrets.put_secret_value().secret_id(secret).secret_string(text);
        if let Some(version) = pending {
            request = request.client_request_token(version).version_stages("AWSPENDING");
        }
        let answer = request.send().await;
        answer.map_err(|error| call_error("secretsmanager:PutSecretValue", &error))?;
        Ok(())
    }
}

fn input(endpoint: &IngestEndpoint) -> Option<ChannelInput> {
    Some(ChannelInput {
        id: endpoint.id()?.to_owned(),
        url: Url::parse(endpoint.url()?).ok()?,
        credentials: relay::session::Credentials {
            username: endpoint.username()?.to_owned(),
            password: endpoint.password()?.to_owned(),
        },
        changed: None,
    })
}
