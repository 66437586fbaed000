//! What sources do beside publishing, in virtual time: scripted sources, one endpoint in memory, and
//! what is there in the end.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

use bytes::Bytes;
use hls::{Micros, Timestamp};
use relay::advance::{Carrier, Step};
use relay::ports::{
    Clock, ContentType, Fetched, Ingest, IngestError, Origin, OriginError, Sessions, Slice,
    Validators,
};
use relay::progress::{Progress, Status};
use relay::session::{OutputKind, Session, Start};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tests::memory::Memory;
use tokio::time::Instant;
use url::Url;

/// When the world begins.
const BEGIN: Timestamp = Timestamp(1_800_000_000_000_000);

#[derive(Clone, Copy)]
struct Hands(Instant);

impl Clock for Hands {
    fn now(&self) -> Timestamp {
        BEGIN + Micros(u64::try_from(self.0.elapsed().as_micros()).unwrap())
    }

    async fn sleep_until(&self, when: Timestamp) {
        tokio::time::sleep_until(self.0 + Duration::from_micros(when.since(BEGIN).0)).await;
    }
}

/// What lies at an address at a second: a text, or the status of an error.
type Script = dyn Fn(&str, u64) -> Result<String, u16> + Send + Sync;

/// What a server does that is asked to hold its answer back.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Asked {
    Holds,
    Hangs,
    Refuses,
    AnswersAtOnce,
}

#[derive(Clone)]
struct Scripted {
    script: Arc<Script>,
    clock: Hands,
    held: Option<Asked>,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Scripted {
    async fn ask(&self, url: &Url) -> Result<Bytes, OriginError> {
        tokio::time::sleep(Duration::from_millis(5)).await;
        let at = format!("{}{}", url.host_str().unwrap(), url.path());
        let query = url.query().map(|query| format!("?{query}")).unwrap_or_default();
        self.asked.lock().unwrap().push(format!("{at}{query}"));
        self.answer(&at)
    }

    fn answer(&self, at: &str) -> Result<Bytes, OriginError> {
        (self.script)(at, self.clock.now().since(BEGIN).as_millis() / 1_000)
            .map(Bytes::from)
            .map_err(|status| {
                let reason = format!("origin answered {status} for {at}");
                match status {
                    404 => OriginError::Gone { reason, for_good: false },
                    _ => OriginError::Unavailable { reason },
                }
            })
    }
}

impl Origin for Scripted {
    async fn playlist(&self, url: &Url, _: Option<&Validators>) -> Result<Fetched, OriginError> {
        let (mut text, mut url) = (self.ask(url).await?, url.clone());
        while let Some(to) = text.strip_prefix(b"-> ") {
            url = Url::parse(str::from_utf8(to).unwrap()).unwrap();
            text = self.ask(&url).await?;
        }
        Ok(Fetched::Changed { text, url, validators: Validators::default() })
    }

    async fn held(&self, url: &Url, within: Micros) -> Result<Fetched, OriginError> {
        let within = Duration::from_micros(within.0);
        let wanted: u64 = url.query().unwrap().strip_prefix("_HLS_msn=").unwrap().parse().unwrap();
        let fetched = self.playlist(url, None).await;
        match self.held.unwrap() {
            Asked::AnswersAtOnce => fetched,
            Asked::Refuses => {
                Err(OriginError::Unavailable { reason: "origin answered 503".into() })
            }
            Asked::Hangs => {
                tokio::time::sleep(within).await;
                Err(OriginError::Unavailable { reason: "origin held its answer".into() })
            }
            Asked::Holds => {
                let at = format!("{}{}", url.host_str().unwrap(), url.path());
                let name = format!("\n{wanted}.ts\n");
                let waits = async {
                    loop {
                        let text = self.answer(&at)?;
                        if str::from_utf8(&text).unwrap().contains(&name) {
                            let url = url.clone();
                            return Ok(Fetched::Changed {
                                text,
                                url,
                                validators: Validators::default(),
                            });
                        }
                        tokio::time::sleep(Duration::from_millis(10)).await;
                    }
                };
                tokio::time::timeout(within, waits).await.unwrap_or_else(|_| {
                    Err(OriginError::Unavailable { reason: "origin held its answer".into() })
                })
            }
        }
    }

