//! What the source published: watched in its folder, beside the HTTP server and its faults.

use crate::playlist::{Media, Segment, renditions};
use bytes::Bytes;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// The segments of every rendition in the order in which they were first listed.
pub type Renditions = BTreeMap<String, Vec<Entry>>;

/// A segment as published.
#[derive(Clone, Debug)]
pub struct Entry {
    pub segment: Segment,
    pub bytes: Bytes,
}

/// Watches a folder.
pub struct Published {
    folder: PathBuf,
    seen: Arc<Mutex<Renditions>>,
    watch: tokio::task::JoinHandle<()>,
}

impl Published {
    /// Starts to watch the renditions that `main.m3u8` in `folder` names.
    pub fn watch(folder: &Path) -> Self {
        let seen = Arc::new(Mutex::new(Renditions::new()));
        let (path, shared) = (folder.to_owned(), Arc::clone(&seen));
        let watch = tokio::spawn(async move {
            loop {
                look(&path, &mut shared.lock().unwrap());
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        });
        Self { folder: folder.to_owned(), seen, watch }
    }

    /// Everything so far.
    pub fn so_far(&self) -> Renditions {
        let mut seen = self.seen.lock().unwrap();
        look(&self.folder, &mut seen);
        seen.clone()
    }
}

impl Drop for Published {
    fn drop(&mut self) {
        self.watch.abort();
    }
}

fn look(folder: &Path, seen: &mut Renditions) {
    let Ok(main) = std::fs::read_to_string(folder.join("main.m3u8")) else { return };
    for rendition in renditions(&main) {
        let path = folder.join(&rendition);
        let Ok(text) = std::fs::read_to_string(&path) else { continue };
        let media = Media::read(&text).expect("ffmpeg writes playlists");
        let entries = seen.entry(rendition).or_default();
        let start = numbering(entries, &media);
        for mut segment in media.segments {
            let same = |known: &Segment| known.uri == segment.uri && known.range == segment.range;
            if entries[start..].iter().any(|entry| same(&entry.segment)) {
                continue;
            }
            // Where a source begins anew there is a discontinuity, though nothing is missing.
            segment.marked |= start > 0 && start == entries.len();
            let file = path.with_file_name(&segment.uri);
            let bytes: Bytes = std::fs::read(&file).expect("a listed segment is there").into();
            let bytes = match segment.range {
                Some((first, count)) => bytes.slice(first..first + count),
                None => bytes,
            };
            entries.push(Entry { segment, bytes });
        }
    }
}

/// Where the entries of the present numbering begin: a source that is restarted begins at zero.
fn numbering(entries: &[Entry], media: &Media) -> usize {
    let number = |entry: &Entry| entry.segment.sequence;
    let newest = media.segments.last().map_or(0, |segment| segment.sequence);
    if entries.last().is_some_and(|last| newest < number(last)) {
        return entries.len();
    }
    let restart = |pair: &[Entry]| number(&pair[1]) <= number(&pair[0]);
    entries.windows(2).rposition(restart).map_or(0, |before| before + 1)
}
