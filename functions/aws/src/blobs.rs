//! Values of any size: packed, and in as many items as they need.

use crate::error::{Error, call_error};
use crate::item::{Item, get_number, key, number, text};
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use miniz_oxide::deflate::compress_to_vec;
use miniz_oxide::inflate::decompress_to_vec_with_limit;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// What one item holds of a value: an item takes 400 KB with its key and the names of its attributes.
pub(crate) const PART_BYTES: usize = 350_000;
/// How hard values are packed: half a day of segments in a few milliseconds.
const PACKING: u8 = 6;
/// The largest value that is unpacked: a week of segments in ten renditions.
const MOST_BYTES: usize = 256 << 20;
/// What is stored of a value, or of a part of it.
const DATA: &str = "data";
/// In how many parts it is stored.
const PARTS: &str = "parts";

/// The table with the values. Each has a partition, and a part of it an item.
#[derive(Clone, Debug)]
pub(crate) struct Blobs {
    pub(crate) client: Client,
    pub(crate) table: String,
}

/// A value as it is stored.
pub(crate) fn pack(value: &impl Serialize) -> Vec<u8> {
    let json = serde_json::to_vec(value).expect("what is stored has string keys only");
    compress_to_vec(&json, PACKING)
}

/// The value that was packed; `what` names it.
pub(crate) fn unpack<T: DeserializeOwned>(packed: &[u8], what: &str) -> Result<T, Error> {
    let malformed = || Error::Malformed { what: what.to_owned() };
    let json = decompress_to_vec_with_limit(packed, MOST_BYTES).map_err(|_| malformed())?;
    serde_json::from_slice(&json).map_err(|_| malformed())
}

/// What an item holds of a value.
pub(crate) fn data(item: &Item) -> Option<&[u8]> {
    item.get(DATA)?.as_b().ok().map(AsRef::as_ref)
}

/// A value in an item.
pub(crate) fn put_data(item: &mut Item, packed: &[u8]) {
    item.insert(DATA.to_owned(), AttributeValue::B(Blob::new(packed)));
}

impl Blobs {
    /// Writes a packed value, which is there when this returns `Ok`.
    ///
    /// The first part is written last: where it is, all of it is.
    pub(crate) async fn put(&self, name: &str, packed: &[u8]) -> Result<(), Error> {
        let parts: Vec<&[u8]> = packed.chunks(PART_BYTES).collect();
        for (place, part) in parts.iter().enumerate().rev() {
            let mut item = part_key(name, place);
            put_data(&mut item, part);
            item.insert(PARTS.to_owned(), number(parts.len() as u64));
            let request = self.client.put_item().table_name(&self.table).set_item(Some(item));
            let answer = request.send().await;
            answer.map_err(|error| call_error("dynamodb:PutItem", &error))?;
        }
        Ok(())
    }

    /// Whether a value is there.
    pub(crate) async fn has(&self, name: &str) -> Result<bool, Error> {
        let request = self.client.get_item().table_name(&self.table).consistent_read(true);
        let request = request.set_key(Some(part_key(name, 0))).projection_expression(PARTS);
        let answer = request.send().await;
        let answer = answer.map_err(|error| call_error("dynamodb:GetItem", &error))?;
        Ok(answer.item.is_some())
    }

    /// A packed value; absent where it is not, or not all of it.
    pub(crate) async fn get(&self, name: &str) -> Result<Option<Vec<u8>>, Error> {
        let (mut packed, mut found, mut wanted, mut start) = (Vec::new(), 0, None, None);
        loop {
            let request = self
                .client
                .query()
                .table_name(&self.table)
                .consistent_read(true)
                .key_condition_expression("PK = :name")
                .expression_attribute_values(":name", text(name))
                .set_exclusive_start_key(start);
            let answer = request.send().await;
            let answer = answer.map_err(|error| call_error("dynamodb:Query", &error))?;
            for item in answer.items.iter().flatten() {
                packed.extend_from_slice(data(item).unwrap_or_default());
                found += 1;
                wanted = get_number(item, PARTS).or(wanted);
            }
            start = answer.last_evaluated_key;
            if start.is_none() {
                return Ok((wanted == Some(found)).then_some(packed));
            }
        }
    }

    /// Takes a value of `bytes` away; the first part goes first.
    pub(crate) async fn delete(&self, name: &str, bytes: usize) -> Result<(), Error> {
        for place in 0..bytes.div_ceil(PART_BYTES) {
            let request = self.client.delete_item().table_name(&self.table);
            let answer = request.set_key(Some(part_key(name, place))).send().await;
            answer.map_err(|error| call_error("dynamodb:DeleteItem", &error))?;
        }
        Ok(())
    }
}

fn part_key(name: &str, place: usize) -> Item {
    key(name, format!("{place:04}"))
}
