//! Text cut and padded to columns of a terminal.
//!
//! Columns are what a terminal makes of a text, not its characters: an ideograph takes two, an
//! accent none. The text has to be harmless already.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// What stands for what was cut off; one column wide.
const ELLIPSIS: char = '…';

/// How many columns `text` takes.
pub(crate) fn width(text: &str) -> usize {
    text.width()
}

/// `text` in at most `columns`; an ellipsis stands for the rest.
///
/// Accents that are piled up take no column but are cut too: a line stays a line.
pub(crate) fn cut(text: &str, columns: usize) -> String {
    let mut end_of_cut = 0;
    let mut used = 0;
    for (n_chars, (at, c)) in text.char_indices().enumerate() {
        used += c.width().unwrap_or(1);
        if used > columns || n_chars > columns.saturating_mul(4) {
            let kept = text.get(..end_of_cut).unwrap_or_default();
            return if columns == 0 { String::new() } else { format!("{kept}{ELLIPSIS}") };
        }
        if used < columns {
            end_of_cut = at + c.len_utf8();
        }
    }
    text.to_owned()
}

/// `text` cut, or filled with spaces on its right, to exactly `columns`.
pub(crate) fn left(text: &str, columns: usize) -> String {
    let mut cell = cut(text, columns);
    let missing = columns.saturating_sub(width(&cell));
    cell.extend(std::iter::repeat_n(' ', missing));
    cell
}

/// `text` cut, or filled with spaces on its left, to exactly `columns`.
pub(crate) fn right(text: &str, columns: usize) -> String {
    let cell = cut(text, columns);
    let missing = columns.saturating_sub(width(&cell));
    format!("{}{cell}", " ".repeat(missing))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_cut_at_columns_not_at_characters() {
        for (text, columns, shown) in [
            ("abc", 3, "abc"),
            ("abcd", 3, "ab…"),
            ("abcd", 1, "…"),
            ("abcd", 0, ""),
            ("", 0, ""),
            ("漢字", 4, "漢字"),
            ("漢字x", 4, "漢…"),
            ("e\u{301}e\u{301}", 2, "e\u{301}e\u{301}"),
        ] {
            assert_eq!(cut(text, columns), shown, "{text} {columns}");
        }
    }

    #[test]
    fn piled_up_accents_are_cut() {
        let text = format!("a{}", "\u{301}".repeat(10_000));
        assert!(cut(&text, 10).len() < 200);
    }

    #[test]
    fn cells_have_their_width_whatever_is_in_them() {
        for text in ["", "a", "abcdefgh", "漢字漢字", "👩‍👩‍👧", "ä"] {
            for columns in 0..9 {
                assert_eq!(width(&left(text, columns)), columns, "{text} {columns}");
                assert_eq!(width(&right(text, columns)), columns, "{text} {columns}");
            }
        }
        assert_eq!((left("a", 3), right("a", 3)), ("a  ".to_owned(), "  a".to_owned()));
    }
}
