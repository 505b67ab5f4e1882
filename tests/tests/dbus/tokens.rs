//! Tokens: an administrator comes by this door too, and a service, and whoever guesses does not.

use super::{Scene, refused};
use crate::services::{Administrator, Kind, then};
use crate::session::{Broker, Program, Value, kith_call, sending};
use kith_tests::require;
use kith_wire::Code;
use std::fs;

on_both_brokers! {
    who_shows_the_key_administers,
    a_token_that_was_used_or_guessed_opens_nothing,
}

fn greet(program: &mut Program, token: &str) -> Result<(), crate::session::Failure> {
    let options = Value::options([("token", Value::text(token))]);
    program.call(kith_call("Hello").with([options])).map(|_| ())
}

fn ask(
    program: &mut Program,
    topic: &str,
    payload: Value,
) -> Result<Vec<Value>, crate::session::Failure> {
    program.call(sending("Request", topic, payload, Vec::new()))
}

fn key(scene: &Scene) -> String {
    let file = scene.daemon.place().state().join("administration.key");
    fs::read_to_string(file).unwrap().trim_end().to_owned()
}

fn who_shows_the_key_administers(broker: Broker) {
    let scene = Scene::new(broker);
    let mut program = scene.program();
    let grant =
        || Value::options([("subject", Value::text("snap:x")), ("right", Value::text("reserved"))]);
    let said = refused(ask(&mut program, "bus.grants.add", grant()), Code::NotGranted);
    assert!(said.contains("`administration.key`"), "{said}");
    greet(&mut program, &key(&scene)).unwrap();
    ask(&mut program, "bus.grants.add", grant()).unwrap();
    let mut administrator = Administrator::at(scene.daemon.place());
    let listed = administrator.ask("bus.grants.list", &serde_json::Value::Null).unwrap();
    assert_eq!(listed[0]["subject"], "snap:x");
    drop(program);
    // Another program is another client.
    refused(ask(&mut scene.program(), "bus.grants.add", grant()), Code::NotGranted);
    scene.end();
}

fn a_token_that_was_used_or_guessed_opens_nothing(broker: Broker) {
    if !require("python3") {
        return;
    }
    let scene = Scene::with(broker, &Kind::Python.configuration(&then("answer"), ""));
    let mut administrator = Administrator::at(scene.daemon.place());
    administrator.change("services.enable", "probe").unwrap();
    administrator.wait_until_it_answers();
    let pid = administrator.row("probe")["pid"].as_u64().unwrap();
    let used = crate::services::token_of(pid);
    for (token, said) in [(used.as_str(), "used before"), ("guessed", "unknown")] {
        let mut program = scene.program();
        let text = refused(greet(&mut program, token), Code::BadToken);
        assert!(text.contains(said), "{text}");
        // It is a program like any other from then on.
        let payload = Value::options([("name", Value::text("probe"))]);
        refused(ask(&mut program, "services.disable", payload), Code::NotGranted);
    }
    let text = refused(greet(&mut scene.program(), "with space"), Code::BadField);
    assert!(text.contains("token"), "{text}");
    assert_eq!(administrator.row("probe")["state"], "running");
    scene.end();
}
