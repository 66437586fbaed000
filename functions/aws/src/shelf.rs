//! The shelf of the channel engine in DynamoDB.
//!
//! | item | PK | SK | holds |
//! |---|---|---|---|
//! | asset | `assets` | id | `record` |
//! | index | `index#` hash | part | `data`, `parts` |
//! | channel | `channels` | id | `data` (or `apart`): the record and the pages of its log; `stamp`: the commit |
//! | page of a log | `page#` id `#` stamp `#` number | part | `data`, `parts` |
//!
//! A channel's item decides what there is: pages are written before it names them, and never change. So one
//! conditional write is a commit, of any size. What it takes from the log is named as past.
//!
//! A purge deletes what is past, and takes what is over from the log: that is past until the next. It is a
//! conditional write as well, but no version of the channel. So what was named once is deleted whoever crashes,
//! and who read the item a moment ago mostly finds its pages; who does not, reads it again.

use crate::blobs::{Blobs, PART_BYTES, data, pack, put_data, unpack};
use crate::error::{Error, call_error};
use crate::item::{Item, get_number, get_text, json, key, number, text};
use crate::pages::{Blob, Change, Head, Page, between, change, fill, past, within};
use aws_config::SdkConfig;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::ReturnValue;
use channel::ports::{AssetRecord, ChannelRecord, Shelf, ShelfError};
use channel::{Asset, AssetHash, Entry};
use hls::Timestamp;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

const ASSETS: &str = "assets";
const CHANNELS: &str = "channels";
/// How often one begins again that was overtaken while it read.
const ROUNDS: usize = 5;
/// Pages that are kept in memory: those around now of the channels that are watched.
const KEPT_PAGES: usize = 32;
/// Between the stamp of a commit and that of a purge after it.
const PURGE: char = '~';

/// Assets, channels and logs in a table of their own.
#[derive(Debug)]
pub struct DynamoShelf {
    blobs: Blobs,
    stamp: fn() -> u64,
    pages: Mutex<VecDeque<(String, Arc<Vec<Entry>>)>>,
}

/// A channel's item.
struct Stored {
    head: Head,
    stamp: String,
    /// Where it is when the item is too small for it, and how many bytes it takes.
    apart: Option<Blob>,
}

impl DynamoShelf {
    /// What is in a table. `stamp` gives 64 random bits.
    #[must_use]
    pub fn new(config: &SdkConfig, table: String, stamp: fn() -> u64) -> Self {
        let blobs = Blobs { client: Client::new(config), table };
        Self { blobs, stamp, pages: Mutex::default() }
    }

    async fn item(&self, partition: &str, id: &str) -> Result<Option<Item>, Error> {
        if id.is_empty() {
            return Ok(None);
        }
        let request = self.blobs.client.get_item().table_name(&self.blobs.table);
        let request = request.consistent_read(true).set_key(Some(key(partition, id)));
        let answer = request.send().await;
        Ok(answer.map_err(|error| call_error("dynamodb:GetItem", &error))?.item)
    }

    /// The items of a partition, or of each only one attribute.
    async fn items(&self, partition: &str, only: Option<&str>) -> Result<Vec<Item>, Error> {
        let (mut items, mut start) = (Vec::new(), None);
        loop {
            let request = self
                .blobs
                .client
                .query()
                .table_name(&self.blobs.table)
                .consistent_read(true)
                .key_condition_expression("PK = :partition")
                .expression_attribute_values(":partition", text(partition))
                .set_projection_expression(only.map(str::to_owned))
                .set_exclusive_start_key(start);
            let answer = request.send().await;
            let answer = answer.map_err(|error| call_error("dynamodb:Query", &error))?;
            items.extend(answer.items.into_iter().flatten());
            start = answer.last_evaluated_key;
            if start.is_none() {
                return Ok(items);
            }
        }
    }

    /// A channel's item, and what is apart of it; absent where that was deleted in between.
    async fn read(&self, item: &Item) -> Result<Option<Stored>, Error> {
        let id = get_text(item, "SK").unwrap_or_default();
        let what = format!("the item of channel {id}");
        let malformed = || Error::Malformed { what: what.clone() };
        let stamp = get_text(item, "stamp").ok_or_else(malformed)?.to_owned();
        let apart = get_text(item, "apart").map(|name| Blob {
            name: name.to_owned(),
            bytes: get_number(item, "bytes").and_then(|it| it.try_into().ok()).unwrap_or(0),
        });
        let head = match &apart {
            None => unpack(data(item).ok_or_else(malformed)?, &what)?,
            Some(Blob { name, .. }) => match self.blobs.get(name).await? {
                Some(packed) => unpack(&packed, &what)?,
                None => return Ok(None),
            },
        };
        Ok(Some(Stored { head, stamp, apart }))
    }

