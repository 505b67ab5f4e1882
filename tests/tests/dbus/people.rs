//! `org.kithbus.People1`, and what a program is told of its messages to others.

use super::{Scene, refused};
use crate::process::Place;
use crate::services::Administrator;
use crate::session::{
    Broker, Failure, KITH, KITH_PATH, Message, Program, SIGNAL, Value, kith_call,
};
use kith_wire::Code;
use serde_json::{Value as Json, json};
use std::fs;

on_both_brokers! {
    anybody_may_look_and_administrators_may_change,
    what_is_called_wrongly_is_told_so,
    a_friend_by_a_link_and_the_way_of_a_message,
}

const PEOPLE: &str = "org.kithbus.People1";
const QUIC: &str = "[services.quic.settings]\nlisten = [\"127.0.0.1:0\"]\nloopback = true\n";
/// Somebody whose key nobody has.
const SOMEBODY: &str = "did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK";

fn call(program: &mut Program, member: &str, body: impl Into<Vec<Value>>) -> Result<Json, Failure> {
    let call = Message::call(KITH, KITH_PATH, PEOPLE, member).with(body);
    program.call(call).map(|answer| serde_json::from_str(answer[0].as_text()).unwrap())
}

fn none() -> Value {
    Value::options::<&str>([])
}

fn show_key(scene: &Scene, program: &mut Program) {
    let file = scene.daemon.place().state().join("administration.key");
    let key = fs::read_to_string(file).unwrap();
    let options = Value::options([("token", Value::text(key.trim_end()))]);
    program.call(kith_call("Hello").with([options])).unwrap();
}

/// The next `Changed` that a program is told: what, and of whom.
fn changed(program: &mut Program) -> (String, String) {
    let told = program.next_of(|message| message.is(SIGNAL, PEOPLE, "Changed")).message.body;
    (told[0].as_text().to_owned(), told[1].as_text().to_owned())
}

fn anybody_may_look_and_administrators_may_change(broker: Broker) {
    let scene = Scene::new(broker);
    let mut looking = scene.program();
    assert_eq!(call(&mut looking, "List", []).unwrap(), json!([]));
    let me = call(&mut looking, "Me", []).unwrap();
    assert!(me["identity"].as_str().unwrap().starts_with("did:key:z6Mk"), "{me}");
    assert_eq!(call(&mut looking, "Devices", []).unwrap()[0]["device"], me["device"]);
    let add = || vec![Value::text(SOMEBODY), Value::options([("petname", Value::text("bob"))])];
    let said = refused(call(&mut looking, "Add", add()), Code::NotGranted);
    assert!(said.contains("`administration.key`"), "{said}");

    let mut changing = scene.program();
    show_key(&scene, &mut changing);
    let bob = call(&mut changing, "Add", add()).unwrap();
    assert_eq!((&bob["petname"], &bob["relation"]), (&json!("bob"), &json!("friend")));
    let robert = [Value::text("bob"), Value::text("robert")];
    assert_eq!(call(&mut changing, "Rename", robert).unwrap()["petname"], "robert");
    let verified = call(&mut changing, "Verify", [Value::text("robert")]).unwrap();
    assert_eq!(verified["verified"], true);
    assert_eq!(call(&mut looking, "List", []).unwrap(), json!([verified]));
    for (member, relation) in [("Reject", "rejected"), ("Remove", "removed")] {
        let row = call(&mut changing, member, [Value::text(SOMEBODY)]).unwrap();
        assert_eq!(row["relation"], relation);
    }
    // Whoever has asked about people is told, whoever changed it.
    for change in ["befriended", "renamed", "verified", "rejected", "removed"] {
        let expected = (change.to_owned(), SOMEBODY.to_owned());
        assert_eq!(changed(&mut looking), expected);
        assert_eq!(changed(&mut changing), expected);
    }
    scene.end();
}

