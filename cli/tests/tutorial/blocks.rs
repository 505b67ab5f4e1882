//! The blocks of a page, in their order, and how what was printed is compared with one.

use anyhow::{Result, bail};

/// What a reader does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Block {
    /// Types this.
    Run(String),
    /// Types this into a terminal of its own, where it goes on.
    Terminal(String),
    /// Has done this before.
    Before,
    /// Writes this to a file.
    File { path: String, text: String },
    /// Finds these lines in what was printed.
    Expect(String),
}

/// Fails where one in some language has no mark: nobody would notice that it is wrong.
pub(super) fn blocks(page: &str) -> Result<Vec<Block>> {
    let mut found = Vec::new();
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        let Some(mark) = line.strip_prefix("```") else { continue };
        let text: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
        let text = text.join("\n") + "\n";
        found.push(match mark.split_once(' ') {
            Some(("sh", "run")) => Block::Run(text),
            Some(("sh", "terminal")) => Block::Terminal(text),
            Some(("sh", "before")) => Block::Before,
            Some(("text", "expect")) => Block::Expect(text),
            Some((_, file)) if file.starts_with("file=") => {
                Block::File { path: file.replacen("file=", "", 1), text }
            }
            // What is shown, and not typed.
            None if mark.is_empty() => continue,
            _ => bail!("nobody tries a block that is marked {mark:?}:\n{text}"),
        });
    }
    Ok(found)
}

/// The first line of `expected` that is not in `printed` as a line of its own, behind those before
/// it. An ellipsis in it stands for anything.
pub(super) fn missing<'a>(expected: &'a str, printed: &str) -> Option<&'a str> {
    let mut lines = printed.lines();
    expected.lines().find(|wanted| !lines.any(|line| is_like(line.trim_end(), wanted)))
}

fn is_like(line: &str, wanted: &str) -> bool {
    let mut parts = wanted.split('…');
    let Some(rest) = parts.next().and_then(|first| line.strip_prefix(first)) else { return false };
    let mut parts: Vec<&str> = parts.collect();
    let Some(last) = parts.pop() else { return rest.is_empty() };
    let rest = parts.iter().try_fold(rest, |rest, part| Some(rest.split_once(part)?.1));
    rest.is_some_and(|rest| rest.ends_with(last))
}

#[test]
fn marked_blocks_are_found() {
    let page = "a\n```sh run\nb\nc\n```\n```sh before\nd\n```\n```rust file=e/f.rs\n\n```\n\
                ```text expect\ng\n```\n```sh terminal\nh\n```\n";
    let expected = [
        Block::Run("b\nc\n".to_owned()),
        Block::Before,
        Block::File { path: "e/f.rs".to_owned(), text: "\n".to_owned() },
        Block::Expect("g\n".to_owned()),
        Block::Terminal("h\n".to_owned()),
    ];
    assert_eq!(blocks(page).unwrap(), expected);
}

#[test]
fn a_block_without_a_mark_is_seen() {
    let error = blocks("```toml\na = 1\n```\n").unwrap_err().to_string();
    assert!(error.starts_with("nobody tries a block that is marked \"toml\":"), "{error}");
}

#[test]
fn what_was_printed_is_compared_by_lines() {
    let printed = "a line\nb is 5 ms  \nc\n";
    for wanted in ["a line\nc\n", "a…\nb is … ms", "…line", "a l…e", "b …5… ms\n"] {
        assert_eq!(missing(wanted, printed), None, "{wanted}");
    }
    for (wanted, expected) in [
        ("a", "a"),
        ("c\na line", "a line"),
        ("b … s", "b … s"),
        ("c\nc", "c"),
        ("… ms x", "… ms x"),
    ] {
        assert_eq!(missing(wanted, printed), Some(expected));
    }
}