    async fn segment(&self, url: &Url, slice: Option<Slice>) -> Result<Bytes, OriginError> {
        let body = self.ask(url).await?;
        let Some(Slice { offset, length }) = slice else { return Ok(body) };
        let (from, length) = (usize::try_from(offset).unwrap(), usize::try_from(length).unwrap());
        Ok(body.slice(from..from + length))
    }
}

/// What is stored, and every body that ever was.
#[derive(Clone, Default)]
struct Shelf(Arc<Mutex<BTreeMap<String, Bytes>>>);

impl Shelf {
    fn text(&self, name: &str) -> String {
        let stored = self.0.lock().unwrap();
        let body = stored.get(name).unwrap_or_else(|| panic!("no {name} in {:?}", stored.keys()));
        String::from_utf8_lossy(body).into_owned()
    }
}

impl Ingest for Shelf {
    async fn put(&self, name: &str, _: ContentType, body: Bytes) -> Result<(), IngestError> {
        tokio::time::sleep(Duration::from_millis(5)).await;
        let mut stored = self.0.lock().unwrap();
        if name.ends_with(".m3u8") {
            // Never ahead: what it names is there.
            let text = str::from_utf8(&body).unwrap();
            let quoted = text.split("URI=\"").skip(1).map(|rest| rest.split('"').next().unwrap());
            let plain = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
            for uri in plain.chain(quoted).filter(|uri| !uri.contains("://")) {
                assert!(stored.contains_key(uri), "{name} names {uri}, which is not there");
            }
        } else if let Some(known) = stored.get(name) {
            assert_eq!(*known, body, "{name} means something else than before");
        }
        stored.insert(name.to_owned(), body);
        Ok(())
    }

    async fn delete(&self, _: &str) -> Result<(), IngestError> {
        Ok(())
    }
}

struct World {
    session: Session,
    sources: Vec<Url>,
    held: Option<Asked>,
    seconds: u64,
}

struct Outcome {
    shelf: Shelf,
    asked: Vec<String>,
    progress: Progress,
}

impl World {
    fn of(output: OutputKind, seconds: u64) -> Self {
        let (mut session, _) = tests::conformance::session("a", 1, &["https://in.example/channel"]);
        session.created = BEGIN;
        session.output = output;
        session.start = Start::Window;
        session.window_seconds = Some(600);
        Self {
            session,
            sources: vec![Url::parse("http://a/main.m3u8").unwrap()],
            held: None,
            seconds,
        }
    }

