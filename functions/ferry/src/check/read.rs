//! Reads a source for a while.

use super::seen::{Seen, Snapshot, Watched};
use bytes::Bytes;
use futures_util::future::join_all;
use hls::{Limits, MediaPlaylist, Micros, Playlist, Timestamp, Variables, parse};
use relay::ports::{Clock, Fetched, Origin, OriginError, Validators};
use std::borrow::Cow;
use url::Url;

/// Between two readings: a quarter of the target duration, within these limits. Players read less
/// often (RFC 8216 section 6.3.4); this is to see when segments come.
const EVERY: (Micros, Micros) = (Micros::from_millis(250), Micros::from_secs(2));

/// How long a source is watched unless it is said: five target durations, within these limits.
const WATCH: (Micros, Micros) = (Micros::from_secs(10), Micros::from_secs(60));

/// Why a source cannot be checked at all.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// It gives nothing.
    #[error(transparent)]
    Origin(#[from] OriginError),
    /// What it gives is not a playlist.
    #[error("{url} is not HLS that can be read: {error}")]
    NotHls {
        /// Where it came from, without secrets.
        url: relay::session::Address,
        /// What is wrong with it.
        error: hls::Error,
    },
}

/// Reads a source, and goes on for as long as `watch` says, or for a few target durations.
///
/// A source that has ended is read once.
pub async fn read(
    origin: &impl Origin,
    clock: &impl Clock,
    source: &Url,
    watch: Option<Micros>,
) -> Result<Seen, ReadError> {
    let mut reader = Reader { origin, clock, variables: Variables::new() };
    let first = reader.fetch(source, None).await?;
    let Some((text, base, validators)) = first else {
        let reason = "origin answered 304 to a request without conditions".to_owned();
        return Err(OriginError::Unavailable { reason }.into());
    };
    let began = clock.now();
    let not_hls = |error| ReadError::NotHls { url: relay::session::Address::of(&base), error };
    let (text, variables) = reader.filled(text, &base).map_err(not_hls)?;
    reader.variables = variables;
    let snapshot = Snapshot { at: began, text };
    let playlist = parse(&snapshot.text, &Limits::default()).map_err(not_hls)?;
    let mut watches: Vec<Watching> = match &playlist {
        Playlist::Multivariant(playlist) => {
            let addresses = channel::media_playlists(playlist).into_iter();
            join_all(addresses.map(|uri| reader.begin(uri, base.join(uri).ok()))).await
        }
        Playlist::Media(_) => {
            let mut only = Watching::new("", Some(base.clone()));
            only.take(snapshot.clone(), base.clone(), validators);
            vec![only]
        }
    };
    join_all(watches.iter_mut().map(|watching| reader.sample(watching))).await;
    let playlists = || watches.iter().filter_map(|watching| watching.newest.as_ref());
    let target = playlists().map(|it| Micros::from(it.target_duration)).max().unwrap_or_default();
    let every = Micros(target.0 / 4).clamp(EVERY.0, EVERY.1);
    let watch = watch.unwrap_or(Micros(target.0.saturating_mul(5)).clamp(WATCH.0, WATCH.1));
    let until = began + watch;
    if playlists().any(|playlist| !playlist.ended) {
        join_all(watches.iter_mut().map(|watching| reader.watch(watching, every, until))).await;
        // Of those that began with an empty playlist nothing was read yet.
        let unread = watches.iter_mut().filter(|watching| !watching.was_sampled);
        join_all(unread.map(|watching| reader.sample(watching))).await;
    }
    Ok(Seen {
        base: Some(base),
        multivariant: match playlist {
            Playlist::Multivariant(_) => Some(snapshot),
            Playlist::Media(_) => None,
        },
        media: watches.into_iter().map(|watching| watching.watched).collect(),
        watched_ms: clock.now().since(began).as_millis(),
        every_ms: every.as_millis(),
    })
}

/// A media playlist that is being watched.
struct Watching {
    watched: Watched,
    url: Option<Url>,
    /// Where the newest version came from.
    base: Option<Url>,
    validators: Option<Validators>,
    newest: Option<MediaPlaylist>,
    was_sampled: bool,
}

impl Watching {
    fn new(uri: &str, url: Option<Url>) -> Self {
        let watched = Watched { uri: uri.to_owned(), ..Watched::default() };
        Self { watched, url, base: None, validators: None, newest: None, was_sampled: false }
    }

