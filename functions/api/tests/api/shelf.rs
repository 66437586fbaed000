//! A shelf in memory, and VODs that are made up.

use api::channels::Vods;
use bytes::Bytes;
use channel::ports::{AssetRecord, ChannelRecord, Shelf, ShelfError};
use channel::{Asset, AssetHash, Entry};
use hls::Timestamp;
use relay::ports::OriginError;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use url::Url;

#[derive(Default)]
pub struct MemoryShelf(Mutex<Inside>);

#[derive(Default)]
struct Inside {
    assets: BTreeMap<String, AssetRecord>,
    indexes: BTreeMap<AssetHash, Asset>,
    channels: BTreeMap<String, ChannelRecord>,
    logs: BTreeMap<String, Vec<Entry>>,
}

impl Shelf for MemoryShelf {
    async fn add_asset(&self, record: &AssetRecord, index: &Asset) -> Result<(), ShelfError> {
        let mut inside = self.0.lock().unwrap();
        inside.indexes.insert(record.hash.clone(), index.clone());
        inside.assets.insert(record.id.clone(), record.clone());
        Ok(())
    }

    async fn assets(&self) -> Result<Vec<AssetRecord>, ShelfError> {
        Ok(self.0.lock().unwrap().assets.values().cloned().collect())
    }

    async fn asset(&self, id: &str) -> Result<Option<AssetRecord>, ShelfError> {
        Ok(self.0.lock().unwrap().assets.get(id).cloned())
    }

    async fn remove_asset(&self, id: &str) -> Result<bool, ShelfError> {
        Ok(self.0.lock().unwrap().assets.remove(id).is_some())
    }

    async fn index(&self, hash: &AssetHash) -> Result<Option<Asset>, ShelfError> {
        Ok(self.0.lock().unwrap().indexes.get(hash).cloned())
    }

    async fn channels(&self) -> Result<Vec<ChannelRecord>, ShelfError> {
        Ok(self.0.lock().unwrap().channels.values().cloned().collect())
    }

    async fn channel(&self, id: &str) -> Result<Option<ChannelRecord>, ShelfError> {
        Ok(self.0.lock().unwrap().channels.get(id).cloned())
    }

    async fn log(
        &self,
        id: &str,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<Entry>, ShelfError> {
        let inside = self.0.lock().unwrap();
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
        let mut inside = self.0.lock().unwrap();
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
        let mut inside = self.0.lock().unwrap();
        let log = inside.logs.entry(id.to_owned()).or_default();
        let past = log.iter().take_while(|entry| entry.end() <= before).count();
        log.drain(..past.min(log.len().saturating_sub(1)));
        Ok(())
    }
}

#[tokio::test]
async fn it_keeps_the_word_of_the_port() {
    tests::conformance::shelf::shelf(|| std::future::ready(MemoryShelf::default())).await;
}

/// VODs at `https://vod.example/<name>/main.m3u8`: two variants of as many 2 s segments as the name says. What is
/// called `poor..` has one, and the segments of `slow..` take 12 s. Each is at `again.m3u8` as well.
#[derive(Default)]
pub struct MadeUp {
    /// The names of those that are gone.
    pub gone: Mutex<BTreeSet<String>>,
    /// The names of those that never answer.
    pub silent: Mutex<BTreeSet<String>>,
}

impl Vods for MadeUp {
    async fn segment(&self, url: &Url) -> Result<(), OriginError> {
        let name = url.path_segments().into_iter().flatten().next().unwrap_or_default();
        if self.gone.lock().unwrap().contains(&format!("segments of {name}")) {
            return Err(OriginError::Unavailable { reason: "origin answered 403".to_owned() });
        }
        Ok(())
    }

    async fn playlist(&self, url: &Url) -> Result<(Bytes, Url), OriginError> {
        let gone =
            || OriginError::Gone { reason: "origin answered 404".to_owned(), for_good: false };
        let path: Vec<&str> = url.path_segments().into_iter().flatten().collect();
        let [name, file] = path.as_slice() else { return Err(gone()) };
        if self.silent.lock().unwrap().contains(*name) {
            std::future::pending::<()>().await;
        }
        let lost = self.gone.lock().unwrap().clone();
        if lost.contains(*name) || lost.contains(&format!("{name}/{file}")) {
            return Err(gone());
        }
        let segments: usize = name.trim_matches(char::is_alphabetic).parse().map_err(|_| gone())?;
        let text = match *file {
            "main.m3u8" if name.starts_with("poor") => {
                "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=400000,RESOLUTION=320x180\nv0.m3u8\n"
                    .to_owned()
            }
            "main.m3u8" | "again.m3u8" => {
                "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=900000,RESOLUTION=640x360\nv1.m3u8\n\
                 #EXT-X-STREAM-INF:BANDWIDTH=400000,RESOLUTION=320x180\nv0.m3u8\n"
                    .to_owned()
            }
            "v0.m3u8" | "v1.m3u8" => {
                let more = usize::from(name.starts_with("uneven") && *file == "v1.m3u8");
                let seconds = if name.starts_with("slow") { 12 } else { 2 };
                let segments = 0..segments + more;
                let segments = segments.map(|n| format!("#EXTINF:{seconds},\n{n}.ts\n"));
                let segments: String = segments.collect();
                format!("#EXTM3U\n#EXT-X-TARGETDURATION:{seconds}\n{segments}#EXT-X-ENDLIST\n")
            }
            _ => return Err(gone()),
        };
        Ok((text.into(), url.clone()))
    }
}
