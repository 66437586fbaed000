//! Numbers that must not be mixed up.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::ops::{Add, AddAssign, Sub};

/// The number of a segment in its media playlist (RFC 8216 section 3).
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct MediaSequence(pub u64);

impl MediaSequence {
    /// The number `count` segments later.
    #[must_use]
    pub fn after(self, count: u64) -> Self {
        Self(self.0.saturating_add(count))
    }

    /// How many segments lie between `earlier` and this one; zero when `earlier` is not earlier.
    #[must_use]
    pub fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// How many discontinuities came before a segment (RFC 8216 section 4.3.3.3).
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct DiscontinuitySequence(pub u64);

/// A length of time in whole microseconds.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Micros(pub u64);

impl Micros {
    /// A number of milliseconds.
    #[must_use]
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis.saturating_mul(1_000))
    }

    /// A number of seconds.
    #[must_use]
    pub const fn from_secs(seconds: u64) -> Self {
        Self(seconds.saturating_mul(1_000_000))
    }

    /// Whole milliseconds, rounded down.
    #[must_use]
    pub const fn as_millis(self) -> u64 {
        self.0 / 1_000
    }
}

impl Add for Micros {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl AddAssign for Micros {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl Sub for Micros {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

/// The length of time that a number of seconds states, such as `6`, `6.006` or `.5`, to the nearest
/// microsecond; absent where it is no such number, or does not fit.
#[must_use]
pub fn duration(seconds: &str) -> Option<Micros> {
    let seconds = seconds.trim();
    let (whole, decimals) = seconds.split_once('.').unwrap_or((seconds, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(decimals) || (whole.is_empty() && decimals.is_empty()) {
        return None;
    }
    let whole: u64 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    let digit = |place| decimals.as_bytes().get(place).map_or(0, |digit| u64::from(digit - b'0'));
    let micros = (0..6).fold(0, |micros, place| micros * 10 + digit(place));
    let rounding = u64::from(digit(6) >= 5);
    whole.checked_mul(1_000_000)?.checked_add(micros + rounding).map(Micros)
}

/// A target duration: whole seconds (RFC 8216 section 4.3.3.1).
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Seconds(pub u64);

impl From<Seconds> for Micros {
    fn from(seconds: Seconds) -> Self {
        Self::from_secs(seconds.0)
    }
}

impl fmt::Display for MediaSequence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for DiscontinuitySequence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Seconds with as many decimals as it takes, such as `2` or `5.005333`.
impl fmt::Display for Micros {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, rest) = (self.0 / 1_000_000, self.0 % 1_000_000);
        if rest == 0 {
            return whole.fmt(f);
        }
        let decimals = format!("{rest:06}");
        write!(f, "{whole}.{}", decimals.trim_end_matches('0'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sequence_numbers_and_lengths_never_wrap() {
        let (first, last) = (MediaSequence(7), MediaSequence(u64::MAX));
        assert_eq!(first.after(3), MediaSequence(10));
        assert_eq!(last.after(1), last);
        assert_eq!(MediaSequence(10).since(first), 3);
        assert_eq!(first.since(last), 0);
        assert_eq!(Micros(1_999).as_millis(), 1);
        assert_eq!(Micros(2_000).as_millis(), 2);
        assert_eq!(Micros::from(Seconds(u64::MAX)), Micros(u64::MAX));
        assert_eq!((Micros(1) - Micros(2), Micros(5) - Micros(2)), (Micros(0), Micros(3)));
        let mut sum = Micros(5);
        sum += Micros(2);
        assert_eq!(sum, Micros(7));
    }

    #[test]
    fn seconds_as_written_are_a_duration() {
        for (text, micros) in [
            ("6", Some(6_000_000)),
            ("6.", Some(6_000_000)),
            (".5", Some(500_000)),
            ("5.005333", Some(5_005_333)),
            ("9.0090094", Some(9_009_009)),
            ("9.0090096", Some(9_009_010)),
            ("1.9999999", Some(2_000_000)),
            (" 6.006\t", Some(6_006_000)),
            ("0", Some(0)),
            ("000000000000000000000006.0", Some(6_000_000)),
            ("18446744073709.551615", Some(u64::MAX)),
            ("18446744073709.5516155", None),
            ("18446744073710", None),
            ("99999999999999999999", None),
            ("", None),
            (".", None),
            ("-1", None),
            ("+1", None),
            ("1e3", None),
            ("6,5", None),
            ("1.2.3", None),
            ("NaN", None),
            ("\u{0663}", None),
        ] {
            assert_eq!(duration(text), micros.map(Micros), "{text}");
        }
    }

    #[test]
    fn a_duration_shows_as_seconds() {
        for (micros, text) in
            [(0, "0"), (2_000_000, "2"), (5_005_333, "5.005333"), (1_500_000, "1.5")]
        {
            assert_eq!(Micros(micros).to_string(), text);
        }
    }
}
