//! Who is which client: a program is its connection, from its first call until it leaves.

use super::Scene;
use crate::door::{Client, Event, start_on};
use crate::process::{Place, Process};
use crate::session::{
    Broker, KITH, KITH_PATH, Program, SessionBus, Value, kith_call, publishing, sending,
};
use kith_tests::{require, require_that};
use rustix::process::geteuid;
use serde_json::Value as Json;

on_both_brokers! {
    a_program_begins_with_its_first_call_and_ends_with_its_connection,
    subscriptions_end_with_their_program,
    two_programs_do_not_hear_what_is_for_the_other,
    after_bye_the_next_call_begins_anew,
    calls_are_carried_out_in_their_order,
    a_will_is_published_when_its_program_leaves,
    there_are_as_many_programs_as_may_be,
    who_calls_and_leaves_at_once_is_heard,
}

fn clients(client: &mut Client) -> Vec<Json> {
    let number = client.request("bus.clients", "null", 5_000);
    let Event::Reply { delivery, .. } = client.answer(number) else { panic!() };
    let Json::Array(clients) = delivery.value() else { panic!() };
    clients.into_iter().filter(|client| client["framing"] == "dbus").collect()
}

fn name(program: &mut Program, name: &str) {
    program.kith("Hello", [Value::options([("name", Value::text(name))])]).unwrap();
}

fn a_program_begins_with_its_first_call_and_ends_with_its_connection(broker: Broker) {
    let scene = Scene::new(broker);
    let mut watcher = scene.client();
    let mut program = scene.program();
    assert_eq!(clients(&mut watcher), [Json::Null; 0]);
    name(&mut program, "painter");
    let found = clients(&mut watcher);
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(
        (&found[0]["name"], &found[0]["pid"]),
        (&"painter".into(), &std::process::id().into())
    );
    watcher.subscribe(1, "self.bus.client");
    let unique = program.name().to_owned();
    drop(program);
    let gone = watcher.message_on(1).value();
    assert_eq!((&gone["event"], &gone["name"]), (&"disconnected".into(), &"painter".into()));
    assert!(!gone["reason"].as_str().unwrap().is_empty(), "{unique}: {gone}");
    assert_eq!(clients(&mut watcher), [Json::Null; 0]);
    scene.end();
}

fn subscriptions_end_with_their_program(broker: Broker) {
    let scene = Scene::new(broker);
    let mut watcher = scene.client();
    let mut program = scene.program();
    for pattern in ["self.a", "self.b.>", "*/*.c"] {
        program.subscribe(pattern);
    }
    watcher.wait_for_count("subscriptions", 3);
    drop(program);
    watcher.wait_for_count("subscriptions", 0);
    scene.end();
}

fn two_programs_do_not_hear_what_is_for_the_other(broker: Broker) {
    let scene = Scene::new(broker);
    let (mut one, mut other) = (scene.program(), scene.program());
    // Even if they listen to everything that the daemon says: it says it to one alone.
    let rule = format!("type='signal',interface='{KITH}'");
    other.ask_broker("AddMatch", [Value::Text(rule)]);
    other.subscribe("self.b");
    one.subscribe("self.>");
    one.publish("a", Value::text("1"));
    one.publish("b", Value::text("2"));
    assert_eq!((one.payload(), one.payload()), (Value::text("1"), Value::text("2")));
    assert_eq!(other.payload(), Value::text("2"));
    assert!(one.pending().is_empty() && other.pending().is_empty());
    scene.end();
}

fn after_bye_the_next_call_begins_anew(broker: Broker) {
    let scene = Scene::new(broker);
    let mut watcher = scene.client();
    watcher.subscribe(1, "self.bus.client");
    let mut program = scene.program();
    program.subscribe("self.a");
    program.call(sending("SetWill", "gone", Value::text("1"), vec![])).unwrap();
    program.kith("Bye", []).unwrap();
    program.publish("a", Value::text("2"));
    assert!(program.pending().is_empty(), "nothing is left of what was subscribed to before");
    name(&mut program, "again");
    let events: Vec<_> = (0..3).map(|_| watcher.message_on(1).value()).collect();
    let what: Vec<_> = events.iter().map(|event| event["event"].as_str().unwrap()).collect();
    assert_eq!(what, ["connected", "disconnected", "connected"]);
    assert!(events[0]["client"].as_u64() < events[2]["client"].as_u64());
    // Also if it comes at once.
    for n in 0..20_u32 {
        program.send(kith_call("Bye").without_reply());
        program.send(kith_call("Bye"));
        program.publish("a", Value::U32(n));
    }
    // To say it twice, or first of all, is no error.
    program.kith("Bye", []).unwrap();
    program.kith("Bye", []).unwrap();
    scene.program().kith("Bye", []).unwrap();
    scene.end();
}

