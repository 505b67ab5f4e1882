//! What an `ms` payload must be, and the one check of it.
//!
//! A payload of protocol `ms` is one JSON value on one line. It is checked where it enters and then
//! passed on byte by byte, into JSON lines too; so a payload that slipped through with a line feed
//! in it could forge a line to every subscriber. serde_json checks the grammar; depth and line
//! breaks, which it doesn't limit here, are checked in one pass over the text.

use crate::limits::{PAYLOAD_DEPTH_MAX, REASON_CHARS_MAX};
use crate::text::shown;
use memchr::{memchr2, memchr2_iter};
use serde_json::value::RawValue;

/// Why bytes are not an `ms` payload.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PayloadError {
    /// No bytes at all.
    #[error(
        "the payload is empty; only with `retain` may it be, and then it removes the kept value"
    )]
    Empty,
    /// Not one JSON value.
    #[error(
        "the payload is not JSON at byte {at}: {reason}. A text goes in quotes, \"hi\"; anything \
         else needs another protocol"
    )]
    NotJson {
        /// Offset in the payload.
        at: usize,
        /// What the JSON parser says.
        reason: String,
    },
    /// Not UTF-8.
    #[error("the payload is not UTF-8 from byte {0}; other bytes need another protocol")]
    NotUtf8(usize),
    /// A carriage return or line feed.
    #[error("line break at byte {0} of the payload: write the JSON on one line")]
    LineBreak(usize),
    /// Nested too deep.
    #[error("the payload nests deeper than {PAYLOAD_DEPTH_MAX} at byte {0}")]
    TooDeep(usize),
}

impl PayloadError {
    /// Offset of the offending byte in the payload.
    #[must_use]
    pub fn at(&self) -> usize {
        match self {
            Self::NotJson { at, .. }
            | Self::NotUtf8(at)
            | Self::LineBreak(at)
            | Self::TooDeep(at) => *at,
            Self::Empty => 0,
        }
    }
}

/// Whether `payload` is one JSON value in UTF-8, on one line, nested at most 96 deep.
///
/// # Errors
/// Says what is wrong, and at which byte.
pub fn check_ms(payload: &[u8]) -> Result<(), PayloadError> {
    if payload.is_empty() {
        return Err(PayloadError::Empty);
    }
    let text =
        std::str::from_utf8(payload).map_err(|error| PayloadError::NotUtf8(error.valid_up_to()))?;
    check_depth(payload)?;
    match serde_json::from_str::<&RawValue>(text) {
        Ok(_) => Ok(()),
        Err(error) => {
            Err(PayloadError::NotJson { at: offset_of(payload, &error), reason: reason_of(&error) })
        }
    }
}

/// What the JSON parser says, without the place, which is given as an offset. It repeats what it
/// has read, as it was and however long.
pub(crate) fn reason_of(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let end = text.rfind(" at line ").unwrap_or(text.len());
    shown(text.get(..end).unwrap_or(&text), REASON_CHARS_MAX)
}

/// Turns the JSON parser's line and column (both from 1) into an offset.
pub(crate) fn offset_of(text: &[u8], error: &serde_json::Error) -> usize {
    let start = match error.line() {
        0 | 1 => 0,
        line => memchr::memchr_iter(b'\n', text).nth(line - 2).map_or(0, |at| at + 1),
    };
    let at = start + error.column().saturating_sub(1);
    // Of a control character in a string that it skips, the parser names the byte before.
    let is_before = |byte: &u8| *byte >= b' ' && error.to_string().starts_with("control character");
    let at = if text.get(at).is_some_and(is_before) { at + 1 } else { at };
    at.min(text.len())
}

