//! How ad breaks and programmes are marked in a media playlist.

use crate::schedule::{Item, Role, Spot};
use crate::scte35;
use hls::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fmt::{self, Write};

/// A dialect of marks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Marker {
    /// `EXT-X-CUE-OUT`, `-CONT` and `EXT-X-CUE-IN`.
    Cue,
    /// `EXT-OATCLS-SCTE35` before `EXT-X-CUE-OUT`.
    Oatcls,
    /// `EXT-X-DATERANGE` with `SCTE35-OUT` and `SCTE35-IN`.
    Daterange,
    /// `EXT-X-DATERANGE` of each programme, with its title.
    Programme,
}

/// What is said of an item beside its segments.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Marks<'a> {
    pub(crate) item: &'a Item,
    pub(crate) markers: &'a BTreeSet<Marker>,
    /// Whether the item begins with the first segment of the run, and not with an earlier pass.
    pub(crate) opens: bool,
}

impl Marks<'_> {
    /// Writes what belongs before a segment; `begins` where it is the first of its run.
    pub(crate) fn write(&self, text: &mut String, begins: bool, start: Timestamp) {
        self.lines(text, begins && self.opens, start)
            .expect("a String takes all that is written to it");
    }

    fn lines(&self, text: &mut String, begins: bool, start: Timestamp) -> fmt::Result {
        let has = |marker: Marker| self.markers.contains(&marker);
        if let Some(spot) = self.item.returns.filter(|_| begins) {
            if has(Marker::Daterange) {
                let section = scte35::hexadecimal(&scte35::splice(&spot, false));
                // A break that is cut is shorter than it was announced to be.
                let duration = self.item.start.since(spot.start);
                write_break(text, &spot, &format!(",DURATION={duration},SCTE35-IN={section}"))?;
            }
            if has(Marker::Cue) {
                text.push_str("#EXT-X-CUE-IN\n");
            }
        }
        if let Some(spot) = self.item.spot {
            let section = || scte35::splice(&spot, true);
            if begins && spot.start == self.item.start {
                if has(Marker::Daterange) {
                    let section = scte35::hexadecimal(&section());
                    write_break(text, &spot, &format!(",SCTE35-OUT={section}"))?;
                }
                if has(Marker::Oatcls) {
                    writeln!(text, "#EXT-OATCLS-SCTE35:{}", scte35::base64(&section()))?;
                }
                if has(Marker::Cue) {
                    writeln!(text, "#EXT-X-CUE-OUT:{}", spot.duration)?;
                }
            } else if has(Marker::Cue) {
                let elapsed = start.since(spot.start);
                writeln!(text, "#EXT-X-CUE-OUT-CONT:{elapsed}/{}", spot.duration)?;
            }
        }
        let goes_on = self.item.live.is_some_and(|live| live.began < self.item.start);
        if begins && has(Marker::Programme) && self.item.role == Role::Programme && !goes_on {
            self.write_programme(text)?;
        }
        Ok(())
    }

    fn write_programme(&self, text: &mut String) -> fmt::Result {
        let Item { start, duration, planned, asset, title, live, .. } = self.item;
        let planned = planned.unwrap_or(*duration);
        let duration = live.map_or(planned, |live| live.until.since(*start));
        write!(
            text,
            "#EXT-X-DATERANGE:ID=\"programme-{}\",CLASS=\"org.hls-ferry.programme\",\
             START-DATE=\"{start}\",PLANNED-DURATION={duration}",
            start.0
        )?;
        // What is live has no asset that could be named ahead.
        if live.is_none() {
            write!(text, ",X-ASSET-ID=\"{asset}\"")?;
        }
        match title {
            Some(title) => {
                // No quoted string holds quotes, and no playlist control characters (RFC 8216 section 4.1).
                let unfit = |c: char| c == '"' || c.is_control();
                writeln!(text, ",X-TITLE=\"{}\"", title.replace(unfit, "'"))
            }
            None => writeln!(text),
        }
    }
}

/// Both ends of a break are told under one name (RFC 8216 section 4.3.2.7.1).
fn write_break(text: &mut String, spot: &Spot, more: &str) -> fmt::Result {
    let Spot { start, duration } = spot;
    writeln!(
        text,
        "#EXT-X-DATERANGE:ID=\"break-{}\",START-DATE=\"{start}\",PLANNED-DURATION={duration}{more}",
        start.0
    )
}
