//! What `kith services test` prints: each scenario as it is played, what was seen where it went
//! wrong, what to change, and a last line.
//!
//! What a program said comes from outside; it is shown line by line, each made harmless.

use crate::show::harmless::harmless;
use crate::show::paint::{Paint, Style};
use crate::show::{columns, quantity};
use kith_kit::{Outcome, Report, Verdict};

/// Columns of a scenario's name.
const NAME_COLUMNS: usize = 16;

/// How it is shown.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Look {
    pub(crate) paint: Paint,
    /// Signs before the words, which not everything but a terminal can show.
    pub(crate) signs: bool,
}

/// A scenario, when it is through.
pub(crate) fn outcome(outcome: &Outcome, look: Look) -> String {
    let (sign, word, style) = match &outcome.verdict {
        Verdict::Pass => ("✓ ", "passed ", Style::Success),
        Verdict::Fail { .. } => ("✗ ", "FAILED ", Style::Fault),
        Verdict::Skip { .. } => ("- ", "skipped", Style::Faint),
    };
    let sign = if look.signs { sign } else { "" };
    let word = look.paint.paint(style, &format!("{sign}{word}"));
    let name = columns::left(outcome.name, NAME_COLUMNS);
    let time = look.paint.paint(Style::Faint, &quantity::span(outcome.ms));
    match &outcome.verdict {
        Verdict::Pass => format!("{word} {name} {time}\n"),
        Verdict::Skip { why } => format!("{word} {name} {}\n", harmless(why)),
        Verdict::Fail { seen, change } => {
            let expected = fact("expected", outcome.expected, look);
            let seen = fact("seen", seen, look);
            let change = fact("change", change, look);
            format!("{word} {name} {time}\n{expected}{seen}{change}")
        }
    }
}

/// `name` and what is to be said, whose further lines are indented as far.
fn fact(name: &str, text: &str, look: Look) -> String {
    let name = look.paint.paint(Style::Faint, &columns::left(name, 9));
    let mut lines = text.lines();
    let first = harmless(lines.next().unwrap_or_default());
    let mut fact = format!("    {name} {first}\n");
    for line in lines {
        fact.push_str(&format!("              {}\n", harmless(line)));
    }
    fact
}

/// The last line.
pub(crate) fn summary(report: &Report, look: Look) -> String {
    let counted = |n: usize| quantity::count(u64::try_from(n).unwrap_or(u64::MAX));
    let mut words = vec![format!("{} passed", counted(report.passed))];
    if report.failed > 0 {
        words.push(format!("{} failed", counted(report.failed)));
    }
    if report.skipped > 0 {
        words.push(format!("{} skipped", counted(report.skipped)));
    }
    let style = if report.failed > 0 { Style::Fault } else { Style::Success };
    format!("{}\n", look.paint.paint(style, &words.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::show::tests::assert_harmless;

    fn played(verdict: Verdict) -> Outcome {
        Outcome { name: "stop", expected: "it ends", verdict, ms: 1250 }
    }

    fn failed() -> Outcome {
        let seen = "it still ran\n  its last words:\n    \u{1b}[2J".to_owned();
        played(Verdict::Fail { seen, change: "end".to_owned() })
    }

    #[test]
    fn each_verdict_has_its_word_and_a_bad_one_the_way_out() {
        let plain = Look { paint: Paint::plain(), signs: false };
        let pass = played(Verdict::Pass);
        assert_eq!(outcome(&pass, plain), "passed  stop             1.2s\n");
        let skip = played(Verdict::Skip { why: "it asks nothing".to_owned() });
        assert_eq!(outcome(&skip, plain), "skipped stop             it asks nothing\n");
        let expected = "FAILED  stop             1.2s
    expected  it ends
    seen      it still ran
                its last words:
                  \\u001b[2J
    change    end
";
        assert_eq!(outcome(&failed(), plain), expected);
    }

    #[test]
    fn a_terminal_gets_signs_and_colours_and_nothing_else() {
        let look = Look { paint: Paint::new(true), signs: true };
        let shown = outcome(&failed(), look);
        assert!(shown.starts_with("\u{1b}[1;31m✗ FAILED \u{1b}[0m stop"), "{shown}");
        shown.lines().for_each(assert_harmless);
    }
}
