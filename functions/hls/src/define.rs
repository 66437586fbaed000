//! Variables (draft-pantos-hls-rfc8216bis section 4.3).

use crate::{AttributeList, Error, ErrorKind, Limits, tags};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// Variables by name.
pub type Variables = BTreeMap<String, String>;

/// The text with the values of its variables in their places, and its variables.
///
/// `imported` is what the multivariant playlist defines; `query` gives a parameter of the playlist's own
/// address. A text that defines nothing is given back.
///
/// # Errors
/// The first line in which an address or an attribute refers to a variable that is not defined, or in which
/// values make the text larger than [`Limits`] has it by default.
pub fn substitute<'a>(
    text: &'a [u8],
    imported: &Variables,
    query: impl Fn(&str) -> Option<String>,
) -> Result<(Cow<'a, [u8]>, Variables), Error> {
    let mut known = Variables::new();
    let defines = |text: &&str| text.contains("#EXT-X-DEFINE");
    let Some(text) = str::from_utf8(text).ok().filter(defines) else {
        return Ok((Cow::Borrowed(text), known));
    };
    let limit = Limits::default().bytes;
    let mut lines = String::with_capacity(text.len());
    let mut values = 0;
    for (number, line) in (1..).zip(text.split_inclusive('\n')) {
        let at = |kind| Error { line: number, kind };
        let bytes = lines.len() + values;
        if bytes > limit {
            return Err(at(ErrorKind::TooLarge { bytes, limit }));
        }
        // It stays, so that every line keeps its number.
        let Some((tags::DEFINE, value)) = tags::tag(line.trim_end()) else {
            let filled = filled(line, &known).map_err(at)?;
            if let Some(name) = refers(&filled) {
                return Err(at(ErrorKind::UndefinedVariable { name: name.to_owned() }));
            }
            lines.push_str(&filled);
            continue;
        };
        lines.push_str(line);
        let attributes = AttributeList::new(value);
        let defined = if let Some(name) = attributes.get("NAME") {
            let value = attributes.get("VALUE").map(|value| filled(value, &known)).transpose();
            value.map_err(at)?.map(|value| (name, value.into_owned()))
        } else if let Some(name) = attributes.get("IMPORT") {
            imported.get(name).map(|value| (name, value.clone()))
        } else {
            attributes.get("QUERYPARAM").and_then(|name| Some((name, query(name)?)))
        };
        values += defined.as_ref().map_or(0, |(_, value)| value.len());
        known.extend(defined.map(|(name, value)| (name.to_owned(), value)));
    }
    Ok((Cow::Owned(lines.into_bytes()), known))
}

/// The variable that a line still refers to: an address, or the attributes of a tag. Comments and titles do not.
fn refers(line: &str) -> Option<&str> {
    let names = |name: &str| {
        !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b))
    };
    let matters = match tags::tag(line.trim_end()) {
        Some((name, _)) => name != tags::INF,
        None => tags::is_address(line),
    };
    let references = line.split("{$").skip(1).filter_map(|after| after.split_once('}'));
    references.map(|(name, _)| name).find(|name| matters && names(name))
}

