//! The observer: sees every file that an endpoint stores, at the file system, and what the stored
//! playlists name.
//!
//! mod_dav_fs writes beside the name and renames, so a name appears with all its bytes or not at
//! all, and the moment of that is the file's change time. Moments are compared as the file system
//! wrote them: how late the observer looks changes no figure.

use crate::Result;
use crate::media::{PACKET, identify};
use crate::schedule::{Micros, SegmentId};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::inotify::{self, CreateFlags, ReadFlags, WatchFlags};
use rustix::io::Errno;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::Read as _;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

/// What arrived where, and what was wrong with it.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// When an endpoint first had a segment whole.
    pub stored: BTreeMap<(usize, SegmentId), Micros>,
    /// When an endpoint's playlist first named a segment.
    pub listed: BTreeMap<(usize, SegmentId), Micros>,
    /// Segments that came again, under their name or another.
    pub twice: u64,
    /// Names that came to mean other bytes.
    pub reused: u64,
    /// Files that are not what the source published, or are cut short.
    pub broken: u64,
    /// Playlists that named a segment that was not there.
    pub ahead: u64,
    /// Playlists whose media sequence or last segment went back.
    pub back: u64,
    /// Playlists that left out a segment, or changed their order, without a discontinuity.
    pub gaps: u64,
    /// A sentence about the first few of the above.
    pub examples: Vec<String>,
}

/// An observer at work, on a thread of its own.
pub struct Observer {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Result<Seen, String>>,
}

impl Observer {
    /// Begins to watch the collections below the roots of the endpoints.
    ///
    /// # Errors
    ///
    /// When the system does not let it watch so many.
    pub fn start(roots: &[&Path], sessions: u32) -> Result<Self> {
        let watches = inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC)?;
        let mut collections = BTreeMap::new();
        for (endpoint, root) in roots.iter().enumerate() {
            for session in 0..sessions {
                let path = root.join(format!("s{session}"));
                let events = WatchFlags::MOVED_TO | WatchFlags::CLOSE_WRITE;
                let watch = inotify::add_watch(&watches, &path, events)?;
                collections.insert(watch, Collection::new(endpoint, path));
            }
        }
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            watch(&watches, collections, &stopped).map_err(|error| error.to_string())
        });
        Ok(Self { stop, thread })
    }

    /// Ends the watch.
    ///
    /// # Errors
    ///
    /// When the observer failed or missed events.
    pub fn finish(self) -> Result<Seen> {
        self.stop.store(true, Ordering::Relaxed);
        Ok(self.thread.join().map_err(|_| "the observer panicked")??)
    }
}

fn watch(
    watches: &OwnedFd,
    mut collections: BTreeMap<i32, Collection>,
    stop: &AtomicBool,
) -> Result<Seen> {
    let mut seen = Seen::default();
    let mut buffer = [MaybeUninit::uninit(); 64 * 1024];
    let mut events = inotify::Reader::new(watches, &mut buffer);
    loop {
        let event = match events.next() {
            Ok(event) => event,
            Err(Errno::AGAIN) if stop.load(Ordering::Relaxed) => return Ok(seen),
            Err(Errno::AGAIN) => {
                let timeout = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };
                match poll(&mut [PollFd::new(watches, PollFlags::IN)], Some(&timeout)) {
                    Ok(_) | Err(Errno::INTR) => continue,
                    Err(error) => return Err(error.into()),
                }
            }
            Err(Errno::INTR) => continue,
            Err(error) => return Err(error.into()),
        };
        if event.events().contains(ReadFlags::QUEUE_OVERFLOW) {
            return Err("more was stored than the observer could follow".into());
        }
        let name = event.file_name().and_then(|name| name.to_str().ok());
        let collection = collections.get_mut(&event.wd());
        if let (Some(name), Some(collection)) = (name, collection)
            && !name.starts_with(".davfs.tmp")
        {
            collection.changed(name, &mut seen);
        }
    }
}

/// One session at one endpoint.
struct Collection {
    endpoint: usize,
    path: PathBuf,
    files: BTreeMap<String, Stored>,
    playlists: BTreeMap<String, Playlist>,
    /// The segments that came, under whatever name.
    segments: BTreeSet<SegmentId>,
}

/// One version of a file.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Stored {
    inode: u64,
    at: (i64, i64),
    segment: Option<SegmentId>,
}

impl Collection {
    fn new(endpoint: usize, path: PathBuf) -> Self {
        Self {
            endpoint,
            path,
            files: BTreeMap::new(),
            playlists: BTreeMap::new(),
            segments: BTreeSet::new(),
        }
    }

    fn changed(&mut self, name: &str, seen: &mut Seen) {
        if name.ends_with(".m3u8") {
            self.playlist_changed(name, seen);
        } else {
            self.look(name, seen);
        }
    }

