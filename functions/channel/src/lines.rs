//! The lines of a VOD's segments as a channel lists them: whole addresses, keys and ranges that stand
//! by themselves wherever a playlist begins.

use crate::asset::State;
use hls::{AttributeList, Timestamp};
use url::Url;

/// Where a playlist lies, so that its addresses can be made whole.
///
/// It may be a path, such as `/library/waves/`: then addresses on the same server stay paths.
#[derive(Clone, Debug)]
pub(crate) struct Base {
    url: Url,
    path_only: bool,
}

/// Stands for the server where only its paths are known.
const SAME_SERVER: &str = "http://same-server.invalid";

impl Base {
    /// The place that a text names, if it is a URL or a path.
    pub(crate) fn new(text: &str) -> Option<Self> {
        match Url::parse(text) {
            Ok(url) => Some(Self { url, path_only: false }),
            Err(_) => {
                let server = Url::parse(SAME_SERVER).expect("it is a URL");
                Some(Self { url: server.join(text).ok()?, path_only: true })
            }
        }
    }

    /// The same for a playlist that is named here.
    pub(crate) fn of(&self, playlist: &str) -> Option<Self> {
        Some(Self { url: self.url.join(playlist).ok()?, path_only: self.path_only })
    }

    /// A whole address; one that cannot be joined stays as it is written.
    pub(crate) fn whole(&self, address: &str) -> String {
        let Ok(joined) = self.url.join(address.trim()) else { return address.trim().to_owned() };
        match joined.as_str().strip_prefix(SAME_SERVER) {
            Some(path) if self.path_only => path.to_owned(),
            _ => joined.into(),
        }
    }
}

/// The `EXT-X-MAP` and `EXT-X-KEY` in force while the segments of a playlist are read in order.
#[derive(Clone, Debug, Default)]
pub(crate) struct InForce {
    map_keys: Vec<AttributeList>,
    map: Option<AttributeList>,
    keys: Vec<AttributeList>,
}

impl InForce {
    /// Reads a line; whether it was one of a map or a key.
    pub(crate) fn read(&mut self, line: &str, base: &Base) -> bool {
        if let Some(attributes) = line.strip_prefix("#EXT-X-MAP:") {
            self.map = Some(whole(attributes, base));
            self.map_keys.clone_from(&self.keys);
        } else if let Some(attributes) = line.strip_prefix("#EXT-X-KEY:") {
            let key = whole(attributes, base);
            if key.get("METHOD") == Some("NONE") {
                self.keys.clear();
            } else {
                // A key takes the place of that of the same format (RFC 8216 section 4.3.2.4).
                self.keys.retain(|other| format(other) != format(&key));
                self.keys.push(key);
            }
        } else {
            return false;
        }
        true
    }

    /// The lines for the segment with this number in the VOD.
    ///
    /// A key without `IV` means the segment's number, which is another one on the channel: it is
    /// written out (RFC 8216 section 5.2).
    pub(crate) fn state(&self, number: u64) -> State {
        let keys = |keys: &[AttributeList]| {
            let lines = keys.iter().map(|key| {
                let iv = match key.get("IV") {
                    None if format(key) == "identity" => format!(",IV=0x{number:032X}"),
                    _ => String::new(),
                };
                format!("#EXT-X-KEY:{key}{iv}\n")
            });
            lines.collect::<String>()
        };
        State {
            map_keys: keys(&self.map_keys),
            map: self.map.as_ref().map_or_else(String::new, |map| format!("#EXT-X-MAP:{map}\n")),
            keys: keys(&self.keys),
        }
    }
}

fn format(key: &AttributeList) -> &str {
    key.get("KEYFORMAT").unwrap_or("identity")
}

fn whole(attributes: &str, base: &Base) -> AttributeList {
    let mut attributes = AttributeList::new(attributes);
    if let Some(uri) = attributes.get("URI") {
        let uri = base.whole(uri);
        attributes.set_quoted("URI", &uri);
    }
    attributes
}

/// Stands around what is only known when a segment plays: nothing for the programme's start, or microseconds
/// from the segment's. No playlist holds it: a control character ends a line.
const LATER: char = '\u{1}';

/// A date range of a segment with that date, so that it moves with the segment, and its line break; absent where
/// the line is none, or cannot be read.
pub(crate) fn moved(line: &str, date: u64) -> Option<String> {
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
    Some(format!("{DATE_RANGE}{attributes}\n"))
}

/// Writes the lines of a segment that begins at `start`, in a programme that began at `began`.
pub(crate) fn write(text: &mut String, lines: &str, start: Timestamp, began: Timestamp) {
    if !lines.starts_with(DATE_RANGE) {
        return text.push_str(lines);
    }
    for (place, part) in lines.split(LATER).enumerate() {
        match part.parse::<i64>() {
            _ if place % 2 == 0 => text.push_str(part),
            Ok(after) => {
                let at = Timestamp(start.0.saturating_add_signed(after));
                text.push_str(&at.to_string());
            }
            Err(_) => text.push_str(&began.0.to_string()),
        }
    }
}

const DATE_RANGE: &str = "#EXT-X-DATERANGE:";

/// Where the next range of a file begins that does not say so (RFC 8216 section 4.3.2.2).
#[derive(Clone, Debug, Default)]
pub(crate) struct Ranges {
    last: Option<(String, u64)>,
}

impl Ranges {
    /// The range that `EXT-X-BYTERANGE` states, such as `1024@0`; absent where it cannot be known.
    pub(crate) fn next(&mut self, stated: &str, file: &str) -> Option<String> {
        let (length, offset) = match stated.trim().split_once('@') {
            Some((length, offset)) => (length, Some(offset.parse::<u64>().ok()?)),
            None => (stated.trim(), None),
        };
        let length: u64 = length.parse().ok()?;
        let follows = self.last.as_ref().filter(|(last, _)| last == file).map(|(_, end)| *end);
        let offset = offset.or(follows)?;
        self.last = Some((file.to_owned(), offset.checked_add(length)?));
        Some(format!("{length}@{offset}"))
    }
}

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

    #[test]
    fn a_range_that_does_not_say_where_begins_after_the_one_before() {
        let mut ranges = Ranges::default();
        for (stated, file, range) in [
            ("10@5", "a", Some("10@5")),
            ("7", "a", Some("7@15")),
            ("1", "b", None),
            ("x", "a", None),
            ("3@0", "b", Some("3@0")),
            ("2", "b", Some("2@3")),
        ] {
            assert_eq!(ranges.next(stated, file).as_deref(), range, "{stated} of {file}");
        }
    }
}
