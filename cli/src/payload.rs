//! From what somebody typed, or a file holds, to the payload of a message.
//!
//! A JSON value is checked before anything is sent, so that the error names a line and a column of
//! what was given, not of what the daemon got. Its white space is taken out only where it has to
//! be: an `ms` payload has no line breaks. Otherwise it is published as it was written.

use crate::exit_code;
use crate::failure::Failure;
use kith_wire::{Protocol, check_ms, compact_json};
use serde::de::IgnoredAny;

/// What a payload is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// Bytes of this protocol, as they are.
    Bytes(Protocol<'static>),
    /// One JSON value.
    Json,
    /// Text that becomes a JSON string.
    Text,
}

/// Why something is no payload.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PayloadFault {
    #[error("the payload is empty, which is not JSON")]
    Empty,
    #[error("the payload is not JSON at line {line}, column {column}: {reason}")]
    NotJson { line: usize, column: usize, reason: String },
    #[error("the payload is not UTF-8 from byte {0}")]
    NotText(usize),
    #[error("{0}")]
    Refused(kith_wire::PayloadError),
}

impl Format {
    /// As `--text` and `--protocol` say.
    pub(crate) fn new(is_text: bool, protocol: Option<Protocol<'static>>) -> Self {
        match protocol {
            Some(protocol) if !protocol.is_ms() => Self::Bytes(protocol),
            _ if is_text => Self::Text,
            _ => Self::Json,
        }
    }

    /// The protocol that messages of it have.
    pub(crate) fn protocol(&self) -> &str {
        match self {
            Self::Bytes(protocol) => protocol.as_str(),
            Self::Json | Self::Text => "ms",
        }
    }

    /// What is asked where nothing is said.
    pub(crate) fn nothing(&self) -> Vec<u8> {
        match self {
            Self::Bytes(_) => Vec::new(),
            Self::Json => b"null".to_vec(),
            Self::Text => b"\"\"".to_vec(),
        }
    }

    /// Makes a payload of what was given.
    pub(crate) fn payload(&self, given: Vec<u8>) -> Result<Vec<u8>, PayloadFault> {
        match self {
            Self::Bytes(_) => Ok(given),
            Self::Json => json(text_of(&given)?).map(String::into_bytes),
            Self::Text => {
                let text = text_of(&given)?;
                let text = text.strip_suffix('\n').unwrap_or(text);
                let text = text.strip_suffix('\r').unwrap_or(text);
                Ok(serde_json::Value::from(text).to_string().into_bytes())
            }
        }
    }
}

fn text_of(given: &[u8]) -> Result<&str, PayloadFault> {
    std::str::from_utf8(given).map_err(|error| PayloadFault::NotText(error.valid_up_to()))
}

fn json(text: &str) -> Result<String, PayloadFault> {
    let trimmed = text.trim_matches([' ', '\t', '\r', '\n']);
    if trimmed.is_empty() {
        return Err(PayloadFault::Empty);
    }
    serde_json::from_str::<IgnoredAny>(text).map_err(|error| not_json(&error))?;
    let payload =
        if trimmed.contains(['\r', '\n']) { compact_json(trimmed) } else { trimmed.to_owned() };
    check_ms(payload.as_bytes()).map_err(PayloadFault::Refused)?;
    Ok(payload)
}

fn not_json(error: &serde_json::Error) -> PayloadFault {
    let said = error.to_string();
    let end = said.rfind(" at line ").unwrap_or(said.len());
    let reason = said.get(..end).unwrap_or(&said).to_owned();
    PayloadFault::NotJson { line: error.line(), column: error.column(), reason }
}

impl From<PayloadFault> for Failure {
    fn from(fault: PayloadFault) -> Self {
        let failure = Self::new(exit_code::BAD_DATA, fault.to_string());
        match fault {
            PayloadFault::Refused(_) => failure,
            PayloadFault::NotText(_) => failure.hint("--protocol NAME publishes bytes as they are"),
            PayloadFault::Empty | PayloadFault::NotJson { .. } => {
                failure.hint("--text publishes it as a JSON string, --protocol NAME as bytes")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(format: &Format, text: &str) -> Result<String, PayloadFault> {
        format.payload(text.into()).map(|payload| String::from_utf8(payload).unwrap())
    }

    #[test]
    fn json_is_published_as_it_was_written() {
        for (given, payload) in [
            ("{ \"a\" : 1 }", "{ \"a\" : 1 }"),
            ("  1.50 \n", "1.50"),
            ("{\n  \"a b\": [1, 2],\r\n\t\"c\": \" \"\n}\n", "{\"a b\":[1,2],\"c\":\" \"}"),
            ("1e999", "1e999"),
        ] {
            assert_eq!(read(&Format::Json, given).as_deref(), Ok(payload), "{given:?}");
        }
    }

    #[test]
    fn what_is_not_json_is_told_where() {
        let place = |text| match read(&Format::Json, text) {
            Err(PayloadFault::NotJson { line, column, .. }) => (line, column),
            other => panic!("{text:?}: {other:?}"),
        };
        assert_eq!(place("hello"), (1, 1));
        assert_eq!(place("{\n  \"a\": x\n}"), (2, 8));
        assert_eq!(place("1 2"), (1, 3));
        assert_eq!(read(&Format::Json, " \n"), Err(PayloadFault::Empty));
        let error = read(&Format::Json, "hello").unwrap_err().to_string();
        assert_eq!(error, "the payload is not JSON at line 1, column 1: expected value");
        let depth = kith_wire::limits::PAYLOAD_DEPTH_MAX + 1;
        assert!(read(&Format::Json, &("[".repeat(depth) + &"]".repeat(depth))).is_err());
        assert_eq!(Format::Json.payload(vec![b'"', 0xff]), Err(PayloadFault::NotText(1)));
    }

    #[test]
    fn text_becomes_a_json_string() {
        for (given, payload) in [
            ("hello\n", "\"hello\""),
            ("two\nlines\r\n", "\"two\\nlines\""),
            ("a\"\\\u{1b}", "\"a\\\"\\\\\\u001b\""),
            ("", "\"\""),
        ] {
            assert_eq!(read(&Format::Text, given).as_deref(), Ok(payload), "{given:?}");
        }
    }

    #[test]
    fn bytes_stay_as_they_are() {
        let format = Format::new(false, Some(Protocol::BT));
        assert_eq!(format.payload(vec![0xff, b'\n']), Ok(vec![0xff, b'\n']));
        assert_eq!((format.protocol(), format.nothing()), ("bt", vec![]));
        assert_eq!(Format::new(false, Some(Protocol::MS)), Format::Json);
        assert_eq!(Format::new(true, None).protocol(), "ms");
    }
}
