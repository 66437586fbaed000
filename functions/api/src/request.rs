//! What is asked for, and whether it can be had.

use crate::access::{address, endpoints, headers};
use crate::channels::is_plain;
use crate::fields::{Errors, FieldError, Object};
use relay::Timestamp;
use relay::abilities::MEDIAPACKAGE;
use relay::select::Filter;
use relay::session::{Access, Address, KeyPlace, Options, OutputKind, Session, SessionId, Start};
use serde_json::Value;
use std::ops::RangeInclusive;
use url::Url;

/// A session that is asked for, unchecked, as its owner wrote it.
#[derive(Clone, Default)]
pub struct Request {
    /// What the session is to be called.
    pub name: Option<String>,
    /// Where the HLS is pulled from.
    pub source: SourceRequest,
    /// Where it is pushed to.
    pub output: OutputRequest,
    /// The length of the output's playlists in seconds.
    pub window_seconds: Option<u64>,
    /// `live_edge` or `window`.
    pub start: Option<String>,
    /// How many segments are read side by side.
    pub concurrency: Option<u64>,
    /// Which renditions are wanted.
    pub renditions: Filter,
}

/// A source that is asked for.
#[derive(Clone, Default)]
pub struct SourceRequest {
    /// The URL of a playlist.
    pub url: Option<String>,
    /// The name of a channel that plays here, in the place of a URL.
    pub channel: Option<String>,
    /// Request headers, name and value.
    pub headers: Vec<(String, String)>,
    /// URLs of other sources of the same.
    pub fallbacks: Vec<String>,
    /// For how long a source may list nothing new before the next one takes over.
    pub fallback_after_seconds: Option<u64>,
    /// For how long the first must have listed new segments before it takes over again.
    pub return_after_seconds: Option<u64>,
}

/// An output that is asked for.
#[derive(Clone, Default)]
pub struct OutputRequest {
    /// `mediapackage` or `webdav`.
    pub kind: Option<String>,
    /// The places that take PUTs.
    pub endpoints: Vec<EndpointRequest>,
    /// `carry` or `leave`.
    pub keys: Option<String>,
}

/// An endpoint that is asked for.
#[derive(Clone, Default)]
pub struct EndpointRequest {
    /// Its URL.
    pub url: Option<String>,
    /// How to sign in.
    pub username: Option<String>,
    /// With which password.
    pub password: Option<String>,
}

/// A session that is asked for and can be had.
#[derive(Clone, Debug)]
pub struct Wanted {
    name: String,
    output: OutputKind,
    window_seconds: Option<u32>,
    start: Start,
    concurrency: u8,
    options: Options,
    access: Access,
}

/// How many segments a session reads side by side unless it says so.
const CONCURRENCY: u64 = 4;
/// More would only wait for each other.
const MAX_CONCURRENCY: u64 = 16;
const MAX_FALLBACKS: usize = 4;
/// Sources that are well may list nothing new for a few seconds.
const WAIT_SECONDS: RangeInclusive<u64> = 5..=3_600;
const MAX_NAME: usize = 200;
pub(crate) const FIELDS: [&str; 7] =
    ["name", "source", "output", "window_seconds", "start", "concurrency", "renditions"];
pub(crate) const SOURCE_FIELDS: [&str; 6] =
    ["url", "channel", "headers", "fallbacks", "fallback_after_seconds", "return_after_seconds"];
pub(crate) const OUTPUT_FIELDS: [&str; 3] = ["type", "endpoints", "keys"];
const FILTER_FIELDS: [&str; 8] = [
    "min_height",
    "max_height",
    "min_bandwidth",
    "max_bandwidth",
    "codecs",
    "languages",
    "kinds",
    "limit",
];
pub(crate) const ENDPOINT_FIELDS: [&str; 3] = ["url", "username", "password"];

impl OutputRequest {
    /// AWS Elemental MediaPackage v1, without endpoints yet.
    #[must_use]
    pub fn mediapackage() -> Self {
        Self { kind: Some("mediapackage".to_owned()), ..Self::default() }
    }

    /// A WebDAV collection, without endpoints yet.
    #[must_use]
    pub fn webdav() -> Self {
        Self { kind: Some("webdav".to_owned()), ..Self::default() }
    }

    /// The same with one endpoint more, and how to sign in there.
    #[must_use]
    pub fn endpoint(mut self, url: &str, username: &str, password: &str) -> Self {
        self.endpoints.push(EndpointRequest {
            url: Some(url.to_owned()),
            username: Some(username.to_owned()),
            password: Some(password.to_owned()),
        });
        self
    }
}