    async fn stored(&self, id: &str) -> Result<Option<Stored>, Error> {
        for _ in 0..ROUNDS {
            let Some(item) = self.item(CHANNELS, id).await? else { return Ok(None) };
            if let Some(stored) = self.read(&item).await? {
                return Ok(Some(stored));
            }
        }
        Err(lost(id))
    }

    /// The entries of a page; absent where it was deleted.
    async fn page(&self, page: &Page) -> Result<Option<Arc<Vec<Entry>>>, Error> {
        let lock = || self.pages.lock().unwrap_or_else(PoisonError::into_inner);
        let known =
            lock().iter().find(|(name, _)| *name == page.name).map(|(_, it)| Arc::clone(it));
        if known.is_some() {
            return Ok(known);
        }
        let Some(packed) = self.blobs.get(&page.name).await? else { return Ok(None) };
        let entries: Arc<Vec<Entry>> = Arc::new(unpack(&packed, &format!("the {}", page.name))?);
        let mut pages = lock();
        pages.push_front((page.name.clone(), Arc::clone(&entries)));
        pages.truncate(KEPT_PAGES);
        Ok(Some(entries))
    }

    async fn read_log(
        &self,
        id: &str,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<Entry>, Error> {
        'rounds: for _ in 0..ROUNDS {
            let Some(stored) = self.stored(id).await? else { return Ok(Vec::new()) };
            let mut entries = Vec::new();
            for page in between(&stored.head.pages, from, to) {
                // Who deletes a page has changed the channel: it is read anew.
                let Some(of_page) = self.page(page).await? else { continue 'rounds };
                entries.extend(of_page.iter().cloned());
            }
            return Ok(within(entries, from, to));
        }
        Err(lost(id))
    }

    async fn try_commit(
        &self,
        record: &ChannelRecord,
        cut: Option<Timestamp>,
        entries: &[Entry],
    ) -> Result<bool, Error> {
        let id = record.id.as_str();
        let before = self.stored(id).await?;
        // One that is gone is as good as none.
        let alive = before.as_ref().map(|it| &it.head.record).filter(|it| !it.gone);
        if alive.map_or(0, |it| it.revision) + 1 != record.revision {
            return Ok(false);
        }
        let cut = if record.gone { Some(Timestamp(0)) } else { cut };
        let old: &[Page] = before.as_ref().map_or(&[], |it| &it.head.pages);
        let Change { kept, anew } = change(old, cut, entries.len());
        let mut added = Vec::new();
        if anew && let Some(page) = old.get(kept) {
            // It may have been deleted by one who was first.
            let Some(of_page) = self.page(page).await? else { return Ok(false) };
            let stays = |entry: &&Entry| cut.is_none_or(|cut| entry.start() < cut);
            added.extend(of_page.iter().filter(stays).cloned());
        }
        added.extend_from_slice(entries);

        let stamp = format!("{}-{:016x}", record.revision, (self.stamp)());
        let mut pages = old[..kept].to_vec();
        for (place, entries) in fill(added).iter().enumerate() {
            let packed = pack(entries);
            let page = Page::of(format!("page#{id}#{stamp}#{place}"), entries, packed.len());
            self.blobs.put(&page.name, &packed).await?;
            pages.push(page);
        }
        let made: Vec<Blob> = pages[kept..].iter().map(Page::blob).collect();
        let mut past = before.as_ref().map_or_else(Vec::new, |it| it.head.past.clone());
        past.extend(old[kept..].iter().map(Page::blob));
        let head = Head { record: record.clone(), pages, past };
        let done = self.replace(before, &stamp, &head).await?;
        if !done {
            self.forget(&made).await;
        }
        Ok(done)
    }

    /// Whether a version of a channel comes next: who was overtaken by a purge alone may try again.
    async fn is_next(&self, record: &ChannelRecord) -> Result<bool, Error> {
        let now = self.stored(&record.id).await?.map(|it| it.head.record).filter(|it| !it.gone);
        Ok(now.map_or(0, |it| it.revision) + 1 == record.revision)
    }

    async fn try_purge(&self, id: &str, before: Timestamp) -> Result<(), Error> {
        let Some(stored) = self.stored(id).await? else { return Ok(()) };
        let count = past(&stored.head.pages, before);
        if count == 0 && stored.head.past.is_empty() {
            return Ok(());
        }
        for blob in &stored.head.past {
            self.blobs.delete(&blob.name, blob.bytes).await?;
        }
        let (past, pages) = stored.head.pages.split_at(count);
        let head = Head {
            record: stored.head.record.clone(),
            pages: pages.to_vec(),
            past: past.iter().map(Page::blob).collect(),
        };
        // A commit whose answer was lost still finds its stamp.
        let of = stored.stamp.split(PURGE).next().unwrap_or_default();
        let stamp = format!("{of}{PURGE}{:016x}", (self.stamp)());
        // Where somebody was first, the next purge does it.
        self.replace(Some(stored), &stamp, &head).await?;
        Ok(())
    }

    /// Puts a head in the place of what was there; whether it was still that.
    async fn replace(
        &self,
        before: Option<Stored>,
        stamp: &str,
        head: &Head,
    ) -> Result<bool, Error> {
        let id = head.record.id.as_str();
        let packed = pack(head);
        let apart = (packed.len() > PART_BYTES)
            .then(|| Blob { name: format!("page#{id}#{stamp}#head"), bytes: packed.len() });
        if let Some(apart) = &apart {
            self.blobs.put(&apart.name, &packed).await?;
        }
        let done = self.swap(id, before.as_ref(), stamp, &packed, apart.as_ref()).await?;
        let unnamed = if done { before.and_then(|it| it.apart) } else { apart };
        self.forget(unnamed.as_slice()).await;
        Ok(done)
    }

    /// Puts a channel's item in the place of what was there; whether it was still that.
    async fn swap(
        &self,
        id: &str,
        before: Option<&Stored>,
        stamp: &str,
        packed: &[u8],
        apart: Option<&Blob>,
    ) -> Result<bool, Error> {
        let mut item = key(CHANNELS, id);
        item.insert("stamp".to_owned(), text(stamp));
        match apart {
            None => put_data(&mut item, packed),
            Some(Blob { name, bytes }) => {
                item.insert("apart".to_owned(), text(name));
                item.insert("bytes".to_owned(), number(*bytes as u64));
            }
        }
        let request =
            self.blobs.client.put_item().table_name(&self.blobs.table).set_item(Some(item));
        let request = match before {
            None => request.condition_expression("attribute_not_exists(PK)"),
            Some(before) => request
                .condition_expression("stamp = :stamp")
                .expression_attribute_values(":stamp", text(&before.stamp)),
        };
        let Err(error) = request.send().await else { return Ok(true) };
        let refused = error
            .as_service_error()
            .is_some_and(|error| error.is_conditional_check_failed_exception());
        if !refused {
            return Err(call_error("dynamodb:PutItem", &error));
        }
        // Where an answer was lost and the call repeated, it was this one that did it; and somebody may have come since.
        let mine = format!("page#{id}#{stamp}#");
        let purged = format!("{stamp}{PURGE}");
        let is_mine = |it: &Stored| {
            let pages = it.head.pages.iter().map(|page| &page.name);
            it.stamp == stamp
                || it.stamp.starts_with(&purged)
                || pages
                    .chain(it.head.past.iter().map(|it| &it.name))
                    .any(|it| it.starts_with(&mine))
        };
        Ok(self.stored(id).await?.is_some_and(|now| is_mine(&now)))
    }

    /// Deletes what no channel names, and none will.
    async fn forget(&self, blobs: &[Blob]) {
        for Blob { name, bytes } in blobs {
            if let Err(error) = self.blobs.delete(name, *bytes).await {
                tracing::warn!(%error, name, "cannot delete what nobody needs");
            }
        }
    }
}

impl Shelf for DynamoShelf {
    async fn add_asset(&self, record: &AssetRecord, index: &Asset) -> Result<(), ShelfError> {
        let name = index_name(&record.hash);
        // What has the same hash is the same.
        if !self.blobs.has(&name).await? {
            self.blobs.put(&name, &pack(index)).await?;
        }
        let mut item = key(ASSETS, &record.id);
        item.insert("record".to_owned(), json(record));
        let request = self.blobs.client.put_item().table_name(&self.blobs.table);
        let answer = request.set_item(Some(item)).send().await;
        answer.map_err(|error| call_error("dynamodb:PutItem", &error))?;
        Ok(())
    }

