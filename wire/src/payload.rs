//! What an `ms` payload must be, and the one check of it.
//!
//! A payload of protocol `ms` is one JSON value on one line. It is checked where it enters and then
//! passed on byte by byte, into JSON lines too; so a payload that slipped through with a line feed in
//! it could forge a line to every subscriber. serde_json checks the grammar; depth and line breaks,
//! which it doesn't limit here, are checked in one pass over the text.

use crate::limits::PAYLOAD_DEPTH_MAX;
use memchr::memchr3_iter;
use serde_json::value::RawValue;

/// Why bytes are not an `ms` payload.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PayloadError {
    /// Not one JSON value.
    #[error("the payload is not JSON at byte {at}: {reason}; other bytes need another protocol")]
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
        }
    }
}

/// Whether `payload` is one JSON value in UTF-8, on one line, nested at most 128 deep.
///
/// # Errors
/// Says what is wrong, and at which byte.
pub fn check_ms(payload: &[u8]) -> Result<(), PayloadError> {
    let text =
        std::str::from_utf8(payload).map_err(|error| PayloadError::NotUtf8(error.valid_up_to()))?;
    check_depth(payload)?;
    match serde_json::from_str::<&RawValue>(text) {
        Ok(_) => Ok(()),
        Err(error) => Err(PayloadError::NotJson {
            at: offset_of(payload, error.line(), error.column()),
            reason: reason_of(&error),
        }),
    }
}

/// What the JSON parser says, without the place, which is given as an offset.
pub(crate) fn reason_of(error: &serde_json::Error) -> String {
    let text = error.to_string();
    match text.rfind(" at line ") {
        Some(end) => text.get(..end).unwrap_or(&text).to_owned(),
        None => text,
    }
}

/// Turns the JSON parser's line and column (both from 1) into an offset.
pub(crate) fn offset_of(text: &[u8], line: usize, column: usize) -> usize {
    let start = match line {
        0 | 1 => 0,
        line => memchr::memchr_iter(b'\n', text).nth(line - 2).map_or(0, |at| at + 1),
    };
    (start + column.saturating_sub(1)).min(text.len())
}

/// Line breaks and depth. Strings are skipped whole; whatever else is wrong, the parser finds.
pub(crate) fn check_depth(text: &[u8]) -> Result<(), PayloadError> {
    if let Some(at) = memchr::memchr2(b'\n', b'\r', text) {
        return Err(PayloadError::LineBreak(at));
    }
    // No more brackets than that can't nest deeper.
    if text.len() <= PAYLOAD_DEPTH_MAX || opens(text) <= PAYLOAD_DEPTH_MAX {
        return Ok(());
    }
    let mut depth = 0_usize;
    let mut in_string = false;
    let mut escaped = false;
    for (at, byte) in text.iter().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            _ if in_string => {}
            b'[' | b'{' => {
                depth += 1;
                if PAYLOAD_DEPTH_MAX < depth {
                    return Err(PayloadError::TooDeep(at));
                }
            }
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    Ok(())
}

/// Opening brackets, in strings too, counted up to one over the limit.
fn opens(text: &[u8]) -> usize {
    memchr3_iter(b'[', b'{', b'[', text).take(PAYLOAD_DEPTH_MAX + 1).count()
}

/// Takes the white space between the tokens out of a JSON text, so that it fits one line.
///
/// Strings stay as they are. What is not JSON comes out as something that isn't either.
#[must_use]
pub fn compact_json(text: &str) -> String {
    let mut compact = String::with_capacity(text.len());
    let mut in_string = false;
    let mut escaped = false;
    for c in text.chars() {
        match c {
            _ if escaped => escaped = false,
            '\\' if in_string => escaped = true,
            '"' => in_string = !in_string,
            ' ' | '\t' | '\r' | '\n' if !in_string => continue,
            _ => {}
        }
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
        for (text, at) in [("", 0), ("{} {}", 3), ("{\"a\":}", 5), ("[1,]", 3), ("nul", 2)] {
            match check_ms(text.as_bytes()) {
                Err(PayloadError::NotJson { at: found, .. }) => assert_eq!(found, at, "{text:?}"),
                other => panic!("{text:?}: {other:?}"),
            }
        }
        assert_eq!(check_ms(b"\"\xff\""), Err(PayloadError::NotUtf8(1)));
        assert!(check_ms(b"\"a\x01\"").is_err());
    }

    #[test]
    fn depth_is_bounded_and_strings_do_not_count() {
        let deep = |n: usize| format!("{}{}", "[".repeat(n), "]".repeat(n));
        assert_eq!(check_ms(deep(128).as_bytes()), Ok(()));
        assert_eq!(check_ms(deep(129).as_bytes()), Err(PayloadError::TooDeep(128)));
        let wide = format!("[{}[]]", "[],".repeat(500));
        assert_eq!(check_ms(wide.as_bytes()), Ok(()));
        assert_eq!(check_ms(format!("\"{}\"", "[".repeat(500)).as_bytes()), Ok(()));
    }

    #[test]
    fn compact_json_keeps_strings() {
        let pretty = "{\n  \"a b\": [1, 2],\r\n\t\"c\\\" d\": \" \"\n}";
        assert_eq!(compact_json(pretty), "{\"a b\":[1,2],\"c\\\" d\":\" \"}");
    }
}
