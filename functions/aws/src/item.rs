//! What the table holds, as items and as values.
//!
//! | item | PK | SK | |
//! |---|---|---|---|
//! | session | `sessions` | moment of making, `#`, id | what was asked for and how it is doing; in the index `active` while it is active |
//! | cursor | `session#` id | `cursor` | how far it has come, and which run holds it: hot and small |
//! | guard | `place#` hash | `guard` | which active session writes to a destination, which is one text for all names that could be shared |

use crate::error::Error;
use crate::runs::RunId;
use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use relay::Timestamp;
use relay::ports::Record;
use relay::session::{Destination, Session, SessionId};
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::fmt::Write;

/// An item as DynamoDB gives it.
pub(crate) type Item = HashMap<String, AttributeValue>;

/// The partition of all sessions.
pub(crate) const SESSIONS: &str = "sessions";
/// The index of the active ones, its partition key, and the value that the key has.
pub(crate) const ACTIVE: &str = "active";
pub(crate) const YES: &str = "yes";

/// How far a session has come, and which run holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    /// Whose.
    pub id: SessionId,
    /// When the session was made: leads to what was asked for.
    pub created: Timestamp,
    /// Counts the commits.
    pub revision: u64,
    /// The cursor; absent before the first commit.
    pub cursor: Option<Vec<u8>>,
    /// Whether the session is to be carried no more.
    pub over: bool,
    /// The run that holds it.
    pub holder: Option<RunId>,
    /// The end of the holder's lease: it publishes nothing later.
    pub until: Timestamp,
    /// The run that held it before.
    pub relieved: Option<RunId>,
    /// The end of the lease of all who held it before: the holder publishes nothing earlier.
    pub from: Timestamp,
}

/// What an active session weighs, for packing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Load {
    /// Which.
    pub id: SessionId,
    /// How much it carries; absent before it was measured.
    pub bits_per_second: Option<u64>,
    /// How long a poll of it takes; absent before it was measured.
    pub tick_ms: Option<u64>,
    /// Whether something is wrong with it.
    pub degraded: bool,
}

pub(crate) fn text(value: impl Into<String>) -> AttributeValue {
    AttributeValue::S(value.into())
}

pub(crate) fn number(value: u64) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

pub(crate) fn moment(value: Timestamp) -> AttributeValue {
    number(value.0)
}

pub(crate) fn bytes(value: &[u8]) -> AttributeValue {
    AttributeValue::B(Blob::new(value))
}

/// The key of a session's cursor.
pub(crate) fn cursor_key(id: &SessionId) -> Item {
    key(format!("session#{id}"), "cursor")
}

/// The key of a session.
pub(crate) fn session_key(id: &SessionId, created: Timestamp) -> Item {
    key(SESSIONS, place_in_list(id, created))
}

/// Where a session stands in the list: in the order in which they were made.
pub(crate) fn place_in_list(id: &SessionId, created: Timestamp) -> String {
    format!("{:020}#{id}", created.0)
}

/// The key of what guards a destination. It may be longer than a key, so its hash is taken.
pub(crate) fn guard_key(destination: &Destination) -> Item {
    let mut hash = String::from("place#");
    for byte in Sha256::digest(destination.as_ref()) {
        write!(hash, "{byte:02x}").expect("a string takes all");
    }
    key(hash, "guard")
}

pub(crate) fn key(partition: impl Into<String>, sort: impl Into<String>) -> Item {
    Item::from([("PK".to_owned(), text(partition)), ("SK".to_owned(), text(sort))])
}

impl Mark {
    /// The mark in a cursor item.
    pub(crate) fn read(item: &Item) -> Result<Self, Error> {
        let read = || {
            let id = get_text(item, "PK")?.strip_prefix("session#")?;
            Some(Self {
                id: SessionId(id.to_owned()),
                created: get_moment(item, "created")?,
                revision: get_number(item, "rev")?,
                cursor: match item.get("cursor") {
                    None => None,
                    Some(stored) => Some(stored.as_b().ok()?.as_ref().to_vec()),
                },
                over: item.contains_key("over"),
                holder: get_text(item, "holder").map(|run| RunId(run.to_owned())),
                until: get_moment(item, "until").unwrap_or_default(),
                relieved: get_text(item, "relieved").map(|run| RunId(run.to_owned())),
                from: get_moment(item, "from").unwrap_or_default(),
            })
        };
        let name = get_text(item, "PK").unwrap_or("?");
        read().ok_or_else(|| Error::Malformed { what: format!("the cursor item {name}") })
    }
}

