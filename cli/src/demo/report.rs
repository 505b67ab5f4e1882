//! What the demo prints: numbered steps for a person, or one JSON object a step for a program.
//!
//! It is printed as it happens, so that what was seen last stands last if something fails.

use crate::limits::DEMO_COLUMNS_MAX;
use crate::output::print;
use crate::show::columns::width;
use crate::show::harmless::harmless;
use crate::show::paint::{Paint, Style};
use serde::Serialize;
use std::io;
use std::time::Instant;

/// Prints the demo.
pub(super) struct Report {
    is_json: bool,
    paint: Paint,
    columns: usize,
    step: Step,
    /// The first error of standard output.
    broken: Option<io::Error>,
}

/// A step, as a program reads it.
#[derive(Serialize)]
struct Step {
    step: u32,
    name: &'static str,
    ok: bool,
    ms: u128,
    seen: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    #[serde(skip)]
    began: Instant,
}

impl Step {
    fn begin(step: u32, name: &'static str) -> Self {
        let began = Instant::now();
        Self { step, name, ok: false, ms: 0, seen: Vec::new(), error: None, began }
    }
}

impl Report {
    pub(super) fn new(is_json: bool, paint: Paint, columns: Option<usize>) -> Self {
        let columns = columns.unwrap_or(DEMO_COLUMNS_MAX).min(DEMO_COLUMNS_MAX);
        Self { is_json, paint, columns, step: Step::begin(0, ""), broken: None }
    }

    /// A line that belongs to no step.
    pub(super) fn line(&mut self, text: &str) {
        for line in wrapped("", text, self.columns) {
            self.put(&line);
        }
    }

    pub(super) fn begin(&mut self, name: &'static str, title: &str) {
        self.step = Step::begin(self.step.step + 1, name);
        let title = format!("{}. {title}", self.step.step);
        self.put("");
        self.put(&self.paint.paint(Style::Heading, &title));
    }

    /// What is done, or why.
    pub(super) fn tell(&mut self, text: &str) {
        for line in wrapped("   ", text, self.columns) {
            self.put(&line);
        }
    }

    /// A line that a JSON client sent.
    pub(super) fn sent(&mut self, who: &str, line: &str) {
        self.exchanged(&format!("   {who} → "), line);
    }

    /// A line that a JSON client received.
    pub(super) fn received(&mut self, who: &str, line: &str) {
        self.exchanged(&format!("   {who} ← "), line);
    }

    /// What was seen to work.
    pub(super) fn seen(&mut self, text: &str) {
        self.step.seen.push(text.to_owned());
        self.mark(Style::Success, "✓", text);
    }

    /// The end of a step, and why if it did not work.
    pub(super) fn end(&mut self, error: Option<String>) {
        self.step.ok = error.is_none();
        self.step.ms = self.step.began.elapsed().as_millis();
        if let Some(error) = &error {
            self.mark(Style::Fault, "✗", error);
        }
        self.step.error = error;
        if self.is_json {
            let line = serde_json::to_string(&self.step).unwrap_or_default();
            self.write(&line);
        }
    }

    /// How many steps have begun, and the name of the last.
    pub(super) fn progress(&self) -> (u32, &'static str) {
        (self.step.step, self.step.name)
    }

    /// Whether everything could be printed.
    pub(super) fn finish(self) -> io::Result<()> {
        self.broken.map_or(Ok(()), Err)
    }

    fn mark(&mut self, style: Style, mark: &str, text: &str) {
        let lines = wrapped(&format!("   {mark} "), text, self.columns);
        for line in lines {
            let line = line.replacen(mark, &self.paint.paint(style, mark), 1);
            self.put(&line);
        }
    }

    fn exchanged(&mut self, prefix: &str, line: &str) {
        for line in wrapped(prefix, line, self.columns) {
            self.put(&self.paint.paint(Style::Faint, &line));
        }
    }

    /// For a person alone.
    fn put(&mut self, line: &str) {
        if !self.is_json {
            self.write(line);
        }
    }

    fn write(&mut self, line: &str) {
        if self.broken.is_none() {
            self.broken = print(format!("{line}\n").as_bytes()).err();
        }
    }
}

/// `text` after `prefix`, broken after commas and spaces where it is too wide; what follows is
/// indented as far as the prefix.
fn wrapped(prefix: &str, text: &str, columns: usize) -> Vec<String> {
    let indent = " ".repeat(width(prefix));
    let mut lines = vec![prefix.to_owned()];
    let mut used = width(prefix);
    let text = harmless(text);
    for piece in text.split_inclusive([',', ' ']) {
        let piece_columns = width(piece.trim_end());
        if used + piece_columns > columns && used > indent.len() {
            lines.push(indent.clone());
            used = indent.len();
        }
        if let Some(line) = lines.last_mut() {
            line.push_str(piece);
        }
        used += width(piece);
    }
    lines.iter().map(|line| line.trim_end().to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lines_are_broken_where_it_does_not_hurt() {
        let lines = wrapped("  → ", "{\"op\":\"sub\",\"id\":1,\"pattern\":\"self.>\"}", 24);
        let expected = ["  → {\"op\":\"sub\",\"id\":1,", "    \"pattern\":\"self.>\"}"];
        assert_eq!(lines, expected);
        assert_eq!(wrapped("", "a bb ccc", 4), ["a bb", "ccc"]);
        assert_eq!(wrapped("   ", "unbreakable", 4), ["   unbreakable"]);
        assert_eq!(wrapped("> ", "", 10), [">"]);
    }
}
