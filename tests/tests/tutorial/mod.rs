//! `docs/writing-a-service.md`, followed to the letter in an empty folder.
//!
//! What a page tells people to type has to work. So every block of it that is marked is carried
//! out, in order and with nothing else: ` ```sh run` is run by a shell that stops at the first
//! error, ` ```rust file=PATH` is written to that file, and each line of ` ```text expect` has to
//! be in what the block before it printed. In ` ```sh kit` a line `kith services test PROGRAM` has
//! the conformance kit try the program. ` ```sh daemon` needs a daemon, and is for the tests of
//! services.
//!
//! Dependencies are those of the workspace, without the network; what is built stays in
//! `target/tutorial`, so that only the first time takes long.

mod blocks;

use blocks::{Block, blocks};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::AtomicBool;
use std::{env, fs};

/// The folder of the reader, and where in it the reader is.
struct Reader {
    here: PathBuf,
    printed: String,
}

impl Reader {
    fn follow(&mut self, block: &Block) {
        match block {
            Block::File { path, text } => {
                let path = self.here.join(path);
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, text).unwrap();
            }
            Block::Run(script) => self.run(script),
            Block::Expect(lines) => {
                for line in lines.lines() {
                    assert!(self.printed.contains(line), "no {line:?} in:\n{}", self.printed);
                }
            }
            Block::Kit(script) => {
                for line in script.lines() {
                    match line.strip_prefix("kith services test ") {
                        Some(program) => self.try_as_service(program),
                        None => self.run(line),
                    }
                }
            }
            Block::Daemon(_) => {}
        }
    }

    fn run(&mut self, script: &str) {
        self.keep_what_is_built();
        let here = self.here.join(".here");
        let script = format!("{script}\npwd > '{}'", here.display());
        let output = Command::new("sh")
            .args(["-euc", &script])
            .current_dir(&self.here)
            .env("KITH", workspace())
            .env("CARGO", env!("CARGO"))
            .env("CARGO_NET_OFFLINE", "true")
            .env("CARGO_TERM_COLOR", "never")
            .env_remove("CARGO_TARGET_DIR")
            .env_remove("KITH_TOKEN")
            .output()
            .unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        self.printed = text(&output.stdout) + &text(&output.stderr);
        assert!(output.status.success(), "{script}\n{}", self.printed);
        self.here = PathBuf::from(fs::read_to_string(here).unwrap().trim_end());
    }

    fn try_as_service(&mut self, program: &str) {
        let command = [self.here.join(program).into_os_string()];
        let program = kith_kit::Program::find(&command, None).unwrap();
        let scenarios = kith_kit::choose(&[]).unwrap();
        let mut found = Vec::new();
        let cancelled = AtomicBool::new(false);
        let tried = kith_kit::run(&program, &scenarios, &cancelled, |one| found.push(one.clone()));
        assert_eq!(tried.unwrap().failed, 0, "{found:#?}");
    }

    /// Has cargo build where it has built the last time.
    fn keep_what_is_built(&self) {
        if self.here.join("Cargo.toml").exists() && !self.here.join("target").exists() {
            let kept = workspace().join("target/tutorial");
            fs::create_dir_all(&kept).unwrap();
            std::os::unix::fs::symlink(kept, self.here.join("target")).unwrap();
        }
    }
}

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

#[test]
fn the_page_leads_from_nothing_to_a_service() {
    let page = fs::read_to_string(workspace().join("docs/writing-a-service.md")).unwrap();
    let blocks = blocks(&page);
    let directory = tempfile::tempdir().unwrap();
    let mut reader = Reader { here: directory.path().to_owned(), printed: String::new() };
    for block in &blocks {
        reader.follow(block);
    }
    assert!(reader.here.ends_with("dice"));
    let files = blocks.iter().filter(|block| matches!(block, Block::File { .. })).count();
    assert_eq!(files, 3);
}

#[test]
fn the_manifests_of_the_examples_are_right() {
    for entry in fs::read_dir(workspace().join("examples/services")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "toml") {
            let text = fs::read_to_string(&path).unwrap();
            let manifest =
                kith_plugins_api::Manifest::from_toml(&path.display().to_string(), &text);
            let manifest = manifest.unwrap_or_else(|error| panic!("{error}"));
            assert_eq!(path.file_stem().unwrap().to_str(), Some(manifest.name.as_str()));
            assert!(path.with_extension("py").exists());
        }
    }
}
