//! The real program between real parts: ffmpeg as the source, Apache as the ingest endpoints, an
//! observer that judges the promises at the endpoints, ffprobe and a browser as the audience.
#![expect(clippy::unwrap_used, reason = "a test that meets the unexpected fails")]

mod apache;
mod cloud;
mod ferry;
mod ffmpeg;
mod http;
mod judge;
mod network;
mod observer;
mod origin;
mod playlist;
mod probe;
mod process;
mod program;
mod published;
mod scene;
mod secrets;
mod wire;

mod cases {
    mod api;
    mod carry;
    mod channels;
    mod cloud;
    mod commands;
    mod crash;
    mod demo;
    mod endpoints;
    mod faults;
    mod formats;
    mod live;
    mod networks;
    mod overload;
    mod parts;
    mod playout;
    mod sources;
    mod subtitles;
}
