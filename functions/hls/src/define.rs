//! Variables (draft-pantos-hls-rfc8216bis section 4.3).

use crate::{AttributeList, tags};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// Variables by name.
pub type Variables = BTreeMap<String, String>;

/// The text with the values of its variables in their places and without its `EXT-X-DEFINE`, and its
/// variables.
///
/// `imported` is what the multivariant playlist defines; `query` gives a parameter of the playlist's own
/// address. A reference to a variable that is not defined stays as it is. A text that defines nothing is
/// given back.
#[must_use]
pub fn substitute<'a>(
    text: &'a [u8],
    imported: &Variables,
    query: impl Fn(&str) -> Option<String>,
) -> (Cow<'a, [u8]>, Variables) {
    let mut known = Variables::new();
    let defines = |text: &&str| text.contains("#EXT-X-DEFINE");
    let Some(text) = str::from_utf8(text).ok().filter(defines) else {
        return (Cow::Borrowed(text), known);
    };
    let mut lines = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        let Some((tags::DEFINE, value)) = tags::tag(line.trim_end()) else {
            lines.push_str(&filled(line, &known));
            continue;
        };
        let attributes = AttributeList::new(value);
        let defined = if let Some(name) = attributes.get("NAME") {
            attributes.get("VALUE").map(|value| (name, filled(value, &known).into_owned()))
        } else if let Some(name) = attributes.get("IMPORT") {
            imported.get(name).map(|value| (name, value.clone()))
        } else {
            attributes.get("QUERYPARAM").and_then(|name| Some((name, query(name)?)))
        };
        known.extend(defined.map(|(name, value)| (name.to_owned(), value)));
    }
    (Cow::Owned(lines.into_bytes()), known)
}

/// A line with the values of variables in the places of `{$name}`.
fn filled<'a>(line: &'a str, known: &Variables) -> Cow<'a, str> {
    let mut filled = String::new();
    let mut rest = line;
    while let Some((before, after)) = rest.split_once("{$") {
        let value = after.split_once('}').and_then(|(name, then)| Some((known.get(name)?, then)));
        filled.push_str(before);
        match value {
            Some((value, then)) => {
                filled.push_str(value);
                rest = then;
            }
            None => {
                filled.push_str("{$");
                rest = after;
            }
        }
    }
    if filled.is_empty() { Cow::Borrowed(rest) } else { Cow::Owned(filled + rest) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_replaced_by_their_values() {
        let imported = Variables::from([("cdn".to_owned(), "https://c.example".to_owned())]);
        let query = |name: &str| (name == "token").then(|| "t=1".to_owned());
        for (text, expected) in [
            ("#EXTM3U\n{$cdn}/a.ts\n", "#EXTM3U\n{$cdn}/a.ts\n"),
            ("#EXT-X-DEFINE:IMPORT=\"cdn\"\n{$cdn}/a.ts?{$x}\n", "https://c.example/a.ts?{$x}\n"),
            ("#EXT-X-DEFINE:QUERYPARAM=\"token\"\r\na.ts?{$token}{$\r\n", "a.ts?t=1{$\r\n"),
            (
                "#EXT-X-DEFINE:NAME=\"a\",VALUE=\"1\"\n#EXT-X-DEFINE:NAME=\"b\",VALUE=\"{$a}2\"\n\
                 #EXT-X-MAP:URI=\"{$b}/{$a}\"\n{$b}",
                "#EXT-X-MAP:URI=\"12/1\"\n12",
            ),
            ("{$a}\n#EXT-X-DEFINE:NAME=\"a\",VALUE=\"1\"\n{$a}", "{$a}\n1"),
            ("#EXT-X-DEFINE:NAME=\"a\",VALUE=\"{$a}\"\n{$a}", "{$a}"),
            ("#EXT-X-DEFINE:\n#EXT-X-DEFINE:IMPORT=\"none\"\n{$none}", "{$none}"),
        ] {
            let (text, _) = substitute(text.as_bytes(), &imported, query);
            assert_eq!(String::from_utf8_lossy(&text), expected);
        }
        let (_, known) = substitute(b"#EXT-X-DEFINE:NAME=\"a\",VALUE=\"1\"\n", &imported, query);
        assert_eq!(known, Variables::from([("a".to_owned(), "1".to_owned())]));
    }
}
