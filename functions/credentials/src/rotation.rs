//! A rotation: each turn changes the password of one input, so that the other goes on whatever happens.

use crate::{Failure, World};
use aws::{ChannelInput, ChannelSecret, call_error};
use aws_sdk_secretsmanager::error::ProvideErrorMetadata;
use serde::Deserialize;
use std::collections::BTreeMap;

/// A step of a rotation, as Secrets Manager asks for it.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Rotation {
    step: Step,
    secret_id: String,
    /// The version that the rotation makes.
    client_request_token: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
enum Step {
    #[serde(rename = "createSecret")]
    Create,
    #[serde(rename = "setSecret")]
    Set,
    #[serde(rename = "testSecret")]
    Test,
    #[serde(rename = "finishSecret")]
    Finish,
}

impl World {
    /// Does one step; doing it again is harmless.
    pub(crate) async fn rotate(&self, rotation: &Rotation, now: u64) -> Result<(), Failure> {
        let Rotation { step, secret_id, client_request_token: version } = rotation;
        match step {
            Step::Create => self.create(secret_id, version, now).await,
            // MediaPackage makes the passwords: they are set when they are made, and known to work.
            Step::Set | Step::Test => Ok(()),
            Step::Finish => self.finish(secret_id, version).await,
        }
    }

    async fn create(&self, secret: &str, version: &str, now: u64) -> Result<(), Failure> {
        if self.value(secret, "AWSPENDING", Some(version)).await?.is_some() {
            return Ok(());
        }
        let current = self.value(secret, "AWSCURRENT", None).await?;
        let unfit = |what: &str| Failure::Unfit(format!("the channel's secret {what}"));
        let current = current.ok_or_else(|| unfit("is empty: update the stack"))?;
        let current: ChannelSecret = serde_json::from_str(&current)
            .map_err(|_| unfit("does not hold inputs: update the stack"))?;
        let next = next(&current.endpoints).ok_or_else(|| unfit("names no input"))?;
        let request = self.packager.rotate_ingest_endpoint_credentials();
        let answer = request.id(&current.channel).ingest_endpoint_id(&next.id).send().await;
        answer
            .map_err(|error| call_error("mediapackage:RotateIngestEndpointCredentials", &error))?;
        // What is known of both: the other may have been changed by somebody else.
        let mut inputs = self.inputs(&current.channel).await?;
        for input in &mut inputs.endpoints {
            let before = current.endpoints.iter().find(|before| before.id == input.id);
            let was_next = input.id == next.id;
            input.changed = if was_next { Some(now) } else { before.and_then(|it| it.changed) };
        }
        self.put(secret, Some(version), &inputs).await?;
        tracing::info!(input = %next.id, channel = %current.channel, "changed the password of an input");
        Ok(())
    }

    /// Makes the version of a rotation the one that is used.
    async fn finish(&self, secret: &str, version: &str) -> Result<(), Failure> {
        let answer = self.secrets.describe_secret().secret_id(secret).send().await;
        let answer = answer.map_err(|error| call_error("secretsmanager:DescribeSecret", &error))?;
        let stages: BTreeMap<_, _> = answer.version_ids_to_stages().into_iter().flatten().collect();
        let is_current = |stages: &[String]| stages.iter().any(|stage| stage == "AWSCURRENT");
        let current = stages.into_iter().find(|(_, stages)| is_current(stages));
        let current = current.map(|(version, _)| version);
        if current.is_some_and(|current| current == version) {
            return Ok(());
        }
        let answer = self
            .secrets
            .update_secret_version_stage()
            .secret_id(secret)
            .version_stage("AWSCURRENT")
            .move_to_version_id(version)
            .set_remove_from_version_id(current.cloned())
            .send()
            .await;
        answer.map_err(|error| call_error("secretsmanager:UpdateSecretVersionStage", &error))?;
        Ok(())
    }

    /// What a secret holds; absent when there is no such version.
    async fn value(
        &self,
        secret: &str,
        stage: &str,
        version: Option<&str>,
    ) -> Result<Option<String>, Failure> {
        let request = self.secrets.get_secret_value().secret_id(secret).version_stage(stage);
        match request.set_version_id(version.map(str::to_owned)).send().await {
            Ok(answer) => Ok(answer.secret_string),
            // There is the version, and nothing in it, or it has no such stage.
            Err(error)
                if matches!(
                    error.code(),
                    Some("ResourceNotFoundException" | "InvalidRequestException")
                ) =>
            {
                Ok(None)
            }
            Err(error) => Err(call_error("secretsmanager:GetSecretValue", &error).into()),
        }
    }
}

/// The input whose password was changed longest ago.
fn next(inputs: &[ChannelInput]) -> Option<&ChannelInput> {
    inputs.iter().min_by_key(|input| input.changed.unwrap_or_default())
}
