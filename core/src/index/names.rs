//! Short names by number, counted: protocols and groups that subscriptions mention.

use foldhash::fast::FixedState;
use hashbrown::HashMap;
use slab::Slab;
use smol_str::SmolStr;

use super::slots::NONE;

/// Names by number. A name goes when nobody uses it any more.
#[derive(Debug)]
pub(super) struct Names {
    by_name: HashMap<SmolStr, u32, FixedState>,
    names: Slab<(SmolStr, u32)>,
}

impl Names {
    pub(super) fn new(seed: u64) -> Self {
        let by_name = HashMap::with_hasher(FixedState::with_seed(seed));
        Self { by_name, names: Slab::new() }
    }

    /// The number of this name, which is used once more.
    pub(super) fn acquire(&mut self, name: &str) -> u32 {
        if let Some(id) = self.by_name.get(name) {
            if let Some((_, users)) = self.names.get_mut(*id as usize) {
                *users += 1;
            }
            return *id;
        }
        let name = SmolStr::new(name);
        let id = u32::try_from(self.names.insert((name.clone(), 1))).unwrap_or(NONE);
        self.by_name.insert(name, id);
        id
    }

    /// Ends one use of a name.
    pub(super) fn release(&mut self, id: u32) {
        let Some((_, users)) = self.names.get_mut(id as usize) else { return };
        *users = users.saturating_sub(1);
        if *users == 0
            && let Some((name, _)) = self.names.try_remove(id as usize)
        {
            self.by_name.remove(&name);
        }
    }

    /// The number of this name, or [`NONE`] if nobody uses it.
    pub(super) fn find(&self, name: &str) -> u32 {
        self.by_name.get(name).copied().unwrap_or(NONE)
    }

    pub(super) fn name(&self, id: u32) -> Option<&str> {
        self.names.get(id as usize).map(|(name, _)| name.as_str())
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.names.len()
    }
}
