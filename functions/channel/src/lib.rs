//! The channel engine: a VOD library played as live, a pure function of what is scheduled and the clock.
//!
//! There is no playhead. A programme is indexed once into an [`Asset`], and what a channel lists at any
//! moment follows from its schedule, its indexes and the time, so that every reader gives the same bytes.

mod alternative;
mod asset;
mod breaks;
mod codecs;
mod commit;
mod edit;
mod event;
mod fit;
mod flaw;
mod heard;
mod index;
mod ladder;
mod language;
mod lines;
mod live;
mod mapping;
mod markers;
mod order;
mod piece;
mod play;
pub mod ports;
mod repeat;
mod schedule;
mod scte35;
mod timeline;
mod window;

pub use asset::{Asset, AssetHash, Needs, media_playlists};
pub use breaks::LONGEST_BREAK;
pub use commit::{FREEZE, Refusal, Why, commit};
pub use edit::{Change, Edit, edit};
pub use event::{Cursor, Piece, Source};
pub use flaw::{Flaw, Unsupported};
pub use heard::Heard;
pub use ladder::{Kind, Ladder, Rendition};
pub use mapping::{Tracks, tracks};
pub use markers::Marker;
pub use order::{Order, Seed};
pub use piece::{Gap, append, gap};
pub use play::{EMPTY_SUBTITLES, Totals};
pub use repeat::{Loop, OnNow, Settings};
pub use schedule::{
    Break, Channel, Entry, Event, Item, Library, Live, Numbers, Role, Seen, Slate, Spot, Wish,
};
pub use timeline::{Playlist, Unread};
