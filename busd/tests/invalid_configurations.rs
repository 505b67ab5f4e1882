//! What the daemon says to a wrong configuration file, word by word.
//!
//! Each `invalid-configurations/*.toml` has beside it, in a `.txt` of the same name, the text that
//! a person gets to see. These texts are an interface: they are read in this folder, not made up
//! while one reads the code. `KITH_BLESS=1` writes the texts anew, for the diff to be read.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;
use kith_busd::arguments::Arguments;
use kith_busd::configuration::{Configuration, Environment};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/invalid-configurations")
}

/// The paths in the folder that end like this, sorted.
fn with_extension(extension: &str) -> anyhow::Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder()).context("invalid-configurations")? {
        let path = entry?.path();
        if path.extension().is_some_and(|found| found == extension) {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

#[test]
fn every_invalid_file_is_refused_in_the_expected_words() -> anyhow::Result<()> {
    let environment =
        Environment { xdg_runtime_dir: Some("/run/user/1".into()), ..Environment::default() };
    let samples = with_extension("toml")?;
    assert!(samples.len() >= 30, "{} samples: is the folder here?", samples.len());
    let mut wrong = Vec::new();
    for sample in &samples {
        let arguments = Arguments {
            config: Some(sample.clone()),
            state: Some("/nonexistent".into()),
            ..Arguments::default()
        };
        let name = sample.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let found = match Configuration::load(&arguments, &environment) {
            Ok(_) => "it was accepted".to_owned(),
            Err(error) => {
                assert_eq!(error.exit_code(), 78, "{name}");
                error.to_string()
            }
        };
        let found = format!("{}\n", found.replace(&sample.display().to_string(), &name));
        let expected = sample.with_extension("txt");
        if std::env::var_os("KITH_BLESS").is_some() {
            fs::write(&expected, &found)?;
        }
        let expected = fs::read_to_string(&expected).unwrap_or_default();
        if found != expected {
            wrong.push(format!("--- {name}: expected\n{expected}--- but got\n{found}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}

#[test]
fn no_expected_text_lacks_its_file() -> anyhow::Result<()> {
    for text in with_extension("txt")? {
        assert!(text.with_extension("toml").exists(), "{}", text.display());
    }
    Ok(())
}
