//! Attribute lists (RFC 8216 section 4.2).

use std::fmt;

/// An attribute list: names and values in order, word for word; `Display` renders it.
///
/// Any text is one: it is split at the commas outside quotes, and what has no `=` has no name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AttributeList {
    text: String,
}

impl AttributeList {
    /// The list that `text` states.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self { text: text.to_owned() }
    }

    /// The value of `name`, without the quotes of a quoted string.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        let value = self.written(name)?;
        Some(value.strip_prefix('"').and_then(|v| v.strip_suffix('"')).unwrap_or(value))
    }

    /// The value of `name` as written, with the quotes of a quoted string.
    #[must_use]
    pub fn written(&self, name: &str) -> Option<&str> {
        self.pieces().find_map(|piece| value_of(piece, name))
    }

    /// Puts a quoted string in the place of the value of `name`, or at the end. Quotes and line
    /// breaks, which no quoted string can hold, are left out of it.
    pub fn set_quoted(&mut self, name: &str, value: &str) {
        let value = value.replace(['"', '\r', '\n'], "");
        let mut entry = Some(format!("{name}=\"{value}\""));
        let mut pieces: Vec<String> = Vec::new();
        for piece in self.pieces() {
            match value_of(piece, name) {
                // A second one of the same name goes.
                Some(_) => pieces.extend(entry.take()),
                None => pieces.push(piece.to_owned()),
            }
        }
        pieces.extend(entry);
        self.text = pieces.join(",");
    }

    /// Takes `name` out.
    pub fn remove(&mut self, name: &str) {
        let pieces: Vec<&str> =
            self.pieces().filter(|piece| value_of(piece, name).is_none()).collect();
        self.text = pieces.join(",");
    }

    /// What lies between the commas outside quotes.
    fn pieces(&self) -> impl Iterator<Item = &str> {
        let mut quoted = false;
        let comma = move |c: char| {
            quoted ^= c == '"';
            c == ',' && !quoted
        };
        self.text.split(comma).filter(|_| !self.text.is_empty())
    }
}

/// The value of an entry, as written, if it is the entry of `name`.
fn value_of<'a>(piece: &'a str, name: &str) -> Option<&'a str> {
    let (key, value) = piece.split_once('=')?;
    (key.trim() == name).then(|| value.trim())
}

impl fmt::Display for AttributeList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIST: &str = r#"BANDWIDTH=1, CODECS="avc1.4d401f,mp4a.40.2",X-A=,AUDIO="",odd,"#;

    #[test]
    fn a_list_shows_as_it_was_written() {
        for text in [LIST, "", ",", "a", r#"URI="open,A=1"#] {
            assert_eq!(AttributeList::new(text).to_string(), text);
        }
    }

    #[test]
    fn a_value_is_found_by_its_name() {
        let list = AttributeList::new(LIST);
        for (name, value) in [
            ("BANDWIDTH", Some("1")),
            ("CODECS", Some("avc1.4d401f,mp4a.40.2")),
            ("X-A", Some("")),
            ("AUDIO", Some("")),
            ("odd", None),
            ("WIDTH", None),
        ] {
            assert_eq!(list.get(name), value, "{name}");
        }
        assert_eq!(list.written("AUDIO"), Some(r#""""#));
    }

    #[test]
    fn a_quoted_string_is_set_in_its_place_or_at_the_end() {
        for (text, expected) in [
            (r#"URI="a",TYPE=AUDIO"#, r#"URI="b,c",TYPE=AUDIO"#),
            (r#"URI="a",URI="b",TYPE=AUDIO"#, r#"URI="b,c",TYPE=AUDIO"#),
            ("TYPE=AUDIO", r#"TYPE=AUDIO,URI="b,c""#),
            ("", r#"URI="b,c""#),
        ] {
            let mut list = AttributeList::new(text);
            list.set_quoted("URI", "b,\n\"c");
            assert_eq!(list.to_string(), expected, "{text}");
        }
    }

    #[test]
    fn an_attribute_is_taken_out_with_its_comma() {
        for (text, expected) in
            [(r#"A=1,URI="a,b",B=2"#, "A=1,B=2"), (r#"URI="a""#, ""), ("A=1,B=2", "A=1,B=2")]
        {
            let mut list = AttributeList::new(text);
            list.remove("URI");
            assert_eq!(list.to_string(), expected, "{text}");
        }
    }
}
