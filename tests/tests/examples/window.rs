//! The window, driven as a person would: a real display, a real session bus, the real daemon.
//!
//! Keys are pressed by `xdotool`, what is on the screen is asked as a screen reader asks it
//! (`screen.py`), and what was typed is looked for on the bus. The display is Xvfb, on a number of
//! its own choice. Whatever the window writes to standard error fails the test: GTK says there
//! when it is used wrongly, and Python when something was not caught.
//!
//! Deliberately absent: a window manager, which none of this needs, and comparing pictures with
//! earlier ones, which every new version of a font would break.

use super::{PYTHON, Scene, can_import, folder};
use crate::door::{Client, Event, JsonLines, Operation, Publication};
use crate::process::{Daemon, PATIENCE, PROGRAM, Place, Process};
use crate::session::{Broker, SessionBus};
use kith_tests::{require, require_that};
use rustix::process::{Pid, Signal, kill_process};
use std::fs;
use std::process::Command;
use std::time::Instant;

/// The colour of the stripe on a card of scope `self`, as in `style.css`.
const SELF_COLOUR: [u8; 3] = [0x35, 0x84, 0xe4];

/// No complaint of the window's has this in it.
const NOTHING: &str = "\u{0}";

fn is_possible() -> bool {
    let imports = "import gi; gi.require_version('Gtk', '4.0'); gi.require_version('Adw', '1'); \
                   gi.require_version('Atspi', '2.0')";
    Broker::DbusDaemon.is_there()
        && require("Xvfb")
        && require("xdotool")
        && require("import")
        && require("dbus-send")
        && require_that(can_import(imports), "Python with GTK 4, libadwaita and AT-SPI")
}

/// A display, and a session bus on which calling the daemon starts it.
struct Desktop {
    place: Place,
    session: SessionBus,
    display: String,
    _server: Process,
}

impl Desktop {
    fn new(configuration: &str) -> Self {
        let place = Place::new(configuration);
        let mut server = Place::bare("Xvfb");
        server.args(["-displayfd", "1", "-screen", "0", "1000x800x24", "-nolisten", "tcp"]);
        let server = Process::start(&mut server);
        let number = server.wait_for_stdout(|text| text.ends_with('\n'));
        let display = format!(":{}", number.trim());
        // Whatever happens to this test, a daemon that the bus has started ends some time.
        let service = format!(
            "[D-BUS Service]\nName=org.kithbus.Bus1\nExec=/usr/bin/timeout 120 {PROGRAM} \
             --config {path}/config.toml --socket {socket} --state {path}/state\n",
            path = place.path().display(),
            socket = place.socket().display(),
        );
        let session = SessionBus::with_services(&[("org.kithbus.Bus1.service", &service)]);
        let desktop = Self { place, session, display, _server: server };
        // Else the bus of the screen readers is one for all tests that run at the same time.
        let mut update = desktop.program("dbus-send");
        update.args(["--session", "--print-reply", "--dest=org.freedesktop.DBus"]);
        update.args(["/org/freedesktop/DBus", "org.freedesktop.DBus.UpdateActivationEnvironment"]);
        let folder = desktop.place.path().display();
        update.arg(format!("dict:string:string:XDG_RUNTIME_DIR,{folder},HOME,{folder}"));
        assert!(Process::run(&mut update).status.success());
        desktop
    }

    fn program(&self, program: &str) -> Command {
        let mut command = Place::bare(program);
        command.env("DISPLAY", &self.display).env("HOME", self.place.path());
        command.env("XDG_RUNTIME_DIR", self.place.path()).env("LC_ALL", "C.UTF-8");
        command.env("DBUS_SESSION_BUS_ADDRESS", self.session.address());
        command
    }

