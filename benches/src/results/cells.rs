//! Cells: the runs of one test with one peer and one setting, summed up.
//!
//! A run during which others used the cores says nothing about the peer's speed, so its figures are
//! left out, and it is counted; what it lost was lost all the same. Median and range are all the
//! statistics: with five runs, more would only look exact.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// The fields of a row that tell settings of one test apart.
pub(crate) const KEYS: [&str; 5] = ["payload", "subs", "held", "place", "unit"];
/// Numbers in a row that are no figures.
const NO_FIGURES: [&str; 2] = ["rep", "lost"];

/// Median and range of some runs.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    pub(crate) min: f64,
    pub(crate) max: f64,
}

impl Spread {
    pub(crate) fn of(mut values: Vec<f64>) -> Option<Self> {
        values.sort_by(f64::total_cmp);
        let (min, max) = (*values.first()?, *values.last()?);
        let middle = values.len() / 2;
        let median = if values.len() % 2 == 1 {
            values[middle]
        } else {
            f64::midpoint(values[middle - 1], values[middle])
        };
        Some(Self { median: rounded(median), min: rounded(min), max: rounded(max) })
    }
}

/// Four digits, which is more than such figures are worth, and makes the document readable.
fn rounded(figure: f64) -> f64 {
    format!("{figure:.3e}").parse().unwrap_or(figure)
}

