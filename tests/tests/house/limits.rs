//! Every limit of a crate stands in its one `limits.rs`, with its unit in the name.
//!
//! Somebody who wants to know what the daemon does under load reads one page a crate, and each
//! number is beside its reason. A constant counts as a limit if its name ends like one: `_MAX`,
//! `_MIN`, or `_MS` for how long something may take. Sizes that a format prescribes (`_BYTES`)
//! are no choice of ours and stay with the format.

use super::rust::{RustFile, line_at, name_after, words};
use super::tree::Tree;
use super::{Violation, keep};

const ENDINGS: &[&str] = &["_MAX", "_MIN", "_MS"];
const OPENINGS: &[&str] = &["MAX_", "MIN_"];

/// Members whose numbers are about measuring and trying out, not about the bus.
const EXEMPT: &[&str] = &["benches/", "examples/", "fuzz/", "tests/"];

fn check(file: &RustFile) -> Vec<Violation> {
    let view = &file.shipped;
    let mut found = Vec::new();
    for keyword in ["const", "static"] {
        for at in words(view, keyword) {
            let rest = view.get(at + keyword.len()..).unwrap_or_default();
            let Some(name) = name_after(rest) else { continue };
            let line = line_at(view, at);
            if OPENINGS.iter().any(|opening| name.starts_with(opening)) {
                let what = format!("`{name}`: bounds come last in a name, as in `QUEUE_BYTES_MAX`");
                found.push(Violation::new(&file.path, line, what));
            } else if ENDINGS.iter().any(|end| name.ends_with(end)) && file.name() != "limits.rs" {
                let what = format!("`{name}` is a limit: move it to the crate's limits.rs");
                found.push(Violation::new(&file.path, line, what));
            }
        }
    }
    found
}

/// A second `limits.rs` in a crate: then one has to know which.
fn spare<'a>(files: impl Iterator<Item = &'a RustFile>) -> Vec<Violation> {
    let mut crates = Vec::new();
    let mut found = Vec::new();
    for file in files.filter(|file| file.name() == "limits.rs") {
        let folder = file.path.split("/src/").next().unwrap_or_default();
        if crates.contains(&folder) {
            found.push(Violation::new(&file.path, 1, "a crate has one limits.rs: join them"));
        }
        crates.push(folder);
    }
    found
}

#[test]
fn limits_stand_together() -> anyhow::Result<()> {
    let tree = Tree::load()?;
    let is_bound = |file: &&RustFile| !EXEMPT.iter().any(|member| file.path.starts_with(member));
    let files = || tree.rust.iter().filter(is_bound);
    keep("limits stand in limits.rs", files().flat_map(check).chain(spare(files())));
    Ok(())
}

#[test]
fn stray_limits_are_seen() {
    let text = "//! Has limits.\nconst QUEUE_BYTES_MAX: usize = 1;\n\
                impl A {\n    pub(crate) const RETRY_MS: u64 = 1;\n}\nconst MAX_QUEUE: u8 = 1;\n\
                const MAGIC: [u8; 4] = *b\"KTH\\x01\";\nconst fn b() {}\n\
                const HEADER_BYTES: u8 = 8;\n\
                #[cfg(test)]\nmod tests {\n    const N_MAX: u8 = 1;\n}\n";
    let lines =
        |path| check(&RustFile::new(path, text)).iter().map(|one| one.line).collect::<Vec<_>>();
    assert_eq!(lines("core/src/broker.rs"), [2, 4, 6]);
    assert_eq!(lines("core/src/limits.rs"), [6]);

    let paths = ["core/src/limits.rs", "core/src/post/limits.rs", "wire/src/limits.rs"];
    let files = paths.map(|path| RustFile::new(path, "//! Limits."));
    let found = spare(files.iter());
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].path, "core/src/post/limits.rs");
}
