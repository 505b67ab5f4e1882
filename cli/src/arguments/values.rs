//! Words of the command line that have a form: topics, patterns, durations, headers.
//!
//! What the protocol defines is parsed by `kith-wire`, so the command line knows no rule of its
//! own; here stands only what to say to somebody who got it wrong.

use crate::limits::{BENCH_MS_MAX, BENCH_MS_MIN, INTERVAL_MS_MAX, INTERVAL_MS_MIN};
use crate::listen::now_ms;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};
use kith_people::limits::NAME_BYTES_MAX;
use kith_wire::limits::{EXPIRE_AFTER_MS_MAX, REQUEST_TIMEOUT_MS_MAX};
use kith_wire::{
    Headers, MessageId, Pattern, PatternError, Protocol, ProtocolError, Since, Topic, TopicError,
};
use std::time::Duration;

/// What is printed between payloads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Separator(pub(crate) Vec<u8>);

pub(crate) fn topic(text: &str) -> Result<Topic<'static>, TopicError> {
    Topic::new(text.to_owned())
}

pub(crate) fn protocol(text: &str) -> Result<Protocol<'static>, ProtocolError> {
    Protocol::new(text.to_owned())
}

pub(crate) fn pattern(text: &str) -> Result<Pattern<'static>, PatternError> {
    Pattern::new(text.to_owned())
}

pub(crate) fn group(text: &str) -> Result<String, kith_wire::TextError> {
    kith_wire::check_group(text)?;
    Ok(text.to_owned())
}

pub(crate) fn consumer(text: &str) -> Result<String, kith_wire::TextError> {
    kith_wire::check_consumer(text)?;
    Ok(text.to_owned())
}

/// Where a durable subscription begins: so long ago, at a time of some calendar, or behind a
/// message. A time without a zone is one of this machine's.
pub(crate) fn since(text: &str) -> Result<Since, String> {
    if let Ok(id) = MessageId::from_text(text) {
        return Ok(Since::After(id));
    }
    let ago = text.trim_end_matches("ago").trim_end_matches([' ', '-']);
    if let Ok(ago) = duration(ago) {
        let ago_ms = u64::try_from(ago.as_millis()).unwrap_or(u64::MAX);
        return Ok(Since::Time(now_ms().saturating_sub(ago_ms)));
    }
    let zoned = |zoned: Result<Zoned, jiff::Error>| zoned.ok().map(|zoned| zoned.timestamp());
    let here = TimeZone::system;
    let moment = text.parse::<Timestamp>().ok();
    let moment =
        moment.or_else(|| text.parse::<DateTime>().ok().and_then(|at| zoned(at.to_zoned(here()))));
    let moment =
        moment.or_else(|| text.parse::<Date>().ok().and_then(|day| zoned(day.to_zoned(here()))));
    let ms = moment.and_then(|moment| u64::try_from(moment.as_millisecond()).ok());
    ms.map(Since::Time).ok_or_else(|| {
        "write how long ago, such as 2h, a time, such as 2026-01-31T08:00, or a message's id"
            .to_owned()
    })
}

pub(crate) fn header(text: &str) -> Result<(String, String), String> {
    let Some((key, value)) = text.split_once('=') else {
        return Err("a header is written KEY=VALUE".to_owned());
    };
    Headers::new().insert(key, value).map_err(|error| error.to_string())?;
    Ok((key.to_owned(), value.to_owned()))
}

/// A whole number and a unit, as in the daemon's configuration, and days: `500ms`, `10s`, `5m`,
/// `1h`, `30d`.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let unit = text.trim_start_matches(|c: char| c.is_ascii_digit());
    let digits = text.strip_suffix(unit).unwrap_or_default();
    if digits.is_empty() {
        return Err("write a whole number and a unit, such as 10s".to_owned());
    }
    let unit_ms = match unit.trim_start() {
        "ms" => 1,
        "s" => 1000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        "" => return Err(format!("a unit is missing: {digits}s, or ms, m, h, d")),
        _ => return Err("the units are ms, s, m, h and d".to_owned()),
    };
    let ms = digits.parse::<u64>().ok().and_then(|number| number.checked_mul(unit_ms));
    match ms {
        Some(0) => Err("it has to be longer than nothing".to_owned()),
        Some(ms) => Ok(Duration::from_millis(ms)),
        None => Err("that is longer than anything lasts".to_owned()),
    }
}

