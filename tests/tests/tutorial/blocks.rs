//! The blocks of a page that are marked, in their order.

/// What a reader does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Block {
    /// Types this.
    Run(String),
    /// Types this, with the conformance kit at hand.
    Kit(String),
    /// Types this, or adds it to the configuration, where a daemon is.
    Daemon(String),
    /// Writes this to a file.
    File { path: String, text: String },
    /// Finds each of these lines in what was printed.
    Expect(String),
}

pub(super) fn blocks(page: &str) -> Vec<Block> {
    let mut found = Vec::new();
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        let Some(mark) = line.strip_prefix("```") else { continue };
        let text: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
        let text = text.join("\n") + "\n";
        match mark.split_once(' ') {
            Some((_, "run")) => found.push(Block::Run(text)),
            Some((_, "kit")) => found.push(Block::Kit(text)),
            Some((_, "daemon")) => found.push(Block::Daemon(text)),
            Some((_, "expect")) => found.push(Block::Expect(text)),
            Some((_, file)) => {
                let path = file.strip_prefix("file=");
                let path = path.unwrap_or_else(|| panic!("no mark is called {file:?}")).to_owned();
                found.push(Block::File { path, text });
            }
            None => {}
        }
    }
    found
}

#[test]
fn marked_blocks_are_found() {
    let page = "a\n```sh run\nb\nc\n```\n```sh\nd\n```\n```rust file=e/f.rs\n\n```\n\
                ```text expect\ng\n```\n```toml daemon\nh\n```\n";
    let expected = [
        Block::Run("b\nc\n".to_owned()),
        Block::File { path: "e/f.rs".to_owned(), text: "\n".to_owned() },
        Block::Expect("g\n".to_owned()),
        Block::Daemon("h\n".to_owned()),
    ];
    assert_eq!(blocks(page), expected);
}
