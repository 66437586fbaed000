//! The real program between real parts: ffmpeg as the source, Apache as the ingest endpoints, an
//! observer that judges the promises at the endpoints, ffprobe and a browser as the audience.
#![expect(clippy::unwrap_used, reason = "a test that meets the unexpected fails")]

#[expect(dead_code, reason = "the cases that use all of it come with the program")]
mod apache;
mod ffmpeg;
mod http;
mod judge;
mod observer;
mod origin;
mod playlist;
mod probe;
#[expect(dead_code, reason = "the cases that use all of it come with the program")]
mod process;
mod published;

mod cases {
    mod parts;
}
