//! Assets, channels and logs that last on this machine.

use super::disk::Disk;
use super::{Store, encode};
use channel::ports::{AssetRecord, ChannelRecord, Shelf, ShelfError};
use channel::{Asset, AssetHash, Entry};
use hls::Timestamp;
use miniz_oxide::deflate::compress_to_vec;
use miniz_oxide::inflate::decompress_to_vec_with_limit;
use redb::{ReadableTable, TableDefinition, WriteTransaction};
use relay::ports::StoreError;
use serde::de::DeserializeOwned;

/// Assets by id: JSON.
const ASSETS: TableDefinition<&str, &[u8]> = TableDefinition::new("assets");
/// Indexes by the hash of their content: JSON, deflated.
const INDEXES: TableDefinition<&str, &[u8]> = TableDefinition::new("indexes");
/// Channels by id: JSON.
const CHANNELS: TableDefinition<&str, &[u8]> = TableDefinition::new("channels");
/// Entries by channel, start (microseconds since 1970) and id: JSON.
const LOG: TableDefinition<(&str, u64, u64), &[u8]> = TableDefinition::new("log");

/// How hard indexes are packed: half a day of segments in a few milliseconds.
const PACKING: u8 = 6;
/// The largest index that is unpacked: a week of segments in ten renditions.
const INDEX_BYTES: usize = 256 << 20;
/// Entries that go in one transaction at most: others wait for it.
const PURGED: usize = 10_000;

/// Makes the tables, so that a reader finds them.
pub fn prepare(writing: &WriteTransaction) -> Result<(), redb::Error> {
    writing.open_table(ASSETS)?;
    writing.open_table(INDEXES)?;
    writing.open_table(CHANNELS)?;
    writing.open_table(LOG)?;
    Ok(())
}

impl Shelf for Store {
    async fn add_asset(&self, record: &AssetRecord, index: &Asset) -> Result<(), ShelfError> {
        let packed = compress_to_vec(&encode(index), PACKING);
        let record = record.clone();
        let add = move |writing: &WriteTransaction| {
            writing.open_table(INDEXES)?.insert(record.hash.0.as_str(), packed.as_slice())?;
            writing.open_table(ASSETS)?.insert(record.id.as_str(), encode(&record).as_slice())?;
            Ok(())
        };
        self.writer.write(add).await.map_err(failed)
    }

    async fn assets(&self) -> Result<Vec<AssetRecord>, ShelfError> {
        all(&self.disk, ASSETS)
    }

    async fn asset(&self, id: &str) -> Result<Option<AssetRecord>, ShelfError> {
        one(&self.disk, ASSETS, id)
    }

    async fn remove_asset(&self, id: &str) -> Result<bool, ShelfError> {
        let id = id.to_owned();
        let remove = move |writing: &WriteTransaction| {
            Ok(writing.open_table(ASSETS)?.remove(id.as_str())?.is_some())
        };
        self.writer.write(remove).await.map_err(failed)
    }

    async fn index(&self, hash: &AssetHash) -> Result<Option<Asset>, ShelfError> {
        let packed = self.disk.read(|reading| {
            let packed = reading.open_table(INDEXES)?.get(hash.0.as_str())?;
            Ok(packed.map(|packed| packed.value().to_vec()))
        });
        let Some(packed) = packed.map_err(failed)? else { return Ok(None) };
        let text = decompress_to_vec_with_limit(&packed, INDEX_BYTES);
        let text = text.map_err(|error| ShelfError { reason: format!("index {hash}: {error}") })?;
        read(&text, &hash.0).map(Some)
    }

    async fn channels(&self) -> Result<Vec<ChannelRecord>, ShelfError> {
        all(&self.disk, CHANNELS)
    }

    async fn channel_ids(&self) -> Result<Vec<String>, ShelfError> {
        let ids = self.disk.read(|reading| {
            let channels = reading.open_table(CHANNELS)?;
            channels.iter()?.map(|entry| Ok(entry?.0.value().to_owned())).collect()
        });
        ids.map_err(failed)
    }

    async fn channel(&self, id: &str) -> Result<Option<ChannelRecord>, ShelfError> {
        one(&self.disk, CHANNELS, id)
    }

