//! The version of what is stored, and the steps from each version to the next.
//!
//! The version covers all of it: the seal, the keys, and what callers put into the values. A
//! change of any of these that an older daemon would misread, or that a newer one can't read as it
//! is, raises [`CURRENT`] and adds a step. Steps run when a store is opened, each in one commit
//! together with its new version, so a daemon that stops in between starts again where it was.
//!
//! A store of a newer version is refused: nobody can say what of it an old daemon would break.

use crate::{Backend, Batch, Failure};

/// The version that this code writes.
pub(crate) const CURRENT: u32 = 1;

/// The steps, in order. There is none yet: version 1 is the first.
pub(crate) const STEPS: &[Step] = &[];

/// From one version to the next.
pub(crate) struct Step {
    /// The version that it takes a store from.
    pub(crate) from: u32,
    /// What has to change, read from the store as it is.
    pub(crate) changes: fn(&mut dyn Backend) -> Result<Batch, Failure>,
}
