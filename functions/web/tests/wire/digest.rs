//! A server that wants digests, written from RFC 7616 without the client's crate.

use crate::server::{Seen, Server, answer};
use axum::response::Response;
use md5::Md5;
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

pub const USER: &str = "mp user";
pub const PASSWORD: &str = "p:w \"word\"";

/// How the server wants things.
#[derive(Clone, Debug)]
pub struct Rules {
    /// The values of the challenge's parameters as they are written, quotes and all.
    pub challenge: Vec<(&'static str, String)>,
    pub password: &'static str,
    /// How long a nonce is taken for.
    pub lifetime: Option<Duration>,
    /// How often a nonce is taken.
    pub uses: Option<usize>,
    /// Whether the uses of a nonce must come in their order.
    pub in_order: bool,
    /// Whether each answer announces the next nonce.
    pub announces: bool,
    /// Whether a refusal for age says so.
    pub says_stale: bool,
}

impl Default for Rules {
    fn default() -> Self {
        let challenge = vec![("realm", "\"ingest\"".into()), ("qop", "\"auth\"".into())];
        Self {
            challenge,
            password: PASSWORD,
            lifetime: None,
            uses: None,
            in_order: false,
            announces: false,
            says_stale: true,
        }
    }
}

#[derive(Default)]
struct State {
    nonces: BTreeMap<String, (Instant, BTreeSet<u32>)>,
    given: u32,
    /// For a `-sess` algorithm: the client nonce of the first answer to a nonce.
    sessions: BTreeMap<String, String>,
    replayed: usize,
}

#[derive(Clone)]
pub struct Gate {
    pub rules: Arc<Mutex<Rules>>,
    state: Arc<Mutex<State>>,
}

impl Gate {
    pub fn new(rules: Rules) -> Self {
        Self { rules: Arc::new(Mutex::new(rules)), state: Arc::default() }
    }

    /// A server that stores what is signed and says 201.
    pub async fn serve(&self) -> Server {
        let gate = self.clone();
        Server::start(move |_, seen| gate.answer(seen, 201)).await
    }

    /// How often a nonce came with a count that it had come with.
    pub fn replayed(&self) -> usize {
        self.state.lock().unwrap().replayed
    }

    /// As after a restart: all nonces are unknown.
    pub fn forget(&self) {
        self.state.lock().unwrap().nonces.clear();
    }

    pub fn answer(&self, seen: &Seen, status: u16) -> Response {
        let rules = self.rules.lock().unwrap().clone();
        let mut state = self.state.lock().unwrap();
        match check(&rules, &mut state, seen) {
            Ok(()) if seen.header("if-match").is_some() => answer(412, &[], ""),
            Ok(()) if rules.announces => {
                let next = format!("nextnonce=\"{}\", qop=auth", nonce(&mut state));
                answer(status, &[("authentication-info", &next)], "")
            }
            Ok(()) => answer(status, &[], ""),
            Err(stale) => {
                let nonce = nonce(&mut state);
                let mut challenge = format!("Digest nonce=\"{nonce}\"");
                if stale && rules.says_stale {
                    challenge += ", stale=TRUE";
                }
                for (name, value) in &rules.challenge {
                    challenge += &format!(", {name}={value}");
                }
                answer(401, &[("www-authenticate", &challenge)], "sign in")
            }
        }
    }
}

fn nonce(state: &mut State) -> String {
    state.given += 1;
    let nonce = format!("n{}/+=", state.given);
    state.nonces.insert(nonce.clone(), (Instant::now(), BTreeSet::new()));
    nonce
}

/// The error says whether the nonce is the only thing that is wrong.
fn check(rules: &Rules, state: &mut State, seen: &Seen) -> Result<(), bool> {
    let Some(header) = seen.header("authorization") else { return Err(false) };
    let given = parameters(header.strip_prefix("Digest ").ok_or(false)?);
    let asked = |name: &str| {
        let value = rules.challenge.iter().find(|it| it.0 == name)?.1.as_str();
        Some(parameters(&format!("x={value}"))["x"].clone())
    };
    let get = |name: &str| given.get(name).cloned().unwrap_or_default();
    let realm = asked("realm").unwrap();
    let algorithm = asked("algorithm").unwrap_or_else(|| "MD5".into()).to_uppercase();
    let hash = |text: &str| match algorithm.trim_end_matches("-SESS") {
        "SHA-256" => hex(&Sha256::digest(text)),
        "MD5" => hex(&Md5::digest(text)),
        other => panic!("{other}"),
    };
    let user = if asked("userhash").as_deref() == Some("true") {
        assert_eq!(get("userhash"), "true");
        hash(&format!("{USER}:{realm}"))
    } else {
        USER.to_owned()
    };
    if get("username") != user || get("realm") != realm || get("uri") != seen.uri {
        return Err(false);
    }
    if given.get("opaque").cloned() != asked("opaque") {
        return Err(false);
    }
    let mut a1 = hash(&format!("{USER}:{realm}:{}", rules.password));
    let nonce = get("nonce");
    if algorithm.ends_with("-SESS") {
        // RFC 7616 section 3.4.2: made once, of the first nonce and client nonce.
        let cnonce = state.sessions.entry(nonce.clone()).or_insert_with(|| get("cnonce"));
        a1 = hash(&format!("{a1}:{nonce}:{cnonce}"));
    }
    let qop = get("qop");
    let a2 = hash(&format!("{}:{}", seen.method, seen.uri));
    let offered = asked("qop");
    let response = match &offered {
        None => hash(&format!("{a1}:{nonce}:{a2}")),
        Some(offered) => {
            if !offered.split(',').any(|it| it.trim() == qop) {
                return Err(false);
            }
            hash(&format!("{a1}:{nonce}:{}:{}:{qop}:{a2}", get("nc"), get("cnonce")))
        }
    };
    if response != get("response") {
        return Err(false);
    }
    let Some((made, used)) = state.nonces.get_mut(&nonce) else { return Err(true) };
    if rules.lifetime.is_some_and(|lifetime| made.elapsed() > lifetime) {
        return Err(true);
    }
    if offered.is_none() {
        return Ok(());
    }
    let count = u32::from_str_radix(&get("nc"), 16).unwrap();
    if rules.in_order && used.last().copied().unwrap_or(0) + 1 != count {
        used.insert(count);
        return Err(false);
    }
    if rules.uses.is_some_and(|uses| used.len() >= uses) {
        return Err(true);
    }
    if !used.insert(count) {
        state.replayed += 1;
        return Err(true);
    }
    Ok(())
}

/// Reads `a="b, \"c\"", d=e`.
fn parameters(text: &str) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut rest = text.trim();
    while let Some((name, value)) = rest.split_once('=') {
        let mut content = String::new();
        let mut characters = value.char_indices();
        let mut end = value.len();
        let quoted = value.starts_with('"');
        if quoted {
            characters.next();
        }
        while let Some((at, character)) = characters.next() {
            match character {
                '\\' if quoted => content.extend(characters.next().map(|it| it.1)),
                '"' if quoted => {
                    end = at + 1;
                    break;
                }
                ',' if !quoted => {
                    end = at;
                    break;
                }
                _ => content.push(character),
            }
        }
        assert!(found.insert(name.trim().to_lowercase(), content).is_none(), "{name} twice");
        rest = value[end..].trim_start().trim_start_matches(',').trim_start();
    }
    found
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