/// The cursor item of a session that was just made.
pub(crate) fn first_mark(session: &Session) -> Item {
    let mut item = cursor_key(&session.id);
    item.insert("created".to_owned(), moment(session.created));
    item.insert("rev".to_owned(), number(0));
    item
}

/// The session in a session item.
pub(crate) fn read_record(item: &Item) -> Result<Record, Error> {
    let name = get_text(item, "SK").unwrap_or("?");
    let json = |attribute: &str| get_text(item, attribute).unwrap_or_default();
    let malformed = |_| Error::Malformed { what: format!("the session item {name}") };
    Ok(Record {
        session: serde_json::from_str(json("session")).map_err(malformed)?,
        progress: serde_json::from_str(json("progress")).map_err(malformed)?,
    })
}

/// What an item of the index says; absent when it is none that is known here.
pub(crate) fn read_load(item: &Item) -> Option<Load> {
    let (_, id) = get_text(item, "SK")?.split_once('#')?;
    Some(Load {
        id: SessionId(id.to_owned()),
        bits_per_second: get_number(item, "bits_per_second"),
        tick_ms: get_number(item, "tick_ms"),
        degraded: get_text(item, "status") == Some("degraded"),
    })
}

/// What is stored as JSON.
pub(crate) fn json(value: &impl serde::Serialize) -> AttributeValue {
    text(serde_json::to_string(value).expect("what is stored has string keys only"))
}

pub(crate) fn get_text<'a>(item: &'a Item, name: &str) -> Option<&'a str> {
    item.get(name)?.as_s().ok().map(String::as_str)
}

pub(crate) fn get_number(item: &Item, name: &str) -> Option<u64> {
    item.get(name)?.as_n().ok()?.parse().ok()
}

pub(crate) fn get_moment(item: &Item, name: &str) -> Option<Timestamp> {
    get_number(item, name).map(Timestamp)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored() -> Item {
        let mut item = cursor_key(&SessionId("a".to_owned()));
        for (name, value) in [
            ("created", number(1_700_000_000_000_000)),
            ("rev", number(3)),
            ("cursor", bytes(b"{}")),
            ("holder", text("00001700000000000-00000001")),
            ("until", number(1_700_000_010_000_000)),
        ] {
            item.insert(name.to_owned(), value);
        }
        item
    }

    #[test]
    fn a_mark_of_a_newer_writer_is_read() {
        let mut item = stored();
        item.insert("a_newer_thing".to_owned(), text("x"));
        let mark = Mark::read(&item).unwrap();
        assert_eq!((mark.revision, mark.cursor, mark.over), (3, Some(b"{}".to_vec()), false));
        assert_eq!(mark.until, Timestamp(1_700_000_010_000_000));
    }

    #[test]
    fn a_mark_of_an_older_writer_is_read() {
        let mut item = stored();
        for name in ["holder", "until", "cursor"] {
            item.remove(name);
        }
        let mark = Mark::read(&item).unwrap();
        assert_eq!((mark.holder, mark.until, mark.cursor), (None, Timestamp(0), None));
        item.remove("rev");
        let error = Mark::read(&item).unwrap_err();
        assert_eq!(error.to_string(), "the cursor item session#a is malformed");
    }

    #[test]
    fn a_session_of_another_writer_is_read() {
        let session = r#"{"id":"a","name":"n","created":7,"source":"https://a.example/x","output":"mediapackage",
            "endpoints":["https://in.example/c"],"concurrency":4,"a_newer_thing":1}"#;
        let mut item = session_key(&SessionId("a".to_owned()), Timestamp(7));
        item.insert("session".to_owned(), text(session));
        item.insert("progress".to_owned(), text(r#"{"status":"running","a_newer_thing":{}}"#));
        let record = read_record(&item).unwrap();
        assert_eq!(record.session.name, "n");
        assert!(record.progress.status.is_active());
        item.insert("progress".to_owned(), text(r#"{"status":"a newer one"}"#));
        let error = read_record(&item).unwrap_err();
        assert_eq!(error.to_string(), "the session item 00000000000000000007#a is malformed");
    }

    #[test]
    fn the_list_is_in_the_order_of_time() {
        let place = |id: &str, micros| place_in_list(&SessionId(id.to_owned()), Timestamp(micros));
        assert!(place("a", 9) < place("a", 10));
        assert!(place("b", 10) > place("a", 10));
        let mut item = session_key(&SessionId("a#b".to_owned()), Timestamp(1));
        item.insert("tick_ms".to_owned(), number(40));
        let load = read_load(&item).unwrap();
        assert_eq!(
            (load.id.0.as_str(), load.tick_ms, load.bits_per_second),
            ("a#b", Some(40), None)
        );
    }
}
