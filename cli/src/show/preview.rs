//! A payload as a person sees it.
//!
//! JSON on one line, without the white space between its tokens; other bytes as text where they
//! are, else as hexadecimal digits. Never more than asked for is looked at: a payload may have a
//! gibibyte.

use crate::limits::{HEXADECIMAL_BYTES_MAX, PREVIEW_BYTES_MAX};
use crate::show::harmless::harmless;
use crate::show::quantity;
use kith_wire::{Protocol, compact_json};
use std::fmt::Write;

/// The whole payload, however long; of bytes that are no text only the first.
pub(crate) fn whole(protocol: &Protocol<'_>, payload: &[u8]) -> String {
    let Ok(text) = std::str::from_utf8(payload) else { return hexadecimal(payload) };
    text_of(protocol, text)
}

/// The beginning of a payload, enough for any line.
pub(crate) fn beginning(protocol: &Protocol<'_>, payload: &[u8]) -> String {
    let Some(first) = payload.get(..PREVIEW_BYTES_MAX) else { return whole(protocol, payload) };
    match std::str::from_utf8(first) {
        Ok(text) => text_of(protocol, text),
        // The cut may have gone through a character.
        Err(error) if error.error_len().is_none() => {
            let valid = first.get(..error.valid_up_to()).unwrap_or_default();
            text_of(protocol, std::str::from_utf8(valid).unwrap_or_default())
        }
        Err(_) => hexadecimal(payload),
    }
}

fn text_of(protocol: &Protocol<'_>, text: &str) -> String {
    if protocol.is_ms() {
        return harmless(&compact_json(text)).into_owned();
    }
    harmless(text).into_owned()
}

fn hexadecimal(bytes: &[u8]) -> String {
    let mut shown = String::from("0x");
    for byte in bytes.iter().take(HEXADECIMAL_BYTES_MAX) {
        // Writing to a string can't fail.
        let _ = write!(shown, "{byte:02x}");
    }
    if bytes.len() > HEXADECIMAL_BYTES_MAX {
        let _ = write!(shown, "… ({})", quantity::length(bytes.len()));
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(protocol: &str, payload: &[u8]) -> String {
        whole(&Protocol::new(protocol).unwrap(), payload)
    }

    #[test]
    fn payloads_are_shown_on_one_line() {
        assert_eq!(shown("ms", b"{\"a\":\t[1, 2]}"), "{\"a\":[1,2]}");
        assert_eq!(shown("log", b"two\nlines\x1b[2J"), "two\\nlines\\u001b[2J");
        assert_eq!(shown("x", b"\xff\x00"), "0xff00");
        assert_eq!(shown("x", b""), "");
        let long = shown("x", &[0xff; 5000]);
        assert_eq!(long, format!("0x{}… (4.8 KiB)", "ff".repeat(32)));
    }

    #[test]
    fn only_the_beginning_is_looked_at() {
        let ms = Protocol::MS;
        let text = format!("\"{}\"", "ä".repeat(10_000));
        let shown = beginning(&ms, text.as_bytes());
        assert!(shown.starts_with("\"äää") && shown.len() <= PREVIEW_BYTES_MAX, "{}", shown.len());
        assert_eq!(beginning(&ms, b"1"), "1");
        assert!(beginning(&Protocol::BT, &[0xff; 5000]).starts_with("0xffff"));
    }
}