/// Whether others used more than so many cores during a run. A row that doesn't say counts.
pub(super) fn is_disturbed(row: &Value, foreign_cores_max: f64) -> bool {
    row["foreign"].as_f64().is_some_and(|cores| cores > foreign_cores_max)
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Cell {
    pub(crate) test: String,
    pub(crate) peer: String,
    /// The setting: those of `KEYS` that the test has.
    pub(crate) keys: BTreeMap<String, Value>,
    /// Runs that count.
    pub(crate) runs: usize,
    /// Runs that don't, since others used the machine.
    pub(crate) left_out: usize,
    pub(crate) failed: usize,
    /// Messages lost in all runs, in those that don't count too.
    pub(crate) lost: u64,
    /// Why the first that failed did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<String>,
    pub(crate) figures: BTreeMap<String, Spread>,
}

impl Cell {
    pub(crate) fn figure(&self, name: &str) -> Option<Spread> {
        self.figures.get(name).copied()
    }

    pub(super) fn is_of(&self, row: &Value) -> bool {
        let has_key = |name: &&str| row[*name] == *self.keys.get(*name).unwrap_or(&Value::Null);
        self.test == row["test"] && self.peer == row["peer"] && KEYS.iter().all(has_key)
    }

    pub(super) fn named_by(row: &Value) -> Self {
        let text = |field: &str| row[field].as_str().unwrap_or("").to_string();
        let keys = KEYS
            .iter()
            .filter(|name| !row[**name].is_null())
            .map(|name| ((*name).to_string(), row[*name].clone()))
            .collect();
        Self { test: text("test"), peer: text("peer"), keys, ..Self::default() }
    }

    /// Counts the runs, and sums up the figures of those that count.
    fn sum_up(&mut self, rows: &[&Value], foreign_cores_max: f64) {
        let mut values: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
        for row in rows {
            self.lost += row["lost"].as_u64().unwrap_or(0);
            if is_disturbed(row, foreign_cores_max) {
                self.left_out += 1;
                continue;
            }
            if let Some(error) = row["error"].as_str() {
                self.failed += 1;
                self.error.get_or_insert_with(|| error.to_string());
            } else {
                self.runs += 1;
            }
            for (name, value) in row.as_object().into_iter().flatten() {
                let is_figure =
                    !KEYS.contains(&name.as_str()) && !NO_FIGURES.contains(&name.as_str());
                if let (true, Some(value)) = (is_figure, value.as_f64()) {
                    values.entry(name).or_default().push(value);
                }
            }
        }
        self.figures = values
            .into_iter()
            .filter_map(|(name, values)| Some((name.to_string(), Spread::of(values)?)))
            .collect();
    }
}

/// All cells, in the order in which they were first measured.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Cells(pub(crate) Vec<Cell>);

impl Cells {
    /// Runs during which others used more than so many cores don't count.
    pub(crate) fn of(rows: &[Value], foreign_cores_max: f64) -> Self {
        let mut groups: Vec<(Cell, Vec<&Value>)> = vec![];
        for row in rows {
            match groups.iter_mut().find(|(cell, _)| cell.is_of(row)) {
                Some((_, members)) => members.push(row),
                None => groups.push((Cell::named_by(row), vec![row])),
            }
        }
        let sum_up = |(mut cell, rows): (Cell, Vec<&Value>)| {
            cell.sum_up(&rows, foreign_cores_max);
            cell
        };
        Self(groups.into_iter().map(sum_up).collect())
    }

    /// The cells of one test with one setting, of all peers.
    pub(crate) fn of_test<'cells>(
        &'cells self,
        test: &'cells str,
        keys: &'cells [(&'cells str, Value)],
    ) -> impl Iterator<Item = &'cells Cell> {
        self.0.iter().filter(move |cell| {
            cell.test == test
                && keys.iter().all(|(name, value)| cell.keys.get(*name) == Some(value))
        })
    }

    /// Runs left out, and all of them.
    pub(crate) fn left_out(&self) -> (usize, usize) {
        let left_out = self.0.iter().map(|cell| cell.left_out).sum();
        let kept: usize = self.0.iter().map(|cell| cell.runs + cell.failed).sum();
        (left_out, kept + left_out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn thr(peer: &str, rate: f64, foreign: f64) -> Value {
        json!({"test": "thr", "peer": peer, "payload": 128, "rep": 1, "rate": rate,
            "foreign": foreign, "lost": 0})
    }

    #[test]
    fn the_median_of_odd_and_even_counts() {
        let odd = Spread::of(vec![9.0, 1.0, 5.0]).unwrap();
        assert_eq!(odd, Spread { median: 5.0, min: 1.0, max: 9.0 });
        let even = Spread::of(vec![8.0, 1.0, 2.0, 4.0]).unwrap();
        assert_eq!(even, Spread { median: 3.0, min: 1.0, max: 8.0 });
        assert!(Spread::of(vec![]).is_none());
        assert_eq!(Spread::of(vec![1_234_567.8]).unwrap().median, 1_235_000.0);
    }

    #[test]
    fn disturbed_runs_are_left_out_and_counted() {
        let rows = [thr("a", 1.0e6, 0.0), thr("a", 9.0e6, 0.5), thr("a", 3.0e6, 0.1)];
        let cells = Cells::of(&rows, 0.1);
        assert_eq!(cells.left_out(), (1, 3));
        let cell = &cells.0[0];
        assert_eq!((cell.runs, cell.left_out, cell.failed), (2, 1, 0));
        assert_eq!(cell.figure("rate").unwrap().median, 2.0e6);
        assert!(cell.figure("rep").is_none() && cell.figure("payload").is_none());
    }

    #[test]
    fn what_a_disturbed_run_lost_is_lost() {
        let mut disturbed = thr("a", 9.0e6, 0.5);
        disturbed["lost"] = 3.into();
        let cells = Cells::of(&[thr("a", 1.0e6, 0.0), disturbed], 0.1);
        assert_eq!((cells.0[0].runs, cells.0[0].left_out, cells.0[0].lost), (1, 1, 3));
    }

    #[test]
    fn settings_and_peers_are_told_apart() {
        let mut large = thr("a", 5.0, 0.0);
        large["payload"] = 1024.into();
        let failed = json!({"test": "thr", "peer": "b", "payload": 128, "error": "gone"});
        let cells = Cells::of(&[thr("a", 1.0, 0.0), large, failed, thr("b", 2.0, 0.0)], 0.1);
        assert_eq!(cells.0.len(), 3);
        let keys = [("payload", json!(128))];
        let peers: Vec<&str> = cells.of_test("thr", &keys).map(|cell| &*cell.peer).collect();
        assert_eq!(peers, ["a", "b"]);
        let b = &cells.0[2];
        assert_eq!((b.runs, b.failed, b.error.as_deref()), (1, 1, Some("gone")));
    }
}
