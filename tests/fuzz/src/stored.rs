//! What was stored, perhaps by another version, or damaged.

use channel::Entry;
use channel::ports::{AssetRecord, ChannelRecord};
use relay::cursor;
use relay::progress::Progress;
use relay::session::{Access, Session};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{from_slice, json};

/// Any bytes are a record that is stored as it was read, or an error.
pub fn records(bytes: &[u8]) {
    if let Ok(known) = cursor::decode(bytes) {
        let stored = cursor::encode(&known);
        assert_eq!(cursor::decode(&stored).expect("it was just written"), known);
    }
    again::<Session>(bytes);
    again::<Progress>(bytes);
    again::<Access>(bytes);
    again::<Entry>(bytes);
    again::<AssetRecord>(bytes);
    again::<ChannelRecord>(bytes);
}

fn again<T: Serialize + DeserializeOwned>(bytes: &[u8]) {
    if let Ok(record) = from_slice::<T>(bytes) {
        let stored = json!(record);
        let read: T = serde_json::from_value(stored.clone()).expect("it was just written");
        assert_eq!(json!(read), stored);
    }
}
