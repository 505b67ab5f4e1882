//! The examples on the session bus: with tools for the shell, and in Python.

use super::{PYTHON, Scene, can_import};
use crate::door::{Client, Event, JsonLines};
use crate::process::{Ended, Place, Process};
use crate::session::{Broker, SessionBus};
use kith_tests::{require, require_that};
use rustix::process::Signal;
use serde_json::Value;
use std::process::Command;

const BUS: &str = "DBUS_SESSION_BUS_ADDRESS";
const NAME: &str = "org.kithbus.Bus1";
const PATH: &str = "/org/kithbus/Bus1";

/// A daemon on a session bus of its own, and a client beside the examples.
struct Desktop {
    session: SessionBus,
    scene: Scene,
}

impl Desktop {
    fn new() -> Self {
        let session = SessionBus::start(Broker::DbusDaemon);
        let place = Place::new("");
        let daemon = place.start_by(place.command().env(BUS, session.address()));
        daemon.process().wait_for_stderr(|text| text.contains("on the session bus"));
        let client = Client::new(JsonLines::new(daemon.dial()));
        Self { session, scene: Scene { daemon, client } }
    }

    fn command(&self, interpreter: &str, name: &str, arguments: &[&str]) -> Command {
        let mut command = self.scene.command(interpreter, &format!("dbus/{name}"), arguments);
        command.env(BUS, self.session.address());
        command
    }

    fn script(&self, name: &str, arguments: &[&str]) -> Ended {
        Process::run(&mut self.command("bash", name, arguments))
    }

    fn python(&self, name: &str, arguments: &[&str]) -> Command {
        self.command(PYTHON, name, arguments)
    }
}

fn has_dasbus() -> bool {
    Broker::DbusDaemon.is_there()
        && require_that(can_import("import dasbus.connection"), "Python with dasbus")
}

fn has_gio() -> bool {
    Broker::DbusDaemon.is_there()
        && require_that(can_import("from gi.repository import Gio"), "Python with GLib's bindings")
}

#[test]
fn busctl_publishes_asks_and_shows_the_interface() {
    if !Broker::DbusDaemon.is_there() || !require("busctl") || !require("jq") {
        return;
    }
    let mut desktop = Desktop::new();
    desktop.scene.client.subscribe(1, "self.test.hello");
    let published = desktop.script("publish-busctl.sh", &[]);
    let delivery = desktop.scene.client.message_on(1);
    assert_eq!(published.stdout, format!("s \"{}\"\n", delivery.message_id), "{published:?}");
    assert_eq!(delivery.text(), "{\"text\":\"hi\"}");
    let refused = desktop.script("publish-busctl.sh", &["bus.a", "1"]);
    assert!(!refused.status.success() && refused.stderr.contains("take another topic"));

    let answered = desktop.script("request-busctl.sh", &[]);
    let clients: Value = serde_json::from_str(&answered.stdout).unwrap();
    assert!(!clients.as_array().unwrap().is_empty(), "{answered:?}");
    let nobody = desktop.script("request-busctl.sh", &["nobody", "1"]);
    assert!(!nobody.status.success() && nobody.stdout.is_empty(), "{nobody:?}");
    assert!(nobody.stderr.contains("nobody subscribes"), "{nobody:?}");

    let shown = desktop.script("introspect-busctl.sh", &[]).stdout;
    for member in [".Publish", ".Subscribe", ".Message", ".Version"] {
        assert!(shown.contains(member), "{shown}");
    }
}

#[test]
fn a_subscription_by_busctl_ends_with_it() {
    if !Broker::DbusDaemon.is_there() || !require("busctl") {
        return;
    }
    let mut desktop = Desktop::new();
    let mut busctl = desktop.scene.place().program("busctl");
    busctl.env(BUS, desktop.session.address()).args(["--user", "call", NAME, PATH, NAME]);
    let ended = Process::run(busctl.args(["Subscribe", "sa{sv}", "self.>", "0"]));
    assert_eq!(ended.stdout, "u 1\n", "{ended:?}");
    desktop.scene.client.wait_for_count("subscriptions", 0);
}

#[test]
fn gdbus_publishes_a_dictionary_and_dbus_send_asks_for_the_version() {
    if !Broker::DbusDaemon.is_there() || !require("gdbus") || !require("dbus-send") {
        return;
    }
    let mut desktop = Desktop::new();
    let published = desktop.script("publish-gdbus.sh", &[]);
    assert!(published.status.success() && published.stderr.is_empty(), "{published:?}");
    desktop.scene.client.subscribe_retained(1, "self.lamp.set");
    let lamp = desktop.scene.client.message_on(1).value();
    assert_eq!((&lamp["on"], &lamp["level"]), (&true.into(), &0.5.into()));
    let version = desktop.script("version-dbus-send.sh", &[]);
    let expected = format!("variant       string \"{}\"", env!("CARGO_PKG_VERSION"));
    assert!(version.stdout.contains(&expected), "{version:?}");
}

