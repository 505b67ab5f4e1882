//! One table: a line for each peer, a column for each value of some fields.

use super::is_disturbed;
use serde_json::Value;
use std::fmt::{self, Write};

/// How much of an error a cell shows; the whole of it is in the row.
const ERROR_CHARS_MAX: usize = 120;

/// What a table shows: rows of one test, told apart by key fields, with some figures of each.
pub(super) struct Table {
    title: &'static str,
    test: &'static str,
    keys: &'static [&'static str],
    /// Field, and how its column is called.
    figures: &'static [(&'static str, &'static str)],
}

impl Table {
    pub(super) const fn new(title: &'static str, test: &'static str) -> Self {
        Self { title, test, keys: &[], figures: &[] }
    }

    pub(super) const fn by(self, keys: &'static [&'static str]) -> Self {
        Self { keys, ..self }
    }

    pub(super) const fn of(self, figures: &'static [(&'static str, &'static str)]) -> Self {
        Self { figures, ..self }
    }

    fn column_of(&self, row: &Value) -> String {
        let part = |key: &&str| match &row[*key] {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        self.keys.iter().map(part).collect::<Vec<_>>().join("/")
    }

    pub(super) fn render(&self, rows: &[Value], peers: &[&str], out: &mut String) -> fmt::Result {
        let rows: Vec<&Value> = rows.iter().filter(|row| row["test"] == self.test).collect();
        let mut columns: Vec<String> = vec![];
        for row in &rows {
            let column = self.column_of(row);
            if !columns.contains(&column) {
                columns.push(column);
            }
        }
        if columns.is_empty() {
            return Ok(());
        }
        write!(out, "\n### {}\n\n| peer |", self.title)?;
        for column in &columns {
            for (_, label) in self.figures {
                write!(out, " {} |", format!("{column} {label}").trim())?;
            }
        }
        writeln!(out, "\n|---|{}", "--:|".repeat(columns.len() * self.figures.len()))?;
        for peer in peers {
            let own: Vec<&Value> =
                rows.iter().copied().filter(|row| row["peer"] == **peer).collect();
            if own.is_empty() {
                continue;
            }
            write!(out, "| {peer} |")?;
            for column in &columns {
                let cell: Vec<&Value> =
                    own.iter().copied().filter(|row| self.column_of(row) == *column).collect();
                for (index, (figure, _)) in self.figures.iter().enumerate() {
                    write!(out, " {} |", show(&cell, figure, index == 0))?;
                }
            }
            writeln!(out)?;
        }
        Ok(())
    }
}

/// The content of one cell, from the runs that belong to it. Why something failed is said once, in
/// the first of a test's figures.
fn show(runs: &[&Value], figure: &str, is_first: bool) -> String {
    let (left_out, kept): (Vec<&Value>, Vec<&Value>) =
        runs.iter().copied().partition(|row| is_disturbed(row));
    let values: Vec<f64> = kept.iter().filter_map(|row| row[figure].as_f64()).collect();
    let errors: Vec<&str> = kept.iter().filter_map(|row| row["error"].as_str()).collect();
    let Some(spread) = Spread::of(values) else {
        return match errors.first() {
            Some(error) if is_first => {
                let error: String = error.replace('|', "/").chars().take(ERROR_CHARS_MAX).collect();
                format!("failed: {error}")
            }
            Some(_) => "failed".to_string(),
            None if !left_out.is_empty() => format!("– ({} left out)", left_out.len()),
            None => "–".to_string(),
        };
    };
    let mut text = spread.to_string();
    let lost: u64 = kept.iter().filter_map(|row| row["lost"].as_u64()).sum();
    if lost > 0 {
        text += &format!(" (lost {lost})");
    }
    if !errors.is_empty() {
        text += &format!(" ({} failed)", errors.len());
    }
    text
}

/// Median of some runs and half their range.
struct Spread {
    median: f64,
    half_range: f64,
    runs: usize,
}

impl Spread {
    fn of(mut values: Vec<f64>) -> Option<Self> {
        values.sort_by(f64::total_cmp);
        let (first, last) = (*values.first()?, *values.last()?);
        let middle = values.len() / 2;
        let median = if values.len() % 2 == 1 {
            values[middle]
        } else {
            f64::midpoint(values[middle - 1], values[middle])
        };
        Some(Self { median, half_range: (last - first) / 2.0, runs: values.len() })
    }
}

impl fmt::Display for Spread {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&short(self.median))?;
        if self.runs > 1 && self.median > 0.0 {
            write!(formatter, " ±{:.0}%", self.half_range / self.median * 100.0)?;
        }
        Ok(())
    }
}

/// A figure with about three digits.
fn short(figure: f64) -> String {
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
    fn the_median_of_odd_and_even_counts() {
        let odd = Spread::of(vec![9.0, 1.0, 5.0]).unwrap();
        assert_eq!((odd.median, odd.half_range), (5.0, 4.0));
        let even = Spread::of(vec![8.0, 1.0, 2.0, 4.0]).unwrap();
        assert_eq!((even.median, even.half_range), (3.0, 3.5));
        assert!(Spread::of(vec![]).is_none());
    }

    #[test]
    fn one_run_has_no_spread() {
        assert_eq!(Spread::of(vec![2.0]).unwrap().to_string(), "2.00");
        assert_eq!(Spread::of(vec![90.0, 110.0]).unwrap().to_string(), "100 ±10%");
    }

    #[test]
    fn figures_are_shortened() {
        let figures = [1_234_567.0, 12_345.0, 1_234.0, 123.4, 12.34, 1.234, 0.0];
        let shown = ["1.23 M", "12 k", "1.2 k", "123", "12.3", "1.23", "0.00"];
        assert_eq!(figures.map(short), shown);
    }
}