/// Line breaks and depth. Strings are skipped whole; whatever else is wrong, the parser finds.
pub(crate) fn check_depth(text: &[u8]) -> Result<(), PayloadError> {
    if let Some(at) = memchr2(b'\n', b'\r', text) {
        return Err(PayloadError::LineBreak(at));
    }
    // No more brackets than that can't nest deeper.
    if text.len() <= PAYLOAD_DEPTH_MAX || opens(text) <= PAYLOAD_DEPTH_MAX {
        return Ok(());
    }
    let mut depth = 0_usize;
    let mut at = 0;
    while let Some(byte) = text.get(at) {
        at += 1;
        match byte {
            b'"' => at = string_end(text, at),
            b'[' | b'{' => {
                depth += 1;
                if PAYLOAD_DEPTH_MAX < depth {
                    return Err(PayloadError::TooDeep(at - 1));
                }
            }
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    Ok(())
}

/// Where the string ends of which the first character, if there is one, is at `at`.
fn string_end(text: &[u8], mut at: usize) -> usize {
    loop {
        let rest = text.get(at..).unwrap_or_default();
        let Some(found) = memchr2(b'"', b'\\', rest) else { return text.len() };
        at += found + 1;
        if rest.get(found) == Some(&b'"') {
            return at;
        }
        at += 1;
    }
}

/// Opening brackets, in strings too, counted up to one over the limit.
fn opens(text: &[u8]) -> usize {
    memchr2_iter(b'[', b'{', text).take(PAYLOAD_DEPTH_MAX + 1).count()
}

/// Takes the white space between the tokens out of a JSON text, so that it fits one line.
///
/// Strings stay as they are. What is not JSON comes out as something that isn't either: where only
/// white space parts two numbers or words, a space stays.
#[must_use]
pub fn compact_json(text: &str) -> String {
    let mut compact = String::with_capacity(text.len());
    let mut in_string = false;
    let mut escaped = false;
    let mut was_space = false;
    for c in text.chars() {
        match c {
            _ if escaped => escaped = false,
            '\\' if in_string => escaped = true,
            '"' => in_string = !in_string,
            ' ' | '\t' | '\r' | '\n' if !in_string => {
                was_space = true;
                continue;
            }
            _ => {}
        }
        let parts = |c: char| matches!(c, '{' | '}' | '[' | ']' | ',' | ':' | '"');
        if was_space && !parts(c) && compact.chars().next_back().is_some_and(|last| !parts(last)) {
            compact.push(' ');
        }
        was_space = false;
        compact.push(c);
    }
    compact
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_values_are_taken() {
        for text in ["1", "null", "\"a\"", "{\"a\":[1,2,{}]}", " {} ", "\"[[[[\\\"{{\"", "1e999"] {
            assert_eq!(check_ms(text.as_bytes()), Ok(()), "{text}");
        }
    }

    #[test]
    fn what_could_forge_a_line_is_refused() {
        for (text, at) in [("{}\n{}", 2), ("[1,\r2]", 3), ("1\n", 1), ("\"a\nb\"", 2)] {
            assert_eq!(check_ms(text.as_bytes()), Err(PayloadError::LineBreak(at)), "{text:?}");
        }
    }

    #[test]
    fn what_is_not_one_value_is_refused_at_its_byte() {
        for (text, at) in [(" ", 0), ("{} {}", 3), ("{\"a\":}", 5), ("[1,]", 3), ("nul", 2)] {
            match check_ms(text.as_bytes()) {
                Err(PayloadError::NotJson { at: found, .. }) => assert_eq!(found, at, "{text:?}"),
                other => panic!("{text:?}: {other:?}"),
            }
        }
        assert_eq!(check_ms(b""), Err(PayloadError::Empty));
        let hi = check_ms(b"hi").unwrap_err().to_string();
        assert!(hi.starts_with("the payload is not JSON at byte 0: "), "{hi}");
        assert!(hi.contains(". A text goes in quotes, \"hi\"; anything else needs"), "{hi}");
        assert_eq!(check_ms(b"\"\xff\""), Err(PayloadError::NotUtf8(1)));
        assert!(check_ms(b"\"a\x01\"").is_err());
    }

    #[test]
    fn depth_is_bounded_and_strings_do_not_count() {
        let deep = |n: usize| format!("{}{}", "[".repeat(n), "]".repeat(n));
        assert_eq!(check_ms(deep(96).as_bytes()), Ok(()));
        assert_eq!(check_ms(deep(97).as_bytes()), Err(PayloadError::TooDeep(96)));
        let wide = format!("[{}[]]", "[],".repeat(500));
        assert_eq!(check_ms(wide.as_bytes()), Ok(()));
        assert_eq!(check_ms(format!("\"{}\"", "[".repeat(500)).as_bytes()), Ok(()));
        // Brackets behind quotes that end no string, and behind one that does.
        let quoted = format!("[\"{}\"]", "\\\"[\\\\\\\"{".repeat(500));
        assert_eq!(check_ms(quoted.as_bytes()), Ok(()));
        let behind = format!("[\"\\\\\",{}", deep(96));
        assert_eq!(check_ms(behind.as_bytes()), Err(PayloadError::TooDeep(6 + 95)));
        for cut in ["\"", "\"\\", "\"\\\""] {
            let cut = format!("{}{cut}", "[],".repeat(200));
            assert!(matches!(check_ms(cut.as_bytes()), Err(PayloadError::NotJson { .. })));
        }
    }

    #[test]
    fn compact_json_joins_nothing() {
        for text in ["1 2", "[1 2]", "tru e", "- 1", "1\n2", "{\"a\":1 e5}"] {
            assert!(check_ms(compact_json(text).as_bytes()).is_err(), "{text:?}");
        }
    }

    #[test]
    fn compact_json_keeps_strings() {
        let pretty = "{\n  \"a b\": [1, 2],\r\n\t\"c\\\" d\": \" \"\n}";
        assert_eq!(compact_json(pretty), "{\"a b\":[1,2],\"c\\\" d\":\" \"}");
    }
}