fn calls_are_carried_out_in_their_order(broker: Broker) {
    let scene = Scene::new(broker);
    let (mut publisher, mut subscriber) = (scene.program(), scene.program());
    subscriber.subscribe("self.a");
    for n in 0..2_000_u32 {
        let call = publishing("a", Value::U32(n), vec![]);
        publisher.send(if n % 7 == 0 { call } else { call.without_reply() });
    }
    for n in 0..2_000_u32 {
        assert_eq!(subscriber.payload(), Value::text(n.to_string()));
    }
    scene.end();
}

fn a_will_is_published_when_its_program_leaves(broker: Broker) {
    let scene = Scene::new(broker);
    let (mut mortal, mut watcher) = (scene.program(), scene.program());
    watcher.subscribe("self.gone");
    let will = [("who", Value::text("mortal"))];
    mortal.call(sending("SetWill", "gone", Value::options(will), vec![])).unwrap();
    drop(mortal);
    assert_eq!(watcher.payload(), Value::text(r#"{"who":"mortal"}"#));
    scene.end();
}

fn there_are_as_many_programs_as_may_be(broker: Broker) {
    let scene = Scene::with(broker, "limits.clients_max = 16");
    let mut programs: Vec<_> = (0..5).map(|_| scene.program()).collect();
    let (last, others) = programs.split_last_mut().unwrap();
    for program in others {
        program.publish("a", Value::text("1"));
    }
    let outcome = last.try_publish("a", Value::text("1"), vec![]);
    super::refused(outcome, kith_wire::Code::QuotaClients);
    // Those on the socket have theirs, and who leaves makes room.
    let mut client = scene.client();
    client.wait_for_count("clients", 5);
    drop(programs.swap_remove(0));
    client.wait_for_count("clients", 4);
    programs[0].publish("a", Value::text("1"));
    drop(programs);
    client.wait_for_count("clients", 1);
    scene.end();
}

fn who_calls_and_leaves_at_once_is_heard(broker: Broker) {
    let scene = Scene::new(broker);
    let mut subscriber = scene.program();
    subscriber.subscribe("self.a");
    for n in 0..20_u32 {
        // As `dbus-send` does, which waits for nothing; the second after a goodbye.
        let mut program = scene.program();
        for n in [2 * n, 2 * n + 1] {
            program.send(publishing("a", Value::U32(n), vec![]).without_reply());
            program.send(kith_call("Bye").without_reply());
        }
        drop(program);
        assert_eq!(subscriber.payload(), Value::text((2 * n).to_string()));
        assert_eq!(subscriber.payload(), Value::text((2 * n + 1).to_string()));
    }
    scene.end();
}

#[test]
fn programs_of_other_users_are_not_served() {
    let is_root = geteuid().is_root();
    let is_there = require("busctl") && require("setpriv") && require_that(is_root, "user root");
    if !is_there || !Broker::DbusDaemon.is_there() {
        return;
    }
    let session = SessionBus::for_everybody();
    let daemon = start_on(&Place::new(""), &session.address());
    let scene = Scene { daemon, session };
    let call = |member: &str| {
        let mut command = Place::bare("setpriv");
        command.args(["--reuid=65534", "--regid=65534", "--clear-groups", "busctl"]);
        command.arg(format!("--address={}", scene.session.address()));
        command.args(["call", KITH, KITH_PATH, KITH, member]);
        Process::run(&mut command)
    };
    for member in ["ClearWill", "Bye"] {
        let ended = call(member);
        assert!(!ended.status.success(), "{ended:?}");
        assert!(ended.stderr.contains("user 65534"), "{ended:?}");
    }
    let mut client = scene.client();
    client.wait_for_count("clients", 1);
    scene.end();
}