/// Whom a message is for.
pub(crate) fn destination(text: &str) -> Result<String, String> {
    kith_wire::check_destination(text).map_err(|error| error.to_string())?;
    Ok(text.to_owned())
}

/// What a friend is called.
pub(crate) fn petname(text: &str) -> Result<String, kith_people::PetnameError> {
    kith_people::Petname::new(text)?;
    Ok(text.to_owned())
}

/// What a person or a device calls itself.
pub(crate) fn person_name(text: &str) -> Result<String, String> {
    if text.trim().is_empty() {
        return Err("it has to have something in it".to_owned());
    }
    if text.len() > NAME_BYTES_MAX {
        return Err(format!("it has at most {NAME_BYTES_MAX} bytes"));
    }
    if text.chars().any(char::is_control) {
        return Err("it has no control characters".to_owned());
    }
    Ok(text.to_owned())
}

/// A number of seconds, with a fraction or without.
pub(crate) fn seconds(text: &str) -> Result<Duration, String> {
    let seconds = text.parse().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    let seconds = seconds.ok_or("write a number of seconds, such as 0.5")?;
    let range = Duration::from_millis(BENCH_MS_MIN)..=Duration::from_millis(BENCH_MS_MAX);
    if range.contains(&seconds) {
        Ok(seconds)
    } else {
        let (min, max) = (range.start().as_secs_f64(), range.end().as_secs_f64());
        Err(format!("it has to be from {min} to {max} seconds"))
    }
}

/// How long a message may be of use.
pub(crate) fn expiry(text: &str) -> Result<Duration, String> {
    at_most(text, EXPIRE_AFTER_MS_MAX, "a message can be of use for at most 30d")
}

/// How long a reply may take.
pub(crate) fn patience(text: &str) -> Result<Duration, String> {
    at_most(text, REQUEST_TIMEOUT_MS_MAX.into(), "a request can wait for at most 1h")
}

/// How often `kith top` looks.
pub(crate) fn interval(text: &str) -> Result<Duration, String> {
    let interval = at_most(text, INTERVAL_MS_MAX, "it looks at least once in 1h")?;
    let is_within = interval >= Duration::from_millis(INTERVAL_MS_MIN);
    if is_within { Ok(interval) } else { Err("it looks at most once in 100ms".to_owned()) }
}

fn at_most(text: &str, limit_ms: u64, otherwise: &str) -> Result<Duration, String> {
    let duration = duration(text)?;
    let is_within = duration <= Duration::from_millis(limit_ms);
    if is_within { Ok(duration) } else { Err(otherwise.to_owned()) }
}

/// A JSON object, as text.
pub(crate) fn object(text: &str) -> Result<String, String> {
    match serde_json::from_str(text) {
        Ok(serde_json::Value::Object(_)) => Ok(text.to_owned()),
        Ok(_) => Err("it has to be an object, such as {\"city\":\"Oslo\"}".to_owned()),
        Err(error) => Err(format!("it is not JSON: {error}")),
    }
}

