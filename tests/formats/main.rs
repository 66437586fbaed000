//! What sources do beside publishing, in virtual time.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

mod again;
mod backlog;
mod contents;
mod dry;
mod elsewhere;
mod endings;
mod fallbacks;
mod flaws;
mod hanging;
mod lacking;
mod late;
mod noted;
mod playlists;
mod renditions;
mod scripted;
mod sources;
mod standing;
mod timetables;
mod versions;
