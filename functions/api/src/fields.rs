//! Reading JSON field by field, so that all that is wrong can be said at once, by name.

use hls::{Micros, Timestamp};
use serde::Serialize;
use serde_json::{Map, Value};

/// The longest word of a list, and the longest list: codecs and languages are much shorter.
const MAX_WORD: usize = 64;
const MAX_WORDS: usize = 32;
/// Players show titles in a line.
const MAX_TITLE: usize = 200;

/// The longest array: each value of one is given its name. Most take less.
const MAX_ARRAY: usize = 10_000;
/// More reasons do not make it clearer.
const MAX_ERRORS: usize = 100;

/// What is wrong with one field.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FieldError {
    /// The field, such as `output.endpoints[0].url`.
    pub field: String,
    /// What is wrong with it, in words that do not repeat what it holds.
    pub detail: String,
}

/// What is wrong with a request: the first thing about each field, of the first fields that are wrong.
#[derive(Debug, Default)]
pub struct Errors(pub Vec<FieldError>);

impl Errors {
    /// Notes what is wrong with a field, unless something is known of it, or of what it is in.
    pub fn add(&mut self, field: impl Into<String>, detail: impl Into<String>) {
        let field = field.into();
        let covers = |known: &FieldError| {
            let rest = field.strip_prefix(&known.field);
            known.field == "body"
                || rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
        };
        if !self.is_full() && !self.0.iter().any(covers) {
            self.0.push(FieldError { field, detail: detail.into() });
        }
    }

    /// Whether nothing more is noted.
    pub fn is_full(&self) -> bool {
        self.0.len() >= MAX_ERRORS
    }
}

/// A JSON object, and where it is.
pub struct Object {
    path: String,
    fields: Map<String, Value>,
}

impl Object {
    /// The object at `path`; the body itself is at an empty one.
    pub fn of(path: &str, value: Value, errors: &mut Errors) -> Option<Self> {
        match value {
            Value::Object(fields) => Some(Self { path: path.to_owned(), fields }),
            _ => {
                errors.add(if path.is_empty() { "body" } else { path }, "must be an object");
                None
            }
        }
    }

    /// Refuses all other fields than `known`.
    pub fn only(&self, known: &[&str], errors: &mut Errors) {
        for name in self.fields.keys().filter(|name| !known.contains(&name.as_str())) {
            let detail = format!("is not known here: {}", known.join(", "));
            errors.add(self.field(name), detail);
        }
    }

    /// The whole name of a field.
    pub fn field(&self, name: &str) -> String {
        match self.path.as_str() {
            "" => name.to_owned(),
            path => format!("{path}.{name}"),
        }
    }

    /// A field's value; null is as good as none.
    pub fn take(&mut self, name: &str) -> Option<Value> {
        self.fields.remove(name).filter(|value| !value.is_null())
    }

    /// An object in a field.
    pub fn object(&mut self, name: &str, errors: &mut Errors) -> Option<Self> {
        let field = self.field(name);
        Self::of(&field, self.take(name)?, errors)
    }

    /// The text in a field.
    pub fn text(&mut self, name: &str, errors: &mut Errors) -> Option<String> {
        match self.take(name)? {
            Value::String(text) => Some(text),
            _ => {
                errors.add(self.field(name), "must be a string");
                None
            }
        }
    }

    /// What something is called in public: no playlist may hold control characters (RFC 8216 section 4.1).
    pub fn title(&mut self, errors: &mut Errors) -> Option<String> {
        let title = self.text("title", errors)?;
        if title.chars().count() > MAX_TITLE || title.contains(char::is_control) {
            let detail = format!("must be at most {MAX_TITLE} characters, none of control");
            errors.add(self.field("title"), detail);
            return None;
        }
        Some(title)
    }

    /// The text in a field that may hold something else as well.
    pub fn take_text(&mut self, name: &str) -> Option<String> {
        match self.fields.get_mut(name)?.take() {
            Value::String(text) => Some(text),
            other => {
                self.fields.insert(name.to_owned(), other);
                None
            }
        }
    }

    /// The number in a field.
    pub fn number(&mut self, name: &str, errors: &mut Errors) -> Option<u64> {
        let number = self.take(name)?.as_u64();
        if number.is_none() {
            errors.add(self.field(name), "must be a whole number");
        }
        number
    }

    /// The length of time in a field, in seconds with or without decimals.
    pub fn seconds(&mut self, name: &str, errors: &mut Errors) -> Option<Micros> {
        self.decimal(name, "must be a number of seconds", errors)
    }

    /// The number in a field, with or without decimals, in millionths; what it must be is said where it is none.
    pub fn decimal(&mut self, name: &str, must: &str, errors: &mut Errors) -> Option<Micros> {
        let number = match self.take(name)? {
            Value::Number(number) => hls::duration(&number.to_string()),
            _ => None,
        };
        if number.is_none() {
            errors.add(self.field(name), must);
        }
        number
    }

    /// The moment in a field, as RFC 3339 writes it.
    pub fn moment(&mut self, name: &str, errors: &mut Errors) -> Option<Timestamp> {
        let moment = Timestamp::from_date_time(&self.text(name, errors)?);
        if moment.is_none() {
            errors.add(self.field(name), "must be a moment such as 2026-11-21T20:15:00Z");
        }
        moment
    }

    /// The values of an array in a field, each with its name.
    pub fn array(&mut self, name: &str, errors: &mut Errors) -> Vec<(String, Value)> {
        let field = self.field(name);
        match self.take(name) {
            None => Vec::new(),
            Some(Value::Array(values)) if values.len() > MAX_ARRAY => {
                errors.add(field, format!("must hold at most {MAX_ARRAY}"));
                Vec::new()
            }
            Some(Value::Array(values)) => values
                .into_iter()
                .enumerate()
                .map(|(index, value)| (format!("{field}[{index}]"), value))
                .collect(),
            Some(_) => {
                errors.add(field, "must be an array");
                Vec::new()
            }
        }
    }

    /// The texts of an array in a field.
    pub fn addresses(&mut self, name: &str, errors: &mut Errors) -> Vec<String> {
        let mut texts = Vec::new();
        for (field, value) in self.array(name, errors) {
            match value {
                Value::String(text) => texts.push(text),
                _ => errors.add(field, "must be a string"),
            }
        }
        texts
    }

    /// The short texts of an array in a field.
    pub fn words(&mut self, name: &str, errors: &mut Errors) -> Vec<String> {
        let mut words = Vec::new();
        for (field, value) in self.array(name, errors) {
            match value {
                Value::String(word) if (1..=MAX_WORD).contains(&word.len()) => words.push(word),
                _ => errors.add(field, format!("must be a string of 1 to {MAX_WORD} characters")),
            }
        }
        if words.len() > MAX_WORDS {
            errors.add(self.field(name), format!("must hold at most {MAX_WORDS}"));
        }
        words
    }

    /// The texts of an object in a field, each with its key.
    pub fn texts(&mut self, name: &str, errors: &mut Errors) -> Vec<(String, String)> {
        let field = self.field(name);
        match self.take(name) {
            None => Vec::new(),
            Some(Value::Object(entries)) => entries
                .into_iter()
                .filter_map(|(key, value)| match value {
                    Value::String(text) => Some((key, text)),
                    _ => {
                        errors.add(format!("{field}.{key}"), "must be a string");
                        None
                    }
                })
                .collect(),
            Some(_) => {
                errors.add(field, "must be an object");
                Vec::new()
            }
        }
    }
}
