//! The units as systemd's own programs read them.

use super::{template, units};
use crate::process::{Place, Process};

/// What the service may expose by systemd's count, in tenths. Most of it is capabilities, which a
/// user's process has none of, and which a user manager can't take away.
const EXPOSURE_MAX: u32 = 61;

fn analyze(place: &Place, arguments: &[&str]) -> crate::process::Ended {
    let mut command = Place::bare("systemd-analyze");
    command.arg("--user").args(arguments).env("XDG_RUNTIME_DIR", place.path());
    Process::run(command.env("HOME", place.path()))
}

#[test]
fn systemd_understands_every_line() {
    if !kith_tests::require("systemd-analyze") {
        return;
    }
    let place = Place::new("");
    let [service, socket] = units(&place).map(|path| path.to_str().unwrap().to_owned());
    let ended = analyze(&place, &["verify", "--man=no", &service, &socket]);
    // systemd before 253 has the line before it.
    let is_known = |line: &&str| !line.ends_with("ignoring: notify-reload");
    let said: Vec<_> = ended.stderr.lines().filter(is_known).collect();
    assert!(said.is_empty() && ended.status.success(), "{ended:?}");
    let text = template("kith.service", "/kith-busd");
    assert!(text.contains("\nType=notify\nType=notify-reload\n"), "in this order");
}

#[test]
fn the_service_exposes_no_more_than_it_did() {
    if !kith_tests::require("systemd-analyze") {
        return;
    }
    let place = Place::new("");
    let [service, _] = units(&place).map(|path| path.to_str().unwrap().to_owned());
    let ended = analyze(&place, &["security", "--offline=true", "--no-pager", &service]);
    let found = ended.stdout.split_once("exposure level for kith.service: ");
    let found = found.and_then(|(_, rest)| rest.split(' ').next());
    let found = found.unwrap_or_else(|| panic!("{ended:?}"));
    let tenths: u32 = found.replace('.', "").parse().unwrap();
    assert!((1..=EXPOSURE_MAX).contains(&tenths), "{found}");
}

#[test]
fn nothing_in_the_units_fails_where_a_user_manager_has_no_rights() {
    // Each drops capabilities, or insists on a namespace of users.
    let service = template("kith.service", "/kith-busd");
    for option in [
        "CapabilityBoundingSet",
        "AmbientCapabilities",
        "DynamicUser",
        "PrivateDevices",
        "PrivateUsers",
        "ProtectClock",
        "ProtectKernelLogs",
        "ProtectKernelModules",
        "RootDirectory",
        "TemporaryFileSystem",
        "User",
    ] {
        let line = format!("{option}=");
        assert!(!service.lines().any(|text| text.starts_with(&line)), "{option}");
    }
}
