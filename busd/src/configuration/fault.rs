//! What can be wrong in a configuration file, where it stands, and how it is shown.
//!
//! A person reads this with the file open in an editor, so each problem begins with
//! `FILE:LINE:COLUMN`, which editors jump to, and shows the line with marks below it, as compilers
//! do. All problems of a file are shown at once. Nothing from the file reaches the terminal as a
//! control character.

use std::fmt::{self, Display, Formatter, Write as _};
use std::ops::Range;
use std::path::Path;

use super::address::AddressError;
use super::level::LogLevel;
use super::quantity::QuantityError;
use super::store::StoreKind;
use crate::limits::{PROBLEMS_SHOWN_MAX, SERVICES_MAX, SNIPPET_CHARS_MAX, SOCKET_PATH_BYTES_MAX};

/// What is wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// Not TOML, in the parser's words.
    #[error("{0}")]
    Syntax(String),
    /// Bytes that are not UTF-8, which TOML has to be.
    #[error("not UTF-8 from here on")]
    Utf8,
    /// `[name]` for a name that means nothing.
    #[error("unknown table [{name}]{hint}")]
    UnknownTable {
        /// As it was written, escaped.
        name: String,
        /// What was probably meant.
        hint: Hint,
    },
    /// A key that means nothing here.
    #[error("unknown key `{name}`{hint}")]
    UnknownKey {
        /// With the table that it stands in, escaped.
        name: String,
        /// What was probably meant.
        hint: Hint,
    },
    /// A text where a number should be, or the like.
    #[error("`{key}` has to be {expected}, but this is {found}")]
    Type {
        /// With its table.
        key: String,
        /// What it should be, with an example.
        expected: &'static str,
        /// What it is.
        found: &'static str,
    },
    /// Outside what is allowed.
    #[error("`{key}` is {value}, but has to be from {min} to {max}")]
    Range {
        /// With its table.
        key: String,
        /// As a person writes it.
        value: String,
        /// The least that is allowed.
        min: String,
        /// The most that is allowed.
        max: String,
    },
    /// No size, or no duration.
    #[error("`{key}`: {source}")]
    Quantity {
        /// With its table.
        key: String,
        /// Why not.
        source: QuantityError,
    },
    /// No level of logging.
    #[error("`{key}` has to be {}", LogLevel::NAMES)]
    Level {
        /// With its table.
        key: String,
    },
    /// No store that there is.
    #[error("`{key}` has to be {}", StoreKind::NAMES)]
    Store {
        /// The key.
        key: String,
    },
    /// No address that the daemon would serve.
    #[error("`{key}`: {source}")]
    Address {
        /// With its table.
        key: String,
        /// Why not.
        source: AddressError,
    },
    /// No address as D-Bus writes them.
    #[error("`{key}` is no D-Bus address: {reason}; e.g. \"unix:path=/run/user/1000/bus\"")]
    BusAddress {
        /// With its table.
        key: String,
        /// Why not.
        reason: String,
    },
    /// No path that the daemon could use.
    #[error("`{key}`: {source}")]
    Path {
        /// With its table.
        key: String,
        /// Why not.
        source: PathError,
    },
    /// No name of a service.
    #[error(
        "`{key}`: a service's name has 1 to 32 characters of a-z, 0-9 and -, the first a letter"
    )]
    ServiceName {
        /// With its table, escaped.
        key: String,
    },
    /// More services than one daemon runs.
    #[error("there are more than {SERVICES_MAX} services")]
    TooManyServices,
    /// No command.
    #[error("`{key}` has to be {expected}")]
    Command {
        /// With its table.
        key: String,
        /// What it should be, with an example.
        expected: &'static str,
    },
    /// A queue that could never deliver the largest message.
    #[error(
        "one message with a payload of {payload} (`limits.payload_bytes_max`) can take {message} \
         in a queue, but `limits.queue_bytes_max` is {queue}: raise that, or allow smaller payloads"
    )]
    Queue {
        /// The largest payload, as a person writes it.
        payload: String,
        /// What is needed, rounded up.
        message: String,
        /// What a queue may hold, because the file says so or by default.
        queue: String,
    },
}

/// Why a path can't be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// Relative to what? The daemon starts in any directory.
    #[error("the path has to begin with `/` (`~` and variables are not expanded)")]
    Relative,
    /// No path has one.
    #[error("there is a zero byte in the path")]
    ZeroByte,
    /// Longer than a socket's may be.
    #[error(
        "the path has {0} bytes, and a socket's may have {SOCKET_PATH_BYTES_MAX}: choose a \
         shorter one"
    )]
    Length(usize),
}

/// What was probably meant by an unknown name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hint {
    /// This one, as it would have to be written.
    Similar(String),
    /// The same key, which stands in this table; before the first one, if that has no name.
    Table(&'static str),
    /// Nothing is near: these are known here.
    Known(String),
}

