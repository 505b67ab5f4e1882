//! Short names that people see: of groups and of clients.

use crate::limits::NAME_BYTES_MAX;

/// Why a text is not a name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TextError {
    /// Empty, or longer than [`NAME_BYTES_MAX`].
    #[error("a name has 1 to {NAME_BYTES_MAX} bytes, this has {0}")]
    Length(usize),
    /// A control character.
    #[error("control character at byte {0} of the name")]
    Control(usize),
    /// Something a group name may not hold.
    #[error("`{1}` at byte {0}: a group name is one token, without `.`, `*`, `>` and white space")]
    Token(usize, char),
}

/// Whether `name` can be a client's name: 1 to 64 bytes, no control characters.
///
/// # Errors
/// Says what is wrong, and at which byte.
pub fn check_name(name: &str) -> Result<(), TextError> {
    if name.is_empty() || name.len() > NAME_BYTES_MAX {
        return Err(TextError::Length(name.len()));
    }
    match name.char_indices().find(|(_, c)| c.is_control()) {
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
