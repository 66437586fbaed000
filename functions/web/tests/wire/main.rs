//! The adapters against small real servers on this machine.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod digest;
mod ingest;
mod origin;
mod origin_bodies;
mod origin_slices;
mod server;
mod sign_in;
mod tls;
