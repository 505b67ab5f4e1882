//! The tree that the rules are checked on: every file of the workspace that people write.
//!
//! It is walked rather than asked of git, so that the rules also hold for files that are not
//! committed yet and in a tree that came as an archive. Build directories are recognised by the
//! `CACHEDIR.TAG` that cargo puts there; hidden directories other than `.ci` are left alone.

use std::fs;
use std::path::Path;

use anyhow::Context;
use toml::{Table, Value};

use super::rust::RustFile;

/// The workspace's files.
pub(super) struct Tree {
    /// Rust sources, sorted by path.
    pub(super) rust: Vec<RustFile>,
    /// Scripts and configuration in other languages, sorted by path: path and text.
    pub(super) other: Vec<(String, String)>,
    /// The workspace's own `Cargo.toml`.
    pub(super) workspace: Table,
    /// Each member's `Cargo.toml`, in the order in which the workspace names them.
    pub(super) members: Vec<Manifest>,
    /// The same of what it excludes: packages that are built apart, but held to the rules of files.
    pub(super) excluded: Vec<Manifest>,
}

impl Tree {
    /// Reads the workspace that this test was built in.
    pub(super) fn load() -> anyhow::Result<Self> {
        let mut paths = Vec::new();
        walk(root(), "", &mut paths)?;
        paths.sort();
        let mut rust = Vec::new();
        let mut other = Vec::new();
        for path in paths {
            if path.ends_with(".rs") {
                let text = read(&path)?;
                rust.push(RustFile::new(&path, &text));
            } else if is_script(&path) {
                let text = read(&path)?;
                other.push((path, text));
            }
        }
        let workspace: Table = read("Cargo.toml")?.parse().context("Cargo.toml")?;
        let members = manifests(&workspace, "members")?;
        let excluded = manifests(&workspace, "exclude")?;
        Ok(Self { rust, other, workspace, members, excluded })
    }

    /// All packages, members or not.
    pub(super) fn packages(&self) -> Vec<&Manifest> {
        self.members.iter().chain(&self.excluded).collect()
    }

    /// The names in `[workspace.dependencies]`, sorted.
    pub(super) fn workspace_dependencies(&self) -> Vec<String> {
        let workspace = self.workspace.get("workspace");
        let table = workspace.and_then(|table| table.get("dependencies")).and_then(Value::as_table);
        table.map(|table| table.keys().cloned().collect()).unwrap_or_default()
    }
}

/// What the rules need to know of one member's `Cargo.toml`.
pub(super) struct Manifest {
    /// The member's folder, such as `wire`.
    pub(super) folder: String,
    /// The package's name, such as `kith-wire`.
    pub(super) package: String,
    /// Everything it depends on, of every kind and platform.
    pub(super) dependencies: Vec<Dependency>,
    /// Files that it names as targets, relative to the workspace.
    pub(super) targets: Vec<String>,
    /// Whether cargo looks for targets in `tests/` by itself.
    pub(super) autotests: bool,
    /// Whether it takes its lints from the workspace.
    pub(super) has_workspace_lints: bool,
}

/// One entry of a dependency table.
pub(super) struct Dependency {
    /// The package, whatever it is called here.
    pub(super) package: String,
    /// Which table it stands in.
    pub(super) kind: Kind,
    /// The line in `Cargo.toml`.
    pub(super) line: usize,
    /// Whether version and source come from `[workspace.dependencies]`.
    pub(super) is_from_workspace: bool,
}

/// What a dependency is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// `[dev-dependencies]`: tests, benches and examples alone see it.
    Dev,
    /// `[dependencies]` and `[build-dependencies]`: it is part of what ships.
    Normal,
}

impl Manifest {
    /// Reads the text of `folder/Cargo.toml`.
    pub(super) fn parse(folder: &str, text: &str) -> anyhow::Result<Self> {
        let table: Table = text.parse().with_context(|| format!("{folder}/Cargo.toml"))?;
        let package = table.get("package").and_then(Value::as_table);
        let name = package.and_then(|package| package.get("name")).and_then(Value::as_str);
        let autotests = package.and_then(|package| package.get("autotests"));
        let lints = table.get("lints").and_then(|lints| lints.get("workspace"));

        let mut dependencies = dependencies(&table, text);
        if let Some(platforms) = table.get("target").and_then(Value::as_table) {
            for platform in platforms.values().filter_map(Value::as_table) {
                dependencies.extend(self::dependencies(platform, text));
            }
        }
        Ok(Self {
            folder: folder.to_owned(),
            package: name.unwrap_or_default().to_owned(),
            dependencies,
            targets: targets(folder, &table),
            autotests: autotests.and_then(Value::as_bool).unwrap_or(true),
            has_workspace_lints: lints.and_then(Value::as_bool).unwrap_or(false),
        })
    }

    /// The path of the file itself, relative to the workspace.
    pub(super) fn path(&self) -> String {
        format!("{}/Cargo.toml", self.folder)
    }
}

/// Reads one file of the workspace.
pub(super) fn read(path: &str) -> anyhow::Result<String> {
    fs::read_to_string(root().join(path)).with_context(|| path.to_owned())
}

