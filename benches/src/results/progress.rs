//! How far a run is, and how long the rest will take.
//!
//! Each test is announced with how many rows it will bring and about how long one takes; what has
//! come of them so far corrects the guess. What a peer that failed leaves undone is forgotten when
//! its suite ends.

use std::time::{Duration, Instant};

/// One test that is still to bring rows.
struct Due {
    test: &'static str,
    rows: usize,
    seconds_each: f64,
}

pub(crate) struct Progress {
    began: Instant,
    due: Vec<Due>,
    /// What the rows so far should have taken.
    done_seconds: f64,
}

impl Default for Progress {
    fn default() -> Self {
        Self { began: Instant::now(), due: vec![], done_seconds: 0.0 }
    }
}

impl Progress {
    pub(crate) fn expect(&mut self, test: &'static str, rows: usize, seconds_each: f64) {
        self.due.push(Due { test, rows, seconds_each });
    }

    /// A suite is over: its tests bring no more rows.
    pub(crate) fn finish(&mut self, tests: &[&str]) {
        self.due.retain(|due| !tests.contains(&due.test));
    }

    pub(super) fn row(&mut self, test: &str) {
        let is_due = |due: &&mut Due| due.test == test && due.rows > 0;
        if let Some(due) = self.due.iter_mut().find(is_due) {
            due.rows -= 1;
            self.done_seconds += due.seconds_each;
        }
    }

    pub(crate) fn left(&self) -> Duration {
        self.left_after(self.began.elapsed().as_secs_f64())
    }

    fn left_after(&self, elapsed: f64) -> Duration {
        /// Before so much is done, its time says little about the rest's.
        const TELLING_SECONDS: f64 = 10.0;
        let left: f64 = self.due.iter().map(|due| due.rows as f64 * due.seconds_each).sum();
        let is_telling = self.done_seconds > TELLING_SECONDS;
        let factor = if is_telling { elapsed / self.done_seconds } else { 1.0 };
        Duration::from_secs_f64(left * factor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rest_is_scaled_by_what_the_beginning_took() {
        let mut progress = Progress::default();
        progress.expect("thr", 30, 1.0);
        progress.expect("subs_load", 2, 20.0);
        assert_eq!(progress.left_after(0.0), Duration::from_secs(70));
        for _ in 0..20 {
            progress.row("thr");
        }
        assert_eq!(progress.left_after(40.0), Duration::from_secs(100));
        progress.finish(&["thr"]);
        assert_eq!(progress.left_after(40.0), Duration::from_secs(80));
        progress.row("unannounced");
        assert_eq!(progress.left_after(40.0), Duration::from_secs(80));
    }
}
