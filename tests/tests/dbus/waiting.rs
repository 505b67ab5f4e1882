//! Where there is no session bus, not yet, or not any more; and where the name is somebody else's.

use super::Scene;
use crate::door::{BOTH_IN_TURN, Client, Dbus, Event, Operation, start_beside, wait_until_owner};
use crate::process::{Daemon, Place};
use crate::session::{Broker, KITH, SessionBus, Value, address, sending};
use kith_wire::Code;

on_both_brokers! {
    without_a_session_bus_it_says_so_once_and_waits,
    a_name_that_another_has_is_taken_over_when_it_is_free,
    a_session_bus_that_ends_is_waited_for,
    who_is_killed_is_followed_by_the_next,
    who_stops_says_so_by_leaving_its_name,
    it_can_be_kept_off_the_session_bus,
    the_configuration_may_say_where_the_session_bus_is,
}

/// The lines on standard error about the session bus, but for that all is well.
fn complaints(daemon: &Daemon) -> Vec<String> {
    let log = daemon.process().stderr();
    let is_complaint = |line: &&str| {
        (line.contains("session bus") || line.contains("dbus")) && !line.contains(" as org.kithbus")
    };
    log.lines().filter(is_complaint).map(str::to_owned).collect()
}

/// Has time pass, in which the socket is served.
fn is_served(daemon: &Daemon) {
    let mut client = BOTH_IN_TURN.connect(daemon, 0);
    client.pass_ms(300);
    client.done(&Operation::Ping);
}

fn without_a_session_bus_it_says_so_once_and_waits(broker: Broker) {
    let folder = SessionBus::nowhere();
    let daemon = start_beside(&Place::new(""), &address(&folder));
    is_served(&daemon);
    assert_eq!(complaints(&daemon).len(), 1, "{}", daemon.process().stderr());
    let session = SessionBus::start_again(&folder, broker);
    wait_until_owner(&daemon, 1);
    session.program().publish("a", Value::text("1"));
    assert_eq!(complaints(&daemon).len(), 1, "{}", daemon.process().stderr());
    assert!(daemon.stop().status.success());
}

#[test]
fn a_wrong_address_is_said_once_and_the_socket_served() {
    for wrong in ["nonsense", "unix:", "unix:path=/dev/null", "tcp:host=localhost,port=1", ""] {
        let daemon = start_beside(&Place::new(""), wrong);
        is_served(&daemon);
        let complaints = complaints(&daemon);
        assert_eq!(complaints.len(), 1, "{wrong:?}: {}", daemon.process().stderr());
        assert!(daemon.stop().status.success());
    }
}

#[test]
fn a_name_that_is_refused_is_said_once_and_the_socket_served() {
    if !Broker::DbusDaemon.is_there() {
        return;
    }
    let session = SessionBus::that_denies_the_name();
    let daemon = start_beside(&Place::new(""), &session.address());
    daemon.process().wait_for_stderr(|text| text.contains("does not let the daemon have its name"));
    is_served(&daemon);
    assert_eq!(complaints(&daemon).len(), 1, "{}", daemon.process().stderr());
    assert!(daemon.stop().status.success());
}

fn a_name_that_another_has_is_taken_over_when_it_is_free(broker: Broker) {
    let session = SessionBus::start(broker);
    let mut other = session.program();
    other.ask_broker("RequestName", [Value::text(KITH), Value::U32(0)]);
    let daemon = start_beside(&Place::new(""), &session.address());
    let log = daemon.process().wait_for_stderr(|text| text.contains(KITH));
    assert!(!log.contains("on the session bus as"), "{log}");
    is_served(&daemon);
    assert_eq!(complaints(&daemon).len(), 1, "{}", daemon.process().stderr());
    other.ask_broker("ReleaseName", [Value::text(KITH)]);
    wait_until_owner(&daemon, 1);
    other.publish("a", Value::text("1"));
    assert_eq!(complaints(&daemon).len(), 1, "{}", daemon.process().stderr());
    assert!(daemon.stop().status.success());
}

fn a_session_bus_that_ends_is_waited_for(broker: Broker) {
    let Scene { daemon, mut session } = Scene::new(broker);
    let folder = session.folder();
    let mut client = BOTH_IN_TURN.connect(&daemon, 0);
    client.subscribe(1, "self.gone");
    for times in 2..4 {
        let mut program = session.program();
        program.subscribe("self.a");
        program.call(sending("SetWill", "gone", Value::text("1"), vec![])).unwrap();
        session.stop();
        // Nobody is there any more, so everybody has left.
        assert_eq!(client.message_on(1).text(), "1");
        client.wait_for_count("clients", 1);
        is_served(&daemon);
        session = SessionBus::start_again(&folder, broker);
        wait_until_owner(&daemon, times);
        session.program().publish("gone", Value::text("2"));
        assert_eq!(client.message_on(1).text(), "2");
    }
    assert_eq!(complaints(&daemon).len(), 2, "once each time: {}", daemon.process().stderr());
    assert!(daemon.stop().status.success());
}

fn who_is_killed_is_followed_by_the_next(broker: Broker) {
    let Scene { daemon, session } = Scene::new(broker);
    let place = daemon.place().clone();
    let mut program = session.program();
    program.subscribe("self.a");
    daemon.kill();
    let daemon = crate::door::start_on(&place, &session.address());
    program.publish("a", Value::text("1"));
    assert!(program.pending().is_empty(), "what was subscribed to has ended with the first");
    program.subscribe("self.a");
    program.publish("a", Value::text("2"));
    assert_eq!(program.payload(), Value::text("2"));
    assert!(daemon.stop().status.success());
}

fn who_stops_says_so_by_leaving_its_name(broker: Broker) {
    let Scene { daemon, session } = Scene::new(broker);
    let mut client = Client::new(Dbus::new(session.program()));
    client.subscribe(1, "self.a");
    client.publish("a", "1");
    client.message_on(1);
    let ended = daemon.stop();
    assert!(ended.status.success(), "{ended:?}");
    assert_eq!(client.next(), Event::Bye { code: Code::ShuttingDown });
    assert_eq!(client.next_or_end(), None);
}

fn it_can_be_kept_off_the_session_bus(broker: Broker) {
    let session = SessionBus::start(broker);
    let daemon = start_beside(&Place::new("dbus.enabled = false"), &session.address());
    is_served(&daemon);
    let call = crate::session::kith_call("ClearWill");
    let call = call.flagged(crate::session::NO_AUTO_START);
    let failure = session.program().call(call).unwrap_err();
    assert_eq!(failure.name, "org.freedesktop.DBus.Error.NameHasNoOwner", "{failure:?}");
    let said = complaints(&daemon);
    assert!(said.len() == 1 && said[0].contains(" INFO "), "{said:?}");
    assert!(daemon.stop().status.success());
}

fn the_configuration_may_say_where_the_session_bus_is(broker: Broker) {
    let session = SessionBus::start(broker);
    let place = Place::new(&format!("dbus.address = '{}'", session.address()));
    let daemon = start_beside(&place, "unix:path=/nowhere");
    wait_until_owner(&daemon, 1);
    session.program().publish("a", Value::text("1"));
    assert!(daemon.stop().status.success());
}
