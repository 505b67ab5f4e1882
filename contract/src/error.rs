//! Why bytes are not the payload of a topic.
//!
//! Authors write these payloads by hand in languages that we have never seen. So an error says the
//! topic, the field by its path (`endpoints[2]`), what is wrong, and what should be there.

use crate::limits::{SHOWN_CHARS_MAX, VALUES_MAX};

/// Why bytes are not the payload of a topic.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{topic}`: {}{fault}", At(field))]
pub struct PayloadError {
    topic: String,
    field: String,
    fault: Fault,
}

impl PayloadError {
    pub(crate) fn new(topic: String, trouble: Trouble) -> Self {
        Self { topic, field: trouble.path, fault: trouble.fault }
    }

    /// The topic; `NAME` stands where the topic ends with a name.
    #[must_use]
    pub fn topic(&self) -> &str {
        &self.topic
    }

    /// The path of the field, `a.b[2]`; empty where the payload as a whole is wrong.
    #[must_use]
    pub fn field(&self) -> &str {
        &self.field
    }

    /// What is wrong with it.
    #[must_use]
    pub fn fault(&self) -> &Fault {
        &self.fault
    }
}

/// The field at the beginning of an error's text.
struct At<'a>(&'a str);

impl std::fmt::Display for At<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.0.is_empty() { f.write_str("the payload ") } else { write!(f, "`{}` ", self.0) }
    }
}

/// What is wrong with a field, or with the whole payload.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// A field has to be there.
    #[error("is missing; it should be {should}")]
    Missing {
        /// What should be there.
        should: String,
    },
    /// A field that the topic does not have.
    #[error("is no field here; there are {}", Listed(fields))]
    Unknown {
        /// Those that there are.
        fields: Vec<&'static str>,
    },
    /// A value of another kind, a text for a number.
    #[error("should be {should}, not {is}")]
    Kind {
        /// What should be there.
        should: String,
        /// What is there.
        is: String,
    },
    /// A value of the right kind, but too large, too long, or not one of those allowed.
    #[error("should be {should}; this {is}")]
    Range {
        /// What should be there.
        should: String,
        /// How it isn't that.
        is: String,
    },
    /// A field stands there more than once.
    #[error("is given twice")]
    Twice,
    /// CBOR that could be written otherwise.
    #[error(
        "is not deterministic CBOR (RFC 8949, section 4.2.1): {0}. Libraries have a switch for it, \
         often called `canonical`"
    )]
    NotDeterministic(&'static str),
    /// A text that should be bytes.
    #[error("should be {should}, in JSON as base64 with padding (RFC 4648, section 4): {why}")]
    Base64 {
        /// What should be there.
        should: String,
        /// What the decoder says.
        why: String,
    },
    /// Not CBOR at all.
    #[error("is not CBOR at byte {at}: {why}")]
    NotCbor {
        /// Offset in the payload.
        at: usize,
        /// What the decoder says.
        why: String,
    },
    /// Not JSON at all.
    #[error("is not JSON: {0}")]
    NotJson(String),
    /// Something follows the payload.
    #[error("ends at byte {at}, and more follows")]
    Trailing {
        /// Where it ends.
        at: usize,
    },
    /// More values than any payload has.
    #[error("has more than {VALUES_MAX} values")]
    TooMany,
    /// A protocol that these topics don't have.
    #[error("is of protocol `{0}`; here it is `kith` (CBOR) or `ms` (JSON)")]
    Protocol(String),
}

struct Listed<'a>(&'a [&'static str]);

impl std::fmt::Display for Listed<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.0.is_empty() {
            return f.write_str("none");
        }
        for (at, name) in self.0.iter().enumerate() {
            write!(f, "{}`{name}`", if at == 0 { "" } else { ", " })?;
        }
        Ok(())
    }
}

/// A fault on its way up from where it was found; each level adds its name to the path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Trouble {
    path: String,
    fault: Fault,
}

impl Trouble {
    /// The same, seen from around the field `name`.
    pub(crate) fn within(mut self, name: &str) -> Self {
        let dot = if self.path.is_empty() || self.path.starts_with('[') { "" } else { "." };
        self.path = format!("{}{dot}{}", shown(name), self.path);
        self
    }

    /// The same, seen from around the list in which it stands at `index`.
    pub(crate) fn at(mut self, index: usize) -> Self {
        let dot = if self.path.is_empty() || self.path.starts_with('[') { "" } else { "." };
        self.path = format!("[{index}]{dot}{}", self.path);
        self
    }
}

impl From<Fault> for Trouble {
    fn from(fault: Fault) -> Self {
        Self { path: String::new(), fault }
    }
}

/// The beginning of a text from outside, fit to be repeated: what can't be seen, or what a
/// terminal would obey, is escaped.
pub(crate) fn shown(text: &str) -> String {
    let mut shown = String::new();
    for c in text.chars().take(SHOWN_CHARS_MAX) {
        match c {
            '"' | '\'' | '\\' => shown.push(c),
            _ => shown.extend(c.escape_debug()),
        }
    }
    if text.chars().nth(SHOWN_CHARS_MAX).is_some() {
        shown.push('…');
    }
    shown
}
