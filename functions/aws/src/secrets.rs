//! What must stay secret: in Secrets Manager, one secret a session and one a deployed channel.

use crate::error::{Error, call_error};
use aws_config::SdkConfig;
use aws_sdk_secretsmanager::Client;
use relay::session::{Access, Credentials, Endpoint, SessionId};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};
use url::Url;

/// How long a secret is used before it is read again. A password that was changed is noticed sooner,
/// when it is refused.
const FRESH: Duration = Duration::from_secs(300);

/// The secrets of a deployment.
#[derive(Debug)]
pub struct Secrets {
    client: Client,
    prefix: String,
    cache: Mutex<BTreeMap<String, (Instant, String)>>,
}

/// The inputs of a deployed channel, as its secret holds them.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChannelSecret {
    /// MediaPackage's id of the channel.
    #[serde(default)]
    pub channel: String,
    /// Its inputs, in MediaPackage's order.
    pub endpoints: Vec<ChannelInput>,
}

/// One input of a channel.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChannelInput {
    /// MediaPackage's id of the input.
    pub id: String,
    /// Where to push.
    pub url: Url,
    /// How to sign in.
    pub credentials: Credentials,
    /// When the password was last changed by a rotation, in seconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changed: Option<u64>,
}

impl ChannelSecret {
    /// The inputs as endpoints of a session.
    #[must_use]
    pub fn endpoints(&self) -> Vec<Endpoint> {
        let endpoint = |input: &ChannelInput| Endpoint {
            url: input.url.clone(),
            credentials: Some(input.credentials.clone()),
        };
        self.endpoints.iter().map(endpoint).collect()
    }
}

/// The secret of a session.
#[derive(Serialize, Deserialize)]
struct Stored {
    source: Url,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    fallbacks: Vec<Url>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    headers: Vec<(String, String)>,
    /// Absent where the channel's own secret has them: they change without the session.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    endpoints: Vec<Endpoint>,
    /// The deployed channel that it goes to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    channel: Option<String>,
}

impl Secrets {
    /// Those whose names begin with `prefix`, such as `ferry/`.
    #[must_use]
    pub fn new(config: &SdkConfig, prefix: String) -> Self {
        Self { client: Client::new(config), prefix, cache: Mutex::default() }
    }

    /// The secret part of a session; absent when there is none.
    ///
    /// # Errors
    /// When a secret cannot be read.
    pub async fn access(&self, id: &SessionId) -> Result<Option<Access>, Error> {
        let Some(name) = session_name(id) else { return Ok(None) };
        let Some(stored) = self.read(&name).await? else { return Ok(None) };
        let stored: Stored = serde_json::from_str(&stored)
            .map_err(|_| Error::Malformed { what: format!("the secret of session {id}") })?;
        let endpoints = match &stored.channel {
            None => stored.endpoints,
            Some(channel) => {
                let missing =
                    || Error::Malformed { what: format!("the secret of channel {channel}") };
                self.channel(channel).await?.ok_or_else(missing)?.endpoints()
            }
        };
        let (source, fallbacks, headers) = (stored.source, stored.fallbacks, stored.headers);
        Ok(Some(Access { source, fallbacks, headers, endpoints }))
    }

    /// The deployed channel to which a session goes, if its secret was read before.
    #[must_use]
    pub fn channel_of(&self, id: &SessionId) -> Option<String> {
        let name = session_name(id)?;
        let cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        let (_, stored) = cache.get(&name)?;
        serde_json::from_str::<Stored>(stored).ok()?.channel
    }

    /// The inputs of a deployed channel; absent when there is none of this name.
    ///
    /// # Errors
    /// When the secret cannot be read, or does not hold a channel's inputs.
    pub async fn channel(&self, name: &str) -> Result<Option<ChannelSecret>, Error> {
        let Some(stored) = self.read(&channel_name(name)).await? else { return Ok(None) };
        let malformed = |_| Error::Malformed { what: format!("the secret of channel {name}") };
        serde_json::from_str(&stored).map(Some).map_err(malformed)
    }

    /// Reads afresh what the next call asks of a session: its credentials were refused.
    pub fn distrust(&self, id: &SessionId) {
        let channel = self.channel_of(id);
        let names = session_name(id).into_iter().chain(channel.map(|name| channel_name(&name)));
        let mut cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        for name in names {
            cache.remove(&name);
        }
    }

