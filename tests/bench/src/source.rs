//! The source: an HTTP server that answers from the schedule, a process of its own so that its
//! cost is seen apart.

use crate::Result;
use crate::media::Media;
use crate::schedule::{BANDWIDTHS, Schedule, SegmentId, multivariant_playlist};
use axum::Router;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use std::net::Ipv4Addr;
use std::sync::Arc;
use tokio::net::TcpListener;

struct Source {
    schedule: Schedule,
    media: Vec<Media>,
}

/// Serves until the process ends. Says its port on standard output once it listens.
///
/// # Errors
///
/// When it cannot listen.
pub async fn serve(schedule: Schedule, media: Vec<Media>) -> Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    println!("{}", listener.local_addr()?.port());
    let app = Router::new()
        .route("/{session}/{file}", get(answer))
        .with_state(Arc::new(Source { schedule, media }));
    Ok(axum::serve(listener, app).await?)
}

async fn answer(
    State(source): State<Arc<Source>>,
    Path((session, file)): Path<(u32, String)>,
    headers: HeaderMap,
) -> Response {
    let Source { schedule, media } = &*source;
    if session >= schedule.sessions {
        return StatusCode::NOT_FOUND.into_response();
    }
    let Some(newest) = schedule.newest(session, crate::clock::now()) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    if file == "main.m3u8" {
        return playlist(&headers, "\"main\"", multivariant_playlist);
    }
    let media_playlist = file
        .strip_prefix('v')
        .and_then(|file| file.strip_suffix(".m3u8"))
        .and_then(|variant| variant.parse::<u8>().ok())
        .filter(|&variant| usize::from(variant) < BANDWIDTHS.len());
    if let Some(variant) = media_playlist {
        let tag = format!("\"{newest}\"");
        return playlist(&headers, &tag, || schedule.media_playlist(session, variant, newest));
    }
    // What is not listed yet is not there yet; what was listed stays.
    let id = file.strip_suffix(".ts").and_then(|name| format!("{session}/{name}").parse().ok());
    match id {
        Some(id @ SegmentId { variant, sequence, .. }) if sequence <= newest => {
            match media.get(usize::from(variant)) {
                Some(media) => {
                    ([(header::CONTENT_TYPE, "video/mp2t")], media.segment(id)).into_response()
                }
                None => StatusCode::NOT_FOUND.into_response(),
            }
        }
        _ => StatusCode::NOT_FOUND.into_response(),
    }
}

fn playlist(headers: &HeaderMap, tag: &str, render: impl FnOnce() -> String) -> Response {
    let known = headers.get(header::IF_NONE_MATCH).is_some_and(|known| known == tag);
    let (status, body) = if known {
        (StatusCode::NOT_MODIFIED, Body::empty())
    } else {
        (StatusCode::OK, render().into())
    };
    let fields = [(header::CONTENT_TYPE, "application/vnd.apple.mpegurl"), (header::ETAG, tag)];
    (status, fields, body).into_response()
}
