//! The document: what was measured, of what, on what, when; one JSON value that is kept.
//!
//! Tables, verdicts and plots are made of it alone, so that they can be made anew without measuring
//! anew, and so that nobody has to guess what a figure was measured on.

use super::cells::Cells;
use crate::machine;
use anyhow::Context;
use serde::{Deserialize, Serialize};
use std::path::Path;

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Document {
    /// The version of Kith, and of this program.
    pub(crate) kith: String,
    /// When the run ended, by the machine's clock, in UTC.
    pub(crate) date: String,
    pub(crate) machine: machine::Description,
    pub(crate) settings: Settings,
    pub(crate) peers: Vec<PeerVersion>,
    pub(crate) cells: Cells,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Settings {
    pub(crate) quick: bool,
    pub(crate) repetitions: usize,
    /// How long a load run sends.
    pub(crate) seconds: f64,
    /// How long everything took.
    pub(crate) took_seconds: u64,
    /// Runs during which others used more cores are left out.
    pub(crate) foreign_cores_max: f64,
}

/// A peer: its version, or why it was not measured.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PeerVersion {
    pub(crate) name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) version: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) missing: Option<String>,
}

impl Document {
    pub(crate) fn read(path: &Path) -> anyhow::Result<Self> {
        let text = std::fs::read_to_string(path);
        let text = text.with_context(|| format!("can't read {}", path.display()))?;
        serde_json::from_str(&text)
            .with_context(|| format!("{} is no document of `run --out`", path.display()))
    }

    pub(crate) fn write(&self, path: &Path) -> anyhow::Result<()> {
        let mut text = serde_json::to_string_pretty(self)?;
        text.push('\n');
        std::fs::write(path, text).with_context(|| format!("can't write {}", path.display()))
    }
}
