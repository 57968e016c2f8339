//! Moments as text: ISO 8601 in, ISO 8601 out, each in a time zone.
//! Invariant: a moment is microseconds since 1970-01-01 UTC and lies in the years 1 to 9999.

use jiff::SignedDuration;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use std::fmt::Write;

/// The first microsecond of year 1 and the last of year 9999, UTC.
const RANGE: std::ops::RangeInclusive<i64> = -62_135_596_800_000_000..=253_402_300_799_999_999;

const EPOCH: DateTime = DateTime::constant(1970, 1, 1, 0, 0, 0, 0);
/// Microseconds a second.
const SECOND: i64 = 1_000_000;

/// A time zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Zone(TimeZone);

/// Why a text is no moment, or no time zone.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ZoneError {
    /// No zone of this name is known.
    #[error(
        "invalid timezone: {0:?} is no name of the IANA time zone database, such as UTC or Asia/Shanghai"
    )]
    Unknown(String),
    /// The text is no moment.
    #[error(
        "got invalid timestamptz string: {0:?} does not match any known format, such as 2025-01-31T08:00:00+08:00"
    )]
    Moment(String),
    /// The moment is too early or too late.
    #[error("timestamptz {0:?} is out of range, its year should be in [0001, 9999]")]
    Range(String),
}

impl Default for Zone {
    fn default() -> Self {
        Self(TimeZone::UTC)
    }
}

impl Zone {
    /// The zone called `name` in the IANA database; capitals do not matter.
    ///
    /// # Errors
    /// [`ZoneError::Unknown`].
    pub fn named(name: &str) -> Result<Self, ZoneError> {
        TimeZone::get(name).map(Self).map_err(|_| ZoneError::Unknown(name.to_owned()))
    }

    /// Reads a moment: a date and a time with an offset (`2025-01-31T08:00:00+08:00`, `2025-01-31 00:00:00Z`), or without one,
    /// which is then in this zone. Of a time that a zone has twice the earlier counts; one it skips is moved past the
    /// gap.
    ///
    /// # Errors
    /// [`ZoneError::Moment`], [`ZoneError::Range`].
    pub fn parse(&self, text: &str) -> Result<i64, ZoneError> {
        let wrong = || ZoneError::Moment(text.to_owned());
        let (local, offset) = split_offset(text.trim()).ok_or_else(wrong)?;
        let local = local.parse::<DateTime>().map_err(|_| wrong())?;
        let micros = local.duration_since(EPOCH).as_micros() as i64;
        let offset = match offset {
            Some(seconds) => seconds,
            // The end of the year 9999 is out of reach of the calendar, and so of this zone's rules.
            None => {
                self.0.to_timestamp(local).map_or(0, |moment| micros.div_euclid(SECOND) - moment.as_second())
            }
        };
        let micros = micros - offset * SECOND;
        if RANGE.contains(&micros) { Ok(micros) } else { Err(ZoneError::Range(text.to_owned())) }
    }

    /// Writes the moment `micros` as RFC 3339 in this zone, with as many digits of the second as it takes; a moment
    /// outside of the years 1 to 9999 as the nearest one inside.
    pub fn format(&self, micros: i64) -> String {
        let micros = micros.clamp(*RANGE.start(), *RANGE.end());
        let moment = jiff::Timestamp::from_microsecond(micros.min(jiff::Timestamp::MAX.as_microsecond()));
        let offset = i64::from(self.0.to_offset(moment.unwrap_or_default()).seconds());
        let at = |offset: i64| EPOCH.checked_add(SignedDuration::from_micros(micros + offset * SECOND));
        // In the first and the last hours there are, an offset may lead out of the calendar.
        let in_years = |local: &DateTime| local.year() > 0;
        let (local, offset) = match at(offset).ok().filter(in_years) {
            Some(local) => (local, offset),
            None => (at(0).unwrap_or(EPOCH), 0),
        };
        let (year, month, day) = (local.year(), local.month(), local.day());
        let (hour, minute, second) = (local.hour(), local.minute(), local.second());
        let mut text = format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}");
        let fraction = local.subsec_nanosecond() / 1000;
        if fraction != 0 {
            let digits = format!("{fraction:06}");
            text.push('.');
            text.push_str(digits.trim_end_matches('0'));
        }
        let minutes = offset / 60;
        if minutes == 0 {
            text.push('Z');
        } else {
            let sign = if minutes < 0 { '-' } else { '+' };
            let (hours, rest) = (minutes.abs() / 60, minutes.abs() % 60);
            let _ = write!(text, "{sign}{hours:02}:{rest:02}");
        }
        text
    }

    /// The zone as `jiff` has it, for arithmetic on the calendar.
    pub fn time_zone(&self) -> &TimeZone {
        &self.0
    }
}

