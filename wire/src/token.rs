//! A token: what a connection shows to be more than any program.
//!
//! The daemon hands out tokens to the services that it starts, one for each start, and keeps one in
//! a file for whoever administers it. Here it is only a short text; what it is worth the daemon
//! knows.
//!
//! Deliberately absent: comparing in constant time. Whoever may connect is of the same user, and
//! could read the file.

use crate::limits::TOKEN_BYTES_MAX;
use crate::{Code, Refusal};
use std::fmt;

/// 1 to 64 visible ASCII characters. It is never shown: `Debug` writes none of it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Token(String);

/// Why a text is no token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TokenError {
    /// Empty, or longer than [`TOKEN_BYTES_MAX`].
    #[error("a token has 1 to {TOKEN_BYTES_MAX} bytes, this has {0}")]
    Length(usize),
    /// A byte that is no visible ASCII character.
    #[error("byte {0} of the token is not a visible ASCII character")]
    Byte(usize),
}

impl Token {
    /// Takes a text as a token.
    ///
    /// # Errors
    /// Says what is wrong, and not what it is.
    pub fn new(text: impl Into<String>) -> Result<Self, TokenError> {
        let text = text.into();
        if text.is_empty() || TOKEN_BYTES_MAX < text.len() {
            return Err(TokenError::Length(text.len()));
        }
        match text.bytes().position(|byte| !byte.is_ascii_graphic()) {
            Some(at) => Err(TokenError::Byte(at)),
            None => Ok(Self(text)),
        }
    }

    /// Its text, for who has to pass it on.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl TokenError {
    /// Offset of the offending byte in the text.
    #[must_use]
    pub fn at(self) -> usize {
        match self {
            Self::Length(_) => 0,
            Self::Byte(at) => at,
        }
    }
}

impl From<TokenError> for Refusal {
    fn from(error: TokenError) -> Self {
        Self::new(Code::BadField, error.to_string()).at(error.at())
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_short_and_visible_and_never_shown() {
        assert_eq!(Token::new("").unwrap_err(), TokenError::Length(0));
        assert_eq!(Token::new("x".repeat(65)).unwrap_err(), TokenError::Length(65));
        for (text, at) in [("a b", 1), ("ab\n", 2), ("é", 0), ("\x1b[2J", 0)] {
            assert_eq!(Token::new(text).unwrap_err(), TokenError::Byte(at));
        }
        let token = Token::new("x".repeat(64)).unwrap();
        assert_eq!(format!("{token:?}"), "Token(…)");
        assert_eq!(token.reveal(), "x".repeat(64));
    }
}
