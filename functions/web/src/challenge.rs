//! What a server asks of those who sign in (RFC 9110 section 11.6, RFC 7616, RFC 7617).

use http::Method;
use http::header::{HeaderMap, HeaderValue, WWW_AUTHENTICATE};
use http_auth::digest::Qop;
use http_auth::{
    BasicClient, ChallengeParser, ChallengeRef, DigestClient, ParamValue, PasswordParams,
};
use relay::session::Credentials;

/// A header of RFC 7616 section 3.5.
const AUTHENTICATION_INFO: &str = "authentication-info";
/// The names of the algorithms as `http-auth` wants them; servers also write them in lower case.
const ALGORITHMS: [&str; 6] =
    ["MD5", "MD5-sess", "SHA-256", "SHA-256-sess", "SHA-512-256", "SHA-512-256-sess"];

/// A challenge, and how often it was answered.
#[derive(Debug)]
pub struct Challenge(Scheme);

#[derive(Debug)]
enum Scheme {
    Basic(BasicClient),
    Digest {
        client: DigestClient,
        /// What the client was made of, to make the next one of.
        parameters: Vec<(String, String)>,
        /// Ours, for a `-sess` algorithm: its key is made of the first one and lasts as long as the
        /// nonce.
        cnonce: String,
    },
}

/// What is signed of a request.
#[derive(Clone, Copy, Debug)]
pub struct Signed<'a> {
    /// The method.
    pub method: &'a Method,
    /// Path and query string.
    pub uri: &'a str,
}

impl Challenge {
    /// The challenge to answer: the first digest that is understood, as RFC 7616 section 3.7
    /// advises, else Basic.
    #[must_use]
    pub fn read(headers: &HeaderMap) -> Option<Self> {
        let texts = headers.get_all(WWW_AUTHENTICATE).iter().filter_map(|it| it.to_str().ok());
        let mut basic = None;
        // What follows a challenge that cannot be parsed is not looked at.
        for challenge in texts.flat_map(|it| ChallengeParser::new(it).map_while(Result::ok)) {
            if challenge.scheme.eq_ignore_ascii_case("digest") {
                let owned = |(name, value): &(&str, ParamValue<'_>)| {
                    ((*name).to_owned(), value.as_escaped().to_owned())
                };
                let digest = Self::digest(challenge.params.iter().map(owned).collect());
                if digest.is_some() {
                    return digest;
                }
            } else if basic.is_none() {
                basic = BasicClient::try_from(&challenge).ok().map(|it| Self(Scheme::Basic(it)));
            }
        }
        basic
    }

    fn digest(mut parameters: Vec<(String, String)>) -> Option<Self> {
        for (name, value) in &mut parameters {
            if name.eq_ignore_ascii_case("algorithm")
                && let Some(known) = ALGORITHMS.iter().find(|it| it.eq_ignore_ascii_case(value))
            {
                (*known).clone_into(value);
            }
        }
        let mut challenge = ChallengeRef::new("Digest");
        for (name, value) in &parameters {
            challenge.params.push((name, ParamValue::try_from_escaped(value).ok()?));
        }
        // Hashing whole bodies (`auth-int`) is asked for by no ingest, and `http-auth` does it
        // wrongly.
        let client = DigestClient::try_from(&challenge).ok().filter(|it| it.qop() & Qop::Auth)?;
        Some(Self(Scheme::Digest { client, parameters, cnonce: random() }))
    }

    /// The challenge that follows this one, when an answer announces the next nonce.
    #[must_use]
    pub fn announced(&self, headers: &HeaderMap) -> Option<Self> {
        let Scheme::Digest { parameters, client, .. } = &self.0 else { return None };
        let info = format!("Digest {}", headers.get(AUTHENTICATION_INFO)?.to_str().ok()?);
        let info = ChallengeParser::new(&info).next()?.ok()?;
        let (_, nonce) = info.params.iter().find(|it| it.0.eq_ignore_ascii_case("nextnonce"))?;
        if nonce.to_unescaped() == client.nonce() {
            return None;
        }
        let mut parameters = parameters.clone();
        parameters.retain(|(name, _)| !name.eq_ignore_ascii_case("stale"));
        for (name, value) in &mut parameters {
            if name.eq_ignore_ascii_case("nonce") {
                nonce.as_escaped().clone_into(value);
            }
        }
        Self::digest(parameters)
    }

    /// Whether the server says that the credentials were right and only the nonce was too old.
    #[must_use]
    pub fn is_stale(&self) -> bool {
        matches!(&self.0, Scheme::Digest { client, .. } if client.stale())
    }

    /// How often it was answered; nothing counts for Basic.
    #[must_use]
    pub fn uses(&self) -> u32 {
        match &self.0 {
            Scheme::Basic(_) => 0,
            Scheme::Digest { client, .. } => client.nonce_count(),
        }
    }

    /// The `Authorization` header for a request. No two answers have the same nonce count.
    ///
    /// # Errors
    /// What cannot be signed; not the credentials.
    pub fn answer(
        &mut self,
        credentials: &Credentials,
        signed: Signed<'_>,
    ) -> Result<HeaderValue, &'static str> {
        let Credentials { username, password } = credentials;
        let header = match &mut self.0 {
            Scheme::Basic(client) => client.respond(username, password),
            Scheme::Digest { client, cnonce, .. } => {
                let params = PasswordParams {
                    username,
                    password,
                    uri: signed.uri,
                    method: signed.method.as_str(),
                    body: None,
                };
                let answer = if client.session() {
                    client.respond_with_testing_cnonce(&params, cnonce)
                } else {
                    client.respond(&params)
                };
                answer.map_err(|_| "the endpoint's challenge cannot be answered")?
            }
        };
        let mut header = HeaderValue::try_from(header)
            .map_err(|_| "the credentials do not fit into a request header")?;
        header.set_sensitive(true);
        Ok(header)
    }
}

fn random() -> String {
    let mut bytes = [0; 16];
    let random = rustls::crypto::ring::default_provider().secure_random;
    // Should the machine have no randomness, zeros still make a valid answer.
    let _ = random.fill(&mut bytes);
    format!("{:032x}", u128::from_be_bytes(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Names that servers use or might, with values of every form, or nearly.
    const PARAMETER: &str = "(realm|nonce|qop|algorithm|opaque|stale|userhash|[a-z]{0,4}) ?= ?\
        (\"(auth|auth-int|MD5|SHA-256-sess|[ -~]{0,12})\"|MD5|true|[!-~]{0,8})";

    proptest! {
        /// A server says what it wants: what comes of that is an answer, or none.
        #[test]
        fn any_challenge_is_answered_or_not_understood(
            scheme in "(Digest|digest|Basic|Bearer|[a-zA-Z]{0,6})",
            parameters in prop::collection::vec(PARAMETER, 0..7),
            separator in "(, |,|; | )",
            rest in prop::collection::vec(any::<u8>(), 0..12),
        ) {
            let mut text = format!("{scheme} {}", parameters.join(&separator)).into_bytes();
            text.extend(rest);
            let mut headers = HeaderMap::new();
            if let Ok(value) = HeaderValue::from_bytes(&text) {
                headers.insert(WWW_AUTHENTICATE, value);
            }
            if let Some(mut challenge) = Challenge::read(&headers) {
                let credentials =
                    Credentials { username: "u".to_owned(), password: "p".to_owned() };
                let signed = Signed { method: &Method::PUT, uri: "/in/channel.m3u8" };
                let _ = challenge.answer(&credentials, signed);
            }
        }
    }
}
