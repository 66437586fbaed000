//! The lines of a VOD's segments as a channel lists them: whole addresses, keys and ranges that stand
//! by themselves wherever a playlist begins.

use crate::asset::State;
use hls::{AttributeList, Map, Micros, Segment, Timestamp};
use std::collections::BTreeSet;
use url::Url;

/// Where a playlist lies, so that its addresses can be made whole.
///
/// It may be a path, such as `/library/waves/`: then addresses on the same server stay paths.
#[derive(Clone, Debug)]
pub(crate) struct Base(Url);

/// Stands for the server where only its paths are known.
const SAME_SERVER: &str = "http://same-server.invalid";

impl Base {
    /// The place that a text names, if it is a URL or a path.
    pub(crate) fn new(text: &str) -> Option<Self> {
        Self(Url::parse(SAME_SERVER).expect("it is a URL")).of(text)
    }

    /// The same for a playlist that is named here.
    pub(crate) fn of(&self, playlist: &str) -> Option<Self> {
        Some(Self(self.0.join(playlist).ok()?))
    }

    /// Whether an address is one that players read.
    pub(crate) fn is_read(&self, address: &str) -> bool {
        let url = self.0.join(address.trim()).ok();
        url.is_none_or(|url| matches!(url.scheme(), "http" | "https" | "data"))
    }

    /// A whole address; one that cannot be joined stays as it is written.
    pub(crate) fn whole(&self, address: &str) -> String {
        let Ok(joined) = self.0.join(address.trim()) else { return address.trim().to_owned() };
        let path = joined.as_str().strip_prefix(SAME_SERVER);
        path.unwrap_or(joined.as_str()).to_owned()
    }
}

/// What must come before a segment that has this number in the VOD.
///
/// A key without `IV` means the segment's number, which is another one on the channel: it is
/// written out (RFC 8216 section 5.2). An initialisation section has no number, so its keys stay as they are.
pub(crate) fn state(segment: &Segment, number: u64, base: &Base) -> State {
    let stated = |key: &AttributeList| format!("{KEY}{}\n", whole(key, base));
    let numbered = |key: &AttributeList| match key.get("IV") {
        None if is_identity(key) => format!("{KEY}{},IV=0x{number:032X}\n", whole(key, base)),
        _ => stated(key),
    };
    let map = segment.map.as_deref();
    let map_line = |map: &Map| format!("#EXT-X-MAP:{}\n", whole(&map.attributes, base));
    State {
        map_keys: map.map_or_else(String::new, |map| map.keys.iter().map(stated).collect()),
        map: map.map_or_else(String::new, map_line),
        keys: segment.keys.iter().map(numbered).collect(),
    }
}

/// Whether the initialisation section of a segment is encrypted with a key whose `IV` is not stated (RFC 8216 section
/// 4.3.2.5: "the IV attribute of the EXT-X-KEY tag that applies to the EXT-X-MAP is REQUIRED").
pub(crate) fn needs_iv(segment: &Segment) -> bool {
    let lacks =
        |key: &AttributeList| key.get("METHOD") == Some("AES-128") && key.get("IV").is_none();
    segment.map.as_ref().is_some_and(|map| map.keys.iter().any(lacks))
}

/// Whether a key is given as it is, and not by a DRM system.
pub(crate) fn is_identity(key: &AttributeList) -> bool {
    format(key) == "identity"
}

/// The formats of some keys, a line each: a key takes the place of that of the same format (RFC 8216 section 4.3.2.4).
pub(crate) fn formats(keys: &str) -> BTreeSet<String> {
    let keys = keys.lines().filter_map(|line| line.strip_prefix(KEY));
    keys.map(|key| format(&AttributeList::new(key)).to_owned()).collect()
}

fn format(key: &AttributeList) -> &str {
    key.get("KEYFORMAT").unwrap_or("identity")
}

const KEY: &str = "#EXT-X-KEY:";

