//! What is wrong with a manifest, where it stands, and how it is shown.
//!
//! Each problem begins with `FILE:LINE:COLUMN`, which editors jump to, and shows the line with
//! marks below it. Nothing of the file reaches a terminal as a control character.

use crate::limits::SHOWN_BYTES_MAX;
use std::error::Error;
use std::fmt::{self, Display, Formatter};
use std::ops::Range;

/// One thing that is wrong with a manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    what: String,
    place: Option<Place>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Place {
    line: usize,
    column: usize,
    /// The line, and the marks below it.
    shown: Option<(String, String)>,
}

impl Problem {
    /// One of a manifest that is in no file.
    pub(super) fn unplaced(what: String) -> Self {
        Self { what, place: None }
    }

    /// One at these bytes of a file's text.
    pub(super) fn at(text: &str, span: &Range<usize>, what: String) -> Self {
        let start = text.floor_char_boundary(span.start);
        let (before, after) = text.split_at(start);
        let head = before.rsplit('\n').next().unwrap_or_default();
        let tail = after.split('\n').next().unwrap_or_default();
        let marked = text.get(start..text.floor_char_boundary(span.end)).unwrap_or_default();
        let marked = marked.lines().next().unwrap_or_default().chars().count().max(1);
        let line = format!("{head}{}", tail.trim_end());
        let shown = (line.len() <= SHOWN_BYTES_MAX).then(|| {
            let indent = head.chars().map(|c| if c == '\t' { '\t' } else { ' ' });
            (printable(&line), indent.chain("^".repeat(marked).chars()).collect())
        });
        let line = before.matches('\n').count() + 1;
        let place = Some(Place { line, column: head.chars().count() + 1, shown });
        Self { what, place }
    }

    /// What is wrong, and what to change.
    #[must_use]
    pub fn what(&self) -> &str {
        &self.what
    }

    /// Line and column in the file, counted from 1, if it is in one.
    #[must_use]
    pub fn place(&self) -> Option<(usize, usize)> {
        self.place.as_ref().map(|place| (place.line, place.column))
    }
}

/// Why a manifest is none, or asks for what it may not have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ManifestError {
    file: Option<String>,
    problems: Vec<Problem>,
}

impl ManifestError {
    pub(super) fn new(file: Option<&str>, problems: Vec<Problem>) -> Self {
        Self { file: file.map(str::to_owned), problems }
    }

    /// All that is wrong, in the order of the file.
    #[must_use]
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }
}

impl Display for ManifestError {
    /// One below the other, without a line feed at the end.
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for (nth, problem) in self.problems.iter().enumerate() {
            if nth > 0 {
                f.write_str("\n")?;
            }
            if let Some(file) = &self.file {
                write!(f, "{}:", printable(file))?;
                if let Some(place) = &problem.place {
                    write!(f, "{}:{}:", place.line, place.column)?;
                }
                f.write_str(" ")?;
            }
            f.write_str(&printable(&problem.what))?;
            if let Some(Place { line, shown: Some((text, marks)), .. }) = &problem.place {
                let margin = " ".repeat(line.to_string().len());
                write!(f, "\n {line} | {text}\n {margin} | {marks}")?;
            }
        }
        Ok(())
    }
}

impl Error for ManifestError {}

/// `text` with a sign in place of each control character but the tab.
fn printable(text: &str) -> String {
    let sign = |c: char| if c.is_control() && c != '\t' { '\u{FFFD}' } else { c };
    text.chars().map(sign).collect()
}
