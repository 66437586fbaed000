//! The store, from outside.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use ferry::store::{OpenError, Store};
use relay::Timestamp;
use relay::ports::{CreateError, Query, Record, Sessions};
use relay::progress::{Progress, Status};
use relay::session::SessionId;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use tests::conformance;

const PLACE: &str = "https://in.example/a/channel";

#[tokio::test]
async fn it_keeps_the_word_of_the_port() {
    let dir = tempfile::tempdir().unwrap();
    let number = std::sync::atomic::AtomicUsize::new(0);
    conformance::sessions(|| async {
        let number = number.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        Store::open(&dir.path().join(number.to_string())).unwrap()
    })
    .await;
}

#[tokio::test]
async fn all_of_it_is_there_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let (session, access) = conformance::session("a", 1, &[PLACE]);
    let (over, over_access) = conformance::session("b", 2, &["https://in.example/b/channel"]);
    let running = Progress { status: Status::Running, segments: 3, ..Progress::default() };
    let store = Store::open(dir.path()).unwrap();
    store.create(&session, &access).await.unwrap();
    store.create(&over, &over_access).await.unwrap();
    store.report(&session.id, &running).await.unwrap();
    store.report(&over.id, &Progress { status: Status::Ended, ..running.clone() }).await.unwrap();
    let revision = store.commit(&session.id, None, b"cursor").await.unwrap();
    drop(store);

    let store = Store::open(dir.path()).unwrap();
    let active = store.active().unwrap();
    assert_eq!(active, [Record { session: session.clone(), progress: running.clone() }]);
    assert_eq!(store.get(&session.id).await.unwrap().unwrap().progress, running);
    assert_eq!(store.cursor(&session.id).await.unwrap(), Some((b"cursor".to_vec(), revision)));
    assert!(store.access(&session.id).await.unwrap().is_some());
    let (second, access) = conformance::session("c", 3, &[PLACE]);
    let refused = store.create(&second, &access).await.unwrap_err();
    assert_eq!(refused, CreateError::Taken { by: session.id, endpoint: 0 });
}

#[tokio::test]
async fn a_second_one_on_the_same_directory_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let first = Store::open(dir.path()).unwrap();
    let refused = Store::open(dir.path()).unwrap_err();
    assert!(matches!(&refused, OpenError::InUse(at) if at == dir.path()), "{refused}");
    assert!(refused.to_string().ends_with("is in use by another ferry"), "{refused}");
    drop(first);
    Store::open(dir.path()).unwrap();
}

#[test]
fn a_directory_that_cannot_be_used_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    std::fs::write(&file, "not a directory").unwrap();
    let refused = Store::open(&file).unwrap_err();
    assert!(refused.to_string().contains(&*file.to_string_lossy()), "{refused}");

    std::fs::write(dir.path().join("sessions.redb"), "not a database").unwrap();
    let refused = Store::open(dir.path()).unwrap_err();
    assert!(refused.to_string().contains("sessions.redb"), "{refused}");
    assert!(refused.to_string().contains("restore it from a copy, or move it away"), "{refused}");
}

#[tokio::test]
async fn a_file_that_is_damaged_says_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let (session, access) = conformance::session("a", 1, &[PLACE]);
    Store::open(dir.path()).unwrap().create(&session, &access).await.unwrap();
    let file = dir.path().join("sessions.redb");
    let whole = std::fs::read(&file).unwrap();
    let zeros = vec![0; whole.len() - 4_096];
    for damaged in [&whole[..whole.len() / 2], &whole[..100], &[&whole[..4_096], &zeros].concat()] {
        std::fs::write(&file, damaged).unwrap();
        let refused = match Store::open(dir.path()) {
            Err(refused) => refused.to_string(),
            Ok(store) => store.active().unwrap_err().to_string(),
        };
        assert!(refused.contains("restore it from a copy, or move it away"), "{refused}");
    }
    std::fs::write(&file, whole).unwrap();
    assert_eq!(Store::open(dir.path()).unwrap().active().unwrap().len(), 1);
}

