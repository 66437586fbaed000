//! The server's side of digest access authentication (RFC 7616), as an ingest does it.

use http_auth::ChallengeParser;
use md5::{Digest, Md5};
use sha2::Sha256;
use std::collections::{BTreeMap, BTreeSet};
use std::hash::{BuildHasher, RandomState};
use std::time::{Duration, Instant};

/// How long a nonce is good: short enough that a demo shows it being renewed.
const LIFETIME: Duration = Duration::from_secs(120);

/// Nonces that are remembered; the oldest makes room. One client on many connections asks for a few.
const NONCES: usize = 256;

/// Lets in those who know the password.
#[derive(Debug)]
pub struct Gate {
    username: String,
    password: String,
    nonces: BTreeMap<String, Nonce>,
    secret: RandomState,
    made: u64,
}

#[derive(Debug)]
struct Nonce {
    made: u64,
    at: Instant,
    /// The counts that came with it: none is good twice (RFC 7616 section 5.12).
    used: BTreeSet<u32>,
}

/// Why a request is not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The credentials are right and the nonce is not good any more.
    Stale,
    /// No credentials, or wrong ones.
    Denied,
}

impl Gate {
    /// A gate for one user.
    pub fn new(username: &str, password: &str) -> Self {
        Self {
            username: username.to_owned(),
            password: password.to_owned(),
            nonces: BTreeMap::new(),
            secret: RandomState::new(),
            made: 0,
        }
    }

    /// Whether a request for `uri`, as it stands in its first line, is let in.
    pub fn check(
        &mut self,
        method: &str,
        uri: &str,
        authorization: Option<&str>,
        now: Instant,
    ) -> Result<(), Refusal> {
        let answer = authorization.and_then(Answer::read).ok_or(Refusal::Denied)?;
        let expected = match answer.algorithm.to_ascii_uppercase().as_str() {
            "MD5" => self.response::<Md5>(method, &answer),
            "SHA-256" => self.response::<Sha256>(method, &answer),
            _ => return Err(Refusal::Denied),
        };
        let right = answer.username == self.username
            && answer.realm == REALM
            && answer.uri == uri
            && answer.qop == "auth"
            && answer.response == expected;
        if !right {
            return Err(Refusal::Denied);
        }
        let nonce = self.nonces.get_mut(&answer.nonce).ok_or(Refusal::Stale)?;
        if now.duration_since(nonce.at) > LIFETIME || !nonce.used.insert(answer.count) {
            return Err(Refusal::Stale);
        }
        Ok(())
    }

    /// The challenges for a request that was refused, the best first (RFC 7616 section 3.7).
    pub fn challenges(&mut self, refusal: Refusal, now: Instant) -> [String; 2] {
        let nonce = format!("{:016x}", self.secret.hash_one(self.made));
        self.nonces
            .insert(nonce.clone(), Nonce { made: self.made, at: now, used: BTreeSet::new() });
        self.made += 1;
        let oldest = self.made.saturating_sub(NONCES as u64);
        self.nonces.retain(|_, nonce| nonce.made >= oldest);
        let stale = match refusal {
            Refusal::Stale => ", stale=true",
            Refusal::Denied => "",
        };
        ["SHA-256", "MD5"].map(|algorithm| {
            format!(
                r#"Digest realm="{REALM}", qop="auth", algorithm={algorithm}, nonce="{nonce}"{stale}"#
            )
        })
    }

    /// What the client must have computed (RFC 7616 section 3.4.1).
    fn response<D: Digest>(&self, method: &str, answer: &Answer) -> String {
        let hash = |text: String| -> String {
            D::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
        };
        let user = hash(format!("{}:{REALM}:{}", self.username, self.password));
        let request = hash(format!("{method}:{}", answer.uri));
        let Answer { nonce, nc, cnonce, qop, .. } = answer;
        hash(format!("{user}:{nonce}:{nc}:{cnonce}:{qop}:{request}"))
    }
}

/// What the user is asked to sign in to.
const REALM: &str = "ferry demo";

/// An `Authorization` header of RFC 7616 section 3.4.
struct Answer {
    username: String,
    realm: String,
    nonce: String,
    uri: String,
    response: String,
    algorithm: String,
    qop: String,
    cnonce: String,
    nc: String,
    count: u32,
}

