//! A file opens with an essay: what it is, why it is this way, what is deliberately absent.
//!
//! Only that there is one can be checked here, and that it is a sentence. Whether it is worth
//! reading is for people to say.

use super::rust::RustFile;
use super::tree::Tree;
use super::{Violation, keep};

fn check(file: &RustFile) -> Option<Violation> {
    let first = file.text.lines().next().unwrap_or_default();
    let opening = first.strip_prefix("//! ").map(str::trim);
    let is_essay = opening.is_some_and(|opening| opening.split_whitespace().count() > 1);
    let what = "open the file with `//!` and a sentence: what this is, and why this way";
    (!is_essay).then(|| Violation::new(&file.path, 1, what))
}

#[test]
fn every_file_opens_with_an_essay() -> anyhow::Result<()> {
    let tree = Tree::load()?;
    keep("every file opens with an essay", tree.rust.iter().filter_map(check));
    Ok(())
}

#[test]
fn a_missing_essay_is_seen() {
    let check = |text| check(&RustFile::new("core/src/lib.rs", text)).is_some();
    assert!(check("use std::fmt;\n//! Too late.\n"));
    assert!(check("//! Word\n"));
    assert!(check("//!\n//! A sentence.\n"));
    assert!(check(""));
    assert!(!check("//! Two words\n"));
}
