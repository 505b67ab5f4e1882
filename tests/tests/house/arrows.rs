//! The arrows between crates, and what the thinking crates may use.
//!
//! `wire`, `contract`, `store` and `core` must be able to run under a seed with a virtual clock, so
//! they get an explicit list of external crates: none that does I/O, tells time, draws random
//! numbers or starts threads can slip in. The other crates are held to their arrows only;
//! `docs/dependencies.md` gives a reason for each of their dependencies.
//!
//! What is allowed is written down here and nowhere else. A new arrow is a design decision: it
//! goes into `ARCHITECTURE.md` and then into [`ALLOWED`].

use super::tree::{Kind, Manifest, Tree};
use super::{Violation, keep};

/// What one member may depend on in what it ships.
struct Allowed {
    folder: &'static str,
    /// Other members.
    arrows: &'static [&'static str],
    /// External crates; `None` is any that the workspace lists.
    external: Option<&'static [&'static str]>,
}

const ALLOWED: &[Allowed] = &[
    Allowed {
        folder: "wire",
        arrows: &[],
        external: Some(&["data-encoding", "memchr", "serde", "serde_json", "thiserror", "uuid"]),
    },
    Allowed {
        folder: "contract",
        arrows: &["kith-wire"],
        external: Some(&["data-encoding", "minicbor", "serde", "serde_json", "thiserror"]),
    },
    Allowed { folder: "store", arrows: &[], external: Some(&["crc32fast", "thiserror"]) },
    Allowed { folder: "store-disk", arrows: &["kith-store"], external: None },
    Allowed {
        folder: "people",
        arrows: &[],
        external: Some(&[
            "argon2",
            "bip39",
            "bs58",
            "chacha20poly1305",
            "data-encoding",
            "ed25519-dalek",
            "hmac",
            "minicbor",
            "sha2",
            "thiserror",
            "x25519-dalek",
            "zeroize",
        ]),
    },
    Allowed {
        folder: "post",
        arrows: &["kith-contract", "kith-people", "kith-store", "kith-wire"],
        external: Some(&[
            "crypto_box",
            "minicbor",
            "serde",
            "serde_json",
            "sha2",
            "thiserror",
            "vodozemac",
            "zeroize",
        ]),
    },
    Allowed {
        folder: "core",
        arrows: &["kith-contract", "kith-store", "kith-wire"],
        external: Some(&[
            "foldhash",
            "hashbrown",
            "memchr",
            "serde",
            "serde_json",
            "slab",
            "smol_str",
            "thiserror",
        ]),
    },
    Allowed { folder: "sealed", arrows: &[], external: Some(&["rustix", "thiserror"]) },
    Allowed {
        folder: "busd",
        arrows: &[
            "kith-contract",
            "kith-core",
            "kith-dbus-json",
            "kith-people",
            "kith-plugins-api",
            "kith-post",
            "kith-sealed",
            "kith-service-echo",
            "kith-service-hello",
            "kith-service-mdns",
            "kith-service-pipes",
            "kith-service-quic",
            "kith-service-signals",
            "kith-store",
            "kith-store-disk",
            "kith-wire",
        ],
        external: None,
    },
    Allowed { folder: "client", arrows: &["kith-sealed", "kith-wire"], external: None },
    Allowed {
        folder: "plugins-api",
        arrows: &["kith-client", "kith-contract", "kith-core", "kith-store", "kith-wire"],
        external: None,
    },
    Allowed { folder: "services/echo", arrows: &["kith-plugins-api"], external: None },
    Allowed { folder: "services/hello", arrows: &["kith-plugins-api"], external: None },
    Allowed { folder: "services/pipes", arrows: &["kith-plugins-api"], external: None },
    Allowed { folder: "services/mdns", arrows: &["kith-plugins-api"], external: None },
    Allowed {
        folder: "services/quic",
        arrows: &["kith-people", "kith-plugins-api"],
        external: None,
    },
    Allowed {
        folder: "services/signals",
        arrows: &["kith-dbus-json", "kith-plugins-api"],
        external: None,
    },
    Allowed { folder: "dbus-json", arrows: &[], external: None },
    Allowed {
        folder: "kit",
        arrows: &["kith-core", "kith-plugins-api", "kith-wire"],
        external: None,
    },
    Allowed {
        folder: "cli",
        arrows: &[
            "kith-busd",
            "kith-client",
            "kith-contract",
            "kith-kit",
            "kith-people",
            "kith-wire",
        ],
        external: None,
    },
    Allowed { folder: "examples", arrows: &["kith-client", "kith-wire"], external: None },
];

