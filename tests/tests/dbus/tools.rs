//! The programs that people look with, call with and watch with.

use super::Scene;
use crate::process::{Ended, Place, Process};
use crate::session::{Broker, KITH, KITH_PATH, Value};
use kith_tests::require;
use std::process::Command;

on_both_brokers! {
    busctl_describes_and_calls,
    gdbus_describes_calls_and_listens,
    dbus_monitor_shows_what_is_said,
}

fn busctl(scene: &Scene) -> Command {
    let mut command = Place::bare("busctl");
    command.arg(format!("--address={}", scene.session.address()));
    command
}

fn gdbus(scene: &Scene, what: &str) -> Command {
    let mut command = Place::bare("gdbus");
    command.args([what, "--address", &scene.session.address(), "--dest", KITH]);
    command.args(["--object-path", KITH_PATH]);
    command
}

/// What it said, having succeeded.
fn said(command: &mut Command) -> String {
    let Ended { status, stdout, stderr } = Process::run(command);
    assert!(status.success(), "{command:?}: {stderr}");
    stdout
}

fn busctl_describes_and_calls(broker: Broker) {
    if !require("busctl") {
        return;
    }
    let scene = Scene::new(broker);
    let mut subscriber = scene.program();
    subscriber.subscribe("self.chess.*");
    let described = said(busctl(&scene).args(["introspect", KITH, KITH_PATH]));
    for line in [".Publish method ssva{sv} s", ".Message signal ua{sv}", ".Version property s"] {
        let mut words = line.split(' ').peekable();
        let name = words.next().unwrap();
        let found = described.lines().find(|line| line.starts_with(&format!("{name} ")));
        let found = found.unwrap_or_else(|| panic!("{name}: {described}"));
        assert_eq!(found.split_whitespace().skip(1).zip(words).filter(|(a, b)| a != b).count(), 0);
    }
    // As the page has it.
    let payload = r#"{"from":"e2","to":"e4"}"#;
    let call = ["call", KITH, KITH_PATH, KITH, "Publish", "ssva{sv}"];
    let published =
        said(busctl(&scene).args(call).args(["chess.move", "local", "s", payload, "0"]));
    let (_, message) = subscriber.message();
    assert_eq!(message.get("payload"), Some(&Value::text(payload)));
    let id = message.get("msg_id").unwrap().as_text();
    assert_eq!(published.trim_end(), format!("s \"{id}\""));
    let version = said(busctl(&scene).args(["get-property", KITH, KITH_PATH, KITH, "Version"]));
    assert_eq!(version.trim_end(), format!("s \"{}\"", env!("CARGO_PKG_VERSION")));
    let refused = Process::run(busctl(&scene).args(call).args(["a..b", "", "s", "1", "0"]));
    assert!(!refused.status.success() && refused.stderr.len() > 10, "{refused:?}");
    scene.end();
}

fn gdbus_describes_calls_and_listens(broker: Broker) {
    if !require("gdbus") {
        return;
    }
    let scene = Scene::new(broker);
    let described = said(&mut gdbus(&scene, "introspect"));
    for line in ["Publish(", "in  v payload", "Lag(u subscription", "readonly t PayloadBytesMax"] {
        assert!(described.contains(line), "{line}: {described}");
    }
    let xml = said(gdbus(&scene, "introspect").arg("--xml"));
    assert!(xml.contains("<interface name=\"org.kithbus.Bus1\">"), "{xml}");
    let call = |arguments: &[&str]| {
        let method = format!("{KITH}.{}", arguments[0]);
        said(gdbus(&scene, "call").args(["--method", &method]).args(&arguments[1..]))
    };
    let about = call(&["Hello", "{'name': <'gdbus'>}"]);
    let version = format!("'version': <'{}'>", env!("CARGO_PKG_VERSION"));
    assert!(about.contains(&version), "{about}");
    let mut program = scene.program();
    program.subscribe("self.lamp.set");
    let published = call(&["Publish", "lamp.set", "", "<{'on': <true>, 'level': <0.5>}>", "{}"]);
    assert!(published.starts_with("('") && published.trim_end().ends_with("',)"), "{published}");
    let payload: serde_json::Value = serde_json::from_str(program.payload().as_text()).unwrap();
    assert_eq!(payload, serde_json::json!({"on": true, "level": 0.5}));
    let mut command = Place::bare("gdbus");
    command.args(["monitor", "--address", &scene.session.address(), "--dest", KITH]);
    let monitor = Process::start(&mut command);
    monitor.wait_for_stdout(|text| text.contains("is owned by"));
    scene.end();
}

fn dbus_monitor_shows_what_is_said(broker: Broker) {
    if !require("dbus-monitor") {
        return;
    }
    let scene = Scene::new(broker);
    let mut command = Place::bare("dbus-monitor");
    command.args(["--address", &scene.session.address()]);
    command.arg(format!("destination='{KITH}'")).arg(format!("sender='{KITH}'"));
    let monitor = Process::start(&mut command);
    // It is one when the session bus has taken its name from it.
    monitor.wait_for_stdout(|text| text.contains("member=NameLost"));
    let mut program = scene.program();
    program.subscribe("self.a");
    program.publish("a", Value::text("\"canary\""));
    program.payload();
    let is_whole = |text: &str| {
        ["member=Publish", "member=Message"]
            .iter()
            .all(|member| text.split_once(member).is_some_and(|(_, rest)| rest.contains("canary")))
    };
    monitor.wait_for_stdout(is_whole);
    scene.end();
}