/// Cuts `Z` or `+08:00` off the end of a text: what is left, and the seconds. `None` when there is an offset that is
/// none.
fn split_offset(text: &str) -> Option<(&str, Option<i64>)> {
    if let Some(local) = text.strip_suffix(['z', 'Z']) {
        return Some((local, Some(0)));
    }
    // A sign before the first colon is one of the date.
    let Some(at) = text.find(':').and_then(|colon| text[colon..].find(['+', '-']).map(|at| colon + at))
    else {
        return Some((text, None));
    };
    let (local, offset) = (text.get(..at)?, text.get(at + 1..)?);
    let digits: String = offset.chars().filter(|sign| *sign != ':').collect();
    let is_number = (2..=4).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
    let (hours, minutes) = digits.split_at_checked(2).filter(|_| is_number)?;
    let (hours, minutes): (i64, i64) =
        (hours.parse().ok()?, if minutes.is_empty() { 0 } else { minutes.parse().ok()? });
    if hours > 23 || minutes > 59 {
        return None;
    }
    let seconds = (hours * 60 + minutes) * 60;
    Some((local, Some(if text.as_bytes()[at] == b'-' { -seconds } else { seconds })))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn moments_are_read_with_and_without_offset() {
        let shanghai = Zone::named("Asia/Shanghai").unwrap();
        let utc = Zone::default();
        let cases = [
            ("1970-01-01T00:00:00Z", &utc, 0),
            ("1970-01-01 00:00:01", &utc, 1_000_000),
            ("1970-01-01T08:00:00", &shanghai, 0),
            ("1970-01-01T08:00:00+08:00", &utc, 0),
            ("1970-01-01T00:00:00.000007Z", &shanghai, 7),
            ("0001-01-01T00:00:00Z", &utc, *RANGE.start()),
            ("9999-12-31T23:59:59.999999Z", &utc, *RANGE.end()),
        ];
        for (text, zone, micros) in cases {
            assert_eq!(zone.parse(text), Ok(micros), "{text}");
        }
        assert_eq!(shanghai.format(0), "1970-01-01T08:00:00+08:00");
        assert_eq!(utc.format(1_500_000), "1970-01-01T00:00:01.5Z");
        assert_eq!(utc.format(i64::MAX), "9999-12-31T23:59:59.999999Z");
    }

    #[test]
    fn what_is_no_moment_is_refused() {
        let utc = Zone::default();
        for text in [
            "",
            "x",
            "2025-13-01T00:00:00Z",
            "2025-02-30T00:00:00",
            "2025-01-01T25:00:00Z",
            "12345",
            "2025-01-01T00:00:00+99:00",
        ] {
            assert_eq!(utc.parse(text), Err(ZoneError::Moment(text.to_owned())), "{text}");
        }
        assert!(matches!(utc.parse("0000-12-31T23:59:59Z"), Err(ZoneError::Range(_))));
        assert!(matches!(Zone::named("Nowhere/Land"), Err(ZoneError::Unknown(_))));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(micros in RANGE, name in prop::sample::select(&["UTC", "Asia/Kolkata", "America/New_York"][..])) {
            let zone = Zone::named(name).unwrap();
            // Offsets of the nineteenth century have seconds, which this form has not.
            prop_assume!(zone.0.to_offset(jiff::Timestamp::from_microsecond(micros).unwrap_or_default()).seconds() % 60 == 0);
            let text = zone.format(micros);
            prop_assert_eq!(Zone::default().parse(&text), Ok(micros), "{}", text);
        }

        #[test]
        fn texts_never_panic(text in ".{0,40}") {
            let _ = Zone::default().parse(&text);
            let _ = Zone::named(&text);
        }
    }
}
