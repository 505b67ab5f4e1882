//! How a service ends, and why it can't begin.
//!
//! [`ServiceError`] takes any error with `?`, since most errors mean the same thing: start me
//! again, after a while. What no new start would mend is said with [`ServiceError::fatal`].

use kith_client::{ConnectError, SubscribeError};
use std::error::Error;
use std::fmt::{self, Display, Formatter, Write as _};

type Source = Box<dyn Error + Send + Sync>;

/// Why a service ended.
///
/// ```
/// use kith_plugins_api::ServiceError;
///
/// fn lines(path: &str) -> Result<usize, ServiceError> {
///     let text = std::fs::read_to_string(path)?;
///     if text.is_empty() {
///         return Err(ServiceError::fatal("an empty file"));
///     }
///     Ok(text.lines().count())
/// }
/// assert!(!lines("/nowhere").unwrap_err().is_fatal());
/// ```
///
/// It is no [`std::error::Error`] itself, or it could not be made of all of them.
#[derive(Debug)]
pub struct ServiceError {
    is_fatal: bool,
    source: Source,
}

impl ServiceError {
    /// Something that a new start may mend; it comes after a while. So are all errors that `?`
    /// turns into this one.
    pub fn restart(why: impl Into<Source>) -> Self {
        Self { is_fatal: false, source: why.into() }
    }

    /// Something that only a person can mend: the service is not started again.
    pub fn fatal(why: impl Into<Source>) -> Self {
        Self { is_fatal: true, source: why.into() }
    }

    /// Whether the service should not be started again.
    #[must_use]
    pub fn is_fatal(&self) -> bool {
        self.is_fatal
    }
}

impl<E: Error + Send + Sync + 'static> From<E> for ServiceError {
    fn from(error: E) -> Self {
        Self::restart(error)
    }
}

impl Display for ServiceError {
    /// On one line, with what lies beneath it.
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(&on_one_line(&*self.source))
    }
}

/// Why a service has no bus.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// There is no connection, or the daemon doesn't want it.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The daemon lets it not subscribe to its own heartbeat, so it is not the service that it says
    /// it is.
    #[error("the service's heartbeat")]
    Heartbeat(#[from] SubscribeError),
}

/// An error and its sources, on one line.
pub(crate) fn on_one_line(error: &(dyn Error + 'static)) -> String {
    let mut text = String::new();
    let mut next = Some(error);
    while let Some(error) = next {
        let said = error.to_string();
        // Errors that repeat their source are not said twice.
        if !text.ends_with(&said) {
            let colon = if text.is_empty() { "" } else { ": " };
            let _ = write!(text, "{colon}{said}");
        }
        next = error.source();
    }
    text.lines().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_are_said_on_one_line() {
        let error = std::io::Error::other("one\ntwo");
        assert_eq!(ServiceError::from(error).to_string(), "one two");
        let error = StartError::Connect(ConnectError::NotListening {
            path: "/run/x".into(),
            source: std::io::ErrorKind::NotFound.into(),
        });
        let said = on_one_line(&error);
        assert_eq!(said, "no daemon listens at /run/x: entity not found");
        assert!(ServiceError::fatal("no").is_fatal());
    }
}