impl Request {
    /// A source that is to be carried to an output; the rest as it is when nothing is said.
    #[must_use]
    pub fn new(name: &str, source: &str, output: OutputRequest) -> Self {
        Self {
            name: Some(name.to_owned()),
            source: SourceRequest { url: Some(source.to_owned()), ..SourceRequest::default() },
            output,
            ..Self::default()
        }
    }

    /// Reads the body of `POST /sessions`.
    pub(crate) fn read(body: Value, errors: &mut Errors) -> Self {
        let mut request = Self::default();
        let Some(mut fields) = Object::of("", body, errors) else { return request };
        fields.only(&FIELDS, errors);
        request.name = fields.text("name", errors);
        request.window_seconds = fields.number("window_seconds", errors);
        request.start = fields.text("start", errors);
        request.concurrency = fields.number("concurrency", errors);
        if let Some(wanted) = fields.object("renditions", errors) {
            request.renditions = filter(wanted, errors);
        }
        if let Some(mut source) = fields.object("source", errors) {
            source.only(&SOURCE_FIELDS, errors);
            request.source.url = source.text("url", errors);
            request.source.channel = source.text("channel", errors);
            request.source.headers = source.texts("headers", errors);
            request.source.fallbacks = source.addresses("fallbacks", errors);
            request.source.fallback_after_seconds = source.number("fallback_after_seconds", errors);
            request.source.return_after_seconds = source.number("return_after_seconds", errors);
        }
        if let Some(mut output) = fields.object("output", errors) {
            output.only(&OUTPUT_FIELDS, errors);
            request.output.kind = output.text("type", errors);
            request.output.keys = output.text("keys", errors);
            for (path, endpoint) in output.array("endpoints", errors) {
                let endpoint = EndpointRequest::read(&path, endpoint, errors);
                request.output.endpoints.push(endpoint);
            }
        }
        request
    }

    /// Checks all of it. `refuses` says why an address may not be connected to, as far as it tells.
    ///
    /// # Errors
    /// What is wrong, field by field.
    pub fn check(
        self,
        refuses: impl Fn(&Url) -> Option<String>,
    ) -> Result<Wanted, Vec<FieldError>> {
        let mut errors = Errors::default();
        match self.check_with(None, refuses, &mut errors) {
            Some(wanted) if errors.0.is_empty() => Ok(wanted),
            _ => Err(errors.0),
        }
    }

    /// The same, beside what is wrong already. Channels play at `here`, if anywhere.
    pub(crate) fn check_with(
        self,
        here: Option<&Url>,
        refuses: impl Fn(&Url) -> Option<String>,
        errors: &mut Errors,
    ) -> Option<Wanted> {
        let name = name(self.name, errors);
        let carried = self.source.channel.clone();
        let source = match (self.source.channel, self.source.url) {
            (None, url) => address(url, "source.url", &refuses, errors),
            (Some(_), Some(_)) => {
                errors.add("source.channel", "cannot be there together with url");
                None
            }
            (Some(name), None) => {
                let url = here.and_then(|here| channel(&name, here));
                if url.is_none() {
                    errors.add("source.channel", "is not a channel that plays here");
                }
                url
            }
        };
        let headers = headers(self.source.headers, errors);
        if self.source.fallbacks.len() > MAX_FALLBACKS {
            errors.add("source.fallbacks", format!("must name at most {MAX_FALLBACKS}"));
        }
        let fallbacks = self.source.fallbacks.into_iter().enumerate();
        let fallbacks: Vec<Url> = fallbacks
            .filter_map(|(index, url)| {
                let field = format!("source.fallbacks[{index}]");
                address(Some(url), &field, &refuses, errors)
            })
            .collect();
        let fallback_after_seconds =
            wait(self.source.fallback_after_seconds, "source.fallback_after_seconds", errors);
        let return_after_seconds =
            wait(self.source.return_after_seconds, "source.return_after_seconds", errors);
        let output = output(self.output.kind.as_deref(), errors);
        let endpoints = endpoints(self.output.endpoints, &refuses, errors);
        let longest =
            output.map_or(MEDIAPACKAGE.longest_window, |it| it.abilities().longest_window);
        let window_seconds = match self.window_seconds {
            None => None,
            Some(seconds) if (1..=u64::from(longest)).contains(&seconds) => {
                u32::try_from(seconds).ok()
            }
            Some(_) => {
                let detail = format!("must be a whole number from 1 to {longest}");
                errors.add("window_seconds", detail);
                None
            }
        };
        let start = match self.start.as_deref() {
            None | Some("live_edge") => Start::LiveEdge,
            Some("window") => Start::Window,
            Some(_) => {
                errors.add("start", "must be live_edge or window");
                Start::LiveEdge
            }
        };
        let keys = match self.output.keys.as_deref() {
            None | Some("carry") => KeyPlace::Carry,
            Some("leave") => KeyPlace::Leave,
            Some(_) => {
                errors.add("output.keys", "must be carry or leave");
                KeyPlace::Carry
            }
        };
        if keys == KeyPlace::Leave && window_seconds.is_some() {
            // Addresses of keys would have to be stored, and may hold a secret.
            errors.add("output.keys", "cannot be leave together with window_seconds");
        }
        let concurrency = self.concurrency.unwrap_or(CONCURRENCY);
        if !(1..=MAX_CONCURRENCY).contains(&concurrency) {
            let detail = format!("must be a whole number from 1 to {MAX_CONCURRENCY}");
            errors.add("concurrency", detail);
        }
        Some(Wanted {
            name: name?,
            output: output?,
            window_seconds,
            start,
            concurrency: u8::try_from(concurrency).ok()?,
            options: Options {
                keys,
                filter: self.renditions,
                fallbacks: fallbacks.iter().map(Address::of).collect(),
                fallback_after_seconds: fallback_after_seconds
                    .unwrap_or(Options::default().fallback_after_seconds),
                return_after_seconds,
                channel: carried,
            },
            access: Access { source: source?, fallbacks, headers, endpoints: endpoints? },
        })
    }
}

