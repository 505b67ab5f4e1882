//! Every Rust file is compiled: it is the root of a target, or a module names it.
//!
//! A file that no `mod` names is never built, and a test in it never fails. With one test binary
//! for many modules that is easily overlooked.

use std::collections::BTreeSet;

use super::rust::{RustFile, name_after, words};
use super::tree::{Manifest, Tree};
use super::{Violation, keep};

/// Follows `mod` declarations from every root, and returns the files that were not met.
fn orphans(files: &[RustFile], packages: &[&Manifest]) -> Vec<Violation> {
    let mut met = BTreeSet::new();
    let mut open: Vec<_> = files.iter().filter(|file| is_root(&file.path, packages)).collect();
    while let Some(file) = open.pop() {
        if met.insert(&file.path) {
            let named = modules(file, is_root(&file.path, packages));
            open.extend(files.iter().filter(|file| named.contains(&file.path)));
        }
    }
    let what =
        "no module and no target names this file, so it is not built: `mod` it, or delete it";
    let is_orphan = |file: &&RustFile| !met.contains(&file.path);
    files.iter().filter(is_orphan).map(|file| Violation::new(&file.path, 1, what)).collect()
}

/// Whether cargo builds `path` by itself.
fn is_root(path: &str, packages: &[&Manifest]) -> bool {
    packages.iter().any(|package| {
        let inside = path.strip_prefix(&package.folder).and_then(|rest| rest.strip_prefix('/'));
        let Some(inside) = inside else { return false };
        let parts: Vec<_> = inside.split('/').collect();
        match parts.as_slice() {
            ["build.rs"] | ["src", "lib.rs" | "main.rs"] | ["src", "bin", _] => true,
            ["src", "bin", _, "main.rs"] => true,
            ["benches" | "examples", _] | ["benches" | "examples", _, "main.rs"] => true,
            ["tests", _] | ["tests", _, "main.rs"] if package.autotests => true,
            _ => package.targets.iter().any(|target| target == path),
        }
    })
}

/// The files in which the modules that `file` declares may lie.
fn modules(file: &RustFile, is_root: bool) -> Vec<String> {
    let (folder, name) = file.path.rsplit_once('/').unwrap_or(("", &file.path));
    let stem = name.trim_end_matches(".rs");
    let folder =
        if is_root || stem == "mod" { folder.to_owned() } else { format!("{folder}/{stem}") };
    let mut found = Vec::new();
    for at in words(&file.code, "mod") {
        let rest = file.code.get(at + "mod".len()..).unwrap_or_default();
        let Some(name) = name_after(rest) else { continue };
        let after = rest.trim_start().get(name.len()..).unwrap_or_default();
        if after.trim_start().starts_with(';') {
            found.push(format!("{folder}/{name}.rs"));
            found.push(format!("{folder}/{name}/mod.rs"));
        }
    }
    found
}

#[test]
fn every_file_is_built() -> anyhow::Result<()> {
    let tree = Tree::load()?;
    keep("every file is built", orphans(&tree.rust, &tree.packages()));
    Ok(())
}

#[test]
fn orphans_are_seen() -> anyhow::Result<()> {
    let suite =
        "[package]\nname = \"kith-tests\"\nautotests = false\n[[test]]\npath = \"tests/main.rs\"\n";
    let plain = "[package]\nname = \"kith-core\"\n";
    let (suite, plain) = (Manifest::parse("tests", suite)?, Manifest::parse("core", plain)?);
    let files = [
        ("core/src/lib.rs", "mod broker;\n// mod lost;\nmod inner {}\n"),
        ("core/src/broker.rs", "pub(crate) mod queue;\n"),
        ("core/src/broker/queue.rs", ""),
        ("core/src/lost.rs", ""),
        ("core/src/queue.rs", ""),
        ("core/tests/own.rs", ""),
        ("tests/tests/main.rs", "#[cfg(test)]\nmod house;\n"),
        ("tests/tests/house/mod.rs", "mod rust;\n"),
        ("tests/tests/house/rust.rs", ""),
        ("tests/tests/forgotten.rs", ""),
    ]
    .map(|(path, text)| RustFile::new(path, text));
    let found: Vec<_> =
        orphans(&files, &[&suite, &plain]).into_iter().map(|one| one.path).collect();
    assert_eq!(found, ["core/src/lost.rs", "core/src/queue.rs", "tests/tests/forgotten.rs"]);
    Ok(())
}
