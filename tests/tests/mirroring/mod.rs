//! `services/signals`, between a real session bus and a real daemon.
//!
//! The service runs in a thread of the test, as a program like any other: what is tried here is
//! D-Bus, and what a service may do is tried elsewhere.

use crate::door::{Client, JsonLines};
use crate::process::{Daemon, PATIENCE};
use crate::session::{Broker, Message, Program, SIGNAL, SessionBus, Value};
use kith_plugins_api::{Bus, Clock, ServiceError, Start, run};
use kith_service_signals::Signals;
use kith_service_signals::rules::Settings;
use std::path::PathBuf;
use std::thread::{self, JoinHandle};
use std::time::Instant;

/// Runs the service until the daemon ends.
fn start(socket: PathBuf, settings: serde_json::Value) -> JoinHandle<Result<(), ServiceError>> {
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let (name, data_dir) = ("signals".to_owned(), PathBuf::from("."));
            let (token, clock) = (None, Clock::system());
            let start = Start { name, token, data_dir, settings, clock, seed: 1 };
            let bus = Bus::connect_to(&socket, start).await?;
            run(Box::new(Signals), bus).await
        })
    })
}

fn signal(member: &str, body: Vec<Value>) -> Message {
    Message {
        kind: SIGNAL,
        path: Some("/light".to_owned()),
        interface: Some("org.example.Light".to_owned()),
        member: Some(member.to_owned()),
        body,
        ..Message::default()
    }
}

/// Emits until it is heard with these arguments: nobody knows when the service has come.
fn emit_until_heard(
    program: &mut Program,
    client: &mut Client,
    body: &[Value],
    arguments: &str,
) -> String {
    let wanted = format!(r#""arguments":{arguments}}}"#);
    let began = Instant::now();
    loop {
        assert!(began.elapsed() < PATIENCE, "nobody mirrors {arguments}");
        program.send(signal("Changed", body.to_vec()));
        // Anything that the session bus answers, so that it gets a turn.
        program.ask_broker("GetId", Vec::new());
        let mut heard = client.pending_payloads(1).into_iter();
        if let Some(heard) = heard.find(|payload| payload.ends_with(&wanted)) {
            return heard;
        }
    }
}

#[test]
fn signals_are_mirrored_and_a_session_bus_that_restarts_is_waited_for() {
    if !Broker::DbusDaemon.is_there() {
        return;
    }
    let session = SessionBus::start(Broker::DbusDaemon);
    let daemon = Daemon::start();
    let mut client = Client::new(JsonLines::new(daemon.dial()));
    client.subscribe(1, "self.dbus.light");
    let settings = serde_json::json!({"mirror": [{
        "bus": session.address(),
        "interface": "org.example.Light",
        "member": "Changed",
        "topic": "dbus.light",
    }]});
    let service = start(daemon.place().socket(), settings);

    let mut program = session.program();
    let body = [Value::text("hall"), Value::U32(7)];
    let heard = emit_until_heard(&mut program, &mut client, &body, r#"["hall",7]"#);
    let heard: serde_json::Value = serde_json::from_str(&heard).unwrap();
    assert_eq!(heard["member"], "Changed");
    assert_eq!(heard["path"], "/light");
    assert_eq!(heard["sender"], program.name());

    // Another one that is not asked for, and one argument and none.
    program.send(signal("Broken", body.to_vec()));
    emit_until_heard(&mut program, &mut client, &[Value::text("one")], r#"["one"]"#);
    emit_until_heard(&mut program, &mut client, &[], "[]");

    let folder = session.folder();
    session.stop();
    let session = SessionBus::start_again(&folder, Broker::DbusDaemon);
    let mut program = session.program();
    emit_until_heard(&mut program, &mut client, &[Value::text("again")], r#"["again"]"#);
    daemon.stop();
    service.join().unwrap().unwrap();
}

#[test]
fn the_settings_on_the_page_are_right() {
    let page = include_str!("../../../docs/services-built-in.md");
    let (_, after) = page.split_once("<<'END'\n").unwrap();
    let (file, _) = after.split_once("\nEND\n").unwrap();
    let file: toml::Value = toml::from_str(file).unwrap();
    let settings: Settings = file["services"]["signals"]["settings"].clone().try_into().unwrap();
    assert_eq!(settings.mirror.len(), 1);
    settings.check().unwrap();
}
