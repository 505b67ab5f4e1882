//! Completions and manual pages are made, and not of nothing.

use crate::bus::kith;
use anyhow::Result;

#[test]
fn every_shell_gets_its_completions() -> Result<()> {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let output = kith().args(["completions", shell]).output()?;
        assert_eq!(output.status.code(), Some(0), "{shell}");
        let script = String::from_utf8(output.stdout)?;
        assert!(script.contains("kith") && script.contains("retained"), "{shell}");
    }
    Ok(())
}

#[test]
fn manual_pages_are_written() -> Result<()> {
    let output = kith().arg("man").output()?;
    assert_eq!(output.status.code(), Some(0));
    let first = String::from_utf8(output.stdout)?;
    assert!(first.contains(".TH kith 1") && first.contains("EXIT STATUS"), "{first}");

    let folder = tempfile::tempdir()?;
    let pages = folder.path().join("man1");
    let output = kith().arg("man").arg(&pages).output()?;
    assert_eq!(output.status.code(), Some(0));
    let mut names = Vec::new();
    for entry in std::fs::read_dir(&pages)? {
        let entry = entry?;
        assert!(entry.metadata()?.len() > 200, "{entry:?}");
        names.push(entry.file_name().to_string_lossy().into_owned());
    }
    for name in ["kith.1", "kith-pub.1", "kith-bench.1", "kith-daemon.1", "kith-busd.1"] {
        assert!(names.iter().any(|found| found == name), "{names:?}");
    }
    assert_eq!(std::fs::read_to_string(pages.join("kith.1"))?, first);
    let daemon = std::fs::read_to_string(pages.join("kith-busd.1"))?;
    assert!(daemon.contains("kith\\-busd \\- the daemon of the Kith bus\n"), "{daemon}");
    Ok(())
}
