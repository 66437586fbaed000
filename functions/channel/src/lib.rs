//! The channel engine: a VOD library played as live, a pure function of what is scheduled and the clock.
//!
//! There is no playhead. A programme is indexed once into an [`Asset`], and what a channel lists at any
//! moment follows from its indexes and the time, so that every reader gives the same bytes.

mod asset;
mod flaw;
mod ladder;
mod live;
mod repeat;

pub use asset::{Asset, media_playlists};
pub use flaw::{Flaw, Unsupported};
pub use ladder::Rendition;
pub use repeat::{Loop, Settings};