    async fn assets(&self) -> Result<Vec<AssetRecord>, ShelfError> {
        let items = self.items(ASSETS, None).await?;
        Ok(items.iter().map(read_asset).collect::<Result<_, Error>>()?)
    }

    async fn asset(&self, id: &str) -> Result<Option<AssetRecord>, ShelfError> {
        let item = self.item(ASSETS, id).await?;
        Ok(item.as_ref().map(read_asset).transpose()?)
    }

    async fn remove_asset(&self, id: &str) -> Result<bool, ShelfError> {
        let request = self.blobs.client.delete_item().table_name(&self.blobs.table);
        let request = request.set_key(Some(key(ASSETS, id))).return_values(ReturnValue::AllOld);
        let answer = request.send().await;
        let answer = answer.map_err(|error| call_error("dynamodb:DeleteItem", &error))?;
        Ok(answer.attributes.is_some())
    }

    async fn index(&self, hash: &AssetHash) -> Result<Option<Asset>, ShelfError> {
        let Some(packed) = self.blobs.get(&index_name(hash)).await? else { return Ok(None) };
        Ok(Some(unpack(&packed, &format!("the index {hash}"))?))
    }

    async fn channels(&self) -> Result<Vec<ChannelRecord>, ShelfError> {
        let mut records = Vec::new();
        for item in self.items(CHANNELS, None).await? {
            let stored = match self.read(&item).await? {
                Some(stored) => Some(stored),
                None => self.stored(get_text(&item, "SK").unwrap_or_default()).await?,
            };
            records.extend(stored.map(|stored| stored.head.record));
        }
        Ok(records)
    }

