//! The engines, by name, and how each is opened.
//!
//! An engine is a [`Backend`] that can also be asked how its files are, and to give out what can
//! still be read of files that are damaged. Everything else here is the same for all of them.

use std::path::Path;

use kith_store::{Backend, Each, Failure};

use crate::OpenError;
use crate::sqlite::Sqlite;

/// Which engine keeps the records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// SQLite with a write-ahead log: the one to use.
    Sqlite,
    /// sled 0.34, if it is built in: to compare with.
    Sled,
}

impl Kind {
    /// Every one of them, built in or not.
    pub const ALL: [Self; 2] = [Self::Sqlite, Self::Sled];

    /// The one that is called so in the configuration.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// What it is called.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "sqlite",
            Self::Sled => "sled",
        }
    }

    /// Whether it can be opened.
    #[must_use]
    pub const fn is_built_in(self) -> bool {
        match self {
            Self::Sqlite => true,
            Self::Sled => cfg!(feature = "sled"),
        }
    }

    /// Makes an empty one in a directory that is there and empty.
    pub(crate) fn create(self, directory: &Path) -> Result<Box<dyn Engine>, OpenError> {
        match self {
            Self::Sqlite => Ok(Box::new(Sqlite::create(directory)?)),
            #[cfg(feature = "sled")]
            Self::Sled => Ok(Box::new(crate::sled::Sled::create(directory)?)),
            #[cfg(not(feature = "sled"))]
            Self::Sled => Err(OpenError::NotBuiltIn { kind: self }),
        }
    }

    /// Opens one that was made before.
    pub(crate) fn open(self, directory: &Path) -> Result<Box<dyn Engine>, OpenError> {
        match self {
            Self::Sqlite => Ok(Box::new(Sqlite::open(directory)?)),
            #[cfg(feature = "sled")]
            Self::Sled => Ok(Box::new(crate::sled::Sled::open(directory)?)),
            #[cfg(not(feature = "sled"))]
            Self::Sled => Err(OpenError::NotBuiltIn { kind: self }),
        }
    }
}

/// A backend in files.
pub(crate) trait Engine: Backend {
    /// Looks at the files as the engine understands them; with `thorough` at all that it can check.
    fn inspect(&mut self, thorough: bool) -> Result<(), Failure>;

    /// Calls `each` for whatever can still be read, each entry once and in no order, and goes past
    /// what can't.
    fn rescue(&mut self, each: &mut Each<'_>);

    /// Leaves the files tidy. Without it they are whole too, and opening them takes longer.
    fn close(self: Box<Self>);
}
