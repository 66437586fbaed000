//! Every parser of bytes that come from outside, as functions that take any bytes.
//!
//! One that panics, hangs or does not keep what it asserts is a finding. `tests/short.rs` tries each
//! with what is like its seeds; `libfuzzer/` looks for more.
#![expect(clippy::unwrap_used, reason = "a target that meets the unexpected fails")]

mod asked;
mod decided;
mod played;
mod read;
mod stored;
#[path = "../../../functions/api/tests/api/vods.rs"]
mod vods;
#[path = "../../../functions/api/tests/api/world.rs"]
#[expect(dead_code, reason = "the tests of the API need more of it")]
mod world;

/// A parser, with what it must keep.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Its name, and that of its folder of seeds.
    pub name: &'static str,
    /// Takes any bytes.
    pub run: fn(&[u8]),
    /// Whether the playlists of `tests/fixtures` are seeds as well.
    pub playlists: bool,
}

/// All of them.
pub const TARGETS: [Target; 12] = [
    Target { name: "playlist", run: read::playlist, playlists: true },
    Target { name: "attributes", run: read::attributes, playlists: false },
    Target { name: "moments", run: read::moments, playlists: false },
    Target { name: "layout", run: decided::layout, playlists: true },
    Target { name: "carry", run: decided::carry, playlists: true },
    Target { name: "vod", run: played::vod, playlists: true },
    Target { name: "session", run: asked::session, playlists: false },
    Target { name: "channel", run: asked::channel, playlists: false },
    Target { name: "schedule", run: asked::schedule, playlists: false },
    Target { name: "records", run: stored::records, playlists: false },
    Target { name: "challenge", run: read::challenge, playlists: false },
    Target { name: "media", run: read::media, playlists: false },
];

/// The target of this name.
///
/// # Panics
/// When there is none.
#[must_use]
pub fn target(name: &str) -> fn(&[u8]) {
    let target = TARGETS.iter().find(|target| target.name == name);
    target.unwrap_or_else(|| panic!("no target is called {name}")).run
}
