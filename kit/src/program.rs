//! What is tried: a command, and the manifest that goes with it.
//!
//! The manifest lies beside the program: `weather.py` has `weather.toml` or `weather.py.toml`.
//! Where an interpreter is named first (`python3 weather.py`), the first word with a manifest
//! beside it is the program. A manifest that is there and wrong is the program's fault, and a
//! finding; one that is not there makes it impossible to try anything.

use crate::limits::MANIFEST_BYTES_MAX;
use kith_plugins_api::contract::Rights;
use kith_plugins_api::{Manifest, ManifestError};
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// A program to be tried.
#[derive(Clone, Debug)]
pub struct Program {
    command: PathBuf,
    arguments: Vec<OsString>,
    manifest_file: PathBuf,
    manifest: Result<(Manifest, Rights), ManifestError>,
    settings: String,
}

/// Why a program can't be tried.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProgramError {
    /// No program was named.
    #[error("no program is named")]
    Nothing,
    /// There is no manifest.
    #[error(
        "there is no manifest beside {}: write {} ({}), or name it with --manifest FILE", 
        program.display(), looked_for.display(),
        "a service in Rust prints its own with --manifest"
    )]
    NoManifest {
        /// The program.
        program: PathBuf,
        /// Where it was looked for.
        looked_for: PathBuf,
    },
    /// The manifest can't be read.
    #[error("can't read the manifest {}: {source}", file.display())]
    Read {
        /// Its file.
        file: PathBuf,
        /// Why not.
        source: io::Error,
    },
}

impl Program {
    /// The program of a command, with the manifest beside it or the one that is named.
    ///
    /// # Errors
    /// If there is no manifest to be read.
    pub fn find(command: &[OsString], manifest: Option<&Path>) -> Result<Self, ProgramError> {
        let (first, arguments) = command.split_first().ok_or(ProgramError::Nothing)?;
        let manifest_file = match manifest {
            Some(file) => file.to_owned(),
            None => beside(command)?,
        };
        let unreadable = |source| ProgramError::Read { file: manifest_file.clone(), source };
        let mut text = String::new();
        let file = File::open(&manifest_file).map_err(unreadable)?;
        file.take(MANIFEST_BYTES_MAX).read_to_string(&mut text).map_err(unreadable)?;
        let read = Manifest::from_toml(&manifest_file.display().to_string(), &text);
        let manifest = read.and_then(|manifest| {
            let rights = manifest.check()?;
            Ok((manifest, rights))
        });
        let (command, settings) = (found(first), "{}".to_owned());
        Ok(Self { command, arguments: arguments.to_vec(), manifest_file, manifest, settings })
    }

    /// The same with settings, a JSON object.
    #[must_use]
    pub fn with_settings(self, settings: &str) -> Self {
        Self { settings: settings.to_owned(), ..self }
    }

    pub(crate) fn settings(&self) -> &str {
        &self.settings
    }

    /// What is started.
    pub(crate) fn command(&self) -> &Path {
        &self.command
    }

    pub(crate) fn arguments(&self) -> &[OsString] {
        &self.arguments
    }

    pub(crate) fn manifest_file(&self) -> &Path {
        &self.manifest_file
    }

    /// Its manifest, and what that grants.
    pub(crate) fn manifest(&self) -> Result<&(Manifest, Rights), &ManifestError> {
        self.manifest.as_ref()
    }

    /// All words of the command.
    pub(crate) fn words(&self) -> Vec<String> {
        let words = std::iter::once(self.command.as_os_str());
        let words = words.chain(self.arguments.iter().map(OsString::as_os_str));
        words.map(|word| word.to_string_lossy().into_owned()).collect()
    }
}

/// A program with a slash in its name is looked for here, wherever it is started.
fn found(word: &OsStr) -> PathBuf {
    let path = Path::new(word);
    let is_named = path.components().count() > 1;
    let absolute = is_named.then(|| std::path::absolute(path).ok()).flatten();
    absolute.unwrap_or_else(|| path.to_owned())
}

/// The manifest beside the first word that has one.
fn beside(command: &[OsString]) -> Result<PathBuf, ProgramError> {
    let manifests = command.iter().flat_map(|word| names(Path::new(word)));
    if let Some(found) = manifests.into_iter().find(|file| file.is_file()) {
        return Ok(found);
    }
    // The script, if there is one, else the program.
    let file = command.iter().map(Path::new).find(|word| word.is_file());
    let program = file.or_else(|| command.first().map(Path::new)).unwrap_or_else(|| Path::new(""));
    let looked_for = names(program).into_iter().next().unwrap_or_default();
    Err(ProgramError::NoManifest { program: program.to_owned(), looked_for })
}

/// What the manifest of this program may be called.
fn names(program: &Path) -> Vec<PathBuf> {
    let mut appended = program.as_os_str().to_owned();
    appended.push(".toml");
    vec![program.with_extension("toml"), appended.into()]
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn words(words: &[&Path]) -> Vec<OsString> {
        words.iter().map(|word| word.as_os_str().to_owned()).collect()
    }

    #[test]
    fn the_manifest_is_beside_the_program() {
        let folder = tempfile::tempdir().unwrap();
        let script = folder.path().join("weather.py");
        fs::write(&script, "").unwrap();
        let interpreted = words(&[Path::new("python3"), &script, Path::new("--x")]);
        let missing = Program::find(&interpreted, None).unwrap_err().to_string();
        let beside = folder.path().join("weather.toml");
        assert!(missing.contains(&format!("write {}", beside.display())), "{missing}");

        fs::write(&beside, "name = \"weather\"\nversion = \"1\"\n").unwrap();
        for command in [interpreted, words(&[&script])] {
            let program = Program::find(&command, None).unwrap();
            assert_eq!(program.manifest_file(), beside);
            assert_eq!(program.manifest().unwrap().0.name, "weather");
        }
        let other = folder.path().join("weather.py.toml");
        fs::rename(&beside, &other).unwrap();
        assert_eq!(Program::find(&words(&[&script]), None).unwrap().manifest_file(), other);
        let named = Program::find(&words(&[Path::new("x")]), Some(&other)).unwrap();
        assert_eq!((named.manifest_file(), named.command()), (&*other, Path::new("x")));
    }

    #[test]
    fn a_wrong_manifest_is_kept_as_a_finding() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.toml");
        fs::write(&file, "name = \"a\"\nversion = \"1\"\nwhat = 1\n").unwrap();
        let program = Program::find(&words(&[Path::new("a")]), Some(&file)).unwrap();
        assert!(program.manifest().unwrap_err().to_string().contains("a.toml:3:1"));
        assert!(matches!(Program::find(&[], None), Err(ProgramError::Nothing)));
    }
}
