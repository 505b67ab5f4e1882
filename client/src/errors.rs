//! The errors that nobody waits for, as they come.

use crate::BackgroundError;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;

/// What goes wrong with things that nobody waits for, one after another; made by
/// [`Client::errors`](crate::Client::errors).
///
/// A few dozen wait for a program that doesn't read them; then the oldest are dropped, and
/// [`BackgroundError::Missed`] says how many.
#[derive(Debug)]
pub struct Errors {
    receiver: Receiver<BackgroundError>,
}

impl Errors {
    pub(crate) fn new(receiver: Receiver<BackgroundError>) -> Self {
        Self { receiver }
    }

    /// The next; `None` if the client and all its clones are gone. Nothing is lost if the future is
    /// dropped.
    pub async fn next(&mut self) -> Option<BackgroundError> {
        match self.receiver.recv().await {
            Ok(error) => Some(error),
            Err(RecvError::Lagged(count)) => Some(BackgroundError::Missed { count }),
            Err(RecvError::Closed) => None,
        }
    }
}