    async fn channel_ids(&self) -> Result<Vec<String>, ShelfError> {
        let items = self.items(CHANNELS, Some("SK")).await?;
        Ok(items.iter().filter_map(|item| get_text(item, "SK").map(str::to_owned)).collect())
    }

    async fn channel(&self, id: &str) -> Result<Option<ChannelRecord>, ShelfError> {
        Ok(self.stored(id).await?.map(|stored| stored.head.record))
    }

    async fn log(
        &self,
        id: &str,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<Entry>, ShelfError> {
        Ok(self.read_log(id, from, to).await?)
    }

    async fn commit(
        &self,
        record: &ChannelRecord,
        cut: Option<Timestamp>,
        entries: &[Entry],
    ) -> Result<bool, ShelfError> {
        for _ in 0..ROUNDS {
            if self.try_commit(record, cut, entries).await? {
                return Ok(true);
            }
            if !self.is_next(record).await? {
                break;
            }
        }
        Ok(false)
    }

    async fn purge(&self, id: &str, before: Timestamp) -> Result<(), ShelfError> {
        Ok(self.try_purge(id, before).await?)
    }
}

impl From<Error> for ShelfError {
    fn from(error: Error) -> Self {
        Self { reason: error.to_string() }
    }
}

fn index_name(hash: &AssetHash) -> String {
    format!("index#{hash}")
}

fn read_asset(item: &Item) -> Result<AssetRecord, Error> {
    let name = get_text(item, "SK").unwrap_or("?");
    let record = get_text(item, "record").unwrap_or_default();
    serde_json::from_str(record)
        .map_err(|_| Error::Malformed { what: format!("the item of asset {name}") })
}

/// What the channel's item names is not there, however often it is read.
fn lost(id: &str) -> Error {
    Error::Malformed { what: format!("the log of channel {id}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_channel_of_another_writer_is_read() {
        let record = r#""id":"one","revision":3,"fixed":"{}","next_id":4"#;
        let page = r#"{"name":"page#one#1","bytes":9,"entries":1,"start":1,"last":1,"end":2}"#;
        for (case, stored, pages) in [
            ("an older one", format!(r#"{{"record":{{{record}}}}}"#), 0),
            (
                "a newer one",
                format!(r#"{{"record":{{{record},"new":1}},"pages":[{page}],"new":{{}}}}"#),
                1,
            ),
        ] {
            let packed = miniz_oxide::deflate::compress_to_vec(stored.as_bytes(), 1);
            let head: Head = unpack(&packed, "it").unwrap();
            assert_eq!((head.record.revision, head.pages.len()), (3, pages), "{case}");
        }
        let error = unpack::<Head>(b"no", "the item of channel one").unwrap_err();
        assert_eq!(error.to_string(), "the item of channel one is malformed");
    }

    #[test]
    fn an_asset_of_another_writer_is_read() {
        let mut item = key(ASSETS, "a");
        let stored = r#"{"id":"a","hash":"h","url":"u","duration":1,"added":2,"new":3}"#;
        item.insert("record".to_owned(), text(stored));
        assert_eq!(read_asset(&item).unwrap().hash, AssetHash("h".to_owned()));
        item.insert("record".to_owned(), text("{}"));
        assert_eq!(read_asset(&item).unwrap_err().to_string(), "the item of asset a is malformed");
    }
}