#[tokio::test]
async fn credentials_without_the_file_of_their_sessions_are_kept_and_said() {
    let dir = tempfile::tempdir().unwrap();
    let (session, access) = conformance::session("a", 1, &[PLACE]);
    Store::open(dir.path()).unwrap().create(&session, &access).await.unwrap();
    let (file, secret) = (dir.path().join("sessions.redb"), dir.path().join("access/a.json"));
    let copy = std::fs::read(&file).unwrap();
    for lose in [|file: &Path| std::fs::remove_file(file), |file: &Path| std::fs::write(file, "")] {
        lose(&file).unwrap();
        let refused = Store::open(dir.path()).unwrap_err();
        assert!(matches!(refused, OpenError::Lost { .. }), "{refused}");
        for place in [&file, secret.parent().unwrap()] {
            assert!(refused.to_string().contains(&*place.to_string_lossy()), "{refused}");
        }
        assert!(secret.exists(), "nothing is deleted");
        assert_eq!(file.metadata().map_or(0, |file| file.len()), 0, "nothing is made");
    }
    std::fs::write(&file, copy).unwrap();
    let store = Store::open(dir.path()).unwrap();
    let kept = store.access(&session.id).await.unwrap().unwrap();
    assert_eq!(kept.source, access.source);
    drop(store);
    std::fs::remove_file(&file).unwrap();
    std::fs::remove_dir_all(secret.parent().unwrap()).unwrap();
    assert!(Store::open(dir.path()).unwrap().active().unwrap().is_empty());
}

#[tokio::test]
async fn secrets_are_for_the_owner_alone_and_go_with_the_session() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("new").join("data");
    let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
    let (session, access) = conformance::session("a", 1, &[PLACE]);
    let secret = data.join("access").join("a.json");

    let store = Store::open(&data).unwrap();
    store.create(&session, &access).await.unwrap();
    assert_eq!(mode(&data), 0o700);
    assert_eq!(mode(&data.join("access")), 0o700);
    assert_eq!(mode(&data.join("sessions.redb")), 0o600);
    assert_eq!(mode(&secret), 0o600);
    let database = std::fs::read(data.join("sessions.redb")).unwrap();
    for word in ["token=t", "word", "Bearer"] {
        let found = database.windows(word.len()).any(|bytes| bytes == word.as_bytes());
        assert!(!found, "{word} is in the database");
    }

    let stopped = Progress { status: Status::Stopped, ..Progress::default() };
    store.report(&session.id, &stopped).await.unwrap();
    assert!(!secret.exists());
    drop(store);

    // As a crash between the two writes leaves it, on either side.
    std::fs::write(&secret, "{}").unwrap();
    std::fs::write(data.join("access").join("b.json"), "{}").unwrap();
    std::fs::write(data.join("access").join("c.new"), "{}").unwrap();
    drop(Store::open(&data).unwrap());
    assert_eq!(std::fs::read_dir(data.join("access")).unwrap().count(), 0);
}

/// Records as the first version wrote them: what is written today must go on being read.
const SESSION_1: &str = r#"{"id":"a","name":"news","created":1000000,"source":"https://o.example/m.m3u8","output":"mediapackage","endpoints":["https://in.example/a/channel"],"concurrency":4}"#;
const PROGRESS_1: &str = r#"{"status":"degraded","reason":"r","renditions":[{"name":"video"}],"endpoints":[{"address":"https://in.example/a/channel","healthy":true,"segments":1,"bytes":2,"behind":0,"last_error":null}],"segments":1}"#;

mod tables {
    use redb::TableDefinition;
    pub const SESSIONS: TableDefinition<&str, &[u8]> = TableDefinition::new("sessions");
    pub const PROGRESS: TableDefinition<&str, &[u8]> = TableDefinition::new("progress");
    pub const ORDER: TableDefinition<(u64, &str), ()> = TableDefinition::new("order");
}

