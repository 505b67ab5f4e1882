//! Every example, run as its page says, against a real daemon.
//!
//! An example that does not work is worse than none: people copy it. So each one is started as a
//! user would start it, and what it prints is compared with what `examples/README.md` says. An
//! example that nobody runs, or that the page forgets, is found.

mod dbus;
mod python;
mod rust;
mod shell;
mod window;

use crate::door::{Client, Event, JsonLines, Operation};
use crate::process::{Daemon, PATIENCE, Place, Process};
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Instant;

/// A daemon, and a client beside the examples.
struct Scene {
    daemon: Daemon,
    client: Client,
}

impl Scene {
    fn new(configuration: &str) -> Self {
        let daemon = Daemon::with(configuration);
        let client = Client::new(JsonLines::new(daemon.dial()));
        Self { daemon, client }
    }

    fn place(&self) -> &Place {
        self.daemon.place()
    }

    /// The command line of an example, which `interpreter` runs.
    fn command(&self, interpreter: &str, example: &str, arguments: &[&str]) -> Command {
        let mut command = self.place().program(interpreter);
        command.arg(folder().join(example)).args(arguments);
        command
    }

    /// Starts an example, and waits until it has subscribed: until there are so many subscriptions.
    fn start_subscriber(&mut self, mut command: Command, subscriptions: u64) -> Process {
        let process = Process::start(&mut command);
        self.client.wait_for_count("subscriptions", subscriptions);
        process
    }

    /// Makes a consumer that nobody is connected to.
    fn make_consumer(&mut self, pattern: &str, name: &str) {
        self.client.subscribe_durable(1, pattern, name);
        self.client.done(&Operation::Unsubscribe(1));
    }

    /// Waits until nothing waits for the one consumer that there is.
    fn wait_until_worked_off(&mut self) {
        let began = Instant::now();
        loop {
            let number = self.client.request("bus.consumers", "null", 5_000);
            let Event::Reply { delivery, .. } = self.client.answer(number) else { panic!() };
            let list = delivery.value();
            if list["consumers"][0]["waiting"] == 0 {
                return;
            }
            assert!(began.elapsed() < PATIENCE, "{list}");
        }
    }
}

/// The Python that has GLib's bindings is Debian's, whichever is the first on the `PATH`.
const PYTHON: &str = "/usr/bin/python3";

/// Whether it is there, and these statements that import something can be run by it.
fn can_import(statements: &str) -> bool {
    let run = Place::bare(PYTHON).args(["-c", statements]).output();
    run.is_ok_and(|output| output.status.success())
}

fn folder() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../examples"))
}

#[test]
fn the_page_names_every_example() {
    let page = fs::read_to_string(folder().join("README.md")).unwrap();
    assert!(page.contains("](window/)"));
    for part in ["dbus", "shell", "python", "services", "src/bin"] {
        for entry in fs::read_dir(folder().join(part)).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            let is_source = name.ends_with(".sh") || name.ends_with(".py") || name.ends_with(".rs");
            let link = format!("]({part}/{name})");
            assert!(!is_source || page.contains(&link), "README.md has no link {link}");
        }
    }
}

#[test]
fn the_manifests_of_the_services_are_right() {
    for entry in fs::read_dir(folder().join("services")).unwrap() {
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