    async fn log(
        &self,
        id: &str,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<Entry>, ShelfError> {
        let stored = self.disk.read(|reading| {
            let log = reading.open_table(LOG)?;
            let mut stored: Vec<Vec<u8>> = Vec::new();
            // Entries do not overlap: of those that begin before, the last alone may end after.
            let before = log.range((id, 0, 0)..=(id, from.0, u64::MAX))?.next_back();
            stored.extend(before.transpose()?.map(|(_, entry)| entry.value().to_vec()));
            let next = from.0.saturating_add(1);
            if next < to.0 {
                for entry in log.range((id, next, 0)..(id, to.0, 0))? {
                    stored.push(entry?.1.value().to_vec());
                }
            }
            Ok(stored)
        });
        let stored = stored.map_err(failed)?;
        let mut entries: Vec<Entry> =
            stored.iter().map(|entry| read(entry, id)).collect::<Result<_, _>>()?;
        if entries.len() > 1 && entries.first().is_some_and(|first| first.end() <= from) {
            entries.remove(0);
        }
        Ok(entries)
    }

    async fn commit(
        &self,
        record: &ChannelRecord,
        cut: Option<Timestamp>,
        entries: &[Entry],
    ) -> Result<bool, ShelfError> {
        let (record, entries) = (record.clone(), entries.to_vec());
        let commit = move |writing: &WriteTransaction| commit(writing, &record, cut, &entries);
        self.writer.write(commit).await.map_err(failed)
    }

    async fn purge(&self, id: &str, before: Timestamp) -> Result<(), ShelfError> {
        let past = self.disk.read(|reading| {
            let log = reading.open_table(LOG)?;
            // Entries follow each other: of those that begin by then, the last alone may end later.
            let all = log.range((id, 0, 0)..=(id, before.0, u64::MAX))?.rev().skip(1);
            Ok(all.map(|it| it.map(|_| ())).next().transpose()?.is_some())
        });
        // Nothing is written where nothing goes.
        if !past.map_err(failed)? {
            return Ok(());
        }
        let id = id.to_owned();
        let purge = move |writing: &WriteTransaction| purge(writing, &id, before);
        self.writer.write(purge).await.map_err(failed)
    }
}

fn commit(
    writing: &WriteTransaction,
    record: &ChannelRecord,
    cut: Option<Timestamp>,
    entries: &[Entry],
) -> Result<bool, redb::Error> {
    let id = record.id.as_str();
    let mut channels = writing.open_table(CHANNELS)?;
    let before = channels.get(id)?.map(|stored| version(stored.value()));
    // One that is gone is as good as none.
    let before = before.filter(|(_, gone)| !gone).map_or(0, |(revision, _)| revision);
    if before + 1 != record.revision {
        return Ok(false);
    }
    channels.insert(id, encode(record).as_slice())?;
    let mut log = writing.open_table(LOG)?;
    if let Some(cut) = if record.gone { Some(Timestamp(0)) } else { cut } {
        log.retain_in((id, cut.0, 0)..=(id, u64::MAX, u64::MAX), |_, _| false)?;
    }
    for entry in entries {
        log.insert((id, entry.start().0, entry.id), encode(entry).as_slice())?;
    }
    Ok(true)
}

fn purge(writing: &WriteTransaction, id: &str, before: Timestamp) -> Result<(), redb::Error> {
    let mut log = writing.open_table(LOG)?;
    let last = log.range((id, 0, 0)..=(id, before.0, u64::MAX))?.next_back().transpose()?;
    let Some(last) = last.map(|(key, _)| (key.value().1, key.value().2)) else { return Ok(()) };
    let past = log.extract_from_if((id, 0, 0)..(id, last.0, last.1), |_, _| true)?;
    past.take(PURGED).try_for_each(|entry| entry.map(|_| ()))?;
    Ok(())
}

/// The revision of a stored channel, and whether it is gone.
fn version(stored: &[u8]) -> (u64, bool) {
    #[derive(serde::Deserialize)]
    struct Stored {
        revision: u64,
        #[serde(default)]
        gone: bool,
    }
    // What cannot be read is not overwritten.
    serde_json::from_slice(stored)
        .map_or((u64::MAX - 1, false), |Stored { revision, gone }| (revision, gone))
}

fn one<T: DeserializeOwned>(
    disk: &Disk,
    table: TableDefinition<&str, &[u8]>,
    id: &str,
) -> Result<Option<T>, ShelfError> {
    let stored = disk.read(|reading| {
        Ok(reading.open_table(table)?.get(id)?.map(|stored| stored.value().to_vec()))
    });
    stored.map_err(failed)?.map(|stored| read(&stored, id)).transpose()
}

fn all<T: DeserializeOwned>(
    disk: &Disk,
    table: TableDefinition<&str, &[u8]>,
) -> Result<Vec<T>, ShelfError> {
    let stored = disk.read(|reading| {
        let table = reading.open_table(table)?;
        table.iter()?.map(|entry| Ok(entry?.1.value().to_vec())).collect::<Result<Vec<_>, _>>()
    });
    stored.map_err(failed)?.iter().map(|stored| read(stored, "one of all")).collect()
}

fn read<T: DeserializeOwned>(stored: &[u8], name: &str) -> Result<T, ShelfError> {
    serde_json::from_slice(stored)
        .map_err(|error| ShelfError { reason: format!("what is stored of {name}: {error}") })
}

fn failed(error: StoreError) -> ShelfError {
    ShelfError { reason: error.reason }
}