fn what_is_called_wrongly_is_told_so(broker: Broker) {
    let scene = Scene::new(broker);
    let mut program = scene.program();
    show_key(&scene, &mut program);
    let misspelt = vec![Value::text("kith://join/x"), Value::options([("as", Value::text("x"))])];
    let said = refused(call(&mut program, "Join", misspelt), Code::BadField);
    assert!(said.contains("\"as\"") && said.contains("petname"), "{said}");
    refused(call(&mut program, "Join", [Value::text("kith://join/x"), none()]), Code::BadField);
    refused(call(&mut program, "Rename", [Value::text("bob")]), Code::BadField);
    let nobody = [Value::text("bob"), Value::text("robert")];
    refused(call(&mut program, "Rename", nobody), Code::UnknownRecipient);
    // Nobody could reach this device.
    refused(call(&mut program, "Invite", [none()]), Code::NotAvailable);
    let unknown = call(&mut program, "Befriend", []).unwrap_err();
    assert_eq!(unknown.name, "org.freedesktop.DBus.Error.UnknownMethod");
    assert!(unknown.text.contains("RemoveDevice"), "{unknown:?}");
    let elsewhere = Message::call(KITH, KITH_PATH, PEOPLE, "Bye");
    let unknown = program.call(elsewhere).unwrap_err();
    assert_eq!(unknown.name, "org.freedesktop.DBus.Error.UnknownMethod");
    let properties = program.property("GetAll", [Value::text(PEOPLE)]).unwrap();
    assert_eq!(properties, [none()]);
    scene.end();
}

/// Lets a daemon be reached.
fn reachable(place: &Place) -> Administrator {
    let mut administrator = Administrator::at(place);
    administrator.subscribe("self.transports.myNodeInfo").unwrap();
    administrator.change("services.enable", "quic").unwrap();
    while administrator.ask("people.me", &Json::Null).unwrap()["endpoints"] == json!([]) {
        administrator.message("transports.myNodeInfo");
    }
    administrator
}

fn publish(program: &mut Program, to: &str, until: &str) -> Result<String, Failure> {
    let options = Value::options([("until", Value::text(until))]);
    let body = [Value::text("talk.hi"), Value::text(to), Value::text("1").variant(), options];
    program.kith("Publish", body).map(|answer| answer[0].as_text().to_owned())
}

/// How far a program is told that its message has come, up to this state.
fn told(program: &mut Program, id: &str, peer: &str, last: &str) {
    loop {
        let told = program.next_of(|message| message.is(SIGNAL, KITH, "Delivery")).message.body;
        assert_eq!((told[0].as_text(), told[1].as_text()), (id, peer));
        if told[2].as_text() == last {
            return;
        }
    }
}

fn a_friend_by_a_link_and_the_way_of_a_message(broker: Broker) {
    let scene = Scene::with(broker, QUIC);
    let other = Place::new(QUIC).start();
    drop(reachable(scene.daemon.place()));
    let mut bob = reachable(other.place());
    let link = bob.ask("people.invite", &json!({})).unwrap()["link"].as_str().unwrap().to_owned();

    let mut program = scene.program();
    show_key(&scene, &mut program);
    let options = Value::options([("petname", Value::text("bob"))]);
    let friend = call(&mut program, "Join", [Value::text(link), options]).unwrap();
    assert_eq!((&friend["kind"], &friend["petname"]), (&json!("friend"), &json!("bob")));
    let identity = friend["identity"].as_str().unwrap();
    while changed(&mut program) != ("befriended".to_owned(), identity.to_owned()) {}
    let device = friend["devices"][0]["device"].as_str().unwrap();
    let peer = format!("{identity}/{device}");

    // Each is told of its own, whether or not it waits for it; what it is told can be written to.
    let mut another = scene.program();
    let first = publish(&mut program, "bob", "accepted").unwrap();
    let second = publish(&mut another, &peer, "delivered").unwrap();
    told(&mut program, &first, &peer, "delivered");
    told(&mut another, &second, &peer, "delivered");
    refused(publish(&mut program, "nobody", "accepted"), Code::UnknownRecipient);
    for program in [&mut program, &mut another] {
        let rest = program.pending();
        assert!(rest.iter().all(|one| !one.message.is(SIGNAL, KITH, "Delivery")), "{rest:?}");
    }
    other.stop();
    scene.end();
}