    /// Carries what is scripted, until it is over or time is up.
    fn carry(
        self,
        script: impl Fn(&str, u64) -> Result<String, u16> + Send + Sync + 'static,
    ) -> Outcome {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(async {
            let clock = Hands(Instant::now());
            let (script, asked) = (Arc::new(script), Arc::default());
            let held = self.held;
            let origin = Scripted { script, clock, held, asked: Arc::clone(&asked) };
            let (shelf, store) = (Shelf::default(), Arc::new(Memory::default()));
            let (_, access) = tests::conformance::session("a", 1, &["https://in.example/channel"]);
            store.create(&self.session, &access).await.unwrap();
            let (session, clock) = (self.session, Arc::new(clock));
            let carrier = Carrier::take(
                session,
                self.sources,
                origin,
                vec![shelf.clone()],
                store,
                Arc::clone(&clock),
            );
            let mut carrier = carrier.await.unwrap();
            if held.is_some() {
                carrier = carrier.holding();
            }
            let until = clock.0 + Duration::from_secs(self.seconds);
            while let Ok(step) = tokio::time::timeout_at(until, carrier.step()).await {
                if let Step::Over(_) = step {
                    break;
                }
            }
            let asked = asked.lock().unwrap().clone();
            Outcome { shelf, asked, progress: carrier.progress().clone() }
        })
    }
}

/// The media playlist of a source that has published a segment of two seconds every two seconds, of
/// which it lists five; `lines` go before each.
fn live(second: u64, first: u64, lines: impl Fn(u64) -> String) -> Result<String, u16> {
    let newest = first + second / 2;
    let mut text = format!("#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXT-X-MEDIA-SEQUENCE:{newest}\n");
    for number in newest..newest + 5 {
        writeln!(text, "{}#EXTINF:2,\n{number}.ts", lines(number)).unwrap();
    }
    Ok(text)
}

const MAIN: &str = "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=9\nv.m3u8\n";

#[test]
fn the_same_variant_elsewhere_is_read_when_one_fails() {
    let outcome = World::of(OutputKind::WebDav, 40).carry(|at, second| match at {
        "a/main.m3u8" => Ok(format!("{MAIN}#EXT-X-STREAM-INF:BANDWIDTH=9\nhttp://b/v.m3u8\n")),
        "a/v.m3u8" if second >= 12 => Err(503),
        "a/v.m3u8" | "b/v.m3u8" => live(second, 100, |_| String::new()),
        _ => Ok(at.rsplit('/').next().unwrap().to_owned()),
    });
    let text = outcome.shelf.text("channel_video-9.m3u8");
    let segments = text.lines().filter(|line| line.ends_with(".ts")).count();
    assert!(segments >= 22, "{segments} segments:\n{text}");
    assert!(!text.contains("DISCONTINUITY"), "nothing is missing:\n{text}");
    assert_eq!(outcome.progress.jumps, 0);
    assert!(outcome.asked.iter().any(|at| at == "b/v.m3u8"));
}

/// A source at `a` that is gone for a while, and another at `b`, which numbers otherwise.
fn with_fallback(gone: std::ops::Range<u64>, returns: Option<u32>, seconds: u64) -> Outcome {
    let mut world = World::of(OutputKind::WebDav, seconds);
    world.sources.push(Url::parse("http://b/main.m3u8").unwrap());
    world.session.options.fallback_after_seconds = 10;
    world.session.options.return_after_seconds = returns;
    world.carry(move |at, second| match at {
        _ if at.starts_with("a/") && gone.contains(&second) => Err(503),
        "a/main.m3u8" | "b/main.m3u8" => Ok(MAIN.to_owned()),
        "a/v.m3u8" => live(second, 100, |_| String::new()),
        "b/v.m3u8" => live(second, 7, |_| String::new()),
        _ => Ok(at.to_owned()),
    })
}

/// The bodies that a playlist lists, in order, and how many discontinuities are among them.
fn bodies(outcome: &Outcome) -> (Vec<String>, usize) {
    let text = outcome.shelf.text("channel_video-9.m3u8");
    let segments = text.lines().filter(|line| line.ends_with(".ts"));
    let bodies = segments.map(|name| outcome.shelf.text(name)).collect();
    (bodies, text.lines().filter(|line| *line == "#EXT-X-DISCONTINUITY").count())
}

#[test]
fn another_source_takes_over_after_a_discontinuity() {
    let outcome = with_fallback(20..1_000, None, 60);
    let (bodies, discontinuities) = bodies(&outcome);
    assert_eq!(discontinuities, 1);
    let turn = bodies.iter().position(|body| body.starts_with("b/")).unwrap();
    let (before, after) = bodies.split_at(turn);
    assert!(before.len() > 10 && before.iter().all(|body| body.starts_with("a/")), "{bodies:?}");
    assert!(after.len() > 10 && after.iter().all(|body| body.starts_with("b/")), "{bodies:?}");
    assert_eq!(outcome.progress.status, Status::Running, "{:?}", outcome.progress.reason);
}

#[test]
fn the_first_source_returns_when_it_is_asked_to_and_has_been_well_for_long_enough() {
    for (returns, expected) in [(None, 1), (Some(10), 2)] {
        let outcome = with_fallback(20..50, returns, 120);
        let (bodies, discontinuities) = bodies(&outcome);
        assert_eq!(discontinuities, expected, "{returns:?}");
        let last = bodies.last().unwrap();
        assert_eq!(last.starts_with("a/"), returns.is_some(), "{bodies:?}");
    }
}

#[test]
fn a_map_that_is_gone_and_a_key_that_is_none_are_said_and_nothing_is_published_without_them() {
    for (lines, part, answer, reason) in [
        ("#EXT-X-MAP:URI=\"i.mp4\"\n", "a/i.mp4", Err(404), "its map: origin answered 404"),
        (
            "#EXT-X-KEY:METHOD=AES-128,URI=\"k.key\"\n",
            "a/k.key",
            Ok("fifteen bytes.."),
            "its key has 15 bytes, and a key has 16",
        ),
    ] {
        let outcome = World::of(OutputKind::WebDav, 20).carry(move |at, second| match at {
            "a/main.m3u8" => Ok(MAIN.to_owned()),
            "a/v.m3u8" => live(second, 100, |_| lines.to_owned()),
            _ if at == part => answer.map(str::to_owned),
            _ => Ok(at.to_owned()),
        });
        let said = outcome.progress.reason.unwrap();
        assert!(said.contains(reason), "{said}");
        assert_eq!(outcome.progress.status, Status::Degraded);
        assert!(outcome.shelf.0.lock().unwrap().is_empty());
    }
}

#[test]
fn a_map_and_a_key_are_read_and_stored_once_and_stated_in_every_window() {
    let mut world = World::of(OutputKind::WebDav, 40);
    world.session.window_seconds = None;
    let outcome = world.carry(|at, second| match at {
        "a/main.m3u8" => Ok(MAIN.to_owned()),
        "a/v.m3u8" => live(second, 100, |number| {
            let map = format!("#EXT-X-MAP:URI=\"i{}.mp4\"\n", number / 110);
            format!("#EXT-X-KEY:METHOD=AES-128,URI=\"k.key\",IV=0x1\n{map}")
        }),
        "a/k.key" => Ok("sixteen bytes...".to_owned()),
        _ => Ok(at.to_owned()),
    });
    let text = outcome.shelf.text("channel_video-9.m3u8");
    assert!(text.contains("#EXT-X-MAP:URI=\"channel_video-9_map-"), "{text}");
    assert!(text.contains("#EXT-X-KEY:METHOD=AES-128,URI=\"channel_video-9_key-"), "{text}");
    for part in ["a/k.key", "a/i0.mp4", "a/i1.mp4"] {
        assert_eq!(outcome.asked.iter().filter(|at| *at == part).count(), 1, "{part}");
    }
    assert_eq!((outcome.progress.status, outcome.progress.jumps), (Status::Running, 0));
}

#[test]
fn renditions_come_and_go_while_the_session_runs() {
    let outcome = World::of(OutputKind::WebDav, 200).carry(|at, second| match at {
        "a/main.m3u8" => {
            let other = "#EXT-X-STREAM-INF:BANDWIDTH=5\nw.m3u8\n";
            let moved = MAIN.replace("v.m3u8", "moved/v.m3u8");
            Ok(match second {
                0..70 => MAIN.to_owned(),
                70..130 => format!("{MAIN}{other}"),
                _ => moved,
            })
        }
        "a/v.m3u8" if second >= 130 => Err(404),
        "a/v.m3u8" | "a/w.m3u8" | "a/moved/v.m3u8" => live(second, 100, |_| String::new()),
        _ => Ok(at.rsplit('/').next().unwrap().to_owned()),
    });
    let (first, other) =
        (outcome.shelf.text("channel_video-9.m3u8"), outcome.shelf.text("channel_video-5.m3u8"));
    let count = |text: &str| text.lines().filter(|line| line.ends_with(".ts")).count();
    assert!(count(&first) >= 95 && (10..60).contains(&count(&other)), "{first}\n{other}");
    assert!(!first.contains("#EXT-X-DISCONTINUITY\n"), "it moved, and lost nothing:\n{first}");
    assert!(!outcome.shelf.text("channel.m3u8").contains("video-5"));
    assert_eq!(outcome.progress.status, Status::Running, "{:?}", outcome.progress.reason);
}

#[test]
fn a_server_that_can_hold_its_answer_is_asked_once_a_segment_and_else_as_any_other() {
    let segments = 30;
    for (held, most_asked, most_held) in [
        (None, 150, 0),
        (Some(Asked::Holds), segments + 3, segments + 2),
        (Some(Asked::Hangs), 150, 2),
        (Some(Asked::Refuses), 150, 2),
        (Some(Asked::AnswersAtOnce), 150, 2),
    ] {
        let world = World { held, ..World::of(OutputKind::WebDav, 60) };
        let outcome = world.carry(|at, second| match at {
            "a/main.m3u8" => Ok(MAIN.to_owned()),
            "a/v.m3u8" => live(second, 100, |_| String::new()).map(|text| {
                let control =
                    "#EXTM3U\n#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,CAN-SKIP-UNTIL=12\n";
                text.replace("#EXTM3U\n", control)
            }),
            _ => Ok(at.to_owned()),
        });
        let looks = || outcome.asked.iter().filter(|at| at.starts_with("a/v.m3u8"));
        let waited = looks().filter(|at| at.contains("_HLS_msn=")).count();
        assert!(looks().count() <= most_asked, "{held:?}: {} looks", looks().count());
        assert!(waited <= most_held, "{held:?}: {waited} held");
        assert_eq!(waited > 0, held.is_some(), "{held:?}");
        let listed = outcome.progress.renditions[0].source_sequence;
        assert!(listed >= Some(100 + 29 + 4), "{held:?}: {listed:?}");
        let text = outcome.shelf.text("channel_video-9.m3u8");
        assert!(!text.contains("SERVER-CONTROL"), "{text}");
        assert_eq!(
            outcome.progress.status,
            Status::Running,
            "{held:?} {:?}",
            outcome.progress.reason
        );
    }
}

#[test]
fn playlists_that_are_made_for_each_reader_are_asked_for_once_while_they_last() {
    for (lasts, sessions) in [(1_000, 1), (70, 2)] {
        let outcome = World::of(OutputKind::WebDav, 130).carry(move |at, second| {
            let made = |at: &str| -> Option<u64> {
                at.strip_prefix("a/s")?.split('/').next()?.parse().ok()
            };
            match at {
                "a/main.m3u8" => Ok(format!("-> http://a/s{second}/main.m3u8")),
                _ if made(at).is_some_and(|from| second >= from + lasts) => Err(403),
                _ if at.ends_with("main.m3u8") => Ok(MAIN.to_owned()),
                _ if at.ends_with("v.m3u8") => live(second, 100, |_| String::new()),
                _ => Ok(at.rsplit('/').next().unwrap().to_owned()),
            }
        });
        let made = outcome.asked.iter().filter(|at| *at == "a/main.m3u8").count();
        assert_eq!(made, sessions, "sessions that last {lasts} s");
        assert_eq!((outcome.progress.jumps, outcome.progress.status), (0, Status::Running));
    }
}

#[test]
fn what_marks_a_place_goes_to_the_next_segment_when_the_first_is_left_out() {
    for window in [None, Some(600)] {
        let mut world = World::of(OutputKind::WebDav, 5);
        world.session.window_seconds = window;
        let outcome = world.carry(|at, second| match at {
            "a/main.m3u8" => Ok(MAIN.to_owned()),
            "a/v.m3u8" => live(second / 10, 100, |number| match number {
                100 => "#EXT-X-DATERANGE:ID=\"x\",START-DATE=\"2026-11-21T00:00:00Z\"\n#EXT-X-CUE-OUT:30\n".into(),
                _ => String::new(),
            }),
            "a/100.ts" => Err(404),
            _ => Ok(at.to_owned()),
        });
        let text = outcome.shelf.text("channel_video-9.m3u8");
        let lines: Vec<&str> = text.lines().collect();
        let first = lines.iter().position(|line| line.starts_with("#EXTINF")).unwrap();
        for marker in ["#EXT-X-DATERANGE:", "#EXT-X-CUE-OUT:30"] {
            let at: Vec<usize> =
                (0..lines.len()).filter(|&n| lines[n].starts_with(marker)).collect();
            assert!(at.len() == 1 && at[0] < first, "{window:?} {marker}:\n{text}");
        }
        assert!(lines[first + 1].ends_with("_101.ts"), "{text}");
    }
}

#[test]
fn what_is_wrong_with_a_playlist_is_said_and_the_rest_goes_on() {
    const DEFINED: &str =
        "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXT-X-DEFINE:NAME=\"a\",VALUE=\"b\"\n";
    for (text, reason) in [
        (MAIN.to_owned(), "a multivariant playlist where a media playlist should be"),
        (format!("{DEFINED}#EXTINF:2,\n{{$c}}.ts\n"), "line 5: a variable that is not defined"),
        (format!("{DEFINED}#EXT-X-ENDLIST\n"), "it ends, and lists nothing"),
        (
            "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXT-X-MEDIA-SEQUENCE:18446744073709551615\n#EXTINF:2,\na.ts\n\
             #EXTINF:2,\nb.ts\n".to_owned(),
            "line 3: cannot read the value of EXT-X-MEDIA-SEQUENCE",
        ),
        (
            "#EXTM3U\n#EXT-X-TARGETDURATION:18446744073709551615\n#EXT-X-DISCONTINUITY-SEQUENCE:9223372036854775807\n\
             #EXT-X-MEDIA-SEQUENCE:9223372036854775807\n#EXT-X-DISCONTINUITY\n#EXT-X-BYTERANGE:9@18446744073709551615\n\
             #EXTINF:18446744073709,\na.ts\n".to_owned(),
            "its byte range does not fit",
        ),
    ] {
        let both = format!("{MAIN}#EXT-X-STREAM-INF:BANDWIDTH=5\nw.m3u8\n");
        let outcome = World::of(OutputKind::WebDav, 30).carry(move |at, second| match at {
            "a/main.m3u8" => Ok(both.clone()),
            "a/w.m3u8" => Ok(text.clone()),
            "a/v.m3u8" => live(second, 100, |_| String::new()),
            _ => Ok(at.to_owned()),
        });
        let said = outcome.progress.reason.unwrap_or_default();
        assert!(said.contains(reason), "{said}");
        assert_eq!(outcome.progress.status, Status::Degraded, "{reason}");
        let text = outcome.shelf.text("channel_video-9.m3u8");
        assert!(text.lines().filter(|line| line.ends_with(".ts")).count() >= 17, "{reason}:\n{text}");
    }
}
