//! All writes, one after the other.

use super::disk::{Disk, failed};
use redb::WriteTransaction;
use relay::ports::StoreError;
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use tokio::sync::oneshot;

/// One write, unless nothing can be written, and whom to tell that it has lasted.
type Job = Box<dyn FnOnce(Option<&WriteTransaction>) -> (Tell, Result<(), redb::Error>) + Send>;
type Tell = Box<dyn FnOnce(Result<(), StoreError>) + Send>;

/// A thread that writes all that waits in one transaction, so that many sessions share one fsync.
#[derive(Debug)]
pub struct Writer {
    jobs: Option<mpsc::Sender<Job>>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    /// Starts to write to `disk`.
    pub fn start(disk: Arc<Disk>) -> Self {
        let (jobs, waiting) = mpsc::channel();
        let thread = std::thread::Builder::new()
            .name("store".to_owned())
            .spawn(move || write_all(&disk, &waiting))
            .expect("a machine that runs this has room for a thread");
        Self { jobs: Some(jobs), thread: Some(thread) }
    }

    /// Does `write`, and returns when it has lasted.
    pub async fn write<T: Send + 'static>(
        &self,
        write: impl FnOnce(&WriteTransaction) -> Result<T, redb::Error> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (tell, told) = oneshot::channel();
        let job: Job = Box::new(move |writing| {
            let (done, result) = match writing.map(write).transpose() {
                Ok(done) => (done, Ok(())),
                Err(error) => (None, Err(error)),
            };
            let tell: Tell = Box::new(move |lasted: Result<(), StoreError>| {
                // Whoever asked may have gone.
                let _ = tell.send(lasted.and_then(|()| done.ok_or_else(ended)));
            });
            (tell, result)
        });
        let jobs = self.jobs.as_ref().ok_or_else(ended)?;
        jobs.send(job).map_err(|_| ended())?;
        told.await.map_err(|_| ended())?
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        drop(self.jobs.take());
        if let Some(thread) = self.thread.take() {
            // What it would say has been said to those who wait.
            let _ = thread.join();
        }
    }
}

fn write_all(disk: &Disk, waiting: &mpsc::Receiver<Job>) {
    let mut healthy = true;
    while let Ok(first) = waiting.recv() {
        if !healthy {
            healthy = reopen(disk);
        }
        let jobs = std::iter::once(first).chain(waiting.try_iter());
        let (told, lasted) = write(disk, jobs);
        if let Err(error) = &lasted {
            tracing::error!(%error, "cannot write to the store");
            healthy = reopen(disk);
        }
        for tell in told {
            tell(lasted.clone());
        }
    }
}

fn write(disk: &Disk, jobs: impl Iterator<Item = Job>) -> (Vec<Tell>, Result<(), StoreError>) {
    let writing = match disk.write() {
        Ok(writing) => writing,
        Err(error) => return (jobs.map(|job| job(None).0).collect(), Err(error)),
    };
    let (mut told, mut failure) = (Vec::new(), None);
    for job in jobs {
        let (tell, result) = job(failure.is_none().then_some(&writing));
        told.push(tell);
        failure = failure.or(result.err());
    }
    let lasted = failure.map_or_else(|| writing.commit().map_err(failed), |it| Err(failed(it)));
    (told, lasted)
}

fn reopen(disk: &Disk) -> bool {
    match disk.reopen() {
        Ok(()) => true,
        Err(error) => {
            tracing::error!(%error, "cannot open the store again");
            false
        }
    }
}

fn ended() -> StoreError {
    StoreError { reason: "the store took nothing".to_owned() }
}

#[cfg(test)]
mod tests {
    use crate::store::Store;
    use crate::store::disk::{Disk, prepare};
    use redb::backends::FileBackend;
    use redb::{Builder, StorageBackend};
    use relay::ports::Sessions;
    use std::io;
    use std::path::Path;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

    /// A disk that is full while `full` says so, and counts what is made to last.
    #[derive(Clone, Debug, Default)]
    struct Faults {
        full: Arc<AtomicBool>,
        syncs: Arc<AtomicU64>,
    }

    #[derive(Debug)]
    struct Faulty(FileBackend, Faults);

