//! A shelf in memory: it behaves, and lasts as long as the process.

use channel::ports::{AssetRecord, ChannelRecord, Shelf, ShelfError};
use channel::{Asset, AssetHash, Entry};
use hls::Timestamp;
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard};

/// Assets, channels and logs in memory.
#[derive(Debug, Default)]
pub struct MemoryShelf(Mutex<Inside>);

#[derive(Debug, Default)]
struct Inside {
    assets: BTreeMap<String, AssetRecord>,
    indexes: BTreeMap<AssetHash, Asset>,
    channels: BTreeMap<String, ChannelRecord>,
    logs: BTreeMap<String, Vec<Entry>>,
}

impl MemoryShelf {
    fn open(&self) -> MutexGuard<'_, Inside> {
        self.0.lock().expect("no test panics while it holds this")
    }
}

impl Shelf for MemoryShelf {
    async fn add_asset(&self, record: &AssetRecord, index: &Asset) -> Result<(), ShelfError> {
        let mut inside = self.open();
        inside.indexes.insert(record.hash.clone(), index.clone());
        inside.assets.insert(record.id.clone(), record.clone());
        Ok(())
    }

    async fn assets(&self) -> Result<Vec<AssetRecord>, ShelfError> {
        Ok(self.open().assets.values().cloned().collect())
    }

    async fn asset(&self, id: &str) -> Result<Option<AssetRecord>, ShelfError> {
        Ok(self.open().assets.get(id).cloned())
    }

    async fn remove_asset(&self, id: &str) -> Result<bool, ShelfError> {
        Ok(self.open().assets.remove(id).is_some())
    }

    async fn index(&self, hash: &AssetHash) -> Result<Option<Asset>, ShelfError> {
        Ok(self.open().indexes.get(hash).cloned())
    }

    async fn channels(&self) -> Result<Vec<ChannelRecord>, ShelfError> {
        Ok(self.open().channels.values().cloned().collect())
    }

    async fn channel_ids(&self) -> Result<Vec<String>, ShelfError> {
        Ok(self.open().channels.keys().cloned().collect())
    }

    async fn channel(&self, id: &str) -> Result<Option<ChannelRecord>, ShelfError> {
        Ok(self.open().channels.get(id).cloned())
    }

    async fn log(
        &self,
        id: &str,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<Entry>, ShelfError> {
        let inside = self.open();
        let log = inside.logs.get(id).cloned().unwrap_or_default();
        let wanted = log.iter().filter(|it| it.end() > from && it.start() < to).cloned();
        let wanted: Vec<Entry> = wanted.collect();
        let over = log.last().filter(|last| last.end() <= from);
        Ok(over.map_or(wanted, |last| vec![last.clone()]))
    }

    async fn commit(
        &self,
        record: &ChannelRecord,
        cut: Option<Timestamp>,
        entries: &[Entry],
    ) -> Result<bool, ShelfError> {
        let mut inside = self.open();
        let before = inside.channels.get(&record.id).filter(|it| !it.gone);
        if before.map_or(0, |it| it.revision) + 1 != record.revision {
            return Ok(false);
        }
        inside.channels.insert(record.id.clone(), record.clone());
        let log = inside.logs.entry(record.id.clone()).or_default();
        log.retain(|entry| !record.gone && cut.is_none_or(|cut| entry.start() < cut));
        log.extend(entries.iter().cloned());
        Ok(true)
    }

    async fn purge(&self, id: &str, before: Timestamp) -> Result<(), ShelfError> {
        let mut inside = self.open();
        let log = inside.logs.entry(id.to_owned()).or_default();
        let past = log.iter().take_while(|entry| entry.end() <= before).count();
        log.drain(..past.min(log.len().saturating_sub(1)));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn it_keeps_the_word_of_the_port() {
        crate::conformance::shelf::shelf(|| async { MemoryShelf::default() }).await;
    }
}
