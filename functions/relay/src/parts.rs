//! What a segment needs beside itself: its map and its keys.
//!
//! At the output each is a file of its own, named after its bytes, so that a name always means the same.
//! A playlist states them anew at its beginning and wherever they change.

use crate::abilities::{Protection, protection};
use crate::crypt::{self, Iv};
use crate::names::{RenditionName, Stem};
use crate::ports::{ContentType, Slice};
use hls::{AttributeList, ByteRange, MediaSequence, Segment};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// Names a map or a key after its bytes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PartId(String);

impl PartId {
    /// The name of these bytes: 64 bits of their SHA-256, which tells nothing of a key.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).iter().take(8).map(|byte| format!("{byte:02x}")).collect())
    }
}

/// What a part is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A media initialization section.
    Map,
    /// A key.
    Key,
}

impl Kind {
    /// Its name at an output.
    #[must_use]
    pub fn name(self, stem: &Stem, rendition: &RenditionName, id: &PartId) -> String {
        let (what, extension) = match self {
            Self::Map => ("map", "mp4"),
            Self::Key => ("key", "key"),
        };
        stem.part(rendition, &format!("{what}-{}.{extension}", id.0))
    }

    /// Its media type.
    #[must_use]
    pub fn content_type(self) -> ContentType {
        ContentType(match self {
            Self::Map => "video/mp4",
            Self::Key => "application/octet-stream",
        })
    }
}

/// How keys reach the output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Keys {
    /// Key files lie beside the segments; those of DRM systems stay where they are.
    #[default]
    Carried,
    /// All stay where they are.
    Left,
    /// None does: segments are decrypted on the way.
    Opened,
}

/// What was stored beside a segment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Along {
    /// Its map.
    #[serde(rename = "m", default, skip_serializing_if = "Option::is_none")]
    pub map: Option<PartId>,
    /// Its keys, in the order of the segment's; absent where one stays where it is.
    #[serde(rename = "k", default, skip_serializing_if = "Vec::is_empty")]
    pub keys: Vec<Option<PartId>>,
    /// The keys of its map.
    #[serde(rename = "l", default, skip_serializing_if = "Vec::is_empty")]
    pub map_keys: Vec<Option<PartId>>,
}

impl Along {
    /// Everything that it names.
    pub fn parts(&self) -> impl Iterator<Item = (Kind, &PartId)> {
        let keys = self.keys.iter().chain(&self.map_keys).flatten();
        self.map.iter().map(|id| (Kind::Map, id)).chain(keys.map(|id| (Kind::Key, id)))
    }
}

/// A file of the source, or a part of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// Its address, as written.
    pub uri: String,
    /// The part that is wanted.
    pub slice: Option<Slice>,
}

/// What opens what is encrypted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lock {
    /// The address of the key.
    pub key: String,
    /// The initialisation vector.
    pub iv: Iv,
}

/// What to read so that a segment can be stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recipe {
    /// The segment.
    pub body: File,
    /// What opens it, where it is to be opened.
    pub lock: Option<Lock>,
    /// Its map, and what opens that.
    pub map: Option<(File, Option<Lock>)>,
    /// The addresses of its keys; absent where one stays where it is.
    pub keys: Vec<Option<String>>,
    /// The same of its map.
    pub map_keys: Vec<Option<String>>,
}

/// Says what to read so that a segment can be stored.
///
/// # Errors
/// What its playlist lacks, in words.
pub fn recipe(
    segment: &Segment,
    sequence: MediaSequence,
    keys: Keys,
) -> Result<Recipe, &'static str> {
    let map = match &segment.map {
        None => None,
        Some(map) => {
            let file = file(map.uri(), map.byte_range)?;
            // RFC 8216bis section 4.4.4.5: an encrypted map has an IV of its own.
            Some((file, lock(&map.keys, keys, None)?))
        }
    };
    let carried = |of: &[AttributeList]| match keys {
        Keys::Carried => of.iter().map(address_to_carry).collect(),
        Keys::Left => vec![None; of.len()],
        Keys::Opened => Vec::new(),
    };
    Ok(Recipe {
        body: file(&segment.uri, segment.byte_range)?,
        lock: lock(&segment.keys, keys, Some(sequence))?,
        map,
        keys: carried(&segment.keys),
        map_keys: segment.map.as_ref().map_or_else(Vec::new, |map| carried(&map.keys)),
    })
}

fn file(uri: &str, range: Option<ByteRange>) -> Result<File, &'static str> {
    let slice = match range {
        None => None,
        Some(ByteRange { length, offset }) => {
            let offset = offset.ok_or("its byte range does not say where it begins")?;
            offset.checked_add(length).ok_or("its byte range does not fit")?;
            if length == 0 {
                return Err("its byte range is empty");
            }
            Some(Slice { offset, length })
        }
    };
    Ok(File { uri: uri.to_owned(), slice })
}

