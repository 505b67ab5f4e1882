//! What an engine has to do to keep a store's records, and how it says that it can't.
//!
//! Two functions, so that a second engine is a small piece of work and can be held to the first
//! by one suite. A backend sees keys and sealed values as bytes, and knows nothing of either.

use std::ops::ControlFlow;

use thiserror::Error;

/// What a scan calls for each entry.
pub type Each<'a> = dyn FnMut(&[u8], &[u8]) -> ControlFlow<()> + 'a;

/// An ordered map from bytes to bytes, that survives.
pub trait Backend: Send {
    /// Puts all changes in, or none. When it returns `Ok` they are on the disk, and no loss of
    /// power takes them away again. `None` deletes; a later change of a key wins.
    ///
    /// After an error the changes are usually not there. If the engine can't tell, they may turn
    /// up later, and then all of them.
    ///
    /// # Errors
    /// [`Failure`] by what stands in the way. The next commit tries again from scratch.
    fn commit(
        &mut self,
        changes: &mut dyn Iterator<Item = (&[u8], Option<&[u8]>)>,
    ) -> Result<(), Failure>;

    /// Calls `each` for the entries with `from <= key < to` in the order of their keys, until it
    /// breaks. It sees every commit before it.
    ///
    /// # Errors
    /// [`Failure`]; `each` may have been called for some entries before.
    fn scan(&mut self, from: &[u8], to: Option<&[u8]>, each: &mut Each<'_>) -> Result<(), Failure>;
}

/// Why something could not be stored or read. The texts say what to do next.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Failure {
    /// No room on the disk, or a quota of the file system's.
    #[error("{text}")]
    Full {
        /// What happened, and what to do.
        text: String,
    },
    /// The files can't be written.
    #[error("{text}")]
    ReadOnly {
        /// What happened, and what to do.
        text: String,
    },
    /// The disk or the file system fails.
    #[error("{text}")]
    InputOutput {
        /// What happened, and what to do.
        text: String,
    },
    /// The files are not what was written.
    #[error("{text}")]
    Damaged {
        /// What happened, and what to do.
        text: String,
    },
    /// A key or a value that no store takes: a mistake of the caller's.
    #[error("{text}")]
    Refused {
        /// What is wrong with it.
        text: String,
    },
    /// The store has been closed.
    #[error("the store has been closed")]
    Stopped,
}

impl Failure {
    /// A word for logs and metrics.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Full { .. } => "full",
            Self::ReadOnly { .. } => "read-only",
            Self::InputOutput { .. } => "input-output",
            Self::Damaged { .. } => "damaged",
            Self::Refused { .. } => "refused",
            Self::Stopped => "stopped",
        }
    }
}

impl<B: Backend + ?Sized> Backend for Box<B> {
    fn commit(
        &mut self,
        changes: &mut dyn Iterator<Item = (&[u8], Option<&[u8]>)>,
    ) -> Result<(), Failure> {
        (**self).commit(changes)
    }

    fn scan(&mut self, from: &[u8], to: Option<&[u8]>, each: &mut Each<'_>) -> Result<(), Failure> {
        (**self).scan(from, to, each)
    }
}
