//! What was done, file by file: for people, and as JSON.

use crate::exit_code;
use crate::show::harmless::harmless;
use crate::show::paint::{Paint, Style};
use serde::Serialize;
use std::path::PathBuf;

/// Everything that was done, or would be.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Report {
    /// Whether nothing was touched.
    pub(crate) dry_run: bool,
    pub(crate) files: Vec<Row>,
    /// What to do next.
    pub(crate) next: Vec<String>,
}

/// What was done about one file.
#[derive(Debug, Serialize)]
pub(crate) struct Row {
    #[serde(serialize_with = "as_text")]
    pub(crate) path: PathBuf,
    pub(crate) action: Action,
    /// Why it was left or failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Action {
    Created,
    Updated,
    Unchanged,
    Removed,
    Absent,
    /// Somebody else's.
    Left,
    /// The system refused.
    Failed,
}

impl Action {
    fn word(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Updated => "updated",
            Self::Unchanged => "unchanged",
            Self::Removed => "removed",
            Self::Absent => "absent",
            Self::Left => "left",
            Self::Failed => "failed",
        }
    }
}

impl Report {
    /// What the process ends with: the worst of what happened.
    pub(crate) fn exit_code(&self) -> u8 {
        let has = |action| self.files.iter().any(|row| row.action == action);
        if has(Action::Failed) {
            exit_code::INPUT_OUTPUT
        } else if has(Action::Left) {
            exit_code::FAILED
        } else {
            exit_code::OK
        }
    }

    /// A line for each file, and what to do next.
    pub(crate) fn text(&self, paint: Paint) -> String {
        let mut text = String::new();
        if self.dry_run {
            text.push_str("Nothing is touched. It would be:\n");
        }
        for Row { path, action, reason } in &self.files {
            let style = match action {
                Action::Created | Action::Updated | Action::Removed => Style::Success,
                Action::Unchanged | Action::Absent => Style::Faint,
                Action::Left => Style::Loss,
                Action::Failed => Style::Fault,
            };
            // Padded before it is coloured: colours have no width.
            let word = paint.paint(style, &format!("{:<9}", action.word()));
            let path = harmless(&path.display().to_string()).into_owned();
            let reason = reason.as_ref().map(|reason| format!(": {}", harmless(reason)));
            text.push_str(&format!("{word}  {path}{}\n", reason.unwrap_or_default()));
        }
        if !self.next.is_empty() {
            text.push_str("Next:\n");
            for step in &self.next {
                text.push_str(&format!("  {step}\n"));
            }
        }
        text
    }
}

/// A path as text: where it isn't any, as well as it can be shown.
fn as_text<S: serde::Serializer>(path: &std::path::Path, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(&path.to_string_lossy())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(actions: &[Action]) -> Report {
        let row = |action: &Action| Row { path: "/a".into(), action: *action, reason: None };
        Report { files: actions.iter().map(row).collect(), ..Report::default() }
    }

    #[test]
    fn it_ends_with_the_worst_of_what_happened() {
        use Action::{Absent, Created, Failed, Left, Removed, Unchanged, Updated};
        assert_eq!(report(&[Created, Updated, Unchanged, Removed, Absent]).exit_code(), 0);
        assert_eq!(report(&[Created, Left]).exit_code(), 1);
        assert_eq!(report(&[Failed, Left]).exit_code(), 74);
    }

    #[test]
    fn each_file_has_its_line() {
        let mut report = report(&[Action::Created, Action::Left]);
        report.files[1].path = "/b\u{1b}[2J".into();
        report.files[1].reason = Some("it is no file".to_owned());
        report.next.push("do this".to_owned());
        let expected = "created    /a\nleft       /b\\u001b[2J: it is no file\nNext:\n  do this\n";
        assert_eq!(report.text(Paint::plain()), expected);
        let json = serde_json::to_string(&report).unwrap();
        let rows = [
            r#"{"path":"/a","action":"created"}"#,
            r#"{"path":"/b\u001b[2J","action":"left","reason":"it is no file"}"#,
        ];
        let rows = rows.join(",");
        assert_eq!(json, format!(r#"{{"dry_run":false,"files":[{rows}],"next":["do this"]}}"#));
        report.dry_run = true;
        assert!(report.text(Paint::plain()).starts_with("Nothing is touched."));
    }
}
