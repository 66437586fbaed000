//! A store that compares and swaps, and fails before or after it has.

use super::calls::Call;
use super::{Dice, Trouble, no_access, wait};
use relay::ports::{CommitError, CreateError, Page, Query, Record, Revision, Sessions, StoreError};
use relay::progress::Progress;
use relay::session::{Access, Session, SessionId};
use std::sync::Mutex;

pub struct Store {
    failures: u64,
    spell: Option<Trouble>,
    began: tokio::time::Instant,
    dice: Dice,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    cursor: Option<(Vec<u8>, Revision)>,
    largest: usize,
    commits: u64,
}

impl Store {
    pub fn new(failures: u64, spell: Option<Trouble>, dice: Dice) -> Self {
        let began = tokio::time::Instant::now();
        Self { failures, spell, began, dice, state: Mutex::default() }
    }

    pub fn largest(&self) -> usize {
        self.state.lock().unwrap().largest
    }

    pub fn commits(&self) -> u64 {
        self.state.lock().unwrap().commits
    }

    fn fails(&self) -> Result<(), StoreError> {
        let now = u64::try_from(self.began.elapsed().as_millis()).unwrap();
        let now = self.spell.is_none_or(|spell| Trouble::any(&[spell], now));
        if now && self.dice.percent(self.failures) {
            return Err(StoreError { reason: "throttled".into() });
        }
        Ok(())
    }
}

impl Sessions for Store {
    async fn create(&self, _: &Session, _: &Access) -> Result<(), CreateError> {
        Ok(())
    }

    async fn get(&self, _: &SessionId) -> Result<Option<Record>, StoreError> {
        Ok(None)
    }

    async fn list(&self, _: &Query) -> Result<Page, StoreError> {
        Ok(Page::default())
    }

    async fn access(&self, _: &SessionId) -> Result<Option<Access>, StoreError> {
        Ok(Some(no_access()))
    }

    async fn report(&self, _: &SessionId, _: &Progress) -> Result<(), StoreError> {
        let _call = Call::begin("reporting");
        wait(self.dice.between(1, 10)).await;
        self.fails()
    }

    async fn cursor(&self, _: &SessionId) -> Result<Option<(Vec<u8>, Revision)>, StoreError> {
        let _call = Call::begin("reading the cursor");
        wait(self.dice.between(1, 10)).await;
        self.fails()?;
        Ok(self.state.lock().unwrap().cursor.clone())
    }

    async fn commit(
        &self,
        _: &SessionId,
        expected: Option<Revision>,
        cursor: &[u8],
    ) -> Result<Revision, CommitError> {
        let _call = Call::begin("committing");
        wait(self.dice.between(1, 10)).await;
        self.fails()?;
        let revision = {
            let mut state = self.state.lock().unwrap();
            if state.cursor.as_ref().map(|(_, revision)| *revision) != expected {
                return Err(CommitError::Conflict);
            }
            let revision = Revision(expected.map_or(1, |revision| revision.0 + 1));
            state.largest = state.largest.max(cursor.len());
            state.commits += 1;
            state.cursor = Some((cursor.to_vec(), revision));
            revision
        };
        wait(self.dice.between(1, 10)).await;
        // This one has lasted.
        self.fails()?;
        Ok(revision)
    }
}
