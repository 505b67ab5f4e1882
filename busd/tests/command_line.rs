//! The program as a unit or a person starts it: what it prints where, and how it ends.
//!
//! Only what ends by itself; a daemon that runs is the business of the contract tests.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::Context;
use tempfile::TempDir;

/// How a run ended.
#[derive(Debug)]
struct Run {
    code: Option<i32>,
    out: String,
    err: String,
}

/// Runs the daemon with a home of its own and these variables.
fn run(home: &Path, arguments: &[&str], variables: &[(&str, &Path)]) -> anyhow::Result<Run> {
    let output = Command::new(env!("CARGO_BIN_EXE_kith-busd"))
        .args(arguments)
        .env_clear()
        .env("HOME", home)
        .envs(variables.iter().copied())
        .stdin(Stdio::null())
        .output()
        .context("kith-busd")?;
    let text = |bytes| String::from_utf8(bytes);
    Ok(Run { code: output.status.code(), out: text(output.stdout)?, err: text(output.stderr)? })
}

fn home() -> anyhow::Result<TempDir> {
    Ok(tempfile::tempdir()?)
}

#[test]
fn help_and_version_are_no_errors() -> anyhow::Result<()> {
    let home = home()?;
    let help = run(home.path(), &["--help"], &[])?;
    assert_eq!((help.code, help.err.as_str()), (Some(0), ""), "{help:?}");
    for word in ["--config <FILE>", "--socket <PATH>", "--check-config", "- trace: ", "69"] {
        assert!(help.out.contains(word), "{word}: {}", help.out);
    }
    let version = run(home.path(), &["--version"], &[])?;
    let expected = format!("kith-busd {}\n", env!("CARGO_PKG_VERSION"));
    assert_eq!((version.code, version.out), (Some(0), expected));
    Ok(())
}

#[test]
fn a_wrong_command_line_ends_with_64() -> anyhow::Result<()> {
    let home = home()?;
    for arguments in [&["--loud"][..], &["--log", "loud"], &["now"], &["--socket", ""]] {
        let run = run(home.path(), arguments, &[])?;
        assert_eq!((run.code, run.out.as_str()), (Some(64), ""), "{run:?}");
        assert!(run.err.contains("error: "), "{run:?}");
    }
    Ok(())
}

#[test]
fn the_printed_configuration_is_one() -> anyhow::Result<()> {
    let home = home()?;
    let printed = run(home.path(), &["--print-config"], &[])?;
    assert_eq!(printed.code, Some(0), "{printed:?}");
    let file = home.path().join("printed.toml");
    fs::write(&file, &printed.out)?;
    let name = file.display().to_string();
    let checked = run(home.path(), &["--check-config", "--config", &name], &[])?;
    assert_eq!((checked.code, checked.out), (Some(0), format!("ok: {name}\n")));
    Ok(())
}

#[test]
fn a_reader_that_has_gone_is_no_error() -> anyhow::Result<()> {
    let (reader, writer) = std::io::pipe()?;
    drop(reader);
    let output = Command::new(env!("CARGO_BIN_EXE_kith-busd"))
        .arg("--print-config")
        .stdout(writer)
        .stderr(Stdio::piped())
        .spawn()?
        .wait_with_output()?;
    assert_eq!((output.status.code(), output.stderr), (Some(0), Vec::new()));
    Ok(())
}

#[test]
fn a_wrong_file_ends_with_78_and_is_shown() -> anyhow::Result<()> {
    let home = home()?;
    let file = home.path().join("config.toml");
    fs::write(&file, "[limits]\nclients_max = \"many\"\n")?;
    let name = file.display().to_string();
    let expected = format!(
        "{name}:2:15: `limits.clients_max` has to be a whole number, such as 65536, but this is a \
         text\n 2 | clients_max = \"many\"\n   |               ^^^^^^\n"
    );
    let checked = run(home.path(), &["--check-config", "--config", &name], &[])?;
    assert_eq!((checked.code, checked.out.as_str()), (Some(78), ""));
    assert_eq!(checked.err, expected);
    // Started in earnest, it says the same.
    let started = run(home.path(), &["--config", &name], &[("XDG_RUNTIME_DIR", home.path())])?;
    assert_eq!(started.code, Some(78), "{started:?}");
    assert!(started.err.contains(&expected), "{started:?}");
    Ok(())
}

#[test]
fn without_a_place_for_the_socket_nothing_starts() -> anyhow::Result<()> {
    let home = home()?;
    let run = run(home.path(), &[], &[])?;
    assert_eq!(run.code, Some(78), "{run:?}");
    assert!(run.err.contains("XDG_RUNTIME_DIR"), "{run:?}");
    Ok(())
}

#[test]
fn a_socket_that_is_served_ends_with_69() -> anyhow::Result<()> {
    let home = home()?;
    let socket = home.path().join("bus.sock");
    let listener = UnixListener::bind(&socket)?;
    let run = run(home.path(), &[], &[("KITH_SOCKET", &socket)])?;
    assert_eq!(run.code, Some(69), "{run:?}");
    assert!(run.err.contains("another daemon serves"), "{run:?}");
    drop(listener);
    Ok(())
}

#[test]
fn a_directory_open_to_others_ends_with_78() -> anyhow::Result<()> {
    let home = home()?;
    let directory = home.path().join("kith");
    fs::create_dir(&directory)?;
    fs::set_permissions(&directory, fs::Permissions::from_mode(0o755))?;
    let run = run(home.path(), &[], &[("XDG_RUNTIME_DIR", home.path())])?;
    assert_eq!(run.code, Some(78), "{run:?}");
    assert!(run.err.contains("chmod 700"), "{run:?}");
    Ok(())
}