/// Writes records as another version would.
fn write_records(dir: &Path, id: &str, session: &str, progress: &str) {
    let database = redb::Database::open(dir.join("sessions.redb")).unwrap();
    let writing = database.begin_write().unwrap();
    {
        let mut sessions = writing.open_table(tables::SESSIONS).unwrap();
        sessions.insert(id, session.as_bytes()).unwrap();
        let mut table = writing.open_table(tables::PROGRESS).unwrap();
        table.insert(id, progress.as_bytes()).unwrap();
        writing.open_table(tables::ORDER).unwrap().insert((1_000_000, id), ()).unwrap();
    }
    writing.commit().unwrap();
}

fn read_record(dir: &Path, id: &str) -> (String, String) {
    use redb::ReadableDatabase;
    let database = redb::Database::open(dir.join("sessions.redb")).unwrap();
    let reading = database.begin_read().unwrap();
    let text = |table: redb::TableDefinition<&str, &[u8]>| {
        let table = reading.open_table(table).unwrap();
        String::from_utf8(table.get(id).unwrap().unwrap().value().to_vec()).unwrap()
    };
    (text(tables::SESSIONS), text(tables::PROGRESS))
}

#[tokio::test]
async fn a_new_reader_reads_old_records() {
    let dir = tempfile::tempdir().unwrap();
    drop(Store::open(dir.path()).unwrap());
    write_records(dir.path(), "a", SESSION_1, PROGRESS_1);
    let store = Store::open(dir.path()).unwrap();
    let record = store.get(&SessionId("a".to_owned())).await.unwrap().unwrap();
    assert_eq!(
        (record.session.name.as_str(), record.session.created),
        ("news", Timestamp(1_000_000))
    );
    assert_eq!((record.progress.status, record.progress.segments), (Status::Degraded, 1));
    assert_eq!(store.active().unwrap().len(), 1);
}

#[tokio::test]
async fn an_old_reader_reads_new_records_and_lets_be_what_it_cannot_carry() {
    let dir = tempfile::tempdir().unwrap();
    drop(Store::open(dir.path()).unwrap());
    let session = SESSION_1.replace(r#"{"id""#, r#"{"later":{"x":1},"id""#);
    let progress = PROGRESS_1.replace(r#""segments":1"#, r#""segments":1,"later":[2]"#);
    write_records(dir.path(), "a", &session, &progress);
    let unknown = session.replace("mediapackage", "later");
    write_records(dir.path(), "b", &unknown.replace(r#""a""#, r#""b""#), &progress);
    let unknown = progress.replace("degraded", "later");
    write_records(dir.path(), "c", &session.replace(r#""a""#, r#""c""#), &unknown);
    std::fs::write(dir.path().join("access").join("c.json"), "{}").unwrap();

    let store = Store::open(dir.path()).unwrap();
    let active = store.active().unwrap();
    assert_eq!(active.iter().map(|record| record.session.id.0.as_str()).collect::<Vec<_>>(), ["a"]);
    let page = store.list(&Query { status: None, limit: 10, next: None }).await.unwrap();
    assert_eq!(page.sessions.len(), 1);
    drop(store);
    assert!(dir.path().join("access").join("c.json").exists(), "it may be active");
    assert!(read_record(dir.path(), "b").0.contains("later"), "it is left as it was");
}

#[tokio::test]
async fn an_old_writer_after_a_new_one_changes_nothing_that_was_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    drop(Store::open(dir.path()).unwrap());
    let session = SESSION_1.replace(r#"{"id""#, r#"{"later":{"x":1},"id""#);
    let progress = PROGRESS_1.replace(r#""segments":1"#, r#""segments":1,"later":[2]"#);
    write_records(dir.path(), "a", &session, &progress);
    let store = Store::open(dir.path()).unwrap();
    let running = Progress { status: Status::Running, ..Progress::default() };
    store.report(&SessionId("a".to_owned()), &running).await.unwrap();
    store.commit(&SessionId("a".to_owned()), None, b"cursor").await.unwrap();
    drop(store);
    let (kept, written) = read_record(dir.path(), "a");
    assert_eq!(kept, session, "the session record is written once");
    // How a session is doing is told anew by whoever carries it: losing a field of it is harmless.
    assert!(!written.contains("later"));
}