impl Display for Hint {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Similar(name) => write!(f, ": did you mean {name}?"),
            Self::Table("") => f.write_str(": it belongs before the first [table]"),
            Self::Table(name) => write!(f, ": it belongs in [{name}]"),
            Self::Known(names) => write!(f, ": known here are {names}"),
        }
    }
}

/// A [`Fault`] with its place in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Counted from 1.
    pub line: usize,
    /// In characters, counted from 1.
    pub column: usize,
    /// What is wrong.
    pub fault: Fault,
    /// The line and the marks below it, unless it is too long to be shown.
    snippet: Option<(String, String)>,
}

impl Problem {
    /// Places `fault` at the bytes `span` of `text`.
    pub(super) fn new(text: &str, span: &Range<usize>, fault: Fault) -> Self {
        // A parser may point behind the end, or (never seen) into a character.
        let start = text.floor_char_boundary(span.start);
        let (before, after) = text.split_at(start);
        let line = before.matches('\n').count() + 1;
        let head = before.rsplit('\n').next().unwrap_or_default();
        let tail = after.split('\n').next().unwrap_or_default();
        let marked = text.get(start..text.floor_char_boundary(span.end)).unwrap_or_default();
        let marked = marked.lines().next().unwrap_or_default().chars().count().max(1);
        let column = head.chars().count() + 1;
        let is_short = column - 1 + tail.chars().count() <= SNIPPET_CHARS_MAX;
        let snippet = is_short.then(|| {
            let shown = format!("{head}{}", tail.trim_end());
            let indent = head.chars().map(|c| if c == '\t' { '\t' } else { ' ' });
            (printable(&shown), indent.chain("^".repeat(marked).chars()).collect())
        });
        Self { line, column, fault, snippet }
    }

    fn show(&self, file: &Path, out: &mut String) -> fmt::Result {
        let Self { line, column, fault, snippet } = self;
        write!(out, "{}:{line}:{column}: {fault}", file.display())?;
        if let Some((text, marks)) = snippet {
            let number = line.to_string();
            let margin = " ".repeat(number.len());
            write!(out, "\n {number} | {text}\n {margin} | {marks}")?;
        }
        Ok(())
    }
}

/// Problems as a person reads them, one below the other, without a line feed at the end.
pub(super) struct Report<'a> {
    /// The file in which they are.
    pub(super) file: &'a Path,
    /// In the order of the file.
    pub(super) problems: &'a [Problem],
}

impl Display for Report<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let mut out = String::new();
        for (at, problem) in self.problems.iter().take(PROBLEMS_SHOWN_MAX).enumerate() {
            if at > 0 {
                out.push('\n');
            }
            problem.show(self.file, &mut out)?;
        }
        let hidden = self.problems.len().saturating_sub(PROBLEMS_SHOWN_MAX);
        if hidden > 0 {
            write!(out, "\nand {hidden} more")?;
        }
        f.write_str(&out)
    }
}

/// `text` with a sign in place of each control character but the tab.
fn printable(text: &str) -> String {
    let sign = |c: char| if c.is_control() && c != '\t' { '\u{FFFD}' } else { c };
    text.chars().map(sign).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str, span: Range<usize>) -> String {
        let problems = [Problem::new(text, &span, Fault::Utf8)];
        Report { file: Path::new("f"), problems: &problems }.to_string()
    }

    #[test]
    fn the_place_is_counted_in_characters() {
        let text = "a = 1\nä = 'ö' # é\r\nb = 2";
        let expected = "f:2:5: not UTF-8 from here on\n 2 | ä = 'ö' # é\n   |     ^^^";
        let start = text.find('\'').unwrap();
        assert_eq!(shown(text, start..start + 4), expected);
        // Inside a character, behind the end, and the wrong way round: all without a panic.
        for start in 0..text.len() + 3 {
            for end in 0..text.len() + 3 {
                shown(text, Range { start, end });
            }
        }
        assert_eq!(shown("", 0..0), "f:1:1: not UTF-8 from here on\n 1 | \n   | ^");
    }

    #[test]
    fn marks_end_with_the_line_and_tabs_stay() {
        let expected = "f:2:2: not UTF-8 from here on\n 2 | \tab\n   | \t^^";
        assert_eq!(shown("x\n\tab\nc", 3..7), expected);
    }

    #[test]
    fn what_is_too_long_or_not_printable_is_not_shown() {
        let long = "x".repeat(SNIPPET_CHARS_MAX + 1);
        assert_eq!(shown(&long, 0..1), "f:1:1: not UTF-8 from here on");
        assert!(shown("\u{1b}[31m", 0..1).ends_with("\n 1 | \u{FFFD}[31m\n   | ^"));
    }

    #[test]
    fn many_problems_are_counted() {
        let problem = Problem::new("", &(0..0), Fault::Utf8);
        let problems = vec![problem; PROBLEMS_SHOWN_MAX + 7];
        let shown = Report { file: Path::new("f"), problems: &problems }.to_string();
        assert_eq!(shown.matches("f:1:1").count(), PROBLEMS_SHOWN_MAX);
        assert!(shown.ends_with("\nand 7 more"));
    }
}
