//! Programs that start the daemon by calling it: activation by the session bus.
//!
//! Over `dbus-daemon` alone: `dbus-broker` has systemd start what is called, and what systemd does
//! with the daemon's units is tested where those are.

use crate::door::{Client, Event, JsonLines, Operation, start_on};
use crate::process::{Daemon, PATIENCE, PROGRAM, Place, dial};
use crate::session::{BROKER, Broker, KITH, Program, SessionBus, Value};
use kith_wire::Code;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use std::os::fd::OwnedFd;

/// A session bus that knows how to start the daemon of this place.
fn session(place: &Place) -> SessionBus {
    let command = place.command();
    let arguments: Vec<_> = command.get_args().map(|one| one.to_str().unwrap()).collect();
    let text = format!("[D-BUS Service]\nName={KITH}\nExec={PROGRAM} {}\n", arguments.join(" "));
    SessionBus::with_services(&[("org.kithbus.Bus1.service", &text)])
}

/// A daemon that the session bus has started, ended with this. It is nobody's child here, so it is
/// held by a descriptor: its id could be somebody else's soon.
struct Started(OwnedFd);

impl Started {
    fn of(program: &mut Program) -> Self {
        let pid = program.ask_broker("GetConnectionUnixProcessID", [Value::text(KITH)]);
        let Value::U32(pid) = pid[0] else { panic!("{pid:?}") };
        let pid = Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
        Self(pidfd_open(pid, PidfdFlags::empty()).unwrap())
    }

    /// Waits until it has ended.
    fn wait(&self) {
        let patience = Timespec::try_from(PATIENCE).unwrap();
        let ended = poll(&mut [PollFd::new(&self.0, PollFlags::IN)], Some(&patience)).unwrap();
        assert_eq!(ended, 1, "it runs on");
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        // It may have ended already, which is what was wanted.
        let _ended = pidfd_send_signal(&self.0, Signal::TERM);
    }
}

fn owns_nobody(program: &mut Program) -> bool {
    program.ask_broker("NameHasOwner", [Value::text(KITH)]) == [Value::Bool(false)]
}

#[test]
fn the_first_call_starts_it_and_is_answered() {
    if !Broker::DbusDaemon.is_there() {
        return;
    }
    let place = Place::new("");
    let session = session(&place);
    let mut program = session.program();
    assert!(owns_nobody(&mut program));
    program.publish("a", Value::text("1"));
    let started = Started::of(&mut program);
    // It is the bus of the socket too.
    let mut client = Client::new(JsonLines::new(dial(&place.socket())));
    client.subscribe(1, "self.a");
    program.publish("a", Value::text("2"));
    assert_eq!(client.message_on(1).text(), "2");
    // When it has gone, the next call starts the next.
    let owner = format!("type='signal',sender='{BROKER}',member='NameOwnerChanged',arg0='{KITH}'");
    program.ask_broker("AddMatch", [Value::Text(owner)]);
    pidfd_send_signal(&started.0, Signal::TERM).unwrap();
    let is_gone = |message: &crate::session::Message| {
        message.member.as_deref() == Some("NameOwnerChanged") && message.body[2] == Value::text("")
    };
    program.next_of(is_gone);
    while client.next_or_end().is_some() {}
    // Until then it has its state to itself.
    started.wait();
    program.publish("a", Value::text("3"));
    drop(Started::of(&mut program));
    program.next_of(is_gone);
}

#[test]
fn one_that_it_has_started_ends_with_the_session_bus() {
    if !Broker::DbusDaemon.is_there() {
        return;
    }
    let place = Place::new("");
    let session = session(&place);
    let mut program = session.program();
    program.publish("a", Value::text("1"));
    let started = Started::of(&mut program);
    let mut client = Client::new(JsonLines::new(dial(&place.socket())));
    client.done(&Operation::Ping);
    session.stop();
    assert_eq!(client.next_or_end(), Some(Event::Bye { code: Code::ShuttingDown }));
    assert_eq!(client.next_or_end(), None);
    started.wait();
}

#[test]
fn many_calls_at_once_start_one() {
    if !Broker::DbusDaemon.is_there() {
        return;
    }
    let place = Place::new("");
    let session = session(&place);
    let mut programs: Vec<_> = (0..8).map(|_| session.program()).collect();
    let call = || crate::session::publishing("a", Value::text("1"), vec![]);
    let serials: Vec<_> = programs.iter_mut().map(|program| program.send(call())).collect();
    for (program, serial) in programs.iter_mut().zip(serials) {
        program.answer(serial).unwrap();
    }
    let _started = Started::of(&mut programs[0]);
    for program in &mut programs {
        program.publish("a", Value::text("2"));
    }
}

#[test]
fn one_that_runs_already_is_called_and_no_other_started() {
    if !Broker::DbusDaemon.is_there() {
        return;
    }
    let place = Place::new("");
    let session = session(&place);
    let daemon: Daemon = start_on(&place, &session.address());
    let mut program = session.program();
    program.publish("a", Value::text("1"));
    let pid = program.ask_broker("GetConnectionUnixProcessID", [Value::text(KITH)]);
    assert_eq!(pid, [Value::U32(daemon.process().id())]);
    assert!(daemon.stop().status.success());
}
