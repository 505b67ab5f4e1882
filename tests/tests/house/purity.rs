//! The thinking crates take time, bytes and randomness as arguments, and do nothing else.
//!
//! What `wire`, `contract`, `store`, `people` and `core` decide has to come out the same each time
//! for the same inputs, so that a simulator's seed replays it. The list of crates that they may use
//! (`arrows.rs`) keeps most of the world out; this rule watches the one crate that can't be left
//! out, `std`, and what would make hash order or another thread decide.

use super::rust::{RustFile, imports, is_word, line_at, words};
use super::tree::Tree;
use super::{Violation, keep};

const PURE: &[&str] = &["wire/src/", "contract/src/", "store/src/", "people/src/", "core/src/"];

const TIME: &str = "time comes in as an argument";
const WORLD: &str = "files, sockets and the environment belong to the shell: make it an output";
const THREADS: &str = "one owner for each piece of state: no threads and no locks here";
const HASHES: &str =
    "its order differs from run to run: use BTreeMap, or hashbrown's with a fixed hasher";
const RANDOM: &str = "randomness comes in as a seed";
const AWAIT: &str = "nothing awaits here: make it an input or an output";
const UNSAFE: &str = "unsafe code is forbidden";
const WHOLE: &str = "import what you need by name, so that it can be seen here";

/// Paths that may be neither imported nor written out, with all that is below them.
const PATHS: &[(&str, &str)] = &[
    ("getrandom", RANDOM),
    ("hashbrown::DefaultHashBuilder", HASHES),
    ("rand", RANDOM),
    ("std::collections::HashMap", HASHES),
    ("std::collections::HashSet", HASHES),
    ("std::collections::hash_map", HASHES),
    ("std::collections::hash_set", HASHES),
    ("std::env", WORLD),
    ("std::fs", WORLD),
    ("std::hash::RandomState", HASHES),
    ("std::net", WORLD),
    ("std::os", WORLD),
    ("std::process", WORLD),
    ("std::sync::Condvar", THREADS),
    ("std::sync::Mutex", THREADS),
    ("std::sync::RwLock", THREADS),
    ("std::sync::mpsc", THREADS),
    ("std::thread", THREADS),
    ("std::time::Instant", TIME),
    ("std::time::SystemTime", TIME),
    ("tokio", AWAIT),
];

/// Modules of `std` that may not be imported as a whole: their parts could then not be told apart.
const MODULES: &[&str] = &["std", "std::collections", "std::hash", "std::sync", "std::time"];

/// Words that may not occur whatever they refer to.
const WORDS: &[(&str, &str)] = &[
    // These two exist only for hashers that are seeded anew in each process.
    ("HashMap::new", HASHES),
    ("HashMap::with_capacity", HASHES),
    ("HashSet::new", HASHES),
    ("HashSet::with_capacity", HASHES),
    ("Instant::now", TIME),
    ("RandomState", HASHES),
    ("SeedableRandomState", HASHES),
    ("SystemTime", TIME),
    ("async", AWAIT),
    ("await", AWAIT),
    ("global_random", RANDOM),
    ("thread_local", THREADS),
    ("unsafe", UNSAFE),
];

fn check(file: &RustFile) -> Vec<Violation> {
    let view = &file.shipped;
    let mut found = Vec::new();
    let mut add = |line, name: &str, reason| {
        found.push(Violation::new(&file.path, line, format!("`{name}`: {reason}")));
    };
    for (line, import) in imports(view) {
        for (path, reason) in PATHS {
            if is_below(&import, path) {
                add(line, path, *reason);
            }
        }
        let module = import.strip_suffix("::*").unwrap_or(&import);
        if MODULES.contains(&module) {
            add(line, &import, WHOLE);
        }
    }
    for (path, reason) in PATHS {
        // A name without `::` is a crate's, and then something has to follow.
        let needle = if path.contains("::") { (*path).to_owned() } else { format!("{path}::") };
        for at in words(view, &needle) {
            add(line_at(view, at), path, *reason);
        }
    }
    for (word, reason) in WORDS {
        // Unlike a path, a word counts wherever it stands in a longer path.
        for (at, _) in view.match_indices(word) {
            let before = view.get(..at).and_then(|text| text.chars().next_back());
            let after = view.get(at + word.len()..).and_then(|text| text.chars().next());
            if !before.is_some_and(is_word) && !after.is_some_and(is_word) {
                add(line_at(view, at), word, *reason);
            }
        }
    }
    found
}

fn is_below(import: &str, path: &str) -> bool {
    let rest = import.strip_prefix(path);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

#[test]
fn thinking_files_do_nothing_else() -> anyhow::Result<()> {
    let tree = Tree::load()?;
    let is_pure = |file: &&RustFile| PURE.iter().any(|folder| file.path.starts_with(folder));
    keep(
        "wire, contract, store, people and core only think",
        tree.rust.iter().filter(is_pure).flat_map(check),
    );
    Ok(())
}

#[test]
fn every_impurity_is_seen() {
    let lines = [
        "use std::{collections::{BTreeMap, HashMap}, fmt, time::{Duration, Instant}};",
        "use std::collections::hash_map::Entry;",
        "use std::time;",
        "use std::sync::{Arc, Mutex};",
        "use std::collections::*;",
        "async fn a() { b().await }",
        "fn c() { std::fs::read(d); tokio::spawn(e); rand::random(); }",
        "fn f() { let now = Instant::now(); unsafe { g() } }",
        "fn h() { std::collections::HashSet::<u8>::default(); time::SystemTime::now(); }",
        "fn i() { let j: Map = hashbrown::HashMap::new(); }",
        "use hashbrown::{DefaultHashBuilder, HashTable};",
    ];
    let file = RustFile::new("core/src/bad.rs", &lines.join("\n"));
    let mut found = check(&file);
    found.sort();
    found.dedup();
    let counts: Vec<_> =
        (1..=lines.len()).map(|line| found.iter().filter(|one| one.line == line).count()).collect();
    assert_eq!(counts, [2, 1, 1, 1, 1, 2, 3, 2, 2, 1, 1], "{found:#?}");
}

#[test]
fn pure_code_passes() {
    let text = "//! No tokio, no std::fs; unsafe is forbidden.\n\
                use std::collections::BTreeMap;\nuse std::time::Duration;\nuse std::sync::Arc;\n\
                use hashbrown::HashMap;\nuse crate::rand::Seed;\n\
                fn a(now: Instant) -> &'static str { operand::b(); \"async unsafe\" }\n\
                #[cfg(test)]\nmod tests {\n    use std::collections::HashMap;\n}\n";
    assert_eq!(check(&RustFile::new("core/src/good.rs", text)), []);
}
