//! Times, as people write and read them.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use der::DateTime;

/// Now, in seconds since the Unix epoch.
pub(crate) fn now() -> u64 {
    // A clock before 1970 finds all collateral not yet valid, as it should.
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

/// As RFC 3339 has it, in UTC; a number where that has none.
pub(crate) fn shown(seconds: u64) -> String {
    match DateTime::from_unix_duration(Duration::from_secs(seconds)) {
        Ok(date) => date.to_string(),
        Err(_) => format!("{seconds} s after 1970"),
    }
}

/// Seconds since the Unix epoch, or RFC 3339.
pub(crate) fn parse(text: &str) -> Result<u64, String> {
    const FORMS: &str = "write seconds since 1970, such as 1751328000, or a time such as 2025-07-01T00:00:00Z";
    /// The end of the year 9999. What is beyond counts milliseconds.
    const LAST: u64 = 253_402_300_799;
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return match text.parse() {
            Ok(seconds) if seconds <= LAST => Ok(seconds),
            _ => Err(format!("{text} s after 1970 is after the year 9999: are these milliseconds? {FORMS}")),
        };
    }
    rfc3339(text).ok_or_else(|| match text.len() {
        10 if text.is_ascii() && date(text).is_some() => {
            format!("a day alone is no time: write {text}T00:00:00Z, for its beginning")
        }
        19 if text.is_ascii() && rfc3339(&format!("{text}Z")).is_some() => {
            format!("this says no time zone: write {}Z, for UTC", text.replace(' ', "T"))
        }
        _ => format!("this is no time: {FORMS}"),
    })
}

/// Seconds, or a number of seconds (s), minutes (m), hours (h) or days (d).
pub(crate) fn duration(text: &str) -> Result<u64, String> {
    let (number, unit) = match text.find(|character: char| !character.is_ascii_digit()) {
        Some(at) => text.split_at(at),
        None => (text, "s"),
    };
    let seconds = match unit {
        "s" => Some(1),
        "m" => Some(60),
        "h" => Some(60 * 60),
        "d" => Some(24 * 60 * 60),
        _ => None,
    };
    let product = number.parse::<u64>().ok().zip(seconds).and_then(|(number, seconds)| number.checked_mul(seconds));
    product.ok_or_else(|| format!("`{text}` is no duration: write seconds, or a number with s, m, h or d, such as 7d"))
}

/// In the largest unit of which it is a whole number.
pub(crate) fn duration_shown(seconds: u64) -> String {
    let units = [(24 * 60 * 60, "d"), (60 * 60, "h"), (60, "m")];
    match units.into_iter().find(|(unit, _)| seconds >= *unit && seconds.is_multiple_of(*unit)) {
        Some((unit, name)) => format!("{}{name}", seconds / unit),
        None => format!("{seconds}s"),
    }
}

/// Fractions of a second are dropped.
fn rfc3339(text: &str) -> Option<u64> {
    if !text.is_ascii() {
        return None;
    }
    let (day, rest) = text.split_at_checked(10)?;
    let (year, month, day) = date(day)?;
    let rest = rest.strip_prefix(['T', 't', ' '])?;
    let (clock, rest) = rest.split_at_checked(8)?;
    let [hour, minute, second] = numbers(clock, ':', [2, 2, 2])?;
    let zone = match rest.strip_prefix('.') {
        Some(fraction) => {
            let zone = fraction.trim_start_matches(|digit: char| digit.is_ascii_digit());
            (zone.len() < fraction.len()).then_some(zone)?
        }
        None => rest,
    };
    let utc = DateTime::new(year, month, day, hour as u8, minute as u8, second as u8).ok()?.unix_duration().as_secs();
    let (east, offset) = match zone.split_at_checked(1)? {
        ("Z" | "z", "") => return Some(utc),
        ("+", offset) => (true, offset),
        ("-", offset) => (false, offset),
        _ => return None,
    };
    let [hours, minutes] = numbers(offset, ':', [2, 2])?;
    if hours > 23 || minutes > 59 {
        return None;
    }
    let offset = u64::from(hours) * 3600 + u64::from(minutes) * 60;
    if east {
        utc.checked_sub(offset)
    } else {
        utc.checked_add(offset)
    }
}

