//! Sessions in DynamoDB, their secrets in Secrets Manager.

use crate::error::Error;
use crate::hold::Marks;
use crate::item::Mark;
use crate::marks::Written;
use crate::runs::RunId;
use crate::secrets::Secrets;
use crate::table::{Table, Weight};
use relay::Timestamp;
use relay::cause::Cause;
use relay::cursor;
use relay::cursor::Rendition;
use relay::names::RenditionName;
use relay::ports::{
    Clock, CommitError, CreateError, Page, Query, Record, Revision, Sessions, StoreError,
};
use relay::progress::{Progress, RenditionProgress, Status};
use relay::session::{Access, Session, SessionId};
use std::sync::Arc;
use std::time::Duration;

/// How often one looks whether a run has let go of a session.
const LOOK: Duration = Duration::from_millis(300);

/// The sessions of a deployment.
#[derive(Debug)]
pub struct DynamoSessions<C> {
    table: Table,
    secrets: Arc<Secrets>,
    clock: Arc<C>,
}

impl<C: Clock> DynamoSessions<C> {
    /// Those in `table`, with their secrets in `secrets`.
    #[must_use]
    pub fn new(table: Table, secrets: Arc<Secrets>, clock: Arc<C>) -> Self {
        Self { table, secrets, clock }
    }

    /// The table.
    #[must_use]
    pub fn table(&self) -> &Table {
        &self.table
    }

    /// The secrets.
    #[must_use]
    pub fn secrets(&self) -> &Secrets {
        &self.secrets
    }

    /// The record of a session whose mark is known.
    ///
    /// # Errors
    /// When the table cannot be read.
    pub async fn record(&self, mark: &Mark) -> Result<Option<Record>, Error> {
        Ok(self.weighed(mark).await?.map(|(record, _)| record))
    }

    /// The same, and when the session was weighed last.
    ///
    /// # Errors
    /// When the table cannot be read.
    pub async fn weighed(&self, mark: &Mark) -> Result<Option<(Record, Option<Timestamp>)>, Error> {
        self.table.record(&mark.id, mark.created).await
    }

    /// Writes how an active session is doing, and what it weighs where that was found.
    ///
    /// # Errors
    /// When the table cannot be written.
    pub async fn report_weight(
        &self,
        session: &Session,
        progress: &Progress,
        weight: Option<Weight>,
    ) -> Result<(), Error> {
        let record = Record { session: session.clone(), progress: Progress::default() };
        self.table.report(&record, progress, weight).await
    }

    /// Stops a session, and returns when nothing more of it is published.
    ///
    /// First no run can commit or begin to publish any more; then the run that may be publishing lets
    /// go of it, or its lease runs out; and only then are the destinations free for another.
    ///
    /// # Errors
    /// When the table cannot be read or written.
    pub async fn stop(&self, id: &SessionId) -> Result<(), StoreError> {
        let Some(mut mark) = self.table.halt(id).await? else { return Ok(()) };
        while self.clock.now() < mark.until.max(mark.from) {
            tokio::time::sleep(LOOK).await;
            match self.table.mark(id).await? {
                Some(now) => mark = now,
                None => return Ok(()),
            }
        }
        self.finish(&mark, Status::Stopped, None, "stopped on request").await
    }

    /// Ends a session that is not over yet, and forgets its secrets: also what a crash in the middle
    /// of its end left undone.
    ///
    /// # Errors
    /// When the table cannot be read or written.
    pub async fn finish(
        &self,
        mark: &Mark,
        status: Status,
        cause: Option<Cause>,
        reason: &str,
    ) -> Result<(), StoreError> {
        let Some(Record { session, progress }) = self.record(mark).await? else { return Ok(()) };
        if progress.status.is_active() {
            let progress = up_to_date(progress, mark);
            let (reason, causes) = (Some(reason.to_owned()), cause.into_iter().collect());
            let progress = Progress { status, reason, causes, ..progress };
            self.table.end(&session, &progress, self.clock.now()).await?;
        }
        Ok(self.secrets.forget(&mark.id).await?)
    }

    async fn put(
        &self,
        id: &SessionId,
        expected: Option<Revision>,
        cursor: &[u8],
    ) -> Result<Revision, CommitError> {
        let expected = expected.map_or(0, |revision| revision.0);
        match self.table.commit(id, expected, cursor, None).await.map_err(StoreError::from)? {
            Written::Done => Ok(Revision(expected + 1)),
            Written::Not(_) => Err(CommitError::Conflict),
        }
    }
}

impl<C: Clock> Sessions for DynamoSessions<C> {
    async fn create(&self, session: &Session, access: &Access) -> Result<(), CreateError> {
        self.table.create(session).await?;
        // After the session: a crash in between leaves one that a run finds and ends, where secrets
        // without a session would lie there for ever.
        if let Err(error) = self.secrets.keep(&session.id, access).await {
            if let Err(error) = self.table.undo(session).await {
                tracing::error!(session = %session.id, %error, "cannot take back a session");
            }
            return Err(StoreError::from(error).into());
        }
        Ok(())
    }

