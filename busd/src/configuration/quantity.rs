//! Sizes and durations as people write them: `16 MiB`, `500ms`, and back.
//!
//! A whole number and a unit, and nothing else. Only units that mean one thing are taken: `MB` is
//! a million bytes to some and 1,048,576 to others, so it is refused with the way out. A bare
//! number in quotes is refused for the same reason. Deliberately absent: fractions (`1.5 MiB` is
//! `1536 KiB`), and sums such as `1h30m`.

const BYTES: &[(&str, u64)] = &[("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1)];
const MILLISECONDS: &[(&str, u64)] = &[("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)];

/// Why a text is no size or no duration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QuantityError {
    /// It does not begin with a digit, or goes on with something like a fraction.
    #[error("write a whole number and a unit, such as {example:?}")]
    Number {
        /// One that is right.
        example: &'static str,
    },
    /// A number alone.
    #[error("a unit is missing after the number: add one of {units}")]
    NoUnit {
        /// Those that there are.
        units: &'static str,
    },
    /// A unit that means two things, or nothing.
    #[error("`{unit}` is not a unit here: use {units}")]
    Unit {
        /// As it was written.
        unit: String,
        /// Those that there are.
        units: &'static str,
    },
    /// More than 64 bits.
    #[error("this is more than any computer has")]
    TooLarge,
}

/// The bytes that `text` stands for, such as `16 MiB`.
pub(super) fn parse_bytes(text: &str) -> Result<u64, QuantityError> {
    parse(text, BYTES, "16 MiB", "B, KiB, MiB, GiB")
}

/// The milliseconds that `text` stands for, such as `10s`.
pub(super) fn parse_milliseconds(text: &str) -> Result<u64, QuantityError> {
    parse(text, MILLISECONDS, "10s", "ms, s, m, h")
}

fn parse(
    text: &str,
    known: &[(&str, u64)],
    example: &'static str,
    units: &'static str,
) -> Result<u64, QuantityError> {
    let text = text.trim();
    let unit = text.trim_start_matches(|c: char| c.is_ascii_digit());
    let (digits, _) = text.split_at(text.len() - unit.len());
    let unit = unit.trim_start();
    if digits.is_empty() || unit.starts_with(['.', ',', '_']) {
        return Err(QuantityError::Number { example });
    }
    // Digits alone fail to parse only where they are too many.
    let number: u64 = digits.parse().map_err(|_| QuantityError::TooLarge)?;
    if unit.is_empty() {
        return Err(QuantityError::NoUnit { units });
    }
    let Some((_, factor)) = known.iter().find(|(name, _)| *name == unit) else {
        return Err(QuantityError::Unit { unit: unit.escape_debug().to_string(), units });
    };
    number.checked_mul(*factor).ok_or(QuantityError::TooLarge)
}

/// `bytes` in the largest unit that leaves a whole number.
pub(super) fn format_bytes(bytes: u64) -> String {
    format(bytes, BYTES)
}

/// `milliseconds` in the largest unit that leaves a whole number.
pub(super) fn format_milliseconds(milliseconds: u64) -> String {
    format(milliseconds, MILLISECONDS)
}

fn format(number: u64, units: &[(&str, u64)]) -> String {
    let fits = |(_, factor): &&(&str, u64)| {
        *factor == 1 || (number >= *factor && number.is_multiple_of(*factor))
    };
    match units.iter().find(fits) {
        Some((unit, factor)) => format!("{} {unit}", number / factor),
        None => number.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read() {
        for (text, bytes) in [
            ("0 B", 0),
            ("1B", 1),
            ("64 KiB", 65_536),
            ("16MiB", 16 << 20),
            (" 4  GiB ", 4 << 30),
            ("17179869183 GiB", (u64::MAX >> 30) << 30),
        ] {
            assert_eq!(parse_bytes(text), Ok(bytes), "{text:?}");
        }
    }

    #[test]
    fn durations_are_read() {
        for (text, ms) in [("500ms", 500), ("10s", 10_000), ("5 m", 300_000), ("1h", 3_600_000)] {
            assert_eq!(parse_milliseconds(text), Ok(ms), "{text:?}");
        }
    }

    #[test]
    fn what_could_mean_two_things_is_refused() {
        let error = |text| parse_bytes(text).unwrap_err().to_string();
        assert_eq!(error("16 MB"), "`MB` is not a unit here: use B, KiB, MiB, GiB");
        assert_eq!(error("16 mib"), "`mib` is not a unit here: use B, KiB, MiB, GiB");
        let missing = "a unit is missing after the number: add one of B, KiB, MiB, GiB";
        assert_eq!(error("16"), missing);
        for text in ["", " ", "MiB", "-1 MiB", "1.5 MiB", "1_000 B", "1,000 B", "٣ B"] {
            assert_eq!(error(text), "write a whole number and a unit, such as \"16 MiB\"");
        }
        for text in ["18446744073709551616 B", "17179869184 GiB"] {
            assert_eq!(parse_bytes(text), Err(QuantityError::TooLarge), "{text:?}");
        }
        assert!(parse_milliseconds("1h30m").is_err());
        assert!(parse_milliseconds("10 sec").is_err());
        assert_eq!(error("1 \u{7}"), "`\\u{7}` is not a unit here: use B, KiB, MiB, GiB");
    }

    #[test]
    fn what_is_written_is_read_back() {
        for number in [0, 1, 500, 1000, 1024, 1536, 60_000, 90_000, 3_600_000, 16 << 20, 1 << 30] {
            let (bytes, time) = (format_bytes(number), format_milliseconds(number));
            assert_eq!(parse_bytes(&bytes), Ok(number), "{bytes}");
            assert_eq!(parse_milliseconds(&time), Ok(number), "{time}");
        }
        assert_eq!(format_bytes(1536), "1536 B");
        assert_eq!(format_bytes(3 << 29), "1536 MiB");
        assert_eq!(format_milliseconds(90_000), "90 s");
    }
}
