//! Text from outside, made fit for a terminal and for the eye.
//!
//! A terminal obeys control characters; bidirectional marks make one text look like another; zero
//! widths hide. All of these are written as JSON escapes, so that a JSON payload means the same
//! after it was shown. Whatever has a shape of its own stays: letters of all scripts, emoji,
//! accents.

use std::borrow::Cow;
use std::fmt::Write;

/// `text` with everything escaped that a terminal would obey or an eye would miss.
pub(crate) fn harmless(text: &str) -> Cow<'_, str> {
    if text.chars().all(is_harmless) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if is_harmless(c) {
            shown.push(c);
        } else {
            escape(c, &mut shown);
        }
    }
    Cow::Owned(shown)
}

fn escape(c: char, shown: &mut String) {
    match c {
        '\n' => shown.push_str("\\n"),
        '\r' => shown.push_str("\\r"),
        '\t' => shown.push_str("\\t"),
        c => {
            for unit in c.encode_utf16(&mut [0; 2]) {
                // Writing to a string can't fail.
                let _ = write!(shown, "\\u{unit:04x}");
            }
        }
    }
}

fn is_harmless(c: char) -> bool {
    // What joins emoji and the letters of some scripts (200C, 200D) is needed to read them.
    !c.is_control()
        && !matches!(c,
            '\u{ad}'                    // may or may not be seen
            | '\u{61c}'                 // changes direction
            | '\u{180e}'                // has no width
            | '\u{200b}'
            | '\u{200e}'..='\u{200f}'   // change direction
            | '\u{2028}'..='\u{202e}'   // break lines, change direction
            | '\u{2060}'..='\u{206f}'   // have no width, change direction
            | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}'   // hide what is between them
            | '\u{e0000}'..='\u{e007f}' // a text that is not seen at all
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_be_read_stays() {
        for text in ["", "chess.move {\"a\":1}", "äßñ 漢字 ไทย עברית", "👩‍👩‍👧 ✌🏽 e\u{301}", "a\\n\"'"]
        {
            assert!(matches!(harmless(text), Cow::Borrowed(same) if same == text), "{text}");
        }
    }

    #[test]
    fn what_a_terminal_obeys_is_escaped() {
        for (text, shown) in [
            ("\u{1b}]0;owned\u{7}", "\\u001b]0;owned\\u0007"),
            ("\u{9b}2J", "\\u009b2J"),
            ("a\u{7f}\u{8}b", "a\\u007f\\u0008b"),
            ("a\nb\r\tc", "a\\nb\\r\\tc"),
            ("\0", "\\u0000"),
        ] {
            assert_eq!(harmless(text), shown);
        }
    }

    #[test]
    fn what_deceives_the_eye_is_escaped() {
        for (text, shown) in [
            ("user\u{202e}nimda", "user\\u202enimda"),
            ("a\u{200b}b\u{feff}", "a\\u200bb\\ufeff"),
            ("\u{2066}x\u{2069}", "\\u2066x\\u2069"),
            ("a\u{2028}b", "a\\u2028b"),
            ("\u{e0041}", "\\udb40\\udc41"),
        ] {
            assert_eq!(harmless(text), shown);
        }
    }

    #[test]
    fn json_means_the_same_after_it_was_shown() {
        let text = "{\"a\":\"\u{202e}\u{e0041}\u{9b}\u{7f}ä\"}";
        let before: serde_json::Value = serde_json::from_str(text).unwrap();
        let after: serde_json::Value = serde_json::from_str(&harmless(text)).unwrap();
        assert_eq!(before, after);
    }
}