impl Answer {
    fn read(header: &str) -> Option<Self> {
        // Credentials are spelt like challenges.
        let read = ChallengeParser::new(header).next()?.ok()?;
        if !read.scheme.eq_ignore_ascii_case("digest") {
            return None;
        }
        let get = |wanted: &str| {
            let found = read.params.iter().find(|(name, _)| name.eq_ignore_ascii_case(wanted));
            found.map(|(_, value)| value.to_unescaped())
        };
        let nc = get("nc")?;
        let count = u32::from_str_radix(&nc, 16).ok()?;
        Some(Self {
            username: get("username")?,
            realm: get("realm")?,
            nonce: get("nonce")?,
            uri: get("uri")?,
            response: get("response")?,
            algorithm: get("algorithm").unwrap_or_else(|| "MD5".to_owned()),
            qop: get("qop")?,
            cnonce: get("cnonce")?,
            nc,
            count,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_auth::{PasswordClient, PasswordParams};

    const URI: &str = "/ingest/1/channel.m3u8?x=1";

    /// A client that was given the challenge at `place`.
    fn client(gate: &mut Gate, refusal: Refusal, place: usize, now: Instant) -> PasswordClient {
        let challenges = gate.challenges(refusal, now);
        PasswordClient::try_from(challenges[place].as_str()).unwrap()
    }

    fn header(client: &mut PasswordClient, password: &str) -> String {
        let (username, method) = ("demo", "PUT");
        let params = PasswordParams { username, password, uri: URI, method, body: None };
        client.respond(&params).unwrap()
    }

    #[test]
    fn who_knows_the_password_is_let_in_by_either_algorithm_as_often_as_they_count_on() {
        let (mut gate, now) = (Gate::new("demo", "word"), Instant::now());
        assert_eq!(gate.check("PUT", URI, None, now), Err(Refusal::Denied));
        for place in [0, 1] {
            let mut client = client(&mut gate, Refusal::Denied, place, now);
            for _ in 0..3 {
                let header = header(&mut client, "word");
                assert_eq!(gate.check("PUT", URI, Some(&header), now), Ok(()));
            }
        }
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let (mut gate, now) = (Gate::new("demo", "word"), Instant::now());
        let mut client = client(&mut gate, Refusal::Denied, 0, now);
        let wrong = header(&mut client, "sword");
        let right = header(&mut client, "word");
        for (name, method, uri, header) in [
            ("another password", "PUT", URI, wrong.as_str()),
            ("another method", "DELETE", URI, &right),
            ("another address", "PUT", "/ingest/1/channel.m3u8", &right),
            ("another user", "PUT", URI, &right.replace("\"demo\"", "\"me\"")),
            ("no answer", "PUT", URI, &right.replace("response=", "respond=")),
            ("another realm", "PUT", URI, &right.replace("ferry demo", "ferry")),
            ("another scheme", "PUT", URI, "Basic ZGVtbzp3b3Jk"),
            ("nothing", "PUT", URI, ""),
        ] {
            let checked = gate.check(method, uri, Some(header), now);
            assert_eq!(checked, Err(Refusal::Denied), "{name}");
        }
        assert_eq!(gate.check("PUT", URI, Some(&right), now), Ok(()));
        assert_eq!(gate.check("PUT", URI, Some(&right), now), Err(Refusal::Stale), "a replay");
    }

    #[test]
    fn an_old_nonce_is_stale_and_the_next_one_is_good() {
        let (mut gate, now) = (Gate::new("demo", "word"), Instant::now());
        let mut first = client(&mut gate, Refusal::Denied, 0, now);
        let later = now + LIFETIME + Duration::from_secs(1);
        let late = header(&mut first, "word");
        assert_eq!(gate.check("PUT", URI, Some(&late), later), Err(Refusal::Stale));
        let challenges = gate.challenges(Refusal::Stale, later);
        assert!(challenges.iter().all(|challenge| challenge.ends_with("stale=true")));
        let mut next = client(&mut gate, Refusal::Stale, 1, later);
        let fresh = header(&mut next, "word");
        assert_eq!(gate.check("PUT", URI, Some(&fresh), later), Ok(()));
        for _ in 0..2 * NONCES {
            gate.challenges(Refusal::Denied, later);
        }
        assert_eq!(gate.nonces.len(), NONCES);
    }
}