/// The address of a key that can lie beside the segments: one that is read as a file is, for a method whose keys
/// have 16 bytes (RFC 8216bis section 4.4.4.4).
fn address_to_carry(key: &AttributeList) -> Option<String> {
    let uri = key.get("URI").unwrap_or_default();
    let file = uri.starts_with("http://") || uri.starts_with("https://");
    let known = matches!(key.get("METHOD"), Some("AES-128" | "SAMPLE-AES" | "SAMPLE-AES-CTR"));
    (file && known && protection(key) != Protection::Drm).then(|| uri.to_owned())
}

/// What opens something, where it is to be opened. Without an IV that is stated it is the number of
/// the segment in its source (RFC 8216 section 5.2).
fn lock(
    of: &[AttributeList],
    keys: Keys,
    sequence: Option<MediaSequence>,
) -> Result<Option<Lock>, &'static str> {
    if keys != Keys::Opened || of.is_empty() {
        return Ok(None);
    }
    let key = of.iter().find(|key| protection(key) == Protection::Aes128);
    let key = key.ok_or("it is encrypted, and only AES-128 can be decrypted on the way")?;
    let iv = match (key.get("IV"), sequence) {
        (Some(text), _) => crypt::read_iv(text).ok_or("the IV of its key cannot be read")?,
        (None, Some(sequence)) => crypt::iv_of(sequence),
        (None, None) => return Err("its map is encrypted, and the key states no IV"),
    };
    Ok(Some(Lock { key: key.get("URI").unwrap_or_default().to_owned(), iv }))
}

/// What of a segment's lines is stated anew where it changes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stated {
    keys: Vec<String>,
    map: Option<(String, Vec<String>)>,
}

impl Stated {
    /// What a segment that is listed as `number` needs, in the names of an output.
    #[must_use]
    pub fn of(
        needs: &Needs<'_>,
        along: &Along,
        number: MediaSequence,
        stem: &Stem,
        rendition: &RenditionName,
    ) -> Self {
        let lines = |keys: &[AttributeList], ids: &[Option<PartId>], sequence| {
            let of = |(index, key): (usize, &AttributeList)| {
                let id = ids.get(index).and_then(Option::as_ref);
                let name = id.map(|id| Kind::Key.name(stem, rendition, id));
                key_line(key, name.as_deref(), sequence, number)
            };
            keys.iter().enumerate().map(of).collect::<Vec<_>>()
        };
        let keys = lines(needs.keys, &along.keys, Some(needs.sequence));
        let map = along.map.as_ref().map(|id| {
            let name = Kind::Map.name(stem, rendition, id);
            let keys = lines(needs.map_keys, &along.map_keys, None);
            (format!("#EXT-X-MAP:URI=\"{name}\""), keys)
        });
        Self { keys, map }
    }

    /// The lines that bring about this after what was stated `before`, in their order.
    #[must_use]
    pub fn after(&self, before: &Self) -> Vec<String> {
        let mut lines = Vec::new();
        let mut keys = before.keys.as_slice();
        if let Some((map, map_keys)) = self.map.as_ref().filter(|_| self.map != before.map) {
            turn(&mut lines, keys, map_keys);
            lines.push(map.clone());
            keys = map_keys;
        }
        turn(&mut lines, keys, &self.keys);
        lines
    }
}

/// What a segment needs, as its source states it.
#[derive(Clone, Copy, Debug)]
pub struct Needs<'a> {
    /// The source's number of the segment.
    pub sequence: MediaSequence,
    /// The attributes of its keys.
    pub keys: &'a [AttributeList],
    /// The attributes of its map's keys.
    pub map_keys: &'a [AttributeList],
}

/// States other keys. A key takes the place of another only where it is of the same KEYFORMAT.
fn turn(lines: &mut Vec<String>, from: &[String], to: &[String]) {
    if from == to {
        return;
    }
    let format = |line: &String| {
        let attributes = AttributeList::new(line.trim_start_matches(KEY));
        attributes.get("KEYFORMAT").unwrap_or("identity").to_owned()
    };
    let stays = |line: &String| !to.iter().any(|other| format(other) == format(line));
    if from.iter().any(stays) {
        lines.push(format!("{KEY}METHOD=NONE"));
    }
    lines.extend(to.iter().cloned());
}

const KEY: &str = "#EXT-X-KEY:";

/// A key's line at an output that lists its segment as `number`.
fn key_line(
    key: &AttributeList,
    name: Option<&str>,
    sequence: Option<MediaSequence>,
    number: MediaSequence,
) -> String {
    let mut key = key.clone();
    if let Some(name) = name {
        key.set_quoted("URI", name);
    }
    let mut line = format!("{KEY}{key}");
    // The number that a reader would take for the IV is another one here.
    if let Some(sequence) = sequence.filter(|it| *it != number)
        && key.get("IV").is_none()
        && protection(&key) != Protection::Drm
    {
        line.push_str(&format!(",IV=0x{:032X}", sequence.0));
    }
    line
}
