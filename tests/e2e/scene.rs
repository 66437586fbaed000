//! The usual set-up: a live source, the program, endpoints, and an observer at each.

use crate::apache::{Apache, Auth};
use crate::ferry::Ferry;
use crate::ffmpeg::Live;
use crate::judge::Carried;
use crate::observer::Observer;
use crate::origin::Origin;
use crate::program::Program;
use crate::published::{Published, Renditions};
use reqwest::Method;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

pub struct Scene<P = Ferry> {
    pub live: Live,
    pub published: Published,
    pub origin: Origin,
    pub ferry: P,
    pub apaches: Vec<Apache>,
    pub observers: Vec<Observer>,
}

/// What came of it, and what is still there to be looked at.
pub struct Outcome {
    /// The session as it was in the end.
    pub session: Value,
    pub published: Renditions,
    /// Per endpoint, per rendition of the source.
    pub carried: Vec<Vec<Carried>>,
    pub apaches: Vec<Apache>,
}

impl Scene {
    pub async fn start(endpoints: &[Auth]) -> Self {
        let mut apaches = Vec::new();
        for auth in endpoints {
            apaches.push(Apache::start(*auth).await);
        }
        Self::of(Ferry::serve().await, apaches, Live::start().await).await
    }
}

impl<P: Program> Scene<P> {
    pub async fn of(ferry: P, apaches: Vec<Apache>, live: (Live, Published)) -> Self {
        let (live, published) = live;
        let origin = Origin::serve(live.folder.path()).await;
        let observers = apaches.iter().map(|apache| Observer::watch(&apache.playlist())).collect();
        Self { live, published, origin, ferry, apaches, observers }
    }

    /// What to ask for: everything that the source lists, to all endpoints, and kept for so long
    /// that all of it can be read in the end.
    pub fn request(&self) -> Value {
        json!({
            "name": "test",
            "source": { "url": self.origin.url("main.m3u8") },
            "output": {
                "type": "mediapackage",
                "endpoints": self.apaches.iter().map(Apache::json).collect::<Vec<_>>(),
            },
            "start": "window",
            "window_seconds": 600,
        })
    }

    /// Makes that session.
    pub async fn carry(&self) -> String {
        self.ferry.make(self.request()).await
    }

    /// Waits until the source has published `count` more segments in each rendition.
    pub async fn publish(&self, count: usize) {
        let now = || self.published.so_far().values().map(Vec::len).min().unwrap_or(0);
        let wanted = now() + count;
        while now() < wanted {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Waits until every endpoint lists what the source has published by now.
    pub async fn caught_up(&self, within: Duration) {
        let wanted = self.published.so_far().values().map(Vec::len).max().unwrap_or(0);
        let deadline = Instant::now() + within;
        for (number, observer) in self.observers.iter().enumerate() {
            while observer.segments() < wanted {
                if Instant::now() > deadline {
                    let (listed, log) = (observer.segments(), self.ferry.log());
                    let sessions = self.ferry.ask(Method::GET, "/sessions", None).await.1;
                    let wrong = observer.violations().join("\n");
                    panic!(
                        "endpoint {number} lists {listed} of {wanted}\n{wrong}\n{sessions:#}\n{log}"
                    );
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }

    /// Ends the source, waits until the session has carried it to its end, and judges.
    pub async fn end(mut self, id: &str) -> Outcome {
        self.live.finish().await;
        let session = self.ferry.until_ended(id).await;
        self.judge(session).await
    }

    /// Stops the session by a DELETE of `path`, which is answered by `again` after that, and judges.
    pub async fn stop(self, id: &str, path: &str, again: u16) -> Outcome {
        let delete = async || self.ferry.ask(Method::DELETE, path, None).await;
        assert_eq!(delete().await, (204, Value::String(String::new())));
        let stopped = |session: &Value| session["status"] == "stopped";
        let session = self.ferry.until(id, "stopped", Duration::from_secs(10), stopped).await;
        assert_eq!(delete().await.0, again);
        self.judge(session).await
    }

    async fn judge(mut self, session: Value) -> Outcome {
        let published = self.published.so_far();
        let mut carried = Vec::new();
        for observer in self.observers {
            carried.push(observer.verdict(&published).await);
        }
        self.ferry.keeps();
        self.ferry.end().await;
        Outcome { session, published, carried, apaches: self.apaches }
    }
}

impl Outcome {
    /// Everything that was published is at every endpoint, and nothing was left out.
    pub fn is_whole(&self) {
        for (endpoint, carried) in self.carried.iter().enumerate() {
            for Carried { source, first, last, missed, ended, .. } in carried {
                let wanted = (0, self.published[source].len() - 1, &[][..], true);
                let whole = (*first, *last, &missed[..], *ended);
                assert_eq!(whole, wanted, "{source} at endpoint {endpoint}");
            }
        }
        assert_eq!(self.session["jumps"], 0, "{:#}", self.session);
        assert_eq!(self.session["missed"], 0, "{:#}", self.session);
    }
}
