//! Replays the inputs of `corpus/` through their targets.
//!
//! An input that was found once, by a fuzzer or by hand, is checked on every change. What is in
//! the way of that is an error too: a target without a corpus or without a program in the harness,
//! and a corpus or a program without a target.

use anyhow::{Context, ensure};
use kith_fuzz::TARGETS;
use std::collections::BTreeSet;
use std::fs;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};

/// Of one input: what needs more is made smaller, or a test where it can be explained.
const INPUT_BYTES_MAX: usize = 4 << 10;
/// Of all inputs of one target, so that the tree stays small and the test quick.
const CORPUS_BYTES_MAX: usize = 400 << 10;

fn names(folder: &str) -> anyhow::Result<BTreeSet<String>> {
    let names = files(folder)?.into_iter().map(|path| {
        let stem = path.file_stem().context("a name")?;
        Ok(stem.to_str().context("UTF-8")?.to_owned())
    });
    names.collect()
}

/// What is in a folder of this crate, sorted.
fn files(folder: &str) -> anyhow::Result<Vec<PathBuf>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let entries = fs::read_dir(&folder).with_context(|| folder.display().to_string())?;
    let mut paths = entries.map(|entry| Ok(entry?.path())).collect::<anyhow::Result<Vec<_>>>()?;
    paths.sort();
    Ok(paths)
}

#[test]
fn each_target_has_a_corpus_and_a_program() -> anyhow::Result<()> {
    let targets: BTreeSet<_> = TARGETS.iter().map(|target| target.name.to_owned()).collect();
    assert_eq!(names("corpus")?, targets, "corpus/");
    assert_eq!(names("harness/fuzz_targets")?, targets, "harness/fuzz_targets/");
    Ok(())
}

#[test]
fn every_input_holds() -> anyhow::Result<()> {
    let mut failed = Vec::new();
    for target in TARGETS {
        let paths = files(&format!("corpus/{}", target.name))?;
        ensure!(!paths.is_empty(), "the corpus of {} is empty", target.name);
        let mut corpus_bytes = 0;
        for path in paths {
            let input = fs::read(&path).with_context(|| path.display().to_string())?;
            ensure!(input.len() <= INPUT_BYTES_MAX, "too large: {}", path.display());
            corpus_bytes += input.len();
            if catch_unwind(|| (target.run)(&input)).is_err() {
                failed.push(path.display().to_string());
            }
        }
        ensure!(corpus_bytes <= CORPUS_BYTES_MAX, "the corpus of {} is too large", target.name);
    }
    assert!(failed.is_empty(), "what each found is above:\n{}", failed.join("\n"));
    Ok(())
}

#[test]
fn short_inputs_hold() {
    for target in TARGETS {
        (target.run)(&[]);
        (0..=u8::MAX).for_each(|byte| (target.run)(&[byte]));
        (0..=u8::MAX).for_each(|byte| (target.run)(&[byte; 64]));
    }
}
