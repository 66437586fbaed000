//! Scripted sources, one endpoint in memory, and what is there in the end.

use bytes::Bytes;
use hls::{Micros, Timestamp};
use relay::advance::{Carrier, Step};
use relay::ports::{
    Clock, ContentType, Fetched, Ingest, IngestError, Origin, OriginError, Sessions, Slice,
    Validators,
};
use relay::progress::Progress;
use relay::session::{OutputKind, Session, Start};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tests::memory::Memory;
use tokio::time::Instant;
use url::Url;

/// When the world begins.
pub const BEGIN: Timestamp = Timestamp(1_800_000_000_000_000);

/// A clock, and by how much it is set forward when.
#[derive(Clone, Copy)]
pub struct Hands(pub Instant, pub Option<(Micros, Micros)>);

impl Clock for Hands {
    fn now(&self) -> Timestamp {
        let elapsed = Micros(u64::try_from(self.0.elapsed().as_micros()).unwrap());
        let set = self.1.filter(|(at, _)| elapsed >= *at).map_or(Micros(0), |(_, by)| by);
        BEGIN + elapsed + set
    }

    async fn sleep_until(&self, when: Timestamp) {
        tokio::time::sleep(Duration::from_micros(when.since(self.now()).0)).await;
    }
}

/// What lies at an address at a second: a text, or the status of an error.
pub type Script = dyn Fn(&str, u64) -> Result<String, u16> + Send + Sync;

/// What a server does that is asked to hold its answer back.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Asked {
    Holds,
    Hangs,
    Refuses,
    AnswersAtOnce,
}

#[derive(Clone)]
pub struct Scripted {
    script: Arc<Script>,
    clock: Hands,
    held: Option<Asked>,
    slow: Duration,
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
        if url.scheme() == "file" {
            return Err(OriginError::Refused { reason: "file addresses are not supported".into() });
        }
        tokio::time::sleep(self.slow).await;
        let body = self.ask(url).await?;
        let Some(Slice { offset, length }) = slice else { return Ok(body) };
        let (from, length) = (usize::try_from(offset).unwrap(), usize::try_from(length).unwrap());
        Ok(body.slice(from..from + length))
    }

    fn is_crowded(&self) -> bool {
        false
    }
}

/// What is stored, and every body that ever was.
#[derive(Clone, Default)]
pub struct Shelf(pub Arc<Mutex<BTreeMap<String, Bytes>>>);

impl Shelf {
    pub fn text(&self, name: &str) -> String {
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
            let mut gap = false;
            let plain = text.lines().filter(|line| {
                gap |= *line == "#EXT-X-GAP";
                let address = !line.is_empty() && !line.starts_with('#');
                address && !std::mem::take(&mut gap)
            });
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

pub struct World {
    pub session: Session,
    pub sources: Vec<Url>,
    pub held: Option<Asked>,
    /// How long a segment takes beside all else.
    pub slow: Duration,
    /// When the clock is set, and by how much.
    pub set: Option<(Micros, Micros)>,
    pub seconds: u64,
}

pub struct Outcome {
    pub shelf: Shelf,
    pub asked: Vec<String>,
    pub said: Vec<String>,
    pub progress: Progress,
}

impl World {
    pub fn of(output: OutputKind, seconds: u64) -> Self {
        let (mut session, _) = tests::conformance::session("a", 1, &["https://in.example/channel"]);
        session.created = BEGIN;
        session.output = output;
        session.start = Start::Window;
        session.window_seconds = Some(600);
        Self {
            session,
            sources: vec![Url::parse("http://a/main.m3u8").unwrap()],
            held: None,
            slow: Duration::ZERO,
            set: None,
            seconds,
        }
    }

    /// Carries what is scripted, until it is over or time is up.
    pub fn carry(
        self,
        script: impl Fn(&str, u64) -> Result<String, u16> + Send + Sync + 'static,
    ) -> Outcome {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(async {
            let clock = Hands(Instant::now(), None);
            let (script, asked) = (Arc::new(script), Arc::default());
            let (held, slow) = (self.held, self.slow);
            let origin = Scripted { script, clock, held, slow, asked: Arc::clone(&asked) };
            let (shelf, store) = (Shelf::default(), Arc::new(Memory::default()));
            let (_, access) = tests::conformance::session("a", 1, &["https://in.example/channel"]);
            store.create(&self.session, &access).await.unwrap();
            let (session, clock) = (self.session, Arc::new(Hands(clock.0, self.set)));
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
            let mut said = Vec::new();
            while let Ok(step) = tokio::time::timeout_at(until, carrier.step()).await {
                let over = matches!(step, Step::Over(_));
                if let Step::Over(events) | Step::Went(events) = step {
                    said.extend(events.iter().map(ToString::to_string));
                }
                if over {
                    break;
                }
            }
            let asked = asked.lock().unwrap().clone();
            Outcome { shelf, asked, said, progress: carrier.progress().clone() }
        })
    }
}

/// The media playlist of a source that has published a segment of two seconds every two seconds, of
/// which it lists five; `lines` go before each.
pub fn live(second: u64, first: u64, lines: impl Fn(u64) -> String) -> Result<String, u16> {
    let newest = first + second / 2;
    let mut text = format!("#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXT-X-MEDIA-SEQUENCE:{newest}\n");
    for number in newest..newest + 5 {
        writeln!(text, "{}#EXTINF:2,\n{number}.ts", lines(number)).unwrap();
    }
    Ok(text)
}

pub const MAIN: &str = "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=9\nv.m3u8\n";
