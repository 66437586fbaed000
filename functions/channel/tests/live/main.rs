//! What a channel keeps, held against a playhead that publishes one segment after the other.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod assets;
mod edits;
mod ends;
mod events;
mod flaws;
mod keys;
mod ladders;
mod limits;
mod loops;
mod pieces;
mod playlists;
mod rungs;
mod schedules;
mod sounds;
mod sources;
mod standins;
mod subtitles;
mod vod;
mod walks;
mod wishes;
