//! Lengths of time on the calendar. Invariant: a month is added as a calendar does (the day is cut to the month's last), a
//! day has 24 hours, and the calendar is that of UTC.

/// Microseconds a day.
const DAY: i64 = 86_400_000_000;

/// The longest length that is read, in months and in microseconds: twice the years there are moments of.
const MONTHS_MAX: i64 = 20_000 * 12;
const MICROS_MAX: i64 = 20_000 * 366 * DAY;

/// A length of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Length {
    pub(crate) months: i64,
    pub(crate) micros: i64,
}

impl Length {
    /// Reads ISO 8601: `P1Y2M3W4DT5H6M7.5S`, any part of it, with a sign before it if it goes back.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (sign, rest) = match text.strip_prefix('-') {
            Some(rest) => (-1, rest),
            None => (1, text.strip_prefix('+').unwrap_or(text)),
        };
        let mut rest = rest.strip_prefix(['P', 'p'])?;
        let (mut months, mut micros, mut in_time, mut last) = (0_i64, 0_i64, false, 0);
        while !rest.is_empty() {
            if let Some(time) = rest.strip_prefix(['T', 't']) {
                if in_time || time.is_empty() {
                    return None;
                }
                (in_time, rest) = (true, time);
            }
            let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
            let (number, unit) = (rest.get(..digits)?, rest.as_bytes().get(digits)?.to_ascii_uppercase());
            rest = rest.get(digits + 1..)?;
            let (order, months_each, micros_each) = match (in_time, unit) {
                (false, b'Y') => (1, 12, 0),
                (false, b'M') => (2, 1, 0),
                (false, b'W') => (3, 0, 7 * DAY),
                (false, b'D') => (4, 0, DAY),
                (true, b'H') => (5, 0, DAY / 24),
                (true, b'M') => (6, 0, DAY / 24 / 60),
                (true, b'S') => (7, 0, 1_000_000),
                _ => return None,
            };
            // Parts come in this order, and each once.
            if order <= last {
                return None;
            }
            last = order;
            if unit == b'S' {
                micros = micros.checked_add(seconds(number)?)?;
            } else {
                let number: i64 = number.parse().ok()?;
                months = months.checked_add(number.checked_mul(months_each)?)?;
                micros = micros.checked_add(number.checked_mul(micros_each)?)?;
            }
        }
        let fits = last > 0 && months <= MONTHS_MAX && micros <= MICROS_MAX;
        fits.then_some(Self { months: sign * months, micros: sign * micros })
    }

    pub(crate) fn negated(self) -> Self {
        Self { months: -self.months, micros: -self.micros }
    }
}

/// Seconds with up to six digits behind the point, as microseconds.
fn seconds(number: &str) -> Option<i64> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    if fraction.is_empty() || fraction.len() > 6 || !fraction.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let micros = fraction.parse::<i64>().ok()? * 10_i64.pow(6 - fraction.len() as u32);
    whole.parse::<i64>().ok()?.checked_mul(1_000_000)?.checked_add(micros)
}

/// The moment `months` after `micros`: the same time of the same day, or of the month's last.
#[inline]
pub(crate) fn add_months(micros: i64, months: i64) -> i64 {
    let (year, month, day) = civil(micros.div_euclid(DAY));
    let month = year * 12 + (month - 1) + months;
    let (year, month) = (month.div_euclid(12), month.rem_euclid(12) + 1);
    let days = days(year, month, day.min(month_days(year, month)));
    days.saturating_mul(DAY).saturating_add(micros.rem_euclid(DAY))
}

fn month_days(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Year, month and day of the day that is so many after 1970-01-01 (Hinnant, "chrono-compatible low-level date
/// algorithms", 2013: years begin in March, so that the leap day comes last).
fn civil(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let (era, day) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let year = year + era * 400 + i64::from(month >= 10);
    (year, if month < 10 { month + 3 } else { month - 9 }, day - (153 * month + 2) / 5 + 1)
}

/// The reverse of [`civil`].
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = year - i64::from(month <= 2);
    let (era, year) = (year.div_euclid(400), year.rem_euclid(400));
    let day = (153 * (if month > 2 { month - 3 } else { month + 9 }) + 2) / 5 + day - 1;
    era * 146_097 + year * 365 + year / 4 - year / 100 + day - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;
    use data::Zone;

    #[test]
    fn lengths() {
        let length = |months, micros| Some(Length { months, micros });
        for (text, expected) in [
            ("P1D", length(0, DAY)),
            ("P1Y2M3W4DT5H6M7.25S", length(14, 25 * DAY + 18_367_250_000)),
            ("PT1M", length(0, 60_000_000)),
            ("P1M", length(1, 0)),
            ("-P1M2D", length(-1, -2 * DAY)),
            ("p1dt1h", length(0, DAY + DAY / 24)),
            ("P", None),
            ("PT", None),
            ("P1DT", None),
            ("1D", None),
            ("P1H", None),
            ("P1D1Y", None),
            ("P1D1D", None),
            ("P1.5D", None),
            ("PT1.S", None),
            ("PT1.1234567S", None),
            ("P99999999999999999999D", None),
            ("P100000Y", None),
            ("Pé", None),
            ("", None),
        ] {
            assert_eq!(Length::parse(text), expected, "{text}");
        }
    }

    #[test]
    fn months() {
        let utc = Zone::default();
        for (from, months, to) in [
            ("2024-01-31T10:00:00Z", 1, "2024-02-29T10:00:00Z"),
            ("2023-01-31T23:59:59.5Z", 1, "2023-02-28T23:59:59.5Z"),
            ("2024-02-29T00:00:00Z", 12, "2025-02-28T00:00:00Z"),
            ("2024-03-31T00:00:00Z", -1, "2024-02-29T00:00:00Z"),
            ("1969-12-31T23:59:59Z", 2, "1970-02-28T23:59:59Z"),
            ("0001-01-01T00:00:00Z", 9998 * 12, "9999-01-01T00:00:00Z"),
            ("2000-01-15T00:00:00Z", -25, "1997-12-15T00:00:00Z"),
        ] {
            let moved = add_months(utc.parse(from).unwrap(), months);
            assert_eq!(utc.format(moved), to, "{from} and {months} months");
        }
        for day in (-800_000..3_000_000).step_by(997) {
            let (year, month, date) = civil(day);
            assert_eq!(days(year, month, date), day);
            assert_eq!(add_months(day * DAY, 0), day * DAY);
        }
    }
}