#[test]
fn monitors_show_what_others_get() {
    if !has_gio() || !require("dbus-monitor") || !require("busctl") {
        return;
    }
    let mut desktop = Desktop::new();
    let mut monitors = Vec::new();
    for (name, ready) in
        [("monitor-dbus-monitor.sh", "NameLost"), ("monitor-busctl.sh", "Monitoring bus")]
    {
        let monitor = Process::start(&mut desktop.command("bash", name, &[]));
        match name {
            "monitor-busctl.sh" => monitor.wait_for_stderr(|text| text.contains(ready)),
            _ => monitor.wait_for_stdout(|text| text.contains(ready)),
        };
        monitors.push(monitor);
    }
    let subscriber = desktop.python("gio_subscribe.py", &["self.test.*"]);
    let _subscriber = desktop.scene.start_subscriber(subscriber, 1);
    desktop.scene.client.publish("test.seen", "\"by monitors\"");
    for monitor in &monitors {
        monitor.wait_for_stdout(|text| text.contains("test.seen") && text.contains("by monitors"));
    }
}

/// What holds for the examples of either library; `prefix` is how their names begin.
fn publish_and_subscribe(prefix: &str) {
    let mut desktop = Desktop::new();
    desktop.scene.client.publish("test.before", "1");
    let publish = format!("{prefix}_publish.py");
    let run = |arguments: &[&str]| Process::run(&mut desktop.python(&publish, arguments));
    let kept = run(&["test.kept", "{\"a\":1}", "--retain"]);
    assert!(kept.stdout.starts_with("published as 0") && kept.stderr.is_empty(), "{kept:?}");
    let refused = run(&["bus.a", "1"]);
    assert!(refused.stderr.contains("org.kithbus.Error.ReservedTopic"), "{refused:?}");
    assert_eq!(refused.status.code(), Some(1));
    assert_eq!(refused.stderr.matches("ReservedTopic").count(), 1, "{refused:?}");
    for name in ["publish", "subscribe", "responder"] {
        let ended = Process::run(&mut desktop.python(&format!("{prefix}_{name}.py"), &[]));
        assert_eq!(ended.status.code(), Some(64), "{ended:?}");
        assert!(ended.stderr.contains(&format!("{prefix}_{name}.py ")), "{ended:?}");
    }

    let subscribe = format!("{prefix}_subscribe.py");
    let command = desktop.python(&subscribe, &["*/self.test.*"]);
    let mut subscriber = desktop.scene.start_subscriber(command, 1);
    subscriber.wait_for_stdout(|text| text.contains("test.kept {\"a\":1}\n"));
    desktop.scene.client.publish("test.ä", "\"ä\"");
    let raw = crate::door::Publication::bytes("x-raw", "test.raw", *b"hi");
    desktop.scene.client.publish_it(raw);
    subscriber.wait_for_stdout(|text| text.ends_with("test.ä \"ä\"\ntest.raw b'hi'\n"));
    subscriber.signal(Signal::INT);
    let ended = subscriber.wait();
    assert!(ended.status.success() && ended.stderr.is_empty(), "{ended:?}");
    assert!(!ended.stdout.contains("test.before"), "{ended:?}");
    let wrong = Process::run(&mut desktop.python(&subscribe, &["nope"]));
    assert_eq!(wrong.status.code(), Some(1), "{wrong:?}");
    assert!(wrong.stderr.contains("BadPattern"), "{wrong:?}");
}

/// Starts the responder of a library, and returns what it answers.
fn respond(prefix: &str, payload: &str) -> String {
    let mut desktop = Desktop::new();
    let command = desktop.python(&format!("{prefix}_responder.py"), &["ask"]);
    let mut responder = desktop.scene.start_subscriber(command, 1);
    let number = desktop.scene.client.request("ask", payload, 20_000);
    let Event::Reply { delivery, .. } = desktop.scene.client.answer(number) else {
        panic!("no reply to {payload}")
    };
    responder.signal(Signal::INT);
    let ended = responder.wait();
    assert_eq!((ended.stdout.as_str(), ended.stderr.as_str()), ("answering on ask\n", ""));
    delivery.text().to_owned()
}

#[test]
fn gio_publishes_and_subscribes() {
    if has_gio() {
        publish_and_subscribe("gio");
    }
}

#[test]
fn gio_answers() {
    if has_gio() {
        assert_eq!(respond("gio", "[1,2,3.5]"), "{\"sum\": 6.5}");
        assert_eq!(respond("gio", "7"), "{\"error\": \"send a list of numbers\"}");
    }
}

#[test]
fn gio_subscribes_again_when_the_daemon_is_back() {
    if !has_gio() {
        return;
    }
    let mut desktop = Desktop::new();
    let command = desktop.python("gio_subscribe.py", &["self.test.*"]);
    let subscriber = desktop.scene.start_subscriber(command, 1);
    subscriber.wait_for_stdout(|text| text == "subscribed to self.test.*\n");
    let place = desktop.scene.place().clone();
    desktop.scene.daemon.kill();
    subscriber.wait_for_stdout(|text| text.contains("the daemon is not there\n"));
    let daemon = place.start_by(place.command().env(BUS, desktop.session.address()));
    subscriber.wait_for_stdout(|text| text.ends_with("there\nsubscribed to self.test.*\n"));
    let mut client = Client::new(JsonLines::new(daemon.dial()));
    client.publish("test.again", "2");
    subscriber.wait_for_stdout(|text| text.ends_with("test.again 2\n"));
}

#[test]
fn dasbus_publishes_and_subscribes() {
    if has_dasbus() {
        publish_and_subscribe("dasbus");
    }
}

#[test]
fn dasbus_answers() {
    if has_dasbus() {
        assert_eq!(respond("dasbus", "\"hello\""), "\"olleh\"");
        assert_eq!(respond("dasbus", "7"), "{\"error\": \"send a text\"}");
    }
}
