//! `unsafe` stands in one file, and the crate of that file has all other lints of the workspace.
//!
//! Everywhere else the compiler forbids it (`[workspace.lints]`); that can't be relaxed for one
//! crate but by a list of its own, and a second list drifts. So the two are compared.

use toml::{Table, Value};

use super::rust::{RustFile, line_at, words};
use super::tree::{Tree, read};
use super::{Violation, keep};

/// The one file, and the manifest of its crate.
const FILE: &str = "sealed/src/mapping.rs";
const MANIFEST: &str = "sealed/Cargo.toml";

/// What its crate says otherwise, and what it says besides.
const DIFFERENT: &[(&str, &str)] =
    &[("rust.unsafe_code", "deny"), ("clippy.undocumented_unsafe_blocks", "warn")];

fn check(file: &RustFile) -> Vec<Violation> {
    if file.path == FILE {
        return Vec::new();
    }
    let what = format!("`unsafe` stands in {FILE} alone");
    let found = ["unsafe", "unsafe_code"].into_iter().flat_map(|word| words(&file.code, word));
    found.map(|at| Violation::new(&file.path, line_at(&file.code, at), &what)).collect()
}

/// `GROUP.LINT` and its level, sorted.
fn levels(lints: Option<&Value>) -> Vec<(String, String)> {
    let groups = lints.and_then(Value::as_table).into_iter().flatten();
    let level = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let mut found: Vec<_> = groups
        .filter_map(|(group, lints)| Some((group, lints.as_table()?)))
        .flat_map(|(group, lints)| {
            lints.iter().map(move |(lint, value)| (format!("{group}.{lint}"), level(value)))
        })
        .collect();
    found.sort();
    found
}

fn compare(workspace: &Table, own: &Table) -> Vec<Violation> {
    let shared = workspace.get("workspace").and_then(|table| table.get("lints"));
    let mut expected = levels(shared);
    expected.retain(|(lint, _)| DIFFERENT.iter().all(|(different, _)| different != lint));
    expected.extend(DIFFERENT.iter().map(|(lint, level)| ((*lint).into(), (*level).into())));
    expected.sort();
    let found = levels(own.get("lints"));
    let is_missing = |one: &&(String, String)| !found.contains(one);
    let is_surplus = |one: &&(String, String)| !expected.contains(one);
    let say = |what: &str, (lint, level): &(String, String)| {
        Violation::new(MANIFEST, 1, format!("{what} `{lint} = {level}`"))
    };
    let missing = expected.iter().filter(is_missing).map(|one| say("add", one));
    let surplus = found.iter().filter(is_surplus).map(|one| say("take out", one));
    missing.chain(surplus).collect()
}

#[test]
fn unsafe_stands_in_one_file() -> anyhow::Result<()> {
    let tree = Tree::load()?;
    keep("unsafe stands in one file", tree.rust.iter().flat_map(check));
    assert!(tree.rust.iter().any(|file| file.path == FILE), "{FILE} is gone");
    Ok(())
}

#[test]
fn the_crate_with_unsafe_has_all_other_lints() -> anyhow::Result<()> {
    let tree = Tree::load()?;
    keep("lints in step", compare(&tree.workspace, &read(MANIFEST)?.parse()?));
    Ok(())
}

#[test]
fn stray_unsafe_and_lost_lints_are_seen() -> anyhow::Result<()> {
    let text =
        "//! unsafe is a word.\n#![allow(unsafe_code)]\nfn a() { unsafe { b(\"unsafe\") } }\n";
    let lines: Vec<_> =
        check(&RustFile::new("core/src/a.rs", text)).iter().map(|one| one.line).collect();
    assert_eq!(lines, [3, 2]);
    assert_eq!(check(&RustFile::new(FILE, text)), []);

    let workspace = "[workspace.lints.rust]\nunsafe_code = \"forbid\"\nmissing_docs = \"warn\"\n";
    let own = "[lints.rust]\nunsafe_code = \"allow\"\n[lints.clippy]\n\
               undocumented_unsafe_blocks = \"warn\"\n";
    let found = compare(&workspace.parse()?, &own.parse()?);
    // `missing_docs` and `unsafe_code` to add, `unsafe_code` to take out.
    assert_eq!(found.len(), 3, "{found:#?}");
    Ok(())
}
