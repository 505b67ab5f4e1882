//! Short texts that people see: names of groups, consumers and clients, destinations, and what of a
//! bad input is repeated in an answer.

use crate::limits::{DESTINATION_BYTES_MAX, NAME_BYTES_MAX};

/// Why a text is not a name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TextError {
    /// Empty, or longer than [`NAME_BYTES_MAX`].
    #[error("a name has 1 to {NAME_BYTES_MAX} bytes, this has {0}")]
    Length(usize),
    /// Empty, or longer than [`DESTINATION_BYTES_MAX`].
    #[error("a destination has 1 to {DESTINATION_BYTES_MAX} bytes, this has {0}")]
    DestinationLength(usize),
    /// A control character.
    #[error("control character at byte {0} of the name")]
    Control(usize),
    /// Something that the name of a group or a consumer may not hold.
    #[error("{1:?} at byte {0}: such a name is one token, without `.`, `*`, `>` and white space")]
    Token(usize, char),
    /// Not UTF-8.
    #[error("the name is not UTF-8 from byte {0}")]
    Utf8(usize),
}

impl TextError {
    /// Offset of the offending byte in the text.
    #[must_use]
    pub fn at(&self) -> usize {
        match self {
            Self::Length(_) | Self::DestinationLength(_) => 0,
            Self::Control(at) | Self::Token(at, _) | Self::Utf8(at) => *at,
        }
    }
}

/// Whether `name` can be a client's name: 1 to 64 bytes, no control characters.
///
/// # Errors
/// Says what is wrong, and at which byte.
pub fn check_name(name: &str) -> Result<(), TextError> {
    if name.is_empty() || name.len() > NAME_BYTES_MAX {
        return Err(TextError::Length(name.len()));
    }
    no_control(name)
}

/// Whether `to` can be a destination: 1 to 255 bytes, no control characters. Whether it leads
/// anywhere is another question.
///
/// # Errors
/// Says what is wrong, and at which byte.
pub fn check_destination(to: &str) -> Result<(), TextError> {
    if to.is_empty() || to.len() > DESTINATION_BYTES_MAX {
        return Err(TextError::DestinationLength(to.len()));
    }
    no_control(to)
}

fn no_control(text: &str) -> Result<(), TextError> {
    match text.char_indices().find(|(_, c)| c.is_control()) {
        Some((at, _)) => Err(TextError::Control(at)),
        None => Ok(()),
    }
}

/// Whether `group` can be a group's name: a name that could also be one token of a topic.
///
/// # Errors
/// Says what is wrong, and at which byte.
pub fn check_group(group: &str) -> Result<(), TextError> {
    check_name(group)?;
    match group.char_indices().find(|(_, c)| c.is_whitespace() || matches!(c, '.' | '*' | '>')) {
        Some((at, c)) => Err(TextError::Token(at, c)),
        None => Ok(()),
    }
}

/// Whether `consumer` can be the name of a durable subscription's consumer: as that of a group.
///
/// # Errors
/// Says what is wrong, and at which byte.
pub fn check_consumer(consumer: &str) -> Result<(), TextError> {
    check_group(consumer)
}

/// The beginning of a text from outside, fit to be repeated in an answer: what can't be seen, or
/// what a terminal would obey, is escaped. Quotes stay.
pub(crate) fn shown(text: &str, chars_max: usize) -> String {
    let mut shown = String::new();
    for c in text.chars().take(chars_max) {
        match c {
            '"' | '\'' | '\\' => shown.push(c),
            _ => shown.extend(c.escape_debug()),
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_repeated_is_short_and_harmless() {
        assert_eq!(
            shown("a\u{1b}[31m\"ä\u{9b}\u{202e}\u{2028}\n", 99),
            r#"a\u{1b}[31m"ä\u{9b}\u{202e}\u{2028}\n"#
        );
        assert_eq!(shown(&"x".repeat(1_000), 20).len(), 20);
    }

    #[test]
    fn errors_show_no_white_space() {
        let error = check_group("a\u{2028}b").unwrap_err();
        assert!(error.to_string().starts_with("'\\u{2028}' at byte 1:"), "{error}");
    }
}
