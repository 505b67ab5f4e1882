//! That the buses here are what they say, before anything else is asked of them.

use super::{BROKER, BROKERS, Message, Program, SIGNAL, SessionBus, Value};
use kith_sealed::SealedMemory;
use std::os::fd::AsFd;

const NAME: &str = "org.example.Server";

fn signal(to: &Program, body: Value) -> Message {
    let call = Message::call(to.name(), "/a", NAME, "Said");
    Message { kind: SIGNAL, ..call.with([body]) }
}

#[test]
fn programs_are_let_in_and_hear_each_other() {
    for broker in BROKERS.into_iter().filter(|broker| broker.is_there()) {
        let bus = SessionBus::start(broker);
        assert_eq!(bus.broker(), broker);
        let (mut one, mut other) = (bus.program(), bus.program());
        assert_ne!(one.name(), other.name());
        let body = Value::options([("a", Value::Bytes(vec![7; 3_000_000]))]);
        let said = signal(&other, body.clone());
        one.send(said);
        let heard = other.next_of(|message| message.is(SIGNAL, NAME, "Said")).message;
        assert_eq!((heard.sender.as_deref(), &heard.body[..]), (Some(one.name()), &[body][..]));
        let memory = SealedMemory::create(b"sealed").unwrap();
        let said = signal(&other, Value::Descriptor(0));
        one.send_with(said, &[memory.as_fd()]);
        let heard = other.next_of(|message| message.is(SIGNAL, NAME, "Said"));
        assert_eq!(super::super::door::take_sealed(heard.descriptors), Some(b"sealed".to_vec()));
        let names = other.ask_broker("ListNames", []);
        let Value::Array(_, names) = &names[0] else { panic!("{names:?}") };
        assert!(names.contains(&Value::text(BROKER)), "{names:?}");
    }
}

#[test]
fn a_bus_that_has_ended_begins_again_at_its_address() {
    for broker in BROKERS.into_iter().filter(|broker| broker.is_there()) {
        let bus = SessionBus::start(broker);
        let mut program = bus.program();
        let (folder, address) = (bus.folder(), bus.address());
        bus.stop();
        while program.next().is_some() {}
        let again = SessionBus::start_again(&folder, broker);
        assert_eq!(again.address(), address);
        again.program().ask_broker("GetId", []);
    }
}
