//! Sessions in memory: they behave, and last as long as the process.

use relay::ports::{CommitError, CreateError, Page, Query, Record, Revision, Sessions, StoreError};
use relay::progress::Progress;
use relay::session::{Access, Destination, Session, SessionId};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard};

/// Sessions in memory.
#[derive(Debug, Default)]
pub struct Memory {
    /// Whether all calls fail.
    pub broken: AtomicBool,
    entries: Mutex<BTreeMap<SessionId, Entry>>,
}

#[derive(Debug)]
struct Entry {
    record: Record,
    access: Access,
    cursor: Option<(Vec<u8>, Revision)>,
}

impl Entry {
    fn is_active(&self) -> bool {
        self.record.progress.status.is_active()
    }
}

impl Memory {
    fn open(&self) -> Result<MutexGuard<'_, BTreeMap<SessionId, Entry>>, StoreError> {
        if self.broken.load(Ordering::Relaxed) {
            return Err(StoreError { reason: "broken at table secret-table".to_owned() });
        }
        Ok(self.entries.lock().expect("no test panics while it holds this"))
    }
}

impl Sessions for Memory {
    async fn create(&self, session: &Session, access: &Access) -> Result<(), CreateError> {
        let mut entries = self.open()?;
        for (endpoint, address) in session.endpoints.iter().enumerate() {
            let place = Destination::of(address);
            let writes_there = |other: &&Entry| {
                let mut places = other.record.session.endpoints.iter().map(Destination::of);
                other.is_active() && places.any(|other| other == place)
            };
            if let Some(other) = entries.values().find(writes_there) {
                let by = other.record.session.id.clone();
                return Err(CreateError::Taken { by, endpoint });
            }
        }
        let record = Record { session: session.clone(), progress: Progress::default() };
        let entry = Entry { record, access: access.clone(), cursor: None };
        entries.insert(session.id.clone(), entry);
        Ok(())
    }

    async fn get(&self, id: &SessionId) -> Result<Option<Record>, StoreError> {
        Ok(self.open()?.get(id).map(|entry| entry.record.clone()))
    }

    async fn list(&self, query: &Query) -> Result<Page, StoreError> {
        let entries = self.open()?;
        let place = |record: &Record| (record.session.created, record.session.id.clone());
        let before = match &query.next {
            None => None,
            Some(id) => match entries.get(id) {
                None => return Ok(Page::default()),
                Some(entry) => Some(place(&entry.record)),
            },
        };
        let mut found: Vec<Record> = entries
            .values()
            .map(|entry| entry.record.clone())
            .filter(|record| query.status.is_none_or(|wanted| wanted == record.progress.status))
            .filter(|record| before.as_ref().is_none_or(|before| place(record) < *before))
            .collect();
        found.sort_by_key(|record| std::cmp::Reverse(place(record)));
        let more = found.len() > query.limit;
        found.truncate(query.limit);
        let next = found.last().filter(|_| more).map(|last| last.session.id.clone());
        Ok(Page { sessions: found, next })
    }

    async fn access(&self, id: &SessionId) -> Result<Option<Access>, StoreError> {
        let entries = self.open()?;
        Ok(entries.get(id).filter(|entry| entry.is_active()).map(|entry| entry.access.clone()))
    }

    async fn report(&self, id: &SessionId, progress: &Progress) -> Result<(), StoreError> {
        if let Some(entry) = self.open()?.get_mut(id)
            && (entry.is_active() || !progress.status.is_active())
        {
            entry.record.progress = progress.clone();
        }
        Ok(())
    }

    async fn cursor(&self, id: &SessionId) -> Result<Option<(Vec<u8>, Revision)>, StoreError> {
        Ok(self.open()?.get(id).and_then(|entry| entry.cursor.clone()))
    }

    async fn commit(
        &self,
        id: &SessionId,
        expected: Option<Revision>,
        cursor: &[u8],
    ) -> Result<Revision, CommitError> {
        let mut entries = self.open()?;
        let entry = entries.get_mut(id).filter(|entry| entry.is_active());
        let entry = entry.ok_or(CommitError::Conflict)?;
        let current = entry.cursor.as_ref().map(|(_, revision)| *revision);
        if current != expected {
            return Err(CommitError::Conflict);
        }
        let next = Revision(current.map_or(1, |revision| revision.0 + 1));
        entry.cursor = Some((cursor.to_vec(), next));
        Ok(next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn it_keeps_the_word_of_the_port() {
        crate::conformance::sessions(|| async { Memory::default() }).await;
    }
}
