//! A backend in memory, for tests: a disk that can be copied, changed and made to fail.
//!
//! A clone is the disk at that moment: opening a store on it is what a restart after a loss of
//! power would find. It is no store for people: nothing of it survives the process.

use std::collections::BTreeMap;
use std::ops::Bound;

use crate::{Backend, Each, Failure};

/// Entries in a tree.
#[derive(Clone, Debug, Default)]
pub struct Memory {
    entries: BTreeMap<Vec<u8>, Vec<u8>>,
    commits: u64,
    failing: Option<Failure>,
}

impl Memory {
    /// An empty one.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// From now on commits fail with this; with `None` they succeed again. Scans always succeed.
    pub fn fail(&mut self, failing: Option<Failure>) {
        self.failing = failing;
    }

    /// How many commits have succeeded.
    #[must_use]
    pub const fn commits(&self) -> u64 {
        self.commits
    }

    /// What lies on this "disk": sealed values, the store's own included. Change it to do damage.
    pub const fn entries_mut(&mut self) -> &mut BTreeMap<Vec<u8>, Vec<u8>> {
        &mut self.entries
    }
}

impl Backend for Memory {
    fn commit(
        &mut self,
        changes: &mut dyn Iterator<Item = (&[u8], Option<&[u8]>)>,
    ) -> Result<(), Failure> {
        if let Some(failure) = &self.failing {
            return Err(failure.clone());
        }
        for (key, value) in changes {
            match value {
                Some(value) => {
                    self.entries.insert(key.to_vec(), value.to_vec());
                }
                None => {
                    self.entries.remove(key);
                }
            }
        }
        self.commits += 1;
        Ok(())
    }

    fn scan(&mut self, from: &[u8], to: Option<&[u8]>, each: &mut Each<'_>) -> Result<(), Failure> {
        if to.is_some_and(|to| to <= from) {
            return Ok(());
        }
        let end = to.map_or(Bound::Unbounded, Bound::Excluded);
        for (key, value) in self.entries.range::<[u8], _>((Bound::Included(from), end)) {
            if each(key, value).is_break() {
                break;
            }
        }
        Ok(())
    }
}
