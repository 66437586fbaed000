//! The sessions as runs share them: a table whose writes depend on what is there, and fail before or after
//! they were done. The conditions are those of `functions/aws/src/marks.rs`.

use super::calls::Call;
use super::{Dice, no_access, wait};
use aws::{Mark, Marks, RunId, Written};
use hls::Timestamp;
use relay::ports::{CommitError, CreateError, Page, Query, Record, Revision, Sessions, StoreError};
use relay::progress::Progress;
use relay::session::{Access, Session, SessionId};
use std::sync::Mutex;

pub struct Table {
    failures: u64,
    dice: Dice,
    record: Mutex<Record>,
    mark: Mutex<Mark>,
}

impl Table {
    pub fn new(session: Session, failures: u64, dice: Dice) -> Self {
        let mark = Mark {
            id: session.id.clone(),
            created: session.created,
            revision: 0,
            cursor: None,
            over: false,
            holder: None,
            until: Timestamp(0),
            relieved: None,
            from: Timestamp(0),
        };
        let record = Record { session, progress: Progress::default() };
        Self { failures, dice, record: Mutex::new(record), mark: Mutex::new(mark) }
    }

    pub fn record(&self) -> Record {
        self.record.lock().unwrap().clone()
    }

    fn fails(&self) -> Result<(), StoreError> {
        if self.dice.percent(self.failures) {
            return Err(StoreError { reason: "throttled".into() });
        }
        Ok(())
    }

    /// Changes the mark when `allowed` says so. The answer may be lost before the change or after it.
    async fn change(
        &self,
        kind: &'static str,
        allowed: impl FnOnce(&Mark) -> bool,
        change: impl FnOnce(&mut Mark),
    ) -> Result<Written, StoreError> {
        let _call = Call::begin(kind);
        wait(self.dice.between(1, 30)).await;
        self.fails()?;
        let written = {
            let mut mark = self.mark.lock().unwrap();
            if allowed(&mark) {
                change(&mut mark);
                Written::Done
            } else {
                Written::Not(Some(Box::new(mark.clone())))
            }
        };
        wait(self.dice.between(1, 30)).await;
        self.fails()?;
        Ok(written)
    }
}

impl Marks for Table {
    async fn mark(&self, _: &SessionId) -> Result<Option<Mark>, StoreError> {
        wait(self.dice.between(1, 20)).await;
        self.fails()?;
        let mark = self.mark.lock().unwrap().clone();
        wait(self.dice.between(1, 20)).await;
        Ok(Some(mark))
    }

    async fn take_over(
        &self,
        before: &Mark,
        run: &RunId,
        from: Timestamp,
    ) -> Result<Written, StoreError> {
        let allowed = |mark: &Mark| {
            let same = match &before.holder {
                None => mark.holder.is_none(),
                Some(_) => mark.holder == before.holder && mark.until == before.until,
            };
            same && !mark.over
        };
        let change = |mark: &mut Mark| {
            if let Some(holder) = mark.holder.replace(run.clone()) {
                mark.relieved = Some(holder);
            }
            (mark.from, mark.until) = (from, Timestamp(0));
        };
        self.change("taking over", allowed, change).await
    }

    async fn renew(
        &self,
        _: &SessionId,
        run: &RunId,
        until: Timestamp,
    ) -> Result<Written, StoreError> {
        let held = |mark: &Mark| mark.holder.as_ref() == Some(run) && !mark.over;
        self.change("renewing a lease", held, |mark| mark.until = until).await
    }

    async fn commit_held(
        &self,
        _: &SessionId,
        expected: u64,
        cursor: &[u8],
        run: &RunId,
        until: Timestamp,
    ) -> Result<Written, StoreError> {
        let held = |mark: &Mark| {
            mark.revision == expected && !mark.over && mark.holder.as_ref() == Some(run)
        };
        let change = |mark: &mut Mark| {
            mark.cursor = Some(cursor.to_vec());
            (mark.revision, mark.until) = (expected + 1, until);
        };
        self.change("committing under a lease", held, change).await
    }

    async fn release(&self, _: &SessionId, run: &RunId, from: Timestamp) -> Result<(), StoreError> {
        let relieved = |mark: &Mark| mark.relieved.as_ref() == Some(run);
        if self.change("releasing a lease", relieved, |mark| mark.from = from).await?
            == Written::Done
        {
            return Ok(());
        }
        let holds = |mark: &Mark| mark.holder.as_ref() == Some(run);
        self.change("releasing a lease", holds, |mark| mark.until = Timestamp(0)).await.map(|_| ())
    }

    async fn report_active(&self, _: &Session, progress: &Progress) -> Result<(), StoreError> {
        wait(self.dice.between(1, 20)).await;
        self.fails()?;
        let mut record = self.record.lock().unwrap();
        if record.progress.status.is_active() {
            record.progress = progress.clone();
        }
        Ok(())
    }
}

impl Sessions for Table {
    async fn create(&self, _: &Session, _: &Access) -> Result<(), CreateError> {
        unreachable!("runs make no sessions")
    }

    async fn get(&self, _: &SessionId) -> Result<Option<Record>, StoreError> {
        Ok(Some(self.record()))
    }

    async fn list(&self, _: &Query) -> Result<Page, StoreError> {
        unreachable!("runs list no sessions")
    }

    async fn access(&self, _: &SessionId) -> Result<Option<Access>, StoreError> {
        Ok(Some(no_access()))
    }

    async fn report(&self, _: &SessionId, progress: &Progress) -> Result<(), StoreError> {
        wait(self.dice.between(1, 20)).await;
        self.fails()?;
        {
            // One transaction, in the table.
            let (mut record, mut mark) = (self.record.lock().unwrap(), self.mark.lock().unwrap());
            if record.progress.status.is_active() {
                mark.over = !progress.status.is_active();
                record.progress = progress.clone();
            }
        }
        wait(self.dice.between(1, 20)).await;
        self.fails()
    }

    async fn cursor(&self, _: &SessionId) -> Result<Option<(Vec<u8>, Revision)>, StoreError> {
        unreachable!("a run asks its hold")
    }

    async fn commit(
        &self,
        _: &SessionId,
        _: Option<Revision>,
        _: &[u8],
    ) -> Result<Revision, CommitError> {
        unreachable!("a run asks its hold")
    }
}
