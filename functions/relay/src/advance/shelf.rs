//! Maps and keys on their way: each is read once, and stored once at an endpoint.

use super::again::{Reader, Sender};
use crate::crypt::{CryptError, KEY_BYTES, Opener};
use crate::names::Epoch;
use crate::parts::{Along, Kind, Lock, PartId, Recipe};
use crate::ports::{Clock, ContentType, Ingest, IngestError, Origin, OriginError, Slice};
use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::Shared;
use hls::MediaSequence;
use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use url::Url;

/// So many maps and keys are remembered: those of some renditions for some ad breaks.
const REMEMBERED: usize = 64;

/// A longer map or key is none: maps of all that is known have a few kilobytes.
const LONGEST: usize = 1 << 20;

type Effect<T, E> = Shared<Pin<Box<dyn Future<Output = Result<T, E>> + Send>>>;
type Reading = Effect<Bytes, OriginError>;
pub(super) type Storing = Effect<(), IngestError>;

/// Where a map or a key lies. What lies at one address may be another after a discontinuity, or when
/// the source begins anew.
type Place = (Epoch, MediaSequence, Url, Option<Slice>);

/// The maps and keys that were read and stored, or are about to be.
#[derive(Default)]
pub(super) struct Shelf {
    read: Vec<(Place, Reading)>,
    stored: BTreeMap<usize, Vec<(String, Storing)>>,
}

/// A segment that was read, and what is to be stored before it.
pub(super) struct Parcel {
    pub(super) body: Bytes,
    pub(super) along: Along,
    pub(super) files: BTreeMap<PartId, (Kind, Bytes)>,
}

impl Shelf {
    /// Reads what a recipe asks for beside the segment, unless that is on the shelf.
    pub(super) fn read<O: Origin + 'static, C: Clock>(
        &mut self,
        reader: &Arc<Reader<O, C>>,
        base: &Url,
        recipe: &Recipe,
        version: (Epoch, MediaSequence),
    ) -> Result<Ingredients, OriginError> {
        let mut of = |uri: &str, slice| {
            let url = base.join(uri).map_err(|_| unavailable("its address cannot be read"))?;
            Ok::<_, OriginError>(self.reading(reader, (version.0, version.1, url, slice)))
        };
        let map = match &recipe.map {
            None => None,
            Some((file, _)) => Some(of(&file.uri, file.slice)?),
        };
        let locks = recipe.lock.iter().chain(recipe.map.iter().filter_map(|map| map.1.as_ref()));
        let opened = locks.map(|lock| &lock.key);
        let carried = recipe.keys.iter().chain(&recipe.map_keys).flatten();
        let mut keys = BTreeMap::new();
        for uri in opened.chain(carried) {
            keys.insert(uri.clone(), of(uri, None)?);
        }
        Ok(Ingredients { map, keys })
    }

    fn reading<O, C>(&mut self, reader: &Arc<Reader<O, C>>, place: Place) -> Reading
    where
        O: Origin + 'static,
        C: Clock,
    {
        if let Some((_, known)) = self.read.iter().find(|(known, _)| *known == place) {
            return known.clone();
        }
        let (reader, url, slice) = (Arc::clone(reader), place.2.clone(), place.3);
        let read = async move {
            let bytes = reader.segment(&url, slice, None).await?;
            if bytes.len() > LONGEST {
                let reason = format!("it has {} bytes, and {LONGEST} is the limit", bytes.len());
                return Err(OriginError::Unavailable { reason });
            }
            Ok(bytes)
        };
        let reading: Reading = (Box::pin(read) as Pin<Box<dyn Future<Output = _> + Send>>).shared();
        if self.read.len() >= REMEMBERED {
            drop(self.read.remove(0));
        }
        self.read.push((place, reading.clone()));
        reading
    }

    /// Stores a part at an endpoint, unless this run has.
    pub(super) fn store<I: Ingest + 'static, C: Clock>(
        &mut self,
        endpoint: usize,
        sender: Sender<I, C>,
        name: String,
        content_type: ContentType,
        body: Bytes,
    ) -> Storing {
        let stored = self.stored.entry(endpoint).or_default();
        if let Some((_, known)) = stored.iter().find(|(known, _)| *known == name) {
            return known.clone();
        }
        let to = name.clone();
        let put = async move { sender.put(&to, content_type, body).await };
        let storing: Storing = (Box::pin(put) as Pin<Box<dyn Future<Output = _> + Send>>).shared();
        if stored.len() >= REMEMBERED {
            drop(stored.remove(0));
        }
        stored.push((name, storing.clone()));
        storing
    }

    /// Forgets what was read: what lies at an address may be another by now.
    pub(super) fn read_anew(&mut self) {
        self.read.clear();
    }

    /// Forgets what failed, so that it is tried again.
    pub(super) fn forget_failures(&mut self) {
        self.read.retain(|(_, reading)| !matches!(reading.peek(), Some(Err(_))));
        for stored in self.stored.values_mut() {
            stored.retain(|(_, storing)| !matches!(storing.peek(), Some(Err(_))));
        }
    }
}