impl EndpointRequest {
    fn read(path: &str, value: Value, errors: &mut Errors) -> Self {
        let Some(mut fields) = Object::of(path, value, errors) else { return Self::default() };
        fields.only(&ENDPOINT_FIELDS, errors);
        Self {
            url: fields.text("url", errors),
            username: fields.text("username", errors),
            password: fields.text("password", errors),
        }
    }
}

impl Wanted {
    /// The session that was asked for, and its secret part.
    #[must_use]
    pub fn into_session(self, id: SessionId, now: Timestamp) -> (Session, Access) {
        let session = Session {
            id,
            name: self.name,
            created: now,
            source: Address::of(&self.access.source),
            output: self.output,
            endpoints: self.access.endpoints.iter().map(|to| Address::of(&to.url)).collect(),
            window_seconds: self.window_seconds,
            start: self.start,
            concurrency: self.concurrency,
            options: self.options,
        };
        (session, self.access)
    }
}

/// The address of a channel that plays at `here`; absent where that is no name of one. It may be read there, where no
/// other address of this process may.
#[must_use]
pub fn channel(name: &str, here: &Url) -> Option<Url> {
    let path = format!("channels/{name}/master.m3u8");
    Some(here).filter(|_| is_plain(name)).and_then(|here| here.join(&path).ok())
}

/// For how long something may last.
fn wait(seconds: Option<u64>, field: &str, errors: &mut Errors) -> Option<u32> {
    let seconds = seconds?;
    if !WAIT_SECONDS.contains(&seconds) {
        let (least, most) = (WAIT_SECONDS.start(), WAIT_SECONDS.end());
        errors.add(field, format!("must be a whole number from {least} to {most}"));
    }
    u32::try_from(seconds).ok()
}

/// Which renditions are wanted.
fn filter(mut fields: Object, errors: &mut Errors) -> Filter {
    fields.only(&FILTER_FIELDS, errors);
    let kinds = fields.words("kinds", errors).into_iter().filter_map(|kind| {
        let known = serde_json::from_value(Value::from(kind)).ok();
        if known.is_none() {
            let detail = "must hold audio, video, subtitles, closed-captions or i-frames";
            errors.add(fields.field("kinds"), detail);
        }
        known
    });
    let kinds = kinds.collect();
    let limit = fields.number("limit", errors);
    if limit == Some(0) {
        errors.add(fields.field("limit"), "must be at least 1");
    }
    Filter {
        min_height: fields.number("min_height", errors),
        max_height: fields.number("max_height", errors),
        min_bandwidth: fields.number("min_bandwidth", errors),
        max_bandwidth: fields.number("max_bandwidth", errors),
        codecs: fields.words("codecs", errors),
        languages: fields.words("languages", errors),
        kinds,
        limit,
    }
}

fn name(name: Option<String>, errors: &mut Errors) -> Option<String> {
    let Some(name) = name else {
        errors.add("name", "is required");
        return None;
    };
    let name = name.trim();
    if name.is_empty() || name.chars().count() > MAX_NAME || name.contains(char::is_control) {
        errors.add("name", format!("must be 1 to {MAX_NAME} characters on one line"));
        return None;
    }
    Some(name.to_owned())
}

fn output(kind: Option<&str>, errors: &mut Errors) -> Option<OutputKind> {
    match kind {
        Some("mediapackage") => Some(OutputKind::MediaPackage),
        Some("webdav") => Some(OutputKind::WebDav),
        None => {
            errors.add("output.type", "is required: mediapackage or webdav");
            None
        }
        Some(_) => {
            errors.add("output.type", "must be mediapackage or webdav");
            None
        }
    }
}
