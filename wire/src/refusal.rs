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

    /// The same, where what was read began at `start`; unknown if that is.
    #[must_use]
    pub(crate) fn after(mut self, start: impl Into<Option<usize>>) -> Self {
        self.at = start.into().map(|start| start + self.at.unwrap_or(0));
        self
    }
}

/// An error that knows its offset in what was parsed.
pub(crate) trait Placed {
    /// The refusal, at that offset.
    fn placed(self) -> Refusal;
}

/// Makes each small parser's error a [`Refusal`] with its code; those with `at` can be placed.
macro_rules! refuse_as {
    ($($error:ty => $code:ident $($at:ident)?,)*) => {
        $(impl From<$error> for Refusal {
            fn from(error: $error) -> Self {
                Self::new(Code::$code, error.to_string())
            }
        }
        $(impl Placed for $error {
            fn placed(self) -> Refusal {
                let offset = self.$at();
                Refusal::from(self).at(offset)
            }
        })?)*
    };
}

refuse_as! {
    crate::TopicError => BadTopic at,
    crate::PatternError => BadPattern at,
    crate::ProtocolError => BadProtocol at,
    crate::PayloadError => BadPayload at,
    crate::HeadersError => BadHeader,
    crate::MessageIdError => BadId,
}
