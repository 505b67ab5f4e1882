//! Why a store on a disk can't be opened or checked, in words that say what to do.

use std::path::PathBuf;

use kith_store::Failure;
use thiserror::Error;

use crate::Kind;

/// Why a store could not be opened.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum OpenError {
    /// The engine was left out when this program was built.
    #[error(
        "this program was built without the store \"{}\": choose another, or build it with the \
         feature for it", .kind.name()
    )]
    NotBuiltIn {
        /// The engine.
        kind: Kind,
    },
    /// Another process has it open.
    #[error(
        "another process has the store in {} open: stop it first (systemctl --user stop kith)",
        .path.display()
    )]
    Busy {
        /// Where.
        path: PathBuf,
    },
    /// A newer version of Kith has written it.
    #[error("{text}")]
    Newer {
        /// Which version, and what to do.
        text: String,
    },
    /// The disk, or something about it.
    #[error(transparent)]
    Failure(#[from] Failure),
}

impl From<kith_store::OpenError> for OpenError {
    fn from(error: kith_store::OpenError) -> Self {
        match error {
            kith_store::OpenError::Failure(failure) => Self::Failure(failure),
            newer @ kith_store::OpenError::Newer { .. } => Self::Newer { text: newer.to_string() },
            head => Self::Failure(Failure::Damaged { text: head.to_string() }),
        }
    }
}

/// Why a store could not be checked.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum CheckError {
    /// There is none.
    #[error("there is no store in {}", .path.display())]
    None {
        /// Where one would be.
        path: PathBuf,
    },
    /// It can't be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
}
