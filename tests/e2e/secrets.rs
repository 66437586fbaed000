//! Every secret that a case made up: none of them may be found anywhere in the end.

use serde_json::Value;
use std::collections::BTreeSet;
use std::sync::Mutex;
use url::Url;

static KNOWN: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

/// What is shorter may be a part of anything.
const SHORTEST: usize = 8;

/// Remembers a secret.
pub fn add(secret: &str) {
    if secret.len() >= SHORTEST {
        KNOWN.lock().unwrap().insert(secret.to_owned());
    }
}

/// Remembers what is secret in a request for a session: passwords, headers, and what addresses hold
/// beside host and path.
pub fn of_request(request: &Value) {
    match request {
        Value::Object(fields) => {
            for (name, value) in fields {
                match (name.as_str(), value) {
                    ("password", Value::String(word)) => add(word),
                    ("headers", Value::Object(headers)) => {
                        headers.values().filter_map(Value::as_str).for_each(add);
                    }
                    _ => of_request(value),
                }
            }
        }
        Value::Array(values) => values.iter().for_each(of_request),
        Value::String(text) => {
            if let Ok(url) = Url::parse(text) {
                url.password().into_iter().for_each(add);
                url.query_pairs().for_each(|(_, value)| add(&value));
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Promise 9: panics when one of them is in what was found in `place`.
pub fn keep_out_of(place: &str, found: &[u8]) {
    let (known, text) = (KNOWN.lock().unwrap().clone(), String::from_utf8_lossy(found));
    for secret in known {
        if let Some(at) = text.find(&secret) {
            let from = text.floor_char_boundary(at.saturating_sub(200));
            let to = text.ceil_char_boundary(at + 200);
            panic!("a secret is in the {place}: {}", &text[from..to]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_secret_in_a_request_is_known_and_found() {
        of_request(&json!({
            "name": "a plain name",
            "source": {
                "url": "http://user:pa55-in-address@a.example/x?token=t0ken-in-address",
                "headers": { "x-key": "k3y-in-header" },
            },
            "output": { "endpoints": [{ "url": "http://b.example/", "password": "pa55-of-its-own" }] },
        }));
        for secret in ["pa55-in-address", "t0ken-in-address", "k3y-in-header", "pa55-of-its-own"] {
            let found = std::panic::catch_unwind(|| {
                keep_out_of("test", format!("some {secret} here").as_bytes());
            });
            assert!(found.is_err(), "{secret}");
        }
        keep_out_of("test", b"a plain name");
    }
}
