//! Nothing is left for later in the tree, and no file has a name that says nothing.
//!
//! What is not done yet is an issue with a number, not a mark in a file that nobody will look at
//! again. A file called after what it is for (`pattern.rs`) has an inside and an outside; one
//! called after its being useful collects whatever has no place.

use super::rust::{RustFile, line_at, words};
use super::tree::Tree;
use super::{Violation, keep};

/// Words that may stand neither in code nor in comments, in any language.
const MARKS: &[&str] = &["FIXME", "TODO", "XXX"];

/// Rust that compiles and does not work, or is not run.
const UNDONE: &[&str] = &["todo!", "unimplemented!", "#[ignore"];

const NAMES: &[&str] = &["common", "helper", "helpers", "manager", "misc", "util", "utils"];

fn check(file: &RustFile) -> Vec<Violation> {
    let mut found = marks(&file.path, &file.prose);
    for undone in UNDONE {
        for (at, _) in file.code.match_indices(undone) {
            let what = format!("`{undone}`: do it, or leave it out and open an issue");
            found.push(Violation::new(&file.path, line_at(&file.code, at), what));
        }
    }
    found.extend(bad_name(&file.path));
    found
}

fn marks(path: &str, text: &str) -> Vec<Violation> {
    let mut found = Vec::new();
    for mark in MARKS {
        for at in words(text, mark) {
            let what = format!("`{mark}`: do it, or leave it out and open an issue");
            found.push(Violation::new(path, line_at(text, at), what));
        }
    }
    found
}

/// Looks at the file's name, and at its folder's where that is a module.
fn bad_name(path: &str) -> Option<Violation> {
    let mut parts = path.rsplit('/');
    let stem = parts.next().and_then(|name| name.split('.').next()).unwrap_or_default();
    let name = if stem == "mod" { parts.next().unwrap_or_default() } else { stem };
    let what = format!("`{name}` says nothing: call it after what it is for");
    NAMES.contains(&name).then(|| Violation::new(path, 1, what))
}

#[test]
fn nothing_is_left_for_later() -> anyhow::Result<()> {
    let tree = Tree::load()?;
    let scripts = tree.other.iter().flat_map(|(path, text)| {
        let mut found = marks(path, text);
        found.extend(bad_name(path));
        found
    });
    keep("nothing is left for later", tree.rust.iter().flat_map(check).chain(scripts));
    Ok(())
}

#[test]
fn leftovers_are_seen() {
    let text = "//! Not done.\n// FIXME: soon\nfn a() { todo!() }\n\
                #[ignore = \"slow\"]\nfn b() { unimplemented!(\"XXX\") } /* XXX */\n";
    let found = check(&RustFile::new("core/src/broker.rs", text));
    let mut lines: Vec<_> = found.iter().map(|one| one.line).collect();
    lines.sort_unstable();
    assert_eq!(lines, [2, 3, 4, 5, 5], "{found:#?}");

    for path in ["core/src/util.rs", "cli/tests/helpers.rs", "busd/src/common/mod.rs", "x/misc.py"]
    {
        assert!(bad_name(path).is_some(), "{path}");
    }
    let good = "fn a() { let todos = \"todo!\"; mktemp(\"FIXME\"); } // XXXXXX\n";
    assert_eq!(check(&RustFile::new("core/src/utility_bill.rs", good)), []);
}