    /// Starts the window with this session bus, and waits until it takes keys.
    fn window(&self, bus: &str) -> Process {
        let mut command = self.program(PYTHON);
        command.arg("-B").arg(folder().join("window"));
        command.env("GDK_BACKEND", "x11").env("GSK_RENDERER", "cairo");
        command.env("LIBGL_ALWAYS_SOFTWARE", "1").env("DBUS_SESSION_BUS_ADDRESS", bus);
        // The only one who writes settings here is nobody.
        command.env("GSETTINGS_BACKEND", "memory");
        let process = Process::start(&mut command);
        let name =
            ["search", "--sync", "--onlyvisible", "--name", "^Kith$", "windowfocus", "--sync"];
        self.xdotool(&name);
        process
    }

    fn xdotool(&self, arguments: &[&str]) {
        let ended = Process::run(self.program("xdotool").args(arguments));
        assert!(ended.status.success(), "{arguments:?}: {ended:?}");
    }

    /// Presses these keys, one after the other.
    fn press(&self, keys: &[&str]) {
        self.xdotool(&[&["key", "--clearmodifiers"], keys].concat());
    }

    fn write(&self, text: &str) {
        self.xdotool(&["type", "--delay", "2", text]);
    }

    /// What is on the screen: role, name, whether it is sensitive.
    fn look(&self, arguments: &[&str]) -> Result<Vec<(String, String, bool)>, String> {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/examples/screen.py");
        let ended = Process::run(self.program(PYTHON).arg(script).args(arguments));
        let nodes = serde_json::from_str(&ended.stdout);
        nodes.map_err(|error| format!("{error}: {ended:?}"))
    }

    /// Waits until there is something of this role whose name begins so.
    fn wait_for(&self, role: &str, name: &str) {
        let found = |node: &(String, String, bool)| node.0 == role && node.1.starts_with(name);
        self.wait_until(name, |nodes| nodes.iter().any(&found));
    }

    fn wait_until(&self, what: &str, found: impl Fn(&[(String, String, bool)]) -> bool) {
        let began = Instant::now();
        loop {
            let seen = self.look(&[]);
            if seen.as_ref().is_ok_and(|nodes| found(nodes)) {
                return;
            }
            assert!(began.elapsed() < PATIENCE, "no {what:?} on the screen: {seen:#?}");
        }
    }

    /// Presses the button whose name begins so, as soon as there is one.
    fn click(&self, name: &str) {
        self.wait_for("push button", name);
        self.look(&["click", name]).unwrap();
    }

    /// The colours of all pixels, three bytes each.
    fn picture(&self) -> Vec<u8> {
        let path = self.place.path().join("screen.rgb");
        let mut import = self.program("import");
        import.args(["-window", "root", "-depth", "8"]).arg(format!("rgb:{}", path.display()));
        let ended = Process::run(&mut import);
        assert!(ended.status.success(), "{ended:?}");
        fs::read(path).unwrap()
    }

    fn start_daemon(&self) -> Scene {
        let mut command = self.place.command();
        command.env("DBUS_SESSION_BUS_ADDRESS", self.session.address());
        let daemon = self.place.start_by(&mut command);
        let client = client(&daemon);
        Scene { daemon, client }
    }
}

fn client(daemon: &Daemon) -> Client {
    Client::new(JsonLines::new(daemon.dial()))
}

/// Closes the window by its key, and fails if it has complained of anything but this.
fn close(desktop: &Desktop, mut window: Process, expected: &str) {
    desktop.press(&["ctrl+w"]);
    let ended = window.wait();
    assert!(ended.status.success(), "{ended:?}");
    let is_complaint = |line: &&str| !line.is_empty() && !line.contains(expected);
    let complaints: Vec<_> = ended.stderr.lines().filter(is_complaint).collect();
    assert!(complaints.is_empty() && ended.stdout.is_empty(), "{ended:?}");
}