    impl Faulty {
        fn fail_when_full(&self) -> io::Result<()> {
            let full = self.1.full.load(Ordering::Relaxed);
            if full { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
        }
    }

    impl StorageBackend for Faulty {
        fn len(&self) -> io::Result<u64> {
            self.0.len()
        }
        fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
            self.0.read(offset, out)
        }
        fn set_len(&self, len: u64) -> io::Result<()> {
            self.fail_when_full()?;
            self.0.set_len(len)
        }
        fn sync_data(&self) -> io::Result<()> {
            self.fail_when_full()?;
            self.1.syncs.fetch_add(1, Ordering::Relaxed);
            self.0.sync_data()
        }
        fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
            self.fail_when_full()?;
            self.0.write(offset, data)
        }
    }

    fn store(dir: &Path) -> (Store, Faults) {
        let faults = Faults::default();
        let behind = faults.clone();
        let open = move |path: &Path| {
            let mut options = std::fs::OpenOptions::new();
            let file = options.read(true).write(true).create(true).truncate(false).open(path)?;
            let backend = Faulty(FileBackend::new(file)?, behind.clone());
            prepare(Builder::new().create_with_backend(backend))
        };
        let disk = Disk::open_with(dir.join("sessions.redb"), Box::new(open)).unwrap();
        (Store::over(disk, dir).unwrap(), faults)
    }

    #[tokio::test]
    async fn a_disk_that_was_full_is_used_again() {
        let dir = tempfile::tempdir().unwrap();
        let (store, faults) = store(dir.path());
        let (session, access) = tests::conformance::session("a", 1, &["https://in.example/a"]);
        store.create(&session, &access).await.unwrap();
        let first = store.commit(&session.id, None, b"one").await.unwrap();
        faults.full.store(true, Ordering::Relaxed);
        for _ in 0..3 {
            let refused = store.commit(&session.id, Some(first), b"two").await.unwrap_err();
            assert!(refused.to_string().contains("no storage space"), "{refused}");
        }
        faults.full.store(false, Ordering::Relaxed);
        let second = store.commit(&session.id, Some(first), b"two").await.unwrap();
        assert_eq!(
            store.cursor(&session.id).await.unwrap(),
            Some((b"two".to_vec(), second)),
            "nothing that was refused has lasted"
        );
    }

    #[tokio::test]
    async fn a_file_that_is_gone_is_not_made_anew() {
        let dir = tempfile::tempdir().unwrap();
        let (store, faults) = store(dir.path());
        let (session, access) = tests::conformance::session("a", 1, &["https://in.example/a"]);
        store.create(&session, &access).await.unwrap();
        // As when the disk that it lies on is taken away.
        faults.full.store(true, Ordering::Relaxed);
        std::fs::remove_file(dir.path().join("sessions.redb")).unwrap();
        store.commit(&session.id, None, b"one").await.unwrap_err();
        faults.full.store(false, Ordering::Relaxed);
        for _ in 0..2 {
            let refused = store.commit(&session.id, None, b"one").await.unwrap_err();
            assert!(refused.to_string().ends_with("sessions.redb is gone"), "{refused}");
        }
        assert!(!dir.path().join("sessions.redb").exists());
    }

    #[tokio::test]
    async fn writes_that_wait_share_what_it_takes_to_last() {
        let dir = tempfile::tempdir().unwrap();
        let (store, faults) = store(dir.path());
        let mut sessions = Vec::new();
        for number in 0..200 {
            let (id, place) = (format!("s{number}"), format!("https://in.example/{number}"));
            let (session, access) = tests::conformance::session(&id, number, &[&place]);
            sessions.push((session, access));
        }
        let creations = sessions.iter().map(|(session, access)| store.create(session, access));
        for made in futures_util::future::join_all(creations).await {
            made.unwrap();
        }
        let before = faults.syncs.load(Ordering::Relaxed);
        let commits = sessions.iter().map(|(session, _)| store.commit(&session.id, None, b"one"));
        for committed in futures_util::future::join_all(commits).await {
            committed.unwrap();
        }
        let syncs = faults.syncs.load(Ordering::Relaxed) - before;
        assert!((1..20).contains(&syncs), "{syncs} for 200 commits");
    }
}
