//! What was seen of a number lately, for a line that shows how it went.

use crate::limits::HISTORY_MAX;
use std::collections::VecDeque;

/// The last values of a number, the newest last.
#[derive(Clone, Debug, Default)]
pub(crate) struct History {
    values: VecDeque<u64>,
}

impl History {
    pub(crate) fn push(&mut self, value: u64) {
        if self.values.len() >= HISTORY_MAX {
            self.values.pop_front();
        }
        self.values.push_back(value);
    }

    /// The last `count` values; nothing in place of those that were never seen.
    pub(crate) fn last(&self, count: usize) -> Vec<Option<u64>> {
        let missing = count.saturating_sub(self.values.len());
        let skipped = self.values.len().saturating_sub(count);
        let seen = self.values.iter().skip(skipped).copied().map(Some);
        std::iter::repeat_n(None, missing).chain(seen).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_stand_last_and_the_oldest_are_forgotten() {
        let mut history = History::default();
        assert_eq!(history.last(2), [None, None]);
        for value in 1..=3 {
            history.push(value);
        }
        assert_eq!(history.last(2), [Some(2), Some(3)]);
        assert_eq!(history.last(4), [None, Some(1), Some(2), Some(3)]);
        for value in 0..10_000 {
            history.push(value);
        }
        let all = history.last(usize::from(u16::MAX));
        assert_eq!(all.iter().flatten().count(), HISTORY_MAX);
        assert_eq!(all.last(), Some(&Some(9_999)));
    }
}
