//! What services say: in the daemon's log under their name, and the last of it for who asks.
//!
//! A service may say much. So many of its lines a second go into the log, and the others are
//! counted, and the count said; so a service that does nothing but print fills no disk, and takes
//! no time from others.

use crate::limits::{LOG_LINE_CHARS_MAX, LOG_LINES_KEPT_MAX, LOG_LINES_PER_SECOND_MAX};
use std::collections::VecDeque;

/// The last lines of one service.
#[derive(Debug, Default)]
pub(super) struct Log {
    lines: VecDeque<Line>,
    /// In the second that began then.
    second: u64,
    in_second: u32,
    dropped: u64,
}

/// One line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line {
    /// When it was said, in milliseconds since the epoch.
    pub(super) at_ms: u64,
    pub(super) text: String,
}

impl Log {
    /// Takes a line. What is to be written into the daemon's log for it: perhaps first how many
    /// were left out before it.
    pub(super) fn add(&mut self, at_ms: u64, text: &str) -> Vec<Line> {
        let second = at_ms / 1000;
        if self.second != second {
            (self.second, self.in_second) = (second, 0);
        }
        if LOG_LINES_PER_SECOND_MAX <= self.in_second {
            self.dropped += 1;
            return Vec::new();
        }
        self.in_second += 1;
        let mut new = self.left_out(at_ms);
        let line = Line { at_ms, text: printable(text) };
        self.keep(&line);
        new.push(line);
        new
    }

    /// How many lines were left out that has not been said: before the next one, or when nothing
    /// more comes.
    pub(super) fn left_out(&mut self, at_ms: u64) -> Vec<Line> {
        let dropped = std::mem::take(&mut self.dropped);
        if dropped == 0 {
            return Vec::new();
        }
        let text = format!("({dropped} lines left out: more than so many a second)");
        let line = Line { at_ms, text };
        self.keep(&line);
        vec![line]
    }

    fn keep(&mut self, line: &Line) {
        if LOG_LINES_KEPT_MAX <= self.lines.len() {
            self.lines.pop_front();
        }
        self.lines.push_back(line.clone());
    }

    /// The last lines, in their order.
    pub(super) fn last(&self, count: usize) -> impl Iterator<Item = &Line> {
        self.lines.iter().skip(self.lines.len().saturating_sub(count))
    }
}

/// The beginning of a line, without anything that a terminal would obey.
fn printable(text: &str) -> String {
    let mut shown: String = text
        .trim_end()
        .chars()
        .take(LOG_LINE_CHARS_MAX)
        .map(|c| match c {
            '\t' => ' ',
            c if c.is_control() => '\u{FFFD}',
            c => c,
        })
        .collect();
    if text.trim_end().chars().nth(LOG_LINE_CHARS_MAX).is_some() {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_lines_are_kept() {
        let mut log = Log::default();
        for n in 0..LOG_LINES_KEPT_MAX as u64 + 5 {
            assert_eq!(log.add(n * 1000, &n.to_string()).len(), 1);
        }
        let last: Vec<_> = log.last(2).map(|line| line.text.as_str()).collect();
        let wanted = [LOG_LINES_KEPT_MAX + 3, LOG_LINES_KEPT_MAX + 4].map(|n| n.to_string());
        assert_eq!(last, wanted);
        assert_eq!(log.last(usize::MAX).count(), LOG_LINES_KEPT_MAX);
    }

    #[test]
    fn so_many_a_second_and_then_how_many_more() {
        let mut log = Log::default();
        let shown: usize = (0..1_000).map(|_| log.add(5_000, "x").len()).sum();
        assert_eq!(shown, LOG_LINES_PER_SECOND_MAX as usize);
        let next = log.add(6_000, "y");
        assert_eq!(
            next[0].text,
            format!("({} lines left out: more than so many a second)", 1_000 - shown)
        );
        assert_eq!(next[1].text, "y");
        // When nothing more comes, too.
        assert_eq!(log.left_out(6_001), []);
        (0..LOG_LINES_PER_SECOND_MAX).for_each(|_| drop(log.add(6_001, "x")));
        assert!(log.left_out(6_002)[0].text.starts_with("(1 lines left out"));
        assert_eq!(log.left_out(6_002), []);
    }

    #[test]
    fn a_line_is_one_line_and_obeyed_by_no_terminal() {
        let mut log = Log::default();
        assert_eq!(log.add(0, "a\u{1b}[31m\tb\r\n")[0].text, "a\u{FFFD}[31m b");
        let long = log.add(0, &"é".repeat(LOG_LINE_CHARS_MAX + 1)).remove(0).text;
        assert_eq!(long.chars().count(), LOG_LINE_CHARS_MAX + 1);
        assert!(long.ends_with('…'));
        // Whatever is kept is a line as the contract has it.
        let longest = log.add(0, &"😀".repeat(LOG_LINE_CHARS_MAX + 1)).remove(0).text;
        assert!(longest.len() <= kith_contract::limits::LINE_BYTES_MAX);
    }
}