    /// Looks at a segment, and remembers this version of it if it is a new one.
    fn look(&mut self, name: &str, seen: &mut Seen) -> Option<Stored> {
        let Ok((inode, at, found)) = read_segment(&self.path.join(name)) else {
            return self.files.get(name).copied();
        };
        let stored = Stored { inode, at, segment: found };
        let before = self.files.insert(name.into(), stored);
        if before == Some(stored) {
            return Some(stored);
        }
        if before.is_some_and(|before| before.segment != found) {
            seen.reused += 1;
            seen.example(|| format!("{name} has other bytes than before"));
        }
        match found {
            Some(id) if self.segments.insert(id) => {
                seen.stored.insert((self.endpoint, id), micros(at));
            }
            Some(id) => {
                seen.twice += 1;
                seen.example(|| format!("{name} brings segment {id} again"));
            }
            None => {
                seen.broken += 1;
                seen.example(|| format!("{name} is no whole segment of the source"));
            }
        }
        Some(stored)
    }

    fn playlist_changed(&mut self, name: &str, seen: &mut Seen) {
        let Ok((at, text)) = read(&self.path.join(name)) else { return };
        if !text.contains("#EXTINF") {
            return;
        }
        let playlist = Playlist::parse(&text);
        let before = self.playlists.remove(name).unwrap_or_default();
        let known: BTreeSet<&str> = before.names.iter().map(|(name, _)| &name[..]).collect();
        let mut last: Option<SegmentId> = None;
        for (uri, discontinuity) in &playlist.names {
            let stored = if known.contains(&uri[..]) {
                self.files.get(uri).copied()
            } else {
                let stored = self.look(uri, seen).filter(|stored| stored.at <= at);
                if let Some(Stored { segment: Some(id), .. }) = stored {
                    seen.listed.entry((self.endpoint, id)).or_insert(micros(at));
                } else if stored.is_none() {
                    seen.ahead += 1;
                    seen.example(|| format!("{name} names {uri}, which is not there"));
                }
                stored
            };
            let Some(id) = stored.and_then(|stored| stored.segment) else { continue };
            if let Some(last) = last.replace(id)
                && (last.variant != id.variant || last.sequence + 1 != id.sequence)
                && !discontinuity
            {
                seen.gaps += 1;
                seen.example(|| format!("{name} lists {id} after {last}"));
            }
        }
        if playlist.sequence < before.sequence || playlist.last() < before.last() {
            seen.back += 1;
            seen.example(|| format!("{name} went back from {}", before.sequence));
        }
        // The endpoint would keep what left the playlist; the memory of this machine is smaller.
        let now: BTreeSet<&String> = playlist.names.iter().map(|(name, _)| name).collect();
        for (gone, _) in before.names.iter().filter(|(name, _)| !now.contains(name)) {
            let _ = fs::remove_file(self.path.join(gone));
        }
        self.playlists.insert(name.into(), playlist);
    }
}

impl Seen {
    fn example(&mut self, sentence: impl FnOnce() -> String) {
        if self.examples.len() < 5 {
            self.examples.push(sentence());
        }
    }
}

/// What matters of a media playlist.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Playlist {
    sequence: u64,
    /// The segments, and whether a discontinuity comes before each.
    names: Vec<(String, bool)>,
}

impl Playlist {
    /// Reads a playlist as plainly as can be: the judge does not use the parser that it judges.
    fn parse(text: &str) -> Self {
        let mut playlist = Self::default();
        let mut discontinuity = false;
        for line in text.lines().map(str::trim) {
            if let Some(number) = line.strip_prefix("#EXT-X-MEDIA-SEQUENCE:") {
                playlist.sequence = number.parse().unwrap_or(0);
            } else if line == "#EXT-X-DISCONTINUITY" {
                discontinuity = true;
            } else if !line.is_empty() && !line.starts_with('#') {
                playlist.names.push((line.into(), std::mem::take(&mut discontinuity)));
            }
        }
        playlist
    }

    fn last(&self) -> u64 {
        self.sequence + u64::try_from(self.names.len()).expect("a playlist is small")
    }
}

fn read_segment(path: &Path) -> Result<(u64, (i64, i64), Option<SegmentId>)> {
    let file = File::open(path)?;
    let status = file.metadata()?;
    let packet = u64::try_from(PACKET)?;
    let (mut first, mut last) = ([0; PACKET], [0; PACKET]);
    let found = if status.len() >= packet {
        file.read_exact_at(&mut first, 0)?;
        file.read_exact_at(&mut last, status.len() - packet)?;
        identify(&first, &last, status.len())
    } else {
        None
    };
    Ok((status.ino(), (status.ctime(), status.ctime_nsec()), found))
}

