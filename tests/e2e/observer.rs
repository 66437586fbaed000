//! Looks at an endpoint as a player would, all the time, and lets [`Judge`] judge.

use crate::http;
use crate::judge::{Carried, Judge};
use crate::playlist::{Media, renditions};
use crate::published::Renditions;
use reqwest::{Client, StatusCode, header};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::task::JoinHandle;

/// Between two looks at every playlist.
const EVERY: Duration = Duration::from_millis(60);
/// Between two looks at segments of a playlist that has not changed.
const AGAIN: Duration = Duration::from_secs(1);

/// Watches one endpoint until it is asked for its verdict.
pub struct Observer {
    look: Look,
    judge: Arc<Mutex<Judge>>,
    watch: JoinHandle<()>,
}

/// One pair of eyes.
#[derive(Clone)]
struct Look {
    client: Client,
    playlist: String,
    judge: Arc<Mutex<Judge>>,
    /// What is known of each playlist: its validator, its text, and when its segments were looked at.
    known: BTreeMap<String, Known>,
    /// Whether to read segments again that have been read.
    thorough: bool,
}

#[derive(Clone)]
struct Known {
    etag: String,
    text: String,
    checked: Option<Instant>,
}

/// There was no answer: the endpoint is down, which is not the stream's fault.
struct Down(String);

impl From<reqwest::Error> for Down {
    fn from(error: reqwest::Error) -> Self {
        Self(error.to_string())
    }
}

impl Observer {
    /// Starts to watch the stream whose multivariant playlist is at `playlist`.
    pub fn watch(playlist: &str) -> Self {
        let judge = Arc::new(Mutex::new(Judge::default()));
        let look = Look {
            client: http::client(),
            playlist: playlist.to_owned(),
            judge: Arc::clone(&judge),
            known: BTreeMap::new(),
            thorough: false,
        };
        let mut eyes = look.clone();
        let watch = tokio::spawn(async move {
            loop {
                // A look that an outage cut short goes on in the next one.
                let _ = eyes.at_everything().await;
                tokio::time::sleep(EVERY).await;
            }
        });
        Self { look, judge, watch }
    }

    /// How many numbers the playlists have listed so far, in the rendition that is furthest back.
    pub fn segments(&self) -> usize {
        self.judge.lock().unwrap().segments()
    }

    /// What was wrong so far.
    pub fn violations(&self) -> Vec<String> {
        self.judge.lock().unwrap().violations().to_owned()
    }

    /// Whether every playlist has come to its end.
    pub fn ended(&self) -> bool {
        self.judge.lock().unwrap().ended()
    }

    /// Looks a last time, reads every listed segment again, and compares all that was seen with what
    /// was published. Panics with everything that was wrong.
    pub async fn verdict(mut self, published: &Renditions) -> Vec<Carried> {
        self.watch.abort();
        self.look.known.clear();
        self.look.thorough = true;
        // A kept connection may have been closed in this moment; that is no outage.
        let mut tries = 0;
        while let Err(Down(why)) = self.look.at_everything().await {
            tries += 1;
            assert!(tries < 5, "the endpoint is down at the end: {why}");
        }
        let mut judge = self.judge.lock().unwrap();
        let carried = judge.compare(published);
        assert!(judge.violations().is_empty(), "{}", judge.violations().join("\n"));
        carried
    }
}

impl Drop for Observer {
    fn drop(&mut self) {
        self.watch.abort();
    }
}

impl Look {
    async fn at_everything(&mut self) -> Result<(), Down> {
        let main = self.playlist.clone();
        let Some(text) = self.at_playlist(&main).await? else { return Ok(()) };
        for uri in renditions(&text) {
            let url = self.beside(&uri);
            // Before the multivariant playlist was seen to name it, so it must be there.
            match self.at_playlist(&url).await? {
                None => self.wrong(format!("{uri} is named and not there")),
                Some(text) => match Media::read(&text) {
                    Ok(mut media) => {
                        media.resolve(&uri);
                        self.at_media(&uri, &url, media).await?;
                    }
                    Err(error) => self.wrong(format!("{uri}: {error}")),
                },
            }
        }
        Ok(())
    }

    /// The text of a playlist, if it is there.
    async fn at_playlist(&mut self, url: &str) -> Result<Option<String>, Down> {
        let known = self.known.get(url);
        let etag = known.map_or("", |known| &known.etag);
        let request = self.client.get(url).header(header::IF_NONE_MATCH, etag);
        let response = request.send().await?;
        match (response.status(), known) {
            (StatusCode::NOT_MODIFIED, Some(known)) => Ok(Some(known.text.clone())),
            (StatusCode::NOT_FOUND, Some(_)) => {
                self.wrong(format!("{url} is gone"));
                Ok(None)
            }
            (StatusCode::NOT_FOUND, None) => Ok(None),
            (StatusCode::OK, _) => {
                let etag = response.headers()[header::ETAG].to_str().unwrap().to_owned();
                let text = response.text().await?;
                let known = Known { etag, text: text.clone(), checked: None };
                self.known.insert(url.to_owned(), known);
                Ok(Some(text))
            }
            (status, _) => {
                self.wrong(format!("{url} answers {status}"));
                Ok(None)
            }
        }
    }

    async fn at_media(&mut self, uri: &str, url: &str, media: Media) -> Result<(), Down> {
        let known = self.known.get(url).expect("it was just read");
        if known.checked.is_some_and(|checked| checked.elapsed() < AGAIN) {
            return Ok(());
        }
        // Promise 1, at this moment: everything that it names is there, whole.
        for segment in &media.segments {
            for name in segment.needs.iter().chain([&segment.uri]) {
                if let Err(violation) = self.at_object(name).await? {
                    // It may have left the playlist, and then the endpoint, in the meantime.
                    let now = self.client.get(url).send().await?;
                    let text = now.text().await?;
                    let mut now = Media::read(&text).unwrap_or_default();
                    now.resolve(uri);
                    if now.segments.iter().any(|now| now.uri == segment.uri) {
                        self.wrong(format!("{uri} names {name}: {violation}"));
                    }
                }
            }
        }
        self.judge.lock().unwrap().listed(uri, media);
        self.known.get_mut(url).expect("as above").checked = Some(Instant::now());
        Ok(())
    }

    /// Whether `name` is there whole. It is read once, and after that its size is asked for.
    async fn at_object(&self, name: &str) -> Result<Result<(), String>, Down> {
        let url = self.beside(name);
        let known = if self.thorough { None } else { self.judge.lock().unwrap().size(name) };
        // Half a segment is one whole answer of half the length: what is read here is compared with
        // what the source published, and its size with every later one.
        let request = if known.is_some() { self.client.head(&url) } else { self.client.get(&url) };
        let response = request.send().await?;
        if response.status() != StatusCode::OK {
            return Ok(Err(format!("it answers {}", response.status())));
        }
        let length = response.headers().get(header::CONTENT_LENGTH);
        let length = length.and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
        match known {
            Some(size) if length == Some(size) => Ok(Ok(())),
            Some(size) => Ok(Err(format!("it has {length:?} bytes and had {size}"))),
            None => {
                let bytes = response.bytes().await?;
                self.judge.lock().unwrap().read(name, bytes);
                Ok(Ok(()))
            }
        }
    }

    fn beside(&self, uri: &str) -> String {
        let (folder, _) = self.playlist.rsplit_once('/').expect("an address has a slash");
        format!("{folder}/{uri}")
    }

    fn wrong(&self, violation: String) {
        self.judge.lock().unwrap().note(violation);
    }
}