fn date(text: &str) -> Option<(u16, u8, u8)> {
    let [year, month, day] = numbers(text, '-', [4, 2, 2])?;
    // Two digits each.
    let (month, day) = (month as u8, day as u8);
    DateTime::new(year, month, day, 0, 0, 0).ok().map(|_| (year, month, day))
}

/// Numbers of so many digits each.
fn numbers<const N: usize>(text: &str, between: char, digits: [usize; N]) -> Option<[u16; N]> {
    let mut parts = text.split(between);
    let mut numbers = [0; N];
    for (number, digits) in numbers.iter_mut().zip(digits) {
        let part = parts.next()?;
        let fits = part.len() == digits && part.bytes().all(|byte| byte.is_ascii_digit());
        *number = fits.then(|| part.parse().ok())??;
    }
    parts.next().is_none().then_some(numbers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_seconds_or_rfc_3339() {
        let noon = 1_751_371_200;
        for text in [
            "1751371200",
            "2025-07-01T12:00:00Z",
            "2025-07-01t12:00:00z",
            "2025-07-01 12:00:00Z",
            "2025-07-01T12:00:00.999Z",
            "2025-07-01T14:00:00+02:00",
            "2025-07-01T06:30:00-05:30",
        ] {
            assert_eq!(parse(text), Ok(noon), "{text}");
        }
        assert_eq!(shown(noon), "2025-07-01T12:00:00Z");
        assert_eq!(parse(&shown(0)), Ok(0));
        assert_eq!(shown(u64::MAX), "18446744073709551615 s after 1970");
    }

    #[test]
    fn a_time_in_another_form_is_told_with_what_to_write() {
        for (text, says) in [
            ("", "this is no time: write seconds since 1970"),
            ("yesterday", "this is no time"),
            ("2025-07-01", "write 2025-07-01T00:00:00Z"),
            ("2025-07-01T12:00:00", "write 2025-07-01T12:00:00Z, for UTC"),
            ("2025-07-01 12:00:00", "write 2025-07-01T12:00:00Z, for UTC"),
            ("2025-02-30T12:00:00Z", "this is no time"),
            ("2025-07-01T12:00:00.Z", "this is no time"),
            ("2025-07-01T12:00:00+0200", "this is no time"),
            ("2025-07-01T24:00:00Z", "this is no time"),
            ("1969-12-31T23:59:59Z", "this is no time"),
            ("1970-01-01T00:00:00+01:00", "this is no time"),
            ("01.07.2025", "this is no time"),
            ("-1", "this is no time"),
            ("1751371200000", "are these milliseconds?"),
            ("99999999999999999999", "are these milliseconds?"),
            ("２０２５-07-01T12:00:00Z", "this is no time"),
        ] {
            let error = parse(text).expect_err(text);
            assert!(error.contains(says), "{text}: {error}");
        }
    }

    #[test]
    fn a_duration_is_seconds_or_has_a_unit() {
        for (text, seconds) in [("0", 0), ("90", 90), ("90s", 90), ("2m", 120), ("3h", 10_800), ("7d", 604_800)] {
            assert_eq!(duration(text), Ok(seconds));
        }
        for text in ["0s", "90s", "2m", "3h", "25h", "7d"] {
            assert_eq!(duration(text).map(duration_shown).as_deref(), Ok(text));
        }
        for text in ["", "d", "7 d", "-7d", "7w", "1.5d", "99999999999999999999d", "999999999999999999d"] {
            assert!(duration(text).expect_err(text).contains("such as 7d"));
        }
    }
}