fn read(path: &Path) -> Result<((i64, i64), String)> {
    let mut file = File::open(path)?;
    let status = file.metadata()?;
    let mut text = String::new();
    file.read_to_string(&mut text)?;
    Ok(((status.ctime(), status.ctime_nsec()), text))
}

fn micros((seconds, nanoseconds): (i64, i64)) -> Micros {
    u64::try_from(seconds * 1_000_000 + nanoseconds / 1000).expect("files are younger than 1970")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::stamped;
    use tempfile::TempDir;

    /// What an endpoint stores, in this order.
    enum Put {
        Segment(&'static str, u64),
        Cut(&'static str),
        Playlist(u64, &'static [&'static str]),
    }
    use Put::{Cut, Playlist, Segment};

    fn observed(puts: &[Put]) -> Seen {
        let root = TempDir::new().unwrap();
        let collection = root.path().join("s0");
        fs::create_dir(&collection).unwrap();
        let observer = Observer::start(&[root.path()], 1).unwrap();
        for put in puts {
            let (name, bytes) = match put {
                Segment(name, sequence) => {
                    let id = SegmentId { session: 0, variant: 0, sequence: *sequence };
                    (*name, stamped(id, &[0; PACKET]).to_vec())
                }
                Cut(name) => {
                    let id = SegmentId { session: 0, variant: 0, sequence: 0 };
                    (*name, stamped(id, &[0; PACKET])[..2 * PACKET].to_vec())
                }
                Playlist(sequence, names) => {
                    let lines: String = names
                        .iter()
                        .map(|name| match name.strip_prefix('!') {
                            Some(name) => format!("#EXT-X-DISCONTINUITY\n#EXTINF:2,\n{name}\n"),
                            None => format!("#EXTINF:2,\n{name}\n"),
                        })
                        .collect();
                    let text = format!("#EXTM3U\n#EXT-X-MEDIA-SEQUENCE:{sequence}\n{lines}");
                    ("a.m3u8", text.into_bytes())
                }
            };
            let temporary = collection.join(".davfs.tmp1");
            fs::write(&temporary, bytes).unwrap();
            fs::rename(temporary, collection.join(name)).unwrap();
            // Longer than the tick of the file system's clock.
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        observer.finish().unwrap()
    }

    fn faults(seen: &Seen) -> [(&'static str, u64); 6] {
        [
            ("twice", seen.twice),
            ("reused", seen.reused),
            ("broken", seen.broken),
            ("ahead", seen.ahead),
            ("back", seen.back),
            ("gaps", seen.gaps),
        ]
    }

    #[test]
    fn every_fault_is_seen_and_nothing_else_is_one() {
        type Case = (&'static str, &'static [Put], &'static [&'static str]);
        let cases: [Case; 10] = [
            (
                "in order",
                &[Segment("1", 1), Playlist(1, &["1"]), Segment("2", 2), Playlist(1, &["1", "2"])],
                &[],
            ),
            (
                "slid",
                &[Segment("1", 1), Segment("2", 2), Playlist(1, &["1", "2"]), Playlist(2, &["2"])],
                &[],
            ),
            ("never came", &[Segment("1", 1), Playlist(1, &["1", "2"])], &["ahead"]),
            ("came too late", &[Playlist(1, &["1"]), Segment("1", 1)], &["ahead"]),
            (
                "went back",
                &[Segment("1", 1), Segment("2", 2), Playlist(1, &["1", "2"]), Playlist(1, &["1"])],
                &["back"],
            ),
            (
                "left one out",
                &[Segment("1", 1), Segment("3", 3), Playlist(1, &["1", "3"])],
                &["gaps"],
            ),
            (
                "left one out and said so",
                &[Segment("1", 1), Segment("3", 3), Playlist(1, &["1", "!3"])],
                &[],
            ),
            ("under another name", &[Segment("1", 1), Segment("2", 1)], &["twice"]),
            ("other bytes", &[Segment("1", 1), Segment("1", 2)], &["reused"]),
            ("cut short", &[Cut("1")], &["broken"]),
        ];
        for (case, puts, expected) in cases {
            let seen = observed(puts);
            let found: Vec<_> = faults(&seen)
                .into_iter()
                .filter(|(_, count)| *count > 0)
                .map(|(name, _)| name)
                .collect();
            assert_eq!(found, expected, "{case}: {:?}", seen.examples);
        }
    }

    #[test]
    fn a_segment_is_stored_before_it_is_listed() {
        let seen = observed(&[Segment("1", 1), Playlist(1, &["1"])]);
        let key = (0, SegmentId { session: 0, variant: 0, sequence: 1 });
        assert!(seen.stored[&key] < seen.listed[&key]);
    }
}