    fn take(&mut self, snapshot: Snapshot, base: Url, validators: Validators) {
        self.watched.looked_at = snapshot.at;
        let last = self.watched.versions.last();
        if last.is_none_or(|last| last.text != snapshot.text) {
            match parse(&snapshot.text, &Limits::default()) {
                Ok(Playlist::Media(playlist)) => self.newest = Some(playlist),
                Ok(Playlist::Multivariant(_)) => self
                    .failed("a multivariant playlist where a media playlist should be".to_owned()),
                // It is found with its line.
                Err(_) => {}
            }
            self.watched.versions.push(snapshot);
        }
        self.base = Some(base);
        self.validators = Some(validators);
    }

    fn failed(&mut self, reason: String) {
        if !self.watched.failures.contains(&reason) {
            self.watched.failures.push(reason);
        }
    }
}

struct Reader<'a, O, C> {
    origin: &'a O,
    clock: &'a C,
    /// What the multivariant playlist defines.
    variables: Variables,
}

impl<O: Origin, C: Clock> Reader<'_, O, C> {
    async fn fetch(
        &self,
        url: &Url,
        known: Option<&Validators>,
    ) -> Result<Option<(Bytes, Url, Validators)>, OriginError> {
        Ok(match self.origin.playlist(url, known).await? {
            Fetched::Changed { text, url, validators } => Some((text, url, validators)),
            Fetched::Unchanged => None,
        })
    }

    /// A playlist with its variables in their places, and what it defines.
    fn filled(&self, text: Bytes, base: &Url) -> Result<(Bytes, Variables), hls::Error> {
        let (filled, variables) = relay::look::filled(&text, &self.variables, base)?;
        let filled = match filled {
            Cow::Borrowed(_) => None,
            Cow::Owned(filled) => Some(filled.into()),
        };
        Ok((filled.unwrap_or(text), variables))
    }

    async fn begin(&self, uri: &str, url: Option<Url>) -> Watching {
        let mut watching = Watching::new(uri, url);
        self.look(&mut watching).await;
        watching
    }

    async fn look(&self, watching: &mut Watching) {
        let Some(url) = &watching.url else {
            watching.failed("the address is not one".to_owned());
            return;
        };
        match self.fetch(url, watching.validators.as_ref()).await {
            Ok(Some((text, base, validators))) => match self.filled(text, &base) {
                Ok((text, _)) => {
                    watching.take(Snapshot { at: self.clock.now(), text }, base, validators);
                }
                Err(error) => watching.failed(error.to_string()),
            },
            Ok(None) => watching.watched.looked_at = self.clock.now(),
            Err(error) => watching.failed(error.to_string()),
        }
    }

    /// Reads on until a time, and then once more, or until the playlist has ended.
    async fn watch(&self, watching: &mut Watching, every: Micros, until: Timestamp) {
        let mut now = self.clock.now();
        while now < until && watching.newest.as_ref().is_none_or(|newest| !newest.ended) {
            self.clock.sleep_until((now + every).min(until)).await;
            now = self.clock.now();
            self.look(watching).await;
        }
    }

    /// Reads the beginning of the newest segment, and what it needs.
    async fn sample(&self, watching: &mut Watching) {
        let (Some(newest), Some(base)) = (&watching.newest, &watching.base) else { return };
        watching.was_sampled = !newest.segments.is_empty();
        match super::sample::newest(self.origin, base, newest).await {
            Ok(sample) => watching.watched.sample = sample,
            Err(reason) => watching.failed(reason),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use relay::contents::SAMPLE_BYTES;
    use relay::ports::Slice;
    use std::sync::atomic::{AtomicU64, Ordering};

    /// A clock that is as late as anyone has slept.
    #[derive(Default)]
    struct Hands(AtomicU64);

    impl Clock for Hands {
        fn now(&self) -> Timestamp {
            Timestamp(self.0.load(Ordering::Relaxed))
        }

        async fn sleep_until(&self, when: Timestamp) {
            self.0.fetch_max(when.0, Ordering::Relaxed);
        }
    }

    /// A source with one variant, which has a new segment of two seconds every two seconds.
    struct Source<'a> {
        clock: &'a Hands,
        ends_at: Option<u64>,
    }

    impl Origin for Source<'_> {
        async fn playlist(
            &self,
            url: &Url,
            known: Option<&Validators>,
        ) -> Result<Fetched, OriginError> {
            let now = self.clock.now().as_secs();
            let first = 100 + self.ends_at.unwrap_or(u64::MAX).min(now) / 2;
            let ended = self.ends_at.is_some_and(|end| now >= end);
            let etag = Some(format!("{first}{ended}"));
            if known.is_some_and(|known| known.etag == etag) {
                return Ok(Fetched::Unchanged);
            }
            let text = match url.path() {
                "/main.m3u8" => "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nv/a.m3u8\n\
                     #EXT-X-STREAM-INF:BANDWIDTH=2\nv/none.m3u8\n"
                    .to_owned(),
                "/v/a.m3u8" => {
                    let numbers = first..first + 5;
                    let segments: String =
                        numbers.map(|number| format!("#EXTINF:2,\n{number}.ts\n")).collect();
                    let end = if ended { "#EXT-X-ENDLIST\n" } else { "" };
                    format!(
                        "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXT-X-MEDIA-SEQUENCE:{first}\n{segments}{end}"
                    )
                }
                path => {
                    let reason = format!("origin answered 404 for {path}");
                    return Err(OriginError::Gone { reason, for_good: false });
                }
            };
            let validators = Validators { etag, last_modified: None };
            Ok(Fetched::Changed { text: text.into(), url: url.clone(), validators })
        }

        async fn segment(&self, url: &Url, _: Option<Slice>) -> Result<Bytes, OriginError> {
            assert_eq!(url.path(), "/v/104.ts");
            Ok(Bytes::from(vec![0x47; 2 * SAMPLE_BYTES]))
        }

        fn is_crowded(&self) -> bool {
            false
        }
    }

    async fn seen(ends_at: Option<u64>, watch: Option<Micros>) -> Seen {
        let clock = Hands::default();
        let url = Url::parse("http://a.example/main.m3u8").unwrap();
        read(&Source { clock: &clock, ends_at }, &clock, &url, watch).await.unwrap()
    }

    #[tokio::test]
    async fn a_live_source_is_watched_for_five_target_durations() {
        let seen = seen(None, None).await;
        assert_eq!((seen.watched_ms, seen.every_ms), (10_000, 500));
        let [watched, none] = seen.media.as_slice() else { panic!("{seen:?}") };
        let times: Vec<u64> = watched.versions.iter().map(|it| it.at.as_secs()).collect();
        assert_eq!(times, [0, 2, 4, 6, 8, 10]);
        assert_eq!(watched.sample.as_ref().map(Bytes::len), Some(SAMPLE_BYTES));
        assert!(watched.failures.is_empty());
        assert_eq!(none.failures, ["origin answered 404 for /v/none.m3u8"]);
    }

    #[tokio::test]
    async fn a_source_is_watched_for_as_long_as_it_is_said() {
        let seen = seen(None, Some(Micros::from_secs(3))).await;
        assert_eq!(seen.media[0].versions.len(), 2);
        assert_eq!(seen.media[0].looked_at.as_secs(), 3);
    }

    #[tokio::test]
    async fn a_source_that_ends_is_not_read_again() {
        let seen = seen(Some(5), None).await;
        assert_eq!(seen.media[0].looked_at.as_secs(), 5);
        let ended = self::seen(Some(0), None).await;
        assert_eq!(ended.media[0].versions.len(), 1);
    }

    #[tokio::test]
    async fn what_is_not_a_playlist_is_said_with_its_line() {
        struct Page;
        impl Origin for Page {
            async fn playlist(
                &self,
                url: &Url,
                _: Option<&Validators>,
            ) -> Result<Fetched, OriginError> {
                let text = Bytes::from_static(b"<html>");
                let validators = Validators::default();
                Ok(Fetched::Changed { text, url: url.clone(), validators })
            }

            async fn segment(&self, _: &Url, _: Option<Slice>) -> Result<Bytes, OriginError> {
                panic!("there is none")
            }

            fn is_crowded(&self) -> bool {
                false
            }
        }
        let url = Url::parse("http://a.example/x?token=secret").unwrap();
        let error = read(&Page, &Hands::default(), &url, None).await.unwrap_err();
        assert_eq!(
            error.to_string(),
            "http://a.example/x is not HLS that can be read: \
             line 1: not a playlist: the first line is not #EXTM3U"
        );
    }
}
