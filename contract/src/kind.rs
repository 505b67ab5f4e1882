//! What a field has to be: its kind, its bounds, whether it may be left out.
//!
//! A table of these is all that the check, the document and the tests need to know of a payload.

use std::fmt;

/// What a value has to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// `true` or `false`.
    Flag,
    /// A whole number.
    Number {
        /// The smallest.
        min: i64,
        /// The largest.
        max: i64,
    },
    /// A text without control characters.
    Text {
        /// The longest, in bytes of UTF-8. It may be empty.
        bytes_max: usize,
    },
    /// The name of a service.
    Name,
    /// A message id, in its text form.
    Id,
    /// Bytes.
    Bytes {
        /// The fewest.
        min: usize,
        /// The most.
        max: usize,
    },
    /// One of these words.
    Word(&'static [Word]),
    /// A list.
    List {
        /// What stands in it.
        of: &'static Self,
        /// How many at most.
        max: usize,
    },
    /// A map with these fields.
    Map(&'static [Field]),
    /// A map of whole numbers by names that the sender chooses.
    Figures,
}

impl Kind {
    /// A whole number from 0 to `max`.
    pub(crate) const fn up_to(max: i64) -> Self {
        Self::Number { min: 0, max }
    }

    /// So many bytes.
    pub(crate) const fn exactly(bytes: usize) -> Self {
        Self::Bytes { min: bytes, max: bytes }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use crate::limits::{FIGURE_NAME_BYTES_MAX, FIGURES_MAX, NAME_CHARS_MAX};
        match self {
            Self::Flag => f.write_str("true or false"),
            Self::Number { min, max } => write!(f, "a whole number from {min} to {max}"),
            Self::Text { bytes_max } => {
                write!(f, "a text of at most {bytes_max} bytes without control characters")
            }
            Self::Name => {
                write!(f, "a name: 1 to {NAME_CHARS_MAX} of a-z, 0-9 and `-`, a letter first")
            }
            Self::Id => f.write_str("a message id: a UUID of version 7 as text, in lower case"),
            Self::Bytes { min, max } if min == max => write!(f, "{min} bytes"),
            Self::Bytes { min, max } => write!(f, "{min} to {max} bytes"),
            Self::Word(words) => {
                f.write_str("one of")?;
                for (at, word) in words.iter().enumerate() {
                    write!(f, "{} `{}`", if at == 0 { "" } else { "," }, word.name)?;
                }
                Ok(())
            }
            Self::List { of, max } => write!(f, "a list of at most {max}, each {of}"),
            Self::Map(_) => f.write_str("a map with texts as keys"),
            Self::Figures => write!(
                f,
                "a map of at most {FIGURES_MAX} whole numbers, names of at most \
                 {FIGURE_NAME_BYTES_MAX} bytes"
            ),
        }
    }
}

/// A word that a field can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Word {
    pub(crate) name: &'static str,
    pub(crate) about: &'static [&'static str],
}

impl Word {
    /// The word.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// What it says.
    #[must_use]
    pub fn about(&self) -> String {
        joined(self.about)
    }
}

/// Whether a field has to be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Presence {
    /// It has to.
    Required,
    /// It has to, and says which service speaks; from another the payload counts for nothing.
    Speaker,
    /// It may be left out.
    Optional,
    /// It has to, and may be null.
    Nullable,
}

/// A field of a payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field {
    pub(crate) name: &'static str,
    pub(crate) about: &'static [&'static str],
    pub(crate) kind: Kind,
    pub(crate) presence: Presence,
}

impl Field {
    /// Its name in CBOR and JSON.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// What it means.
    #[must_use]
    pub fn about(&self) -> String {
        joined(self.about)
    }

    /// What it has to be.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// Whether it has to be there.
    #[must_use]
    pub const fn presence(&self) -> Presence {
        self.presence
    }
}

/// Lines of a comment as one text.
pub(crate) fn joined(lines: &[&str]) -> String {
    lines.iter().map(|line| line.trim()).collect::<Vec<_>>().join(" ")
}
