//! Attribute lists (RFC 8216 section 4.2).

/// An attribute list: names and values in order, word for word; `Display` renders it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AttributeList {
    /// Name and value as written, with the quotes of a quoted string.
    entries: Vec<(String, String)>,
}

impl AttributeList {
    /// The value of `name`, without the quotes of a quoted string.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        let (_, value) = self.entries.iter().find(|(key, _)| key == name)?;
        Some(value.strip_prefix('"').and_then(|v| v.strip_suffix('"')).unwrap_or(value))
    }

    /// Puts a quoted string in the place of the value of `name`, or at the end.
    pub fn set_quoted(&mut self, name: &str, value: &str) {
        let value = format!("\"{value}\"");
        match self.entries.iter_mut().find(|(key, _)| key == name) {
            Some((_, old)) => *old = value,
            None => self.entries.push((name.to_owned(), value)),
        }
    }

    /// Takes `name` out.
    pub fn remove(&mut self, name: &str) {
        self.entries.retain(|(key, _)| key != name);
    }
}
