//! Why an operation was refused: a code, a sentence, and where.
//!
//! The one error type of the door: every parser of this crate turns its own error into it, adding
//! the offset that it knows. It is what an `err` line or frame is made of.

use crate::Code;

/// Why an operation was refused. Becomes an `err` line or frame.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {text}")]
pub struct Refusal {
    /// What a program acts on.
    pub code: Code,
    /// What a person reads: what is wrong, and what to do about it.
    pub text: String,
    /// Offset of the offending byte, from the start of the line or frame.
    pub at: Option<usize>,
    /// Whether the framing is lost and the connection has to be closed.
    pub fatal: bool,
}

impl Refusal {
    /// A refusal after which the connection goes on.
    pub fn new(code: Code, text: impl Into<String>) -> Self {
        Self { code, text: text.into(), at: None, fatal: false }
    }

    /// A refusal after which the connection is closed.
    pub fn fatal(code: Code, text: impl Into<String>) -> Self {
        Self { code, text: text.into(), at: None, fatal: true }
    }

    /// The same, at this offset from the start of the line or frame.
    #[must_use]
    pub fn at(mut self, offset: usize) -> Self {
        self.at = Some(offset);
        self
    }
}

/// Makes each small parser's error a [`Refusal`] with its code.
macro_rules! refuse_as {
    ($($error:ty => $code:ident,)*) => {
        $(impl From<$error> for Refusal {
            fn from(error: $error) -> Self {
                Self::new(Code::$code, error.to_string())
            }
        })*
    };
}

refuse_as! {
    crate::TopicError => BadTopic,
    crate::PatternError => BadPattern,
    crate::ProtocolError => BadProtocol,
    crate::PayloadError => BadPayload,
    crate::HeadersError => BadHeader,
    crate::MessageIdError => BadId,
}