/// The one member with lints of its own, since it may have `unsafe` (`unsafety.rs`).
const UNSAFE_FOLDER: &str = "sealed";

/// Members at the top of the graph, on which nothing may depend but one of themselves.
const TOPS: &[&str] = &["tests", "benches", "fuzz"];

fn check(manifest: &Manifest) -> Vec<Violation> {
    let path = manifest.path();
    let mut found = Vec::new();
    if !manifest.package.starts_with("kith-") {
        let what = format!("package `{}`: its name must begin with `kith-`", manifest.package);
        found.push(Violation::new(&path, 1, what));
    }
    if !manifest.has_workspace_lints && manifest.folder != UNSAFE_FOLDER {
        found.push(Violation::new(&path, 1, "add `[lints]` with `workspace = true`"));
    }
    for dependency in manifest.dependencies.iter().filter(|one| !one.is_from_workspace) {
        let what = format!(
            "`{}`: give its version in [workspace.dependencies], and `workspace = true` here",
            dependency.package
        );
        found.push(Violation::new(&path, dependency.line, what));
    }
    if TOPS.contains(&manifest.folder.as_str()) {
        return found;
    }
    let Some(allowed) = ALLOWED.iter().find(|one| one.folder == manifest.folder) else {
        let what = "a new member: say in ARCHITECTURE.md and in house/arrows.rs what it may use";
        found.push(Violation::new(&path, 1, what));
        return found;
    };
    for dependency in manifest.dependencies.iter().filter(|one| one.kind == Kind::Normal) {
        if let Some(what) = allowed.objection(&dependency.package) {
            found.push(Violation::new(&path, dependency.line, what));
        }
    }
    found
}

impl Allowed {
    fn objection(&self, package: &str) -> Option<String> {
        let (list, way_out) = if package.starts_with("kith-") {
            (Some(self.arrows), "a new arrow is a design decision: ARCHITECTURE.md first")
        } else {
            (self.external, "it has to stay free of I/O, clocks, randomness and threads")
        };
        let is_listed = list.is_none_or(|list| list.contains(&package));
        (!is_listed).then(|| format!("`{}` must not use `{package}`: {way_out}", self.folder))
    }
}

#[test]
fn crates_depend_only_along_the_arrows() -> anyhow::Result<()> {
    let tree = Tree::load()?;
    keep("crates depend only along the arrows", tree.members.iter().flat_map(check));
    Ok(())
}

#[test]
fn every_allowed_member_exists() -> anyhow::Result<()> {
    let tree = Tree::load()?;
    let folders = ALLOWED.iter().map(|one| one.folder).chain(TOPS.iter().copied());
    let is_gone = |folder: &&str| tree.members.iter().all(|member| member.folder != *folder);
    let what = |folder| Violation::new("Cargo.toml", 1, format!("no member `{folder}`"));
    keep("house/arrows.rs speaks of members that exist", folders.filter(is_gone).map(what));
    Ok(())
}

#[test]
fn wrong_arrows_are_seen() -> anyhow::Result<()> {
    let text = "[package]\nname = \"wire\"\n[dependencies]\nserde.workspace = true\n\
                tokio.workspace = true\nkith-core.workspace = true\nrand = \"0.9\"\n\
                [dev-dependencies]\nproptest.workspace = true\n";
    let found = check(&Manifest::parse("wire", text)?);
    let lines: Vec<_> = found.iter().map(|one| one.line).collect();
    assert_eq!(lines, [1, 1, 7, 6, 7, 5], "{found:#?}");

    let good = "[package]\nname = \"kith-cli\"\n[dependencies]\nclap.workspace = true\n\
                kith-busd.workspace = true\n[lints]\nworkspace = true\n";
    assert_eq!(check(&Manifest::parse("cli", good)?), []);
    assert_eq!(check(&Manifest::parse("gateway", good)?).len(), 1);
    Ok(())
}
