//! What is answered about a session: all that may be shown, and nothing else.

use relay::Timestamp;
use relay::cause::Cause;
use relay::ports::{Page, Record};
use relay::progress::{EndpointProgress, Fault, LeftOut, Progress, RenditionProgress, Status};
use relay::select::Filter;
use relay::session::{Address, KeyPlace, OutputKind, SessionId, Start};
use serde::Serialize;
use std::collections::BTreeSet;

/// One session as the API shows it.
#[derive(Debug, Serialize)]
pub struct SessionAnswer {
    id: SessionId,
    name: String,
    created: String,
    status: Status,
    reason: Option<String>,
    causes: BTreeSet<Cause>,
    source: SourcesAnswer,
    output: OutputAnswer,
    window_seconds: Option<u32>,
    start: Start,
    concurrency: u8,
    filter: Filter,
    lag_ms: Option<u64>,
    segments: u64,
    bytes: u64,
    jumps: u64,
    missed: u64,
    last_error: Option<FaultAnswer>,
    renditions: Vec<RenditionAnswer>,
    left_out: Vec<LeftOut>,
    endpoints: Vec<EndpointAnswer>,
}

#[derive(Debug, Serialize)]
struct SourcesAnswer {
    url: Address,
    fallbacks: Vec<Address>,
    fallback_after_seconds: u32,
    return_after_seconds: Option<u32>,
}

#[derive(Debug, Serialize)]
struct SourceAnswer {
    url: Address,
}

#[derive(Debug, Serialize)]
struct OutputAnswer {
    #[serde(rename = "type")]
    kind: OutputKind,
    endpoints: Vec<SourceAnswer>,
    keys: KeyPlace,
}

#[derive(Debug, Serialize)]
struct RenditionAnswer {
    name: String,
    source_sequence: Option<u64>,
    listed: Vec<Option<u64>>,
    error: Option<String>,
}

#[derive(Debug, Serialize)]
struct EndpointAnswer {
    url: Address,
    healthy: bool,
    segments: u64,
    bytes: u64,
    behind: u64,
    last_error: Option<FaultAnswer>,
}

#[derive(Debug, Serialize)]
struct FaultAnswer {
    what: String,
    at: String,
}

/// Some of the sessions.
#[derive(Debug, Serialize)]
pub struct ListAnswer {
    sessions: Vec<SessionAnswer>,
    next: Option<SessionId>,
}

impl SessionAnswer {
    /// What is shown of a session.
    #[must_use]
    pub fn new(Record { session, progress }: Record) -> Self {
        let Progress {
            status,
            reason,
            causes,
            renditions,
            left_out,
            endpoints,
            segments,
            bytes,
            jumps,
            missed,
            lag_ms,
            last_error,
        } = progress;
        Self {
            id: session.id,
            name: session.name,
            created: time(session.created),
            status,
            reason,
            causes,
            source: SourcesAnswer {
                url: session.source,
                fallbacks: session.options.fallbacks,
                fallback_after_seconds: session.options.fallback_after_seconds,
                return_after_seconds: session.options.return_after_seconds,
            },
            output: OutputAnswer {
                kind: session.output,
                endpoints: session.endpoints.into_iter().map(|url| SourceAnswer { url }).collect(),
                keys: session.options.keys,
            },
            window_seconds: session.window_seconds,
            start: session.start,
            concurrency: session.concurrency,
            filter: session.options.filter,
            lag_ms,
            segments,
            bytes,
            jumps,
            missed,
            last_error: last_error.map(fault),
            renditions: renditions.into_iter().map(rendition).collect(),
            left_out,
            endpoints: endpoints.into_iter().map(endpoint).collect(),
        }
    }
}

impl ListAnswer {
    /// A page of sessions.
    pub fn new(page: Page) -> Self {
        Self {
            sessions: page.sessions.into_iter().map(SessionAnswer::new).collect(),
            next: page.next,
        }
    }
}

fn rendition(rendition: RenditionProgress) -> RenditionAnswer {
    let RenditionProgress { name, source_sequence, listed, error } = rendition;
    RenditionAnswer { name, source_sequence, listed, error }
}

fn endpoint(endpoint: EndpointProgress) -> EndpointAnswer {
    let EndpointProgress { address, healthy, segments, bytes, behind, last_error } = endpoint;
    let last_error = last_error.map(fault);
    EndpointAnswer { url: address, healthy, segments, bytes, behind, last_error }
}

fn fault(Fault { what, at }: Fault) -> FaultAnswer {
    FaultAnswer { what, at: time(at) }
}

/// A moment as RFC 3339 writes it.
pub fn time(moment: Timestamp) -> String {
    moment.to_string()
}