fn whole(attributes: &AttributeList, base: &Base) -> AttributeList {
    let mut attributes = attributes.clone();
    if let Some(uri) = attributes.get("URI") {
        let uri = base.whole(uri);
        attributes.set_quoted("URI", &uri);
    }
    attributes
}

/// Stands around what is only known when a segment plays: nothing for the programme's start, or microseconds
/// from the segment's. No playlist holds it: a control character ends a line.
const LATER: char = '\u{1}';

/// Attributes of interstitials that hold an address.
const ADDRESSES: [&str; 2] = ["X-ASSET-URI", "X-ASSET-LIST"];

/// A date range of a segment with that date, so that it moves with the segment, and its line break; absent where
/// the line is none, or cannot be read.
pub(crate) fn moved(line: &str, date: u64, base: &Base) -> Option<String> {
    let attributes = line.strip_prefix(DATE_RANGE)?;
    if attributes.contains(LATER) {
        return None;
    }
    let mut attributes = AttributeList::new(attributes);
    // The same programme may play twice, and a name means one range.
    let id = format!("{}-{LATER}{LATER}", attributes.get("ID")?);
    attributes.set_quoted("ID", &id);
    attributes.get("START-DATE")?;
    for name in ["START-DATE", "END-DATE"] {
        let Some(stated) = attributes.get(name) else { continue };
        let stated = i64::try_from(Timestamp::from_date_time(stated)?.0).ok()?;
        let after = stated - i64::try_from(date).ok()?;
        attributes.set_quoted(name, &format!("{LATER}{after}{LATER}"));
    }
    for name in ADDRESSES {
        if let Some(address) = attributes.get(name) {
            let address = base.whole(address);
            attributes.set_quoted(name, &address);
        }
    }
    Some(format!("{DATE_RANGE}{attributes}\n"))
}

/// Writes the lines of a segment that begins at `start`, in a programme that began at `began`.
pub(crate) fn write(text: &mut String, lines: &str, start: Timestamp, began: Timestamp) {
    if !lines.starts_with(DATE_RANGE) {
        return text.push_str(lines);
    }
    for (place, part) in lines.split(LATER).enumerate() {
        let moved = |after| Timestamp(start.0.saturating_add_signed(after)).to_string();
        if place % 2 == 0 {
            text.push_str(part);
        } else {
            text.push_str(&part.parse().map_or_else(|_| began.0.to_string(), moved));
        }
    }
}

/// The lines of a segment of which so much plays.
pub(crate) fn lasting(lines: &str, length: Micros) -> String {
    let stated = |line: &str| match line.strip_prefix(EXTINF) {
        Some(stated) => {
            let title = stated.split_once(',').map_or("\n", |(_, title)| title);
            format!("{EXTINF}{length},{title}")
        }
        None => line.to_owned(),
    };
    lines.split_inclusive('\n').map(stated).collect()
}

const EXTINF: &str = "#EXTINF:";

const DATE_RANGE: &str = "#EXT-X-DATERANGE:";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_made_whole_where_it_lies() {
        for (base, playlist, address, whole) in [
            ("/library/waves/", "v0/main.m3u8", "s0.ts", "/library/waves/v0/s0.ts"),
            ("/library/waves/", "v0/main.m3u8", "../s0.ts", "/library/waves/s0.ts"),
            ("/library/waves/", "v0/main.m3u8?t=1", "s0.ts?u=2", "/library/waves/v0/s0.ts?u=2"),
            ("https://a.example/x/main.m3u8", "v0.m3u8", "s0.ts", "https://a.example/x/s0.ts"),
            ("https://a.example/x/main.m3u8", "v0.m3u8", "/s0.ts", "https://a.example/s0.ts"),
            ("/a/", "//b.example/v.m3u8", "s.ts", "http://b.example/s.ts"),
            ("/a/", "https://b.example/v.m3u8", "s.ts", "https://b.example/s.ts"),
            ("/a/", "v.m3u8", "skd://key", "skd://key"),
        ] {
            let base = Base::new(base).and_then(|base| base.of(playlist));
            assert_eq!(base.unwrap().whole(address), whole, "{playlist} {address}");
        }
    }
}
