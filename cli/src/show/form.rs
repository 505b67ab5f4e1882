//! The forms in which messages are printed: for a person, for a program, or as they are.

use crate::show::line::{self, Setting};
use crate::show::{json, tap};
use kith_wire::Delivery;

/// How messages are printed.
#[derive(Clone, Debug)]
pub(crate) enum Form {
    /// One JSON object a line.
    Json,
    /// A line for a person.
    Lines(Setting),
    /// Payloads as they are, with this after each; without it, a line feed after JSON.
    Raw(Option<Vec<u8>>),
    /// A row of a table.
    Rows(Setting),
    /// One JSON object a line, with what the table tells beside the message.
    RowsAsJson,
}

impl Form {
    /// Appends a message. `columns` is how wide the terminal is at this moment, if there is one.
    pub(crate) fn message(
        &self,
        out: &mut Vec<u8>,
        delivery: &Delivery<'_>,
        now_ms: u64,
        columns: Option<usize>,
    ) {
        match self {
            Self::Json => json::message(out, delivery, &[]),
            Self::Lines(setting) => {
                out.extend_from_slice(line::message(delivery, now_ms, setting).as_bytes());
            }
            Self::Raw(separator) => raw(out, delivery, separator.as_deref()),
            Self::Rows(setting) => {
                let row = tap::message(delivery, now_ms, columns, setting);
                out.extend_from_slice(row.as_bytes());
            }
            Self::RowsAsJson => {
                let bytes = u64::try_from(delivery.payload.len()).unwrap_or(u64::MAX);
                json::message(out, delivery, &[("received_at", now_ms), ("bytes", bytes)]);
            }
        }
    }

    /// Whether notices belong among the messages.
    pub(crate) fn is_json(&self) -> bool {
        matches!(self, Self::Json | Self::RowsAsJson)
    }
}

/// Appends a payload as it is.
pub(crate) fn raw(out: &mut Vec<u8>, delivery: &Delivery<'_>, separator: Option<&[u8]>) {
    out.extend_from_slice(delivery.payload);
    match separator {
        Some(separator) => out.extend_from_slice(separator),
        None if delivery.protocol.is_ms() => out.push(b'\n'),
        None => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::show::tests::{delivery, full};

    #[test]
    fn raw_is_the_payload_and_a_line_feed_where_that_is_safe() {
        let (ms, bytes) = (delivery("a", b"{}"), full());
        for (separator, delivery, printed) in [
            (None, &ms, &b"{}\n"[..]),
            (None, &bytes, b"\xff"),
            (Some(vec![0]), &ms, b"{}\0"),
            (Some(vec![0]), &bytes, b"\xff\0"),
        ] {
            let mut out = Vec::new();
            Form::Raw(separator).message(&mut out, delivery, 0, None);
            assert_eq!(out, printed);
        }
    }

    #[test]
    fn the_table_for_programs_has_its_own_fields_first() {
        let mut out = Vec::new();
        Form::RowsAsJson.message(&mut out, &full(), 5, None);
        assert!(out.starts_with(b"{\"received_at\":5,\"bytes\":1,\"msg_id\":"));
    }
}