/// A line with the values of variables in the places of `{$name}`.
///
/// A value may hold others many times over, so how long it gets is looked at on the way.
fn filled<'a>(line: &'a str, known: &Variables) -> Result<Cow<'a, str>, ErrorKind> {
    let limit = Limits::default().line_bytes;
    let mut filled = String::new();
    let mut rest = line;
    while let Some((before, after)) = rest.split_once("{$") {
        let value = after.split_once('}').and_then(|(name, then)| Some((known.get(name)?, then)));
        filled.push_str(before);
        match value {
            Some((value, then)) => {
                filled.push_str(value);
                rest = then;
                if filled.len() > limit {
                    return Err(ErrorKind::LineTooLong { bytes: filled.len(), limit });
                }
            }
            None => {
                filled.push_str("{$");
                rest = after;
            }
        }
    }
    Ok(if filled.is_empty() { Cow::Borrowed(rest) } else { Cow::Owned(filled + rest) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_replaced_by_their_values() {
        let imported = Variables::from([("cdn".to_owned(), "https://c.example".to_owned())]);
        let query = |name: &str| (name == "token").then(|| "t=1".to_owned());
        for (text, expected) in [
            ("#EXTM3U\n{$cdn}/a.ts\n", Ok("#EXTM3U\n{$cdn}/a.ts\n")),
            (
                "#EXT-X-DEFINE:IMPORT=\"cdn\"\n# {$x}\n#EXTINF:2,{$x}\n{$cdn}/a.ts\n",
                Ok("# {$x}\n#EXTINF:2,{$x}\nhttps://c.example/a.ts\n"),
            ),
            ("#EXT-X-DEFINE:IMPORT=\"cdn\"\n{$cdn}/a.ts?{$x}\n", Err((2, "x"))),
            ("#EXT-X-DEFINE:QUERYPARAM=\"token\"\r\na.ts?{$token}{$\r\n", Ok("a.ts?t=1{$\r\n")),
            (
                "#EXT-X-DEFINE:NAME=\"a\",VALUE=\"1\"\n#EXT-X-DEFINE:NAME=\"b\",VALUE=\"{$a}2\"\n\
                 #EXT-X-MAP:URI=\"{$b}/{$a}\"\n{$b}",
                Ok("#EXT-X-MAP:URI=\"12/1\"\n12"),
            ),
            ("#EXT-X-DEFINE:\na.ts?{$}&{$a b}", Ok("a.ts?{$}&{$a b}")),
            ("{$a}\n#EXT-X-DEFINE:NAME=\"a\",VALUE=\"1\"\n{$a}", Err((1, "a"))),
            ("#EXT-X-DEFINE:NAME=\"a\",VALUE=\"{$a}\"\n{$a}", Err((2, "a"))),
            (
                "#EXT-X-DEFINE:\n#EXT-X-DEFINE:IMPORT=\"none\"\n#EXT-X-MAP:URI=\"{$none}\"",
                Err((3, "none")),
            ),
        ] {
            let filled = substitute(text.as_bytes(), &imported, query);
            let without = |text: &str| {
                let lines = text.split_inclusive('\n');
                lines.filter(|line| !tags::is_define(line)).collect::<String>()
            };
            let filled = filled.map(|(text, _)| without(str::from_utf8(&text).unwrap()));
            let undefined = |(line, name): (usize, &str)| {
                let name = name.to_owned();
                Error { line, kind: ErrorKind::UndefinedVariable { name } }
            };
            assert_eq!(filled, expected.map(str::to_owned).map_err(undefined), "{text}");
        }
        let defined = substitute(b"#EXT-X-DEFINE:NAME=\"a\",VALUE=\"1\"\n", &imported, query);
        let (_, known) = defined.unwrap();
        assert_eq!(known, Variables::from([("a".to_owned(), "1".to_owned())]));
    }

    #[test]
    fn values_within_values_grow_to_a_limit() {
        // Found by a fuzzer: 3 KB of such lines made more than a gigabyte.
        let doubled = |doublings: usize| {
            let mut text = "#EXTM3U\n#EXT-X-DEFINE:NAME=\"a\",VALUE=\"0123456789\"\n".to_owned();
            for _ in 0..doublings {
                text += "#EXT-X-DEFINE:NAME=\"a\",VALUE=\"{$a}{$a}\"\n";
            }
            text
        };
        let filled = |text: &str| {
            let filled = substitute(text.as_bytes(), &Variables::new(), |_| None);
            filled.map(|(text, _)| text.len()).map_err(|error| (error.line, error.kind))
        };
        assert!(filled(&doubled(12)).is_ok());
        let long = ErrorKind::LineTooLong { bytes: 81_920, limit: 65_536 };
        assert_eq!(filled(&doubled(30)), Err((15, long)));
        let many = format!("{}{}", doubled(12), "{$a}.ts\n".repeat(300));
        let (line, kind) = filled(&many).unwrap_err();
        let limit = Limits::default().bytes;
        assert!(line > 200 && matches!(kind, ErrorKind::TooLarge { limit: it, .. } if it == limit));
    }
    #[test]
    fn what_is_as_long_as_it_may_be_is_taken() {
        let Limits { bytes, line_bytes, .. } = Limits::default();
        // All but the last line, and a value of one byte.
        let (head, last) = ("#EXT-X-DEFINE:NAME=\"a\",VALUE=\"1\"\n#", "\na.ts\n");
        let filled = |length| {
            let text = format!("{head}{}{last}", "x".repeat(length));
            substitute(text.as_bytes(), &Variables::new(), |_| None).map(|_| ())
        };
        let room = bytes - head.len() - "\n".len() - "1".len();
        assert_eq!(filled(room), Ok(()));
        let kind = ErrorKind::TooLarge { bytes: bytes + 1, limit: bytes };
        assert_eq!(filled(room + 1), Err(Error { line: 3, kind }));

        for (length, expected) in [
            (line_bytes, Ok(())),
            (
                line_bytes + 1,
                Err(ErrorKind::LineTooLong { bytes: line_bytes + 1, limit: line_bytes }),
            ),
        ] {
            let imported = Variables::from([("long".to_owned(), "x".repeat(length))]);
            let text = b"#EXT-X-DEFINE:IMPORT=\"long\"\n{$long}";
            let filled = substitute(text, &imported, |_| None).map(|_| ());
            assert_eq!(filled.map_err(|error| error.kind), expected);
        }
    }
}