/// What a segment needs beside itself, being read.
pub(super) struct Ingredients {
    map: Option<Reading>,
    keys: BTreeMap<String, Reading>,
}

/// Reads a segment and what it needs, and opens what is to be opened.
pub(super) async fn gather<O: Origin, C: Clock>(
    reader: Arc<Reader<O, C>>,
    url: Url,
    recipe: Recipe,
    ingredients: Ingredients,
) -> Result<Parcel, OriginError> {
    let mut keys = BTreeMap::new();
    for (uri, reading) in ingredients.keys {
        let key = reading.await.map_err(|error| beside("key", &error))?;
        if key.len() != KEY_BYTES {
            return Err(CryptError::KeyLength { bytes: key.len() }.into());
        }
        keys.insert(uri, key);
    }
    let opener = |lock: &Option<Lock>| match lock {
        None => Ok(None),
        Some(lock) => Opener::new(&keys[&lock.key], lock.iv).map(Some),
    };
    let mut files = BTreeMap::new();
    let mut along = Along::default();
    if let (Some(reading), Some((_, lock))) = (ingredients.map, &recipe.map) {
        let map = reading.await.map_err(|error| beside("map", &error))?;
        let map = match opener(lock)? {
            None => map,
            Some(opener) => {
                let mut map = map.to_vec();
                let length = opener.open(&mut map)?;
                map.truncate(length);
                map.into()
            }
        };
        let id = PartId::of(&map);
        files.insert(id.clone(), (Kind::Map, map));
        along.map = Some(id);
    }
    let mut carry = |uris: &[Option<String>]| -> Vec<Option<PartId>> {
        let of = |uri: &Option<String>| {
            let key = &keys[uri.as_ref()?];
            let id = PartId::of(key);
            files.insert(id.clone(), (Kind::Key, key.clone()));
            Some(id)
        };
        uris.iter().map(of).collect()
    };
    along.keys = carry(&recipe.keys);
    along.map_keys = carry(&recipe.map_keys);
    let body = reader.segment(&url, recipe.body.slice, opener(&recipe.lock)?.as_ref()).await?;
    Ok(Parcel { body, along, files })
}

/// What it means for a segment that what it needs beside itself cannot be read.
fn beside(what: &str, error: &OriginError) -> OriginError {
    let reason = format!("its {what}: {error}");
    match error {
        OriginError::Unavailable { .. } => OriginError::Unavailable { reason },
        OriginError::Gone { .. } | OriginError::Spoilt { .. } | OriginError::Refused { .. } => {
            OriginError::Spoilt { reason }
        }
    }
}

fn unavailable(reason: &str) -> OriginError {
    OriginError::Unavailable { reason: reason.to_owned() }
}