fn dependencies(table: &Table, text: &str) -> Vec<Dependency> {
    let kinds = [
        ("dependencies", Kind::Normal),
        ("build-dependencies", Kind::Normal),
        ("dev-dependencies", Kind::Dev),
    ];
    let mut found = Vec::new();
    for (section, kind) in kinds {
        let Some(entries) = table.get(section).and_then(Value::as_table) else { continue };
        for (name, value) in entries {
            let package = value.get("package").and_then(Value::as_str).unwrap_or(name);
            let workspace = value.get("workspace").and_then(Value::as_bool);
            found.push(Dependency {
                package: package.to_owned(),
                kind,
                line: line_of_key(text, name),
                is_from_workspace: workspace.unwrap_or(false),
            });
        }
    }
    found
}

/// The files that `[lib]`, `[[bin]]` and their like name with `path`.
fn targets(folder: &str, table: &Table) -> Vec<String> {
    let mut found = Vec::new();
    for section in ["lib", "bin", "test", "bench", "example"] {
        let entries = match table.get(section) {
            Some(Value::Array(entries)) => entries.clone(),
            Some(entry) => vec![entry.clone()],
            None => continue,
        };
        let paths = entries.iter().filter_map(|entry| entry.get("path").and_then(Value::as_str));
        found.extend(paths.map(|path| format!("{folder}/{path}")));
    }
    found
}

/// The first line that sets `key`, or names it in a table header; 1 if there is none.
pub(super) fn line_of_key(text: &str, key: &str) -> usize {
    let sets = |line: &str| {
        let rest = line.trim_start().strip_prefix(key);
        rest.is_some_and(|rest| rest.starts_with([' ', '=', '.']))
    };
    let header = format!("dependencies.{key}]");
    let mut lines = text.lines();
    lines.position(|line| sets(line) || line.trim_end().ends_with(&header)).map_or(1, |at| at + 1)
}

/// The packages in a list of folders of the workspace's table.
fn manifests(workspace: &Table, list: &str) -> anyhow::Result<Vec<Manifest>> {
    let folders = workspace.get("workspace").and_then(|table| table.get(list));
    let folders = folders.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    folders
        .iter()
        .filter_map(Value::as_str)
        .map(|folder| Manifest::parse(folder, &read(&format!("{folder}/Cargo.toml"))?))
        .collect()
}

pub(super) fn root() -> &'static Path {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here)
}

fn walk(root: &Path, folder: &str, paths: &mut Vec<String>) -> anyhow::Result<()> {
    let directory = root.join(folder);
    for entry in fs::read_dir(&directory).with_context(|| folder.to_owned())? {
        let entry = entry.with_context(|| folder.to_owned())?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = if folder.is_empty() { name.clone() } else { format!("{folder}/{name}") };
        let kind = entry.file_type().with_context(|| path.clone())?;
        if kind.is_file() {
            paths.push(path);
        } else if kind.is_dir() && is_ours(&entry.path(), &name) {
            walk(root, &path, paths)?;
        }
    }
    Ok(())
}

fn is_ours(directory: &Path, name: &str) -> bool {
    let is_hidden = name.starts_with('.') && name != ".ci";
    !is_hidden && !directory.join("CACHEDIR.TAG").exists()
}

fn is_script(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    let extension = name.rsplit_once('.').map(|(_, extension)| extension);
    path.starts_with(".ci/") || matches!(extension, Some("py" | "sh" | "toml"))
}

#[test]
fn the_tree_is_read() -> anyhow::Result<()> {
    let tree = Tree::load()?;
    assert!(tree.rust.iter().any(|file| file.path == "tests/tests/house/tree.rs"));
    assert!(tree.other.iter().any(|(path, _)| path == ".ci/run"));
    assert!(tree.members.iter().any(|member| member.package == "kith-tests"));
    assert!(tree.excluded.iter().any(|one| one.package == "kith-fuzz-harness"));
    assert!(tree.workspace_dependencies().contains(&"toml".to_owned()));
    Ok(())
}

#[test]
fn a_manifest_is_read() -> anyhow::Result<()> {
    let text = "[package]\nname = \"kith-sample\"\n[dependencies]\nserde.workspace = true\n\
                old = { package = \"new\", version = \"1\" }\n[dev-dependencies.toml]\n\
                workspace = true\n[target.'cfg(unix)'.dependencies]\nrustix = \"1\"\n\
                [[bin]]\nname = \"x\"\npath = \"y/x.rs\"\n";
    let manifest = Manifest::parse("sample", text)?;
    let found: Vec<_> = manifest
        .dependencies
        .iter()
        .map(|one| (one.package.as_str(), one.kind, one.line, one.is_from_workspace))
        .collect();
    let expected = [
        ("new", Kind::Normal, 5, false),
        ("serde", Kind::Normal, 4, true),
        ("toml", Kind::Dev, 6, true),
        ("rustix", Kind::Normal, 9, false),
    ];
    assert_eq!(found, expected);
    assert_eq!(manifest.package, "kith-sample");
    assert_eq!(manifest.targets, ["sample/y/x.rs"]);
    assert!(manifest.autotests && !manifest.has_workspace_lints);
    Ok(())
}
