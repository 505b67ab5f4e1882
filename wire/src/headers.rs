//! Headers: a small map of strings beside the payload.
//!
//! A list in the order given, not a map: there are a few of them, and what a publisher wrote first
//! arrives first.

use crate::limits::{HEADER_KEY_BYTES_MAX, HEADERS_BYTES_MAX, HEADERS_MAX, SHOWN_CHARS_MAX};
use crate::text::shown;

/// The valid headers of one message, in the order in which they were given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Headers {
    /// Keys and values, in turn.
    pairs: Vec<(String, String)>,
    bytes: usize,
}

impl Headers {
    /// No headers.
    #[must_use]
    pub const fn new() -> Self {
        Self { pairs: Vec::new(), bytes: 0 }
    }

    /// Adds one.
    ///
    /// # Errors
    /// If key or value are not what they may be, the key is there already, or all together are too
    /// many or too big. Then nothing has been added.
    pub fn insert(&mut self, key: &str, value: &str) -> Result<(), HeadersError> {
        let key_allowed = |c: char| matches!(c, 'a'..='z' | '0'..='9' | '-');
        if key.is_empty() || key.len() > HEADER_KEY_BYTES_MAX || !key.chars().all(key_allowed) {
            return Err(HeadersError::Key(shown(key, SHOWN_CHARS_MAX)));
        }
        if self.pairs.len() == HEADERS_MAX {
            return Err(HeadersError::TooMany);
        }
        if self.get(key).is_some() {
            return Err(HeadersError::Twice(key.to_owned()));
        }
        if value.chars().any(char::is_control) {
            return Err(HeadersError::Value(key.to_owned()));
        }
        let bytes = self.bytes + key.len() + value.len();
        if bytes > HEADERS_BYTES_MAX {
            return Err(HeadersError::TooBig);
        }
        self.bytes = bytes;
        self.pairs.push((key.to_owned(), value.to_owned()));
        Ok(())
    }

    /// The value of this key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&str> {
        self.iter().find(|(k, _)| *k == key).map(|(_, value)| value)
    }

    /// All of them, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.pairs.iter().map(|(key, value)| (key.as_str(), value.as_str()))
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.pairs.is_empty()
    }
}

/// Why something is not a header.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HeadersError {
    /// Not a key.
    #[error("header key `{0}`: it has 1 to {HEADER_KEY_BYTES_MAX} of a-z, 0-9 and `-`")]
    Key(String),
    /// The key is there already.
    #[error("header `{0}` is given twice")]
    Twice(String),
    /// A control character in the value, or not UTF-8.
    #[error("the value of header `{0}` is not UTF-8 without control characters")]
    Value(String),
    /// More than there may be.
    #[error("a message has at most {HEADERS_MAX} headers")]
    TooMany,
    /// All together are too big.
    #[error("the headers are over {HEADERS_BYTES_MAX} bytes together")]
    TooBig,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_keep_their_order() {
        let mut headers = Headers::new();
        for (key, value) in [("b-2", "ä\"\u{2028}"), ("a", ""), (&"k".repeat(64), "v")] {
            assert_eq!(headers.insert(key, value), Ok(()));
        }
        let keys: Vec<_> = headers.iter().map(|(key, _)| key).collect();
        assert_eq!(keys, ["b-2", "a", &"k".repeat(64)]);
        assert_eq!((headers.get("a"), headers.get("c")), (Some(""), None));
    }

    #[test]
    fn what_is_no_header_is_refused_and_leaves_nothing() {
        let mut headers = Headers::new();
        headers.insert("a", "1").unwrap();
        let before = headers.clone();
        let (long, full) = ("k".repeat(65), "v".repeat(HEADERS_BYTES_MAX - 2));
        for (key, value, error) in [
            ("", "", HeadersError::Key("".into())),
            (&long, "", HeadersError::Key("k".repeat(20))),
            ("A\u{1b}", "", HeadersError::Key("A\\u{1b}".into())),
            ("a", "2", HeadersError::Twice("a".into())),
            ("b", "a\nb", HeadersError::Value("b".into())),
            ("b", "\u{9b}", HeadersError::Value("b".into())),
            ("b", &full, HeadersError::TooBig),
        ] {
            assert_eq!(headers.insert(key, value), Err(error), "{key:?}");
            assert_eq!(headers, before);
        }
    }

    #[test]
    fn there_is_room_for_so_many_and_no_more() {
        let mut headers = Headers::new();
        for n in 0..HEADERS_MAX {
            headers.insert(&format!("k{n}"), "").unwrap();
        }
        assert_eq!(headers.insert("one-more", ""), Err(HeadersError::TooMany));
        let mut headers = Headers::new();
        headers.insert("k", &"v".repeat(HEADERS_BYTES_MAX - 1)).unwrap();
        assert_eq!(headers.insert("l", ""), Err(HeadersError::TooBig));
    }
}