    /// Keeps the secret part of a session. What belongs to a deployed channel stays with it.
    pub(crate) async fn keep(&self, id: &SessionId, access: &Access) -> Result<(), Error> {
        let malformed = || Error::Malformed { what: format!("the id {id}") };
        let name = session_name(id).ok_or_else(malformed)?;
        let channel = self.known_channel(&access.endpoints);
        let endpoints = if channel.is_some() { Vec::new() } else { access.endpoints.clone() };
        let (source, headers) = (access.source.clone(), access.headers.clone());
        let fallbacks = access.fallbacks.clone();
        let stored = Stored { source, fallbacks, headers, endpoints, channel };
        let text = serde_json::to_string(&stored).expect("it has string keys only");
        let request = self.client.create_secret().name(self.full(&name)).secret_string(text);
        let request = request.description("Where a session of HLS Ferry pulls from and pushes to");
        let answer = request.send().await;
        answer.map_err(|error| call_error("secretsmanager:CreateSecret", &error))?;
        Ok(())
    }

    /// Throws the secret part of a session away; there need not be any.
    pub(crate) async fn forget(&self, id: &SessionId) -> Result<(), Error> {
        let Some(name) = session_name(id) else { return Ok(()) };
        self.cache.lock().unwrap_or_else(PoisonError::into_inner).remove(&name);
        let request = self.client.delete_secret().secret_id(self.full(&name));
        match request.force_delete_without_recovery(true).send().await {
            Ok(_) => Ok(()),
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(|error| error.is_resource_not_found_exception()) =>
            {
                Ok(())
            }
            Err(error) => Err(call_error("secretsmanager:DeleteSecret", &error)),
        }
    }

    async fn read(&self, name: &str) -> Result<Option<String>, Error> {
        {
            let cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some((read, stored)) = cache.get(name)
                && read.elapsed() < FRESH
            {
                return Ok(Some(stored.clone()));
            }
        }
        let request = self.client.get_secret_value().secret_id(self.full(name));
        let answer = match request.send().await {
            Ok(answer) => answer,
            Err(error)
                if error.as_service_error().is_some_and(|error| {
                    // A secret that is being deleted is gone.
                    error.is_resource_not_found_exception() || error.is_invalid_request_exception()
                }) =>
            {
                return Ok(None);
            }
            Err(error) => return Err(call_error("secretsmanager:GetSecretValue", &error)),
        };
        let Some(stored) = answer.secret_string else { return Ok(None) };
        let mut cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        cache.insert(name.to_owned(), (Instant::now(), stored.clone()));
        Ok(Some(stored))
    }

    /// The deployed channel whose inputs these are, of those that were read.
    fn known_channel(&self, endpoints: &[Endpoint]) -> Option<String> {
        let cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        let same = |one: &Endpoint, other: &Endpoint| {
            one.url == other.url && one.credentials == other.credentials
        };
        cache.iter().find_map(|(name, (_, stored))| {
            let channel = name.strip_prefix("channels/")?;
            let own = serde_json::from_str::<ChannelSecret>(stored).ok()?.endpoints();
            let all = own.len() == endpoints.len()
                && own.iter().zip(endpoints).all(|(one, other)| same(one, other));
            all.then(|| channel.to_owned())
        })
    }

    fn full(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }
}

fn channel_name(name: &str) -> String {
    format!("channels/{name}")
}

/// Where the secret of a session is; nowhere when its id could name another place.
fn session_name(id: &SessionId) -> Option<String> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    let fit = !id.0.is_empty() && id.0.len() <= 64 && id.0.bytes().all(plain);
    fit.then(|| format!("sessions/{id}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_other_writers_stored_is_read() {
        let newer = r#"{"source":"https://a.example/x","channel":"main","a_newer_thing":1}"#;
        let stored: Stored = serde_json::from_str(newer).unwrap();
        assert_eq!((stored.channel.as_deref(), stored.endpoints.len()), (Some("main"), 0));
        let older =
            r#"{"source":"https://a.example/x","endpoints":[{"url":"https://in.example/c"}]}"#;
        let stored: Stored = serde_json::from_str(older).unwrap();
        assert_eq!((stored.channel, stored.endpoints.len()), (None, 1));
    }

    #[test]
    fn an_id_cannot_name_the_secret_of_another() {
        for (id, name) in [
            ("abc-1_2", Some("sessions/abc-1_2".to_owned())),
            ("", None),
            ("../channels/main", None),
            ("a/b", None),
        ] {
            assert_eq!(session_name(&SessionId(id.to_owned())), name, "{id}");
        }
    }
}