    async fn get(&self, id: &SessionId) -> Result<Option<Record>, StoreError> {
        let Some(mark) = self.table.mark(id).await? else { return Ok(None) };
        let record = self.record(&mark).await?;
        // The cursor is newer than what was last reported.
        Ok(record.map(|record| Record { progress: up_to_date(record.progress, &mark), ..record }))
    }

    async fn list(&self, query: &Query) -> Result<Page, StoreError> {
        let after = match &query.next {
            None => None,
            Some(id) => match self.table.mark(id).await? {
                None => return Ok(Page::default()),
                Some(mark) => Some(mark),
            },
        };
        Ok(self.table.list(query, after.as_ref()).await?)
    }

    async fn access(&self, id: &SessionId) -> Result<Option<Access>, StoreError> {
        Ok(self.secrets.access(id).await?)
    }

    async fn report(&self, id: &SessionId, progress: &Progress) -> Result<(), StoreError> {
        let Some(mark) = self.table.mark(id).await? else { return Ok(()) };
        let Some(record) = self.record(&mark).await? else { return Ok(()) };
        let was_active = record.progress.status.is_active();
        match (was_active, progress.status.is_active()) {
            (false, true) => {}
            (true, true) | (false, false) => {
                self.table.report(&record, progress, None).await?;
            }
            (true, false) => {
                self.table.end(&record.session, progress, self.clock.now()).await?;
                self.secrets.forget(id).await?;
            }
        }
        Ok(())
    }

    async fn cursor(&self, id: &SessionId) -> Result<Option<(Vec<u8>, Revision)>, StoreError> {
        let mark = self.table.mark(id).await?;
        Ok(mark.and_then(|mark| Some((mark.cursor?, Revision(mark.revision)))))
    }

    async fn commit(
        &self,
        id: &SessionId,
        expected: Option<Revision>,
        cursor: &[u8],
    ) -> Result<Revision, CommitError> {
        self.put(id, expected, cursor).await
    }
}

impl<C: Clock> Marks for DynamoSessions<C> {
    async fn mark(&self, id: &SessionId) -> Result<Option<Mark>, StoreError> {
        Ok(self.table.mark(id).await?)
    }

    async fn take_over(
        &self,
        mark: &Mark,
        run: &RunId,
        from: Timestamp,
    ) -> Result<Written, StoreError> {
        Ok(self.table.take_over(mark, run, from).await?)
    }

    async fn renew(
        &self,
        id: &SessionId,
        run: &RunId,
        until: Timestamp,
    ) -> Result<Written, StoreError> {
        Ok(self.table.renew(id, run, until).await?)
    }

    async fn commit_held(
        &self,
        id: &SessionId,
        expected: u64,
        cursor: &[u8],
        run: &RunId,
        until: Timestamp,
    ) -> Result<Written, StoreError> {
        Ok(self.table.commit(id, expected, cursor, Some((run, until))).await?)
    }

    async fn release(
        &self,
        id: &SessionId,
        run: &RunId,
        from: Timestamp,
    ) -> Result<(), StoreError> {
        Ok(self.table.release(id, run, from).await?)
    }

    async fn report_active(
        &self,
        session: &Session,
        progress: &Progress,
    ) -> Result<(), StoreError> {
        Ok(self.report_weight(session, progress, None).await?)
    }
}

/// What was reported, with what the cursor knows better.
fn up_to_date(mut progress: Progress, mark: &Mark) -> Progress {
    if !progress.status.is_active() {
        return progress;
    }
    let Some(Ok(cursor)) = mark.cursor.as_deref().map(cursor::decode) else { return progress };
    let (jumps, missed) = jumps(&cursor);
    progress.segments = progress.segments.max(cursor.segments);
    progress.bytes = progress.bytes.max(cursor.bytes);
    progress.jumps = progress.jumps.max(jumps);
    progress.missed = progress.missed.max(missed);
    for (name, mark) in &cursor.renditions {
        let new = rendition(name, mark);
        match progress.renditions.iter_mut().find(|old| old.name == new.name) {
            Some(old) => {
                old.source_sequence = new.source_sequence;
                old.listed = new.listed;
            }
            None => progress.renditions.push(new),
        }
    }
    progress
}

fn rendition(name: &RenditionName, mark: &Rendition) -> RenditionProgress {
    RenditionProgress {
        name: name.to_string(),
        source_sequence: Some(mark.newest.0),
        listed: mark.tracks.iter().map(|track| track.given.map(|given| given.0)).collect(),
        error: None,
    }
}

/// The jumps in a cursor, and the segments that they left out.
fn jumps(cursor: &cursor::Cursor) -> (u64, u64) {
    let worst = |count: fn(&cursor::Track) -> u64| -> u64 {
        let marks = cursor.renditions.values();
        marks.map(|mark| mark.tracks.iter().map(count).max().unwrap_or_default()).sum()
    };
    (worst(|track| track.jumps), worst(|track| track.missed))
}

/// What a session had carried when its mark was written.
#[must_use]
pub fn carried(mark: &Mark) -> Progress {
    up_to_date(Progress::default(), mark)
}
