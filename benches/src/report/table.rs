//! One table: a line for each peer, a column for each value of some fields.

use crate::results::{Cell, Cells, Spread};
use serde_json::Value;
use std::fmt::{self, Write};

/// How much of an error a cell shows; the whole of it is in the document.
const ERROR_CHARS_MAX: usize = 120;

/// What a table shows: cells of one test, told apart by key fields, with some figures of each.
pub(super) struct Table {
    title: &'static str,
    test: &'static str,
    keys: &'static [&'static str],
    /// Field, and how its column is called.
    figures: &'static [(&'static str, &'static str)],
    /// A last column, of medians divided.
    quotient: Option<Quotient>,
}

/// The median of a figure, divided by that of one peer in the same setting.
#[derive(Clone, Copy)]
pub(super) struct Quotient {
    pub(super) figure: &'static str,
    pub(super) peer: &'static str,
    pub(super) label: &'static str,
}

impl Quotient {
    /// `cells` are those of the setting of `cell`.
    fn show<'cells>(self, cell: &Cell, cells: impl Iterator<Item = &'cells Cell>) -> String {
        let median = |cell: &Cell| cell.figure(self.figure).map(|spread| spread.median);
        let mut of_peer = cells.filter(|cell| cell.peer == self.peer);
        match (median(cell), of_peer.next().and_then(median)) {
            (Some(median), Some(other)) => short(median / other),
            _ => "–".to_string(),
        }
    }
}

impl Table {
    pub(super) const fn new(title: &'static str, test: &'static str) -> Self {
        Self { title, test, keys: &[], figures: &[], quotient: None }
    }

    pub(super) const fn by(self, keys: &'static [&'static str]) -> Self {
        Self { keys, ..self }
    }

    pub(super) const fn of(self, figures: &'static [(&'static str, &'static str)]) -> Self {
        Self { figures, ..self }
    }

    pub(super) const fn and(self, quotient: Quotient) -> Self {
        Self { quotient: Some(quotient), ..self }
    }

    fn column_of(&self, cell: &Cell) -> String {
        let part = |key: &&str| match cell.keys.get(*key) {
            Some(Value::String(text)) => text.clone(),
            Some(other) => other.to_string(),
            None => "–".to_string(),
        };
        self.keys.iter().map(part).collect::<Vec<_>>().join("/")
    }

    pub(super) fn render(&self, cells: &Cells, peers: &[&str], out: &mut String) -> fmt::Result {
        let cells: Vec<&Cell> = cells.of_test(self.test, &[]).collect();
        let mut columns: Vec<String> = vec![];
        for cell in &cells {
            let column = self.column_of(cell);
            if !columns.contains(&column) {
                columns.push(column);
            }
        }
        if columns.is_empty() {
            return Ok(());
        }
        write!(out, "\n### {}\n\n| peer |", self.title)?;
        for column in &columns {
            let quotient = self.quotient.map(|quotient| quotient.label);
            for label in self.figures.iter().map(|(_, label)| *label).chain(quotient) {
                write!(out, " {} |", format!("{column} {label}").trim())?;
            }
        }
        let width = self.figures.len() + usize::from(self.quotient.is_some());
        writeln!(out, "\n|---|{}", "--:|".repeat(columns.len() * width))?;
        for peer in peers {
            let own: Vec<&&Cell> = cells.iter().filter(|cell| cell.peer == *peer).collect();
            if own.is_empty() {
                continue;
            }
            write!(out, "| {peer} |")?;
            for column in &columns {
                let cell = own.iter().find(|cell| self.column_of(cell) == *column);
                for (index, (figure, _)) in self.figures.iter().enumerate() {
                    let shown =
                        cell.map_or_else(|| "–".into(), |cell| show(cell, figure, index == 0));
                    write!(out, " {shown} |")?;
                }
                if let Some(quotient) = self.quotient {
                    let setting = cells.iter().filter(|cell| self.column_of(cell) == *column);
                    let shown = cell.map_or_else(
                        || "–".into(),
                        |cell| quotient.show(cell, setting.map(|cell| &**cell)),
                    );
                    write!(out, " {shown} |")?;
                }
            }
            writeln!(out)?;
        }
        Ok(())
    }
}

/// The content of one cell. Why something failed is said once, in the first of a test's figures.
fn show(cell: &Cell, figure: &str, is_first: bool) -> String {
    let Some(Spread { median, min, max }) = cell.figure(figure) else {
        return match &cell.error {
            Some(error) if is_first => {
                let error: String = error.replace('|', "/").chars().take(ERROR_CHARS_MAX).collect();
                format!("failed: {error}")
            }
            Some(_) => "failed".to_string(),
            None if cell.left_out > 0 => format!("– ({} left out)", cell.left_out),
            None => "–".to_string(),
        };
    };
    let mut text = short(median);
    if cell.runs > 1 && median > 0.0 {
        text += &format!(" ±{:.0}%", (max - min) / 2.0 / median * 100.0);
    }
    let notes = [
        (cell.runs == 1).then(|| "1 run".to_string()),
        (cell.lost > 0).then(|| format!("lost {}", cell.lost)),
        (cell.failed > 0).then(|| format!("{} failed", cell.failed)),
    ];
    let notes: Vec<String> = notes.into_iter().flatten().collect();
    if notes.is_empty() { text } else { format!("{text} ({})", notes.join(", ")) }
}

/// A figure with about three digits.
pub(crate) fn short(figure: f64) -> String {
    match figure {
        _ if figure >= 1e6 => format!("{:.2} M", figure / 1e6),
        _ if figure >= 1e4 => format!("{:.0} k", figure / 1e3),
        _ if figure >= 1e3 => format!("{:.1} k", figure / 1e3),
        _ if figure >= 100.0 => format!("{figure:.0}"),
        _ if figure >= 10.0 => format!("{figure:.1}"),
        _ => format!("{figure:.2}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_shortened() {
        let figures = [1_234_567.0, 12_345.0, 1_234.0, 123.4, 12.34, 1.234, 0.0];
        let shown = ["1.23 M", "12 k", "1.2 k", "123", "12.3", "1.23", "0.00"];
        assert_eq!(figures.map(short), shown);
    }
}
