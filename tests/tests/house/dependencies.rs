//! Every dependency is listed with its reason, and none is listed that is not used.
//!
//! A dependency is code that we answer for without having written it. `docs/dependencies.md` says
//! what each is for and why this one; this rule keeps the page and `Cargo.toml` in step, and
//! finds what nobody uses any more.

use std::collections::BTreeSet;

use super::markdown::tables;
use super::tree::{Tree, line_of_key, read};
use super::{Violation, keep};

const DOCUMENT: &str = "docs/dependencies.md";

/// Compares the external dependencies of the workspace with the rows of the document.
fn unlisted(workspace: &[String], document: &str, manifest: &str) -> Vec<Violation> {
    let tables = tables(document);
    let table = tables.iter().filter(|table| table.begins_with(&["crate", "for"]));
    let rows: Vec<_> = table.flat_map(|table| &table.rows).collect();
    let external: Vec<_> = workspace.iter().filter(|name| !name.starts_with("kith-")).collect();

    let mut found = Vec::new();
    let listed: BTreeSet<_> = rows.iter().filter_map(|(_, cells)| cells.first()).collect();
    for name in external.iter().filter(|name| !listed.contains(*name)) {
        let what = format!("`{name}` is not in {DOCUMENT}: say there what it is for, and why it");
        found.push(Violation::new("Cargo.toml", line_of_key(manifest, name), what));
    }
    let mut seen = BTreeSet::new();
    for (line, cells) in rows {
        let name = cells.first().map_or("", String::as_str);
        if !external.iter().any(|known| *known == name) {
            let what = format!("`{name}` is not in [workspace.dependencies]: take the row out");
            found.push(Violation::new(DOCUMENT, *line, what));
        }
        if !seen.insert(name) {
            found.push(Violation::new(DOCUMENT, *line, format!("`{name}` is listed twice")));
        }
        if cells.len() < 4 || cells.iter().any(String::is_empty) {
            found.push(Violation::new(DOCUMENT, *line, format!("`{name}`: fill every cell")));
        }
    }
    found
}

fn unused(workspace: &[String], used: &BTreeSet<&str>, manifest: &str) -> Vec<Violation> {
    let is_unused = |name: &&String| !used.contains(name.as_str());
    let what = |name: &String| {
        let what = format!("no member uses `{name}`: take it out");
        Violation::new("Cargo.toml", line_of_key(manifest, name), what)
    };
    workspace.iter().filter(is_unused).map(what).collect()
}

#[test]
fn every_dependency_is_listed_with_its_reason() -> anyhow::Result<()> {
    let tree = Tree::load()?;
    let found = unlisted(&tree.workspace_dependencies(), &read(DOCUMENT)?, &read("Cargo.toml")?);
    keep("every dependency is listed with its reason", found);
    Ok(())
}

#[test]
fn every_dependency_is_used() -> anyhow::Result<()> {
    let tree = Tree::load()?;
    let dependencies = tree.members.iter().flat_map(|member| &member.dependencies);
    let used = dependencies.map(|dependency| dependency.package.as_str()).collect();
    let found = unused(&tree.workspace_dependencies(), &used, &read("Cargo.toml")?);
    keep("every dependency is used", found);
    Ok(())
}

#[test]
fn unlisted_and_unused_are_seen() {
    let manifest = "[workspace.dependencies]\nkith-wire = {}\nserde = \"1\"\ntoml = \"1\"\n";
    let workspace = ["kith-wire", "serde", "toml"].map(str::to_owned);
    let document = "| crate | for | why | others |\n| --- | --- | --- | --- |\n\
                    | `toml` | a | b | 1 |\n| `rand` | a | b | |\n| `toml` | a | b | 1 |\n";
    let mut found = unlisted(&workspace, document, manifest);
    found.sort();
    let places: Vec<_> = found.iter().map(|one| (one.path.as_str(), one.line)).collect();
    let expected = [("Cargo.toml", 3), (DOCUMENT, 4), (DOCUMENT, 4), (DOCUMENT, 5)];
    assert_eq!(places, expected, "{found:#?}");

    let found = unused(&workspace, &BTreeSet::from(["kith-wire", "serde"]), manifest);
    assert_eq!(found.iter().map(|one| one.line).collect::<Vec<_>>(), [4]);
}
