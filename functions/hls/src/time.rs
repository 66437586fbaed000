//! Moments.

use crate::Micros;
use chrono::DateTime;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::ops::Add;

/// A moment: microseconds since 1970-01-01T00:00:00Z. `Display` is RFC 3339 with milliseconds.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Timestamp(pub u64);

impl Timestamp {
    /// The moment that an `EXT-X-PROGRAM-DATE-TIME` states (RFC 8216 section 4.3.2.6); absent where it
    /// is not a date with a time zone, or lies before 1970.
    #[must_use]
    pub fn from_date_time(text: &str) -> Option<Self> {
        let text = text.trim();
        // Offsets without a colon (ISO 8601's basic form) are common.
        let moment = DateTime::parse_from_rfc3339(text)
            .or_else(|_| DateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f%#z"))
            .ok()?;
        u64::try_from(moment.timestamp_micros()).ok().map(Self)
    }

    /// The time that has passed since `earlier`; zero when it is not earlier.
    #[must_use]
    pub fn since(self, earlier: Self) -> Micros {
        Micros(self.0.saturating_sub(earlier.0))
    }

    /// Whole seconds since 1970.
    #[must_use]
    pub const fn as_secs(self) -> u64 {
        self.0 / 1_000_000
    }
}

impl Add<Micros> for Timestamp {
    type Output = Self;
    fn add(self, span: Micros) -> Self {
        Self(self.0.saturating_add(span.0))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.as_secs();
        let (days, of_day) = (seconds / 86_400, seconds % 86_400);
        // Days to a date of the proleptic Gregorian calendar, years beginning in March so that the
        // leap day is the last of its year.
        let shifted = days + 719_468;
        let era = shifted / 146_097;
        let of_era = shifted % 146_097;
        let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let from_march = (5 * of_year + 2) / 153;
        let day = of_year - (153 * from_march + 2) / 5 + 1;
        let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
        let year = era * 400 + year_of_era + u64::from(month <= 2);
        write!(
            f,
            "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}.{:03}Z",
            of_day / 3_600,
            of_day / 60 % 60,
            of_day % 60,
            self.0 / 1_000 % 1_000
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_shows_as_rfc_3339() {
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_400, "2000-02-29T00:00:00.000Z"),
            (1_763_709_000, "2025-11-21T07:10:00.000Z"),
            (4_107_542_399, "2100-02-28T23:59:59.000Z"),
        ] {
            assert_eq!(Timestamp(seconds * 1_000_000).to_string(), text);
        }
    }

    #[test]
    fn every_day_of_a_cycle_of_the_calendar_shows_as_it_is_called() {
        for day in 0..=157_600 {
            let moment = Timestamp((day * 86_400 + day % 86_400) * 1_000_000 + 123_456);
            let known = DateTime::from_timestamp_micros(i64::try_from(moment.0).unwrap()).unwrap();
            let expected = known.format("%Y-%m-%dT%H:%M:%S%.3fZ").to_string();
            assert_eq!(moment.to_string(), expected, "day {day}");
        }
        assert_eq!(Timestamp(157_600 * 86_400_000_000).to_string(), "2401-06-30T00:00:00.000Z");
    }

    #[test]
    fn a_moment_is_so_long_after_another() {
        let (earlier, span) = (Timestamp(1_000), Micros(234));
        assert_eq!(earlier + span, Timestamp(1_234));
        assert_eq!((earlier + span).since(earlier), span);
        assert_eq!(earlier.since(earlier + span), Micros(0));
    }

    #[test]
    fn a_program_date_time_is_a_moment() {
        for (text, micros) in [
            ("1970-01-01T00:00:01Z", Some(1_000_000)),
            ("2000-02-29T01:00:00.500+01:00", Some(951_782_400_500_000)),
            ("2000-02-29T01:00:00.500+0100", Some(951_782_400_500_000)),
            ("2000-02-29T01:00:00+01", Some(951_782_400_000_000)),
            (" 2000-02-28T22:30:00.123456789-01:30 ", Some(951_782_400_123_456)),
            ("2000-02-29T00:00:00", None),
            ("2000-02-30T00:00:00Z", None),
            ("1969-12-31T23:59:59Z", None),
            ("yesterday", None),
        ] {
            assert_eq!(Timestamp::from_date_time(text), micros.map(Timestamp), "{text}");
        }
    }
}