#[test]
fn what_is_published_is_shown_and_what_is_typed_is_published() {
    if !is_possible() {
        return;
    }
    let desktop = Desktop::new("");
    let mut scene = desktop.start_daemon();
    scene.client.subscribe(1, "self.typed.*");
    let window = desktop.window(&desktop.session.address());
    desktop.wait_for("label", "connected · daemon ");
    scene.client.wait_for_count("subscriptions", 2);
    scene.client.publish("chess.move", r#"{"from":"e2"}"#);
    desktop.wait_for("panel", "self message on chess.move");
    desktop.wait_for("label", r#"{"from": "e2"}"#);
    let picture = desktop.picture();
    let stripe = picture.chunks(3).filter(|pixel| **pixel == SELF_COLOUR).count();
    assert!(stripe > 100, "{stripe} pixels have the scope's colour");

    // A payload that is wrong is told so, and can't be sent until it is right.
    desktop.press(&["ctrl+n"]);
    desktop.write("typed.here");
    desktop.press(&["Return"]);
    desktop.write(r#"{"by": hand"#);
    desktop.wait_for("label", "At column 8: a value is missing here");
    let is_off = |node: &(String, String, bool)| node.0 == "push button" && !node.2;
    desktop.wait_until("insensitive Publish", |nodes| {
        nodes.iter().any(|node| node.1 == "Publish" && is_off(node))
    });
    desktop.press(&["ctrl+a"]);
    desktop.write(r#"{"by": "hand"}"#);
    desktop.press(&["ctrl+Return"]);
    assert_eq!(scene.client.message_on(1).text(), r#"{"by": "hand"}"#);
    desktop.wait_for("label", "this window");

    // A request has its reply in its own card; a wrong pattern the daemon's sentence under it.
    desktop.click("Request");
    desktop.wait_for("push button", "Ask");
    desktop.press(&["ctrl+n"]);
    desktop.write("1");
    desktop.press(&["ctrl+Return"]);
    let asked = scene.client.message_on(1);
    assert!(matches!(scene.client.reply(&asked, "42"), Event::Ok { .. }));
    desktop.wait_for("label", "Reply from local, after ");
    desktop.press(&["ctrl+f"]);
    desktop.write("nope");
    desktop.press(&["Return"]);
    desktop.wait_for("label", "a pattern begins with its scope");
    desktop.press(&["ctrl+a"]);
    desktop.write("*.chess.*");
    desktop.press(&["Return"]);
    desktop.wait_for("push button", "Filter *.chess.*: Looks on");
    scene.client.wait_for_count("subscriptions", 3);

    // A filter that takes part has a request wait for what is written in its card.
    desktop.click("Filter *.chess.*");
    desktop.wait_for("push button", "Filter *.chess.*: Takes part");
    let number = scene.client.request("chess.draw", "\"?\"", 20_000);
    desktop.click("Reply");
    desktop.wait_for("text", "Reply in JSON");
    desktop.write("\"no\"");
    desktop.press(&["Return"]);
    let Event::Reply { delivery, .. } = scene.client.answer(number) else { panic!("no reply") };
    assert_eq!(delivery.text(), "\"no\"");
    desktop.wait_for("label", "You replied");
    close(&desktop, window, NOTHING);
}

#[test]
fn a_daemon_that_goes_away_is_told_and_one_that_comes_back_is_used() {
    if !is_possible() {
        return;
    }
    let desktop = Desktop::new("");
    let window = desktop.window(&desktop.session.address());
    // It was never there: a button starts it.
    desktop.wait_for("label", "The daemon is not running");
    desktop.click("Start");
    desktop.wait_for("label", "connected · daemon ");
    let mut first = Client::new(JsonLines::new(crate::process::dial(&desktop.place.socket())));
    first.subscribe_retained(1, "self.bus.ready");
    let process = first.message_on(1).value()["pid"].as_i64().unwrap();
    first.wait_for_count("subscriptions", 2);
    first.publish("test.before", "1");
    desktop.wait_for("panel", "self message on test.before");
    kill_process(Pid::from_raw(process.try_into().unwrap()).unwrap(), Signal::KILL).unwrap();
    desktop.wait_for("label", "The daemon is not running");
    desktop.wait_for("panel", "self message on test.before");

    let mut scene = desktop.start_daemon();
    desktop.wait_for("label", "The daemon is here again");
    let is_banner = |node: &(String, String, bool)| node.1 == "The daemon is not running";
    desktop.wait_until("end of the banner", |nodes| !nodes.iter().any(is_banner));
    scene.client.wait_for_count("subscriptions", 1);
    scene.client.publish("test.after", "2");
    desktop.wait_for("panel", "self message on test.after");
    desktop.click("Request");
    desktop.wait_for("push button", "Ask");
    desktop.press(&["ctrl+n"]);
    desktop.write("nobody.is.there");
    desktop.press(&["Return"]);
    desktop.write("1");
    desktop.press(&["ctrl+Return"]);
    desktop.wait_for("label", "Nobody subscribes to this");
    close(&desktop, window, NOTHING);
}

#[test]
fn what_was_missed_stands_in_its_place_and_the_newest_is_shown() {
    if !is_possible() {
        return;
    }
    let small = "[limits]\npayload_bytes_max = '64 KiB'\nqueue_bytes_max = '2 MiB'\n";
    let desktop = Desktop::new(small);
    let mut scene = desktop.start_daemon();
    let window = desktop.window(&desktop.session.address());
    desktop.wait_for("label", "connected · daemon ");
    scene.client.wait_for_count("subscriptions", 1);
    window.signal(Signal::STOP);
    let payload = format!("\"{}\"", "x".repeat(20_000));
    let publish = |topic, payload: &str| Operation::Publish(Publication::json(topic, payload));
    for _ in 0..500 {
        scene.client.tell(&publish("test.flood", &payload));
    }
    scene.client.done(&Operation::Ping);
    window.signal(Signal::CONT);
    desktop.wait_for("label", "Missed ");
    // No more at once than fit into its queue.
    for last in [3_999, 7_999, 11_999] {
        for number in last - 3_999..=last {
            scene.client.tell(&publish("test.many", &number.to_string()));
        }
        desktop.wait_for("label", &last.to_string());
    }
    close(&desktop, window, NOTHING);
}

#[test]
fn without_a_session_bus_it_says_so() {
    if !is_possible() {
        return;
    }
    let desktop = Desktop::new("");
    let nowhere = format!("unix:path={}/nowhere", desktop.place.path().display());
    let window = desktop.window(&nowhere);
    // GTK says so too, of its settings and of screen readers.
    close(&desktop, window, "Unable to acquire session bus");
}

#[test]
fn how_it_is_called_and_that_it_needs_a_display_is_said_without_one() {
    if !require_that(can_import("import gi"), "Python with GLib's bindings") {
        return;
    }
    let run = |arguments: &[&str]| {
        let mut command = Place::bare(PYTHON);
        command.arg("-B").arg(folder().join("window")).args(arguments);
        command.env_remove("DISPLAY").env_remove("WAYLAND_DISPLAY");
        Process::run(&mut command)
    };
    let help = run(&["--help"]);
    assert!(help.status.success() && help.stdout.starts_with("usage: kith-window"), "{help:?}");
    let wrong = run(&["--colour"]);
    assert_eq!(wrong.status.code(), Some(64), "{wrong:?}");
    assert_eq!(wrong.stderr, help.stdout);
    let nowhere = run(&[]);
    assert_eq!(nowhere.status.code(), Some(1), "{nowhere:?}");
    assert!(nowhere.stderr.starts_with("kith-window: no display"), "{nowhere:?}");
    assert_eq!(nowhere.stderr.lines().count(), 1, "{nowhere:?}");
}

#[test]
fn what_needs_no_screen_is_tested_without_one() {
    if !require_that(can_import("import unittest"), "Python at /usr/bin/python3") {
        return;
    }
    let mut tests = Place::bare(PYTHON);
    tests.args(["-B", "-m", "unittest"]).current_dir(folder().join("window"));
    let ended = Process::run(&mut tests);
    assert!(ended.status.success() && ended.stderr.contains("\nOK"), "{ended:?}");
}
