//! Petnames: what the user calls somebody, and writes where messages go.
//!
//! A petname is chosen here and means somebody here alone, so nobody can take another's name by
//! calling themselves the same. It stands before a slash and a device's name, and beside words that
//! mean something else; so it is none of them.

use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;

use crate::ids::PersonId;
use crate::limits::PETNAME_BYTES_MAX;

/// Destinations that are not people.
const RESERVED: [&str; 4] = ["local", "self", "friends", "public"];
/// How other destinations begin.
const OPENINGS: [&str; 2] = ["did:", "room:"];

/// A petname.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Petname(String);

/// Why a text is no petname.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PetnameError {
    /// It is empty or too long.
    #[error("a petname has 1 to {PETNAME_BYTES_MAX} bytes")]
    Length,
    /// A character may not be there.
    #[error("a petname has no control characters and no `/`, and no space at an end")]
    Character,
    /// It means something else.
    #[error("`{0}` means something else")]
    Reserved(String),
}

impl Petname {
    /// The petname `text`.
    ///
    /// # Errors
    ///
    /// If it is none.
    pub fn new(text: &str) -> Result<Self, PetnameError> {
        if text.is_empty() || PETNAME_BYTES_MAX < text.len() {
            return Err(PetnameError::Length);
        }
        if text.trim() != text || text.chars().any(|c| c.is_control() || c == '/') {
            return Err(PetnameError::Character);
        }
        let lower = text.to_lowercase();
        let is_other = RESERVED.contains(&lower.as_str())
            || OPENINGS.iter().any(|opening| lower.starts_with(opening))
            || text.parse::<PersonId>().is_ok();
        if is_other {
            Err(PetnameError::Reserved(text.to_owned()))
        } else {
            Ok(Self(text.to_owned()))
        }
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// This name with the last `n_chars` of the person's id behind it, where two people have it.
    pub(crate) fn told_apart(&self, person: PersonId, n_chars: usize) -> Self {
        let id = person.to_string();
        let suffix = id.get(id.len().saturating_sub(n_chars)..).unwrap_or_default();
        let room = PETNAME_BYTES_MAX.saturating_sub(suffix.len() + 1);
        let end = (0..=room.min(self.0.len())).rev().find(|end| self.0.is_char_boundary(*end));
        let head = self.0.get(..end.unwrap_or_default()).unwrap_or_default();
        Self(format!("{head}-{suffix}"))
    }
}

impl Borrow<str> for Petname {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl FromStr for Petname {
    type Err = PetnameError;

    fn from_str(text: &str) -> Result<Self, PetnameError> {
        Self::new(text)
    }
}

impl fmt::Display for Petname {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Petname {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn petnames_mean_nothing_else() {
        for good in ["ada", "Ada Lovelace", "Адам", "selfish", "a.b", "room", "*", &"a".repeat(64)]
        {
            assert_eq!(Petname::new(good).unwrap().as_str(), good);
        }
        let id = PersonId::new([1; 32]).to_string();
        let bare = id.strip_prefix("did:key:").unwrap();
        for reserved in ["self", "Local", "FRIENDS", "public", &id, bare, "did:web:x", "room:a"] {
            let refused = Err(PetnameError::Reserved(reserved.to_owned()));
            assert_eq!(Petname::new(reserved), refused, "{reserved}");
        }
        for bad in ["a/b", "a\nb", " a", "a ", "\u{85}", "a\u{7f}"] {
            assert_eq!(Petname::new(bad), Err(PetnameError::Character), "{bad:?}");
        }
        for bad in ["", &"a".repeat(65)] {
            assert_eq!(Petname::new(bad), Err(PetnameError::Length));
        }
    }

    #[test]
    fn names_that_are_told_apart_are_petnames() {
        for name in ["ada", &"a".repeat(64), &"ä".repeat(32), "z6Mk"] {
            for n_chars in [4, 8, 48] {
                let apart = Petname::new(name).unwrap().told_apart(PersonId::new([1; 32]), n_chars);
                assert_eq!(Petname::new(apart.as_str()), Ok(apart));
            }
        }
    }
}
