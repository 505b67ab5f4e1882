//! Numbers as people read them: sizes, counts, ages.

/// `bytes` in at most 8 columns: `17 B`, `1.2 KiB`, `16 MiB`.
pub(crate) fn bytes(bytes: u64) -> String {
    const UNITS: [(&str, u64); 3] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];
    for (unit, size) in UNITS {
        if bytes >= size {
            let tenths = (u128::from(bytes) * 10) / u128::from(size);
            return if tenths < 100 && tenths % 10 != 0 {
                format!("{}.{} {unit}", tenths / 10, tenths % 10)
            } else {
                format!("{} {unit}", tenths / 10)
            };
        }
    }
    format!("{bytes} B")
}

/// The bytes of something in memory.
pub(crate) fn length(bytes_in_memory: usize) -> String {
    bytes(u64::try_from(bytes_in_memory).unwrap_or(u64::MAX))
}

/// `1,234,567`.
pub(crate) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// `1 message`, `2 messages`.
pub(crate) fn messages(number: u64) -> String {
    counted(number, "message")
}

/// `1 client`, `2 clients`: of what has an s where there are many.
pub(crate) fn counted(number: u64, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{} {noun}{plural}", count(number))
}

/// So much a second, given in thousandths, in at most 6 columns: `0`, `0.3`, `12`, `9,999`,
/// `12.3k`, `1.2M`, `45G`.
pub(crate) fn rate(thousandths: u64) -> String {
    const UNITS: [(&str, u64); 3] = [("G", 1_000_000_000), ("M", 1_000_000), ("k", 1_000)];
    let whole = thousandths / 1000;
    if thousandths < 9_950 {
        // What is there at all is not nothing.
        let tenths = if thousandths == 0 { 0 } else { ((thousandths + 50) / 100).max(1) };
        let (whole, rest) = (tenths / 10, tenths % 10);
        return if rest == 0 { whole.to_string() } else { format!("{whole}.{rest}") };
    }
    if whole >= 10_000 {
        for (unit, size) in UNITS {
            if whole >= size {
                let tenths = u128::from(whole) * 10 / u128::from(size);
                return match tenths {
                    0..1000 => format!("{}.{}{unit}", tenths / 10, tenths % 10),
                    _ => format!("{}{unit}", tenths / 10),
                };
            }
        }
    }
    count((thousandths + 500) / 1000)
}

/// A span in at most 5 columns: `0ms`, `12ms`, `1.2s`, `42s`, `3m`, `5h`, `2d`.
pub(crate) fn span(ms: u64) -> String {
    let (seconds, minutes, hours) = (ms / 1000, ms / 60_000, ms / 3_600_000);
    match ms {
        0..1000 => format!("{ms}ms"),
        1000..10_000 => format!("{seconds}.{}s", ms % 1000 / 100),
        10_000..60_000 => format!("{seconds}s"),
        60_000..3_600_000 => format!("{minutes}m"),
        3_600_000..172_800_000 => format!("{hours}h"),
        _ => format!("{}d", hours / 24),
    }
}

/// A measured time: `850 ns`, `45 µs`, `1.2 ms`, `3.4 s`.
pub(crate) fn nanoseconds(ns: u64) -> String {
    const UNITS: [(&str, u64); 3] = [("s", 1_000_000_000), ("ms", 1_000_000), ("µs", 1_000)];
    for (unit, size) in UNITS {
        if ns >= size {
            let tenths = ns / (size / 10);
            return if tenths < 100 {
                format!("{}.{} {unit}", tenths / 10, tenths % 10)
            } else {
                format!("{} {unit}", tenths / 10)
            };
        }
    }
    format!("{ns} ns")
}

/// How long something has been running: `42 s`, `3 min 7 s`, `2 h 13 min`, `5 d 4 h`.
pub(crate) fn age(ms: u64) -> String {
    let seconds = ms / 1000;
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{minutes} min {} s", seconds % 60),
        3600..86_400 => format!("{hours} h {} min", minutes % 60),
        _ => format!("{days} d {} h", hours % 24),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_short() {
        for (size, shown) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1 KiB"),
            (1229, "1.2 KiB"),
            (10_300, "10 KiB"),
            (16 << 20, "16 MiB"),
            (3 << 29, "1.5 GiB"),
        ] {
            assert_eq!(bytes(size), shown);
        }
        assert_eq!(length(7), "7 B");
    }

    #[test]
    fn rates_are_short() {
        for (thousandths, shown) in [
            (0, "0"),
            (1, "0.1"),
            (300, "0.3"),
            (1_000, "1"),
            (9_949, "9.9"),
            (9_951, "10"),
            (12_400, "12"),
            (9_999_000, "9,999"),
            (12_345_000, "12.3k"),
            (999_999_000, "999k"),
            (1_250_000_000, "1.2M"),
            (45_600_000_000_000, "45.6G"),
        ] {
            assert_eq!(rate(thousandths), shown, "{thousandths}");
        }
        assert!(rate(u64::MAX).len() <= 12);
    }

    #[test]
    fn thousands_are_parted() {
        let shown = [0, 999, 1000, 12_345, 1_234_567].map(count);
        assert_eq!(shown, ["0", "999", "1,000", "12,345", "1,234,567"]);
        assert_eq!((messages(1), messages(1000)), ("1 message".into(), "1,000 messages".into()));
        assert_eq!([0, 1].map(|n| counted(n, "client")), ["0 clients", "1 client"]);
    }

    #[test]
    fn measured_times_have_two_digits_or_more() {
        let shown = [0, 999, 1_000, 45_678, 1_250_000, 99_999_999, 3_400_000_000].map(nanoseconds);
        let expected = ["0 ns", "999 ns", "1.0 µs", "45 µs", "1.2 ms", "99 ms", "3.4 s"];
        assert_eq!(shown, expected);
    }

    #[test]
    fn spans_and_ages_grow_coarser() {
        let spans = [0, 999, 1250, 59_999, 61_000, 7_200_000, 200_000_000, u64::MAX / 1000];
        let shown = spans.map(span);
        assert_eq!(shown[..7], ["0ms", "999ms", "1.2s", "59s", "1m", "2h", "2d"]);
        let ages = [42_000, 187_000, 8_000_000, 446_400_000].map(age);
        assert_eq!(ages, ["42 s", "3 min 7 s", "2 h 13 min", "5 d 4 h"]);
    }
}