/// A text in which `\n`, `\r`, `\t`, `\0` and `\\` stand for what they do in C.
pub(crate) fn separator(text: &str) -> Result<Separator, String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match (byte, byte == b'\\') {
            (_, true) => match rest.next() {
                Some(b'n') => b'\n',
                Some(b'r') => b'\r',
                Some(b't') => b'\t',
                Some(b'0') => 0,
                Some(b'\\') => b'\\',
                _ => return Err("after a backslash comes n, r, t, 0 or a backslash".to_owned()),
            },
            (byte, false) => byte,
        });
    }
    Ok(Separator(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_may_have_a_fraction() {
        assert_eq!(seconds("0.5"), Ok(Duration::from_millis(500)));
        assert_eq!(seconds("60"), Ok(Duration::from_secs(60)));
        for wrong in ["", "0", "-1", "61", "1s", "nan", "inf", "1e300", "0.001"] {
            assert!(seconds(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_pattern_without_scope_is_told_what_was_meant() {
        for (text, meant) in [
            ("chess.>", "self.chess.>"),
            ("chess", "self.chess"),
            (">", "self.>"),
            ("self", "self.>"),
            ("*", "*.>"),
            ("bt/abc.*", "bt/self.abc.*"),
            ("*/public", "*/public.>"),
        ] {
            let error = pattern(text).unwrap_err().to_string();
            assert!(error.ends_with(&format!("; did you mean `{meant}`?")), "{text}: {error}");
        }
        for text in ["", "a..b", "self.>.a", "B/self.a", "chess.>.a"] {
            assert!(!pattern(text).unwrap_err().to_string().contains("did you mean"), "{text}");
        }
        assert_eq!(pattern("bt/self.a").unwrap().to_string(), "bt/self.a");
    }

    #[test]
    fn durations_have_a_unit() {
        for (text, ms) in
            [("1ms", 1), ("10s", 10_000), ("5 m", 300_000), ("1h", 3_600_000), ("2d", 172_800_000)]
        {
            assert_eq!(duration(text), Ok(Duration::from_millis(ms)), "{text}");
        }
        assert_eq!(duration("10").unwrap_err(), "a unit is missing: 10s, or ms, m, h, d");
        for text in ["", "s", "1.5s", "-1s", "0s", "1 year", "99999999999999999999s", "٣s"] {
            assert!(duration(text).is_err(), "{text}");
        }
        assert_eq!((expiry("30d").is_ok(), expiry("31d").is_ok()), (true, false));
        assert_eq!((patience("60m").is_ok(), patience("2h").is_ok()), (true, false));
    }

    #[test]
    fn moments_are_long_ago_on_a_calendar_or_a_message() {
        let time = |text: &str| match since(text) {
            Ok(Since::Time(ms)) => ms,
            other => panic!("{text}: {other:?}"),
        };
        assert_eq!(time("2026-01-31T08:00:00Z"), 1_769_846_400_000);
        assert_eq!(time("2026-01-31T08:00:00.5+01:00"), 1_769_842_800_500);
        let day_ms = 86_400_000;
        assert!(time("2026-01-31 08:00").abs_diff(1_769_846_400_000) <= day_ms);
        assert!(time("2026-01-31").abs_diff(1_769_817_600_000) <= day_ms);
        for text in ["2h", "2h ago", "2h-ago", "120m"] {
            assert!(now_ms().abs_diff(time(text)).abs_diff(7_200_000) < 60_000, "{text}");
        }
        let id = "018bcfe5-6800-7707-8707-070707070707";
        assert_eq!(since(id), Ok(Since::After(MessageId::from_text(id).unwrap())));
        for text in ["", "ago", "yesterday", "7", "1969-12-31T00:00:00Z", "2026-13-01"] {
            assert!(since(text).is_err(), "{text}");
        }
    }

    #[test]
    fn names_have_something_in_them_and_an_end() {
        for text in ["Ada", "Ada Lovelace", "漢字", &"x".repeat(64)] {
            assert_eq!(person_name(text), Ok(text.to_owned()));
        }
        for text in ["", " ", "a\u{1b}b", &"x".repeat(65)] {
            assert!(person_name(text).is_err(), "{text:?}");
        }
        assert_eq!((petname("bob").is_ok(), petname("self").is_ok()), (true, false));
        assert_eq!((destination("bob/phone").is_ok(), destination("").is_ok()), (true, false));
    }

    #[test]
    fn settings_are_an_object() {
        assert_eq!(object("{\"a\": 1}"), Ok("{\"a\": 1}".to_owned()));
        for text in ["", "1", "[]", "{"] {
            assert!(object(text).is_err(), "{text}");
        }
    }

    #[test]
    fn headers_are_pairs() {
        assert_eq!(header("a=b=c"), Ok(("a".into(), "b=c".into())));
        assert_eq!(header("a="), Ok(("a".into(), String::new())));
        for text in ["a", "=b", "A=b", "a=\u{1b}"] {
            assert!(header(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn separators_can_be_what_a_shell_can_not_write() {
        assert_eq!(separator("\\0"), Ok(Separator(vec![0])));
        assert_eq!(separator("a\\n\\t\\r\\\\ä"), Ok(Separator("a\n\t\r\\ä".into())));
        assert!(separator("\\").is_err());
        assert!(separator("\\x").is_err());
    }
}
