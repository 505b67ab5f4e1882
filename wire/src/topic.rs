//! Topics: what a message is about.
//!
//! A topic is checked once, where it enters. Control characters and white space are refused because
//! topics are shown to people and written into lines; `*` and `>` because a published topic must
//! never be read as a pattern.

use crate::limits::TOPIC_BYTES_MAX;
use std::borrow::Cow;

/// A valid topic: tokens parted by dots, e.g. `chess.move`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Topic<'a>(Cow<'a, str>);

impl<'a> Topic<'a> {
    /// Checks `text` and takes it as a topic.
    ///
    /// # Errors
    /// Says what is wrong, and at which byte.
    pub fn new(text: impl Into<Cow<'a, str>>) -> Result<Self, TopicError> {
        let text = text.into();
        check(&text)?;
        Ok(Self(text))
    }

    /// The topic as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether only the daemon and its services may publish here.
    #[must_use]
    pub fn is_reserved(&self) -> bool {
        is_reserved(&self.0)
    }

    /// The same topic, owned.
    #[must_use]
    pub fn into_owned(self) -> Topic<'static> {
        Topic(Cow::Owned(self.0.into_owned()))
    }

    /// The same topic, borrowed.
    #[must_use]
    pub fn borrow(&self) -> Topic<'_> {
        Topic(Cow::Borrowed(&self.0))
    }
}

impl std::fmt::Display for Topic<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why a text is not a topic.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TopicError {
    /// Empty, or longer than [`TOPIC_BYTES_MAX`].
    #[error("a topic has 1 to {TOPIC_BYTES_MAX} bytes, this has {0}")]
    Length(usize),
    /// Two dots in a row, or one at an end.
    #[error("empty token at byte {0} of the topic")]
    EmptyToken(usize),
    /// White space or a control character.
    #[error("white space or control character at byte {0} of the topic")]
    Space(usize),
    /// A wildcard, which only patterns have.
    #[error("`{1}` at byte {0}: wildcards belong in a subscription's pattern, not in a topic")]
    Wildcard(usize, char),
    /// Not UTF-8.
    #[error("the topic is not UTF-8 from byte {0}")]
    Utf8(usize),
}

impl TopicError {
    /// Offset of the offending byte in the topic.
    #[must_use]
    pub fn at(&self) -> usize {
        match self {
            Self::Length(_) => 0,
            Self::EmptyToken(at) | Self::Space(at) | Self::Wildcard(at, _) | Self::Utf8(at) => *at,
        }
    }
}

/// The tokens of reserved topics: their first.
const RESERVED: [&str; 8] =
    ["bus", "transports", "directory", "envelope", "delivery", "people", "rooms", "services"];

/// Whether only the daemon and its services may publish on `topic`.
#[must_use]
pub fn is_reserved(topic: &str) -> bool {
    let first = topic.split('.').next().unwrap_or(topic);
    RESERVED.contains(&first)
}

fn check(text: &str) -> Result<(), TopicError> {
    if text.is_empty() || text.len() > TOPIC_BYTES_MAX {
        return Err(TopicError::Length(text.len()));
    }
    if is_plain(text.as_bytes()) { Ok(()) } else { check_closely(text) }
}

/// Whether it is a topic of printable ASCII, as most are. Every byte is looked at, whatever the
/// others are: so the compiler takes many at a time, and each publish is checked at least twice.
fn is_plain(text: &[u8]) -> bool {
    let is_fine = |byte: u8| (byte > b' ') & (byte < 0x7f) & (byte != b'*') & (byte != b'>');
    let are_fine = text.iter().fold(true, |all, byte| all & is_fine(*byte));
    let pairs = text.iter().zip(text.iter().skip(1));
    let has_empty_token = pairs.fold(false, |any, (a, b)| any | ((*a == b'.') & (*b == b'.')));
    are_fine && !has_empty_token && text.first() != Some(&b'.') && text.last() != Some(&b'.')
}

/// The same one by one, for other alphabets, and for the place of what is wrong.
fn check_closely(text: &str) -> Result<(), TopicError> {
    let mut token_start = 0;
    for (at, c) in text.char_indices() {
        match c {
            '.' if at == token_start => return Err(TopicError::EmptyToken(at)),
            '.' => token_start = at + 1,
            '*' | '>' => return Err(TopicError::Wildcard(at, c)),
            c if is_inert(c) => return Err(TopicError::Space(at)),
            _ => {}
        }
    }
    if token_start == text.len() {
        return Err(TopicError::EmptyToken(token_start));
    }
    Ok(())
}

/// Whether a topic or pattern may not hold `c`.
pub(crate) fn is_inert(c: char) -> bool {
    if c.is_ascii() { c <= ' ' || c == '\x7f' } else { c.is_whitespace() || c.is_control() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_a_topic_is_taken() {
        for text in ["a", "chess.move", "ä.ö/ü.1", "a-b_c.{d}", "x".repeat(255).as_str()] {
            assert_eq!(Topic::new(text).unwrap().as_str(), text);
        }
    }

    #[test]
    fn what_is_no_topic_is_refused_at_its_byte() {
        let long = "x".repeat(256);
        for (text, error) in [
            ("", TopicError::Length(0)),
            (long.as_str(), TopicError::Length(256)),
            (".a", TopicError::EmptyToken(0)),
            ("a..b", TopicError::EmptyToken(2)),
            ("a.", TopicError::EmptyToken(2)),
            ("a b", TopicError::Space(1)),
            ("ä\u{2028}b", TopicError::Space(2)),
            ("a\nb", TopicError::Space(1)),
            ("a\u{85}", TopicError::Space(1)),
            ("a\u{7f}", TopicError::Space(1)),
            ("a.*", TopicError::Wildcard(2, '*')),
            ("a.b>", TopicError::Wildcard(3, '>')),
        ] {
            assert_eq!(Topic::new(text), Err(error), "{text:?}");
        }
    }

    #[test]
    fn what_is_plain_is_what_a_close_look_finds_too() {
        // Every text of three from these.
        let characters =
            ['a', '.', '*', '>', ' ', '~', '\u{7f}', '\n', '\u{1f}', '!', 'ä', '\u{85}'];
        for first in characters {
            for second in characters {
                for third in characters {
                    let text = String::from_iter([first, second, third]);
                    let is_plain = is_plain(text.as_bytes());
                    let is_plain_topic = check_closely(&text).is_ok() && text.is_ascii();
                    assert_eq!(is_plain, is_plain_topic, "{text:?}");
                }
            }
        }
    }

    #[test]
    fn a_reserved_topic_is_known_by_its_first_token_alone() {
        assert!(is_reserved("bus.stats"));
        assert!(is_reserved("bus"));
        assert!(!is_reserved("bust.x"));
        assert!(!is_reserved("my.bus"));
    }
}
