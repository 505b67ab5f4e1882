//! Payloads in sealed memory, which is the only way for more than 1 MiB.

use super::{Scene, refused};
use crate::door::{
    Delivery, Event, Framing, MESSAGE_PAYLOAD_BYTES_MAX, Publication, delivery, take_sealed,
};
use crate::session::{
    Broker, Failure, Incoming, KITH, Program, SIGNAL, Value, kith_call, publishing, sending,
};
use kith_sealed::SealedMemory;
use kith_wire::Code;
use std::fs::File;
use std::io::{Seek, Write};
use std::os::fd::{AsFd, BorrowedFd};

on_both_brokers! {
    large_payloads_go_both_ways,
    a_small_one_may_go_so_too,
    replies_may_be_large,
    what_is_not_sealed_is_refused,
    a_descriptor_that_did_not_come_is_refused,
    more_than_the_bus_allows_is_refused,
    many_large_ones_leave_no_descriptor_behind,
    no_call_brings_more_than_it_takes,
    who_does_not_read_gets_no_more_than_a_few,
}

const LARGE_BYTES: usize = 3 << 20;

fn json(bytes: usize) -> String {
    format!("\"{}\"", "x".repeat(bytes - 2))
}

fn publish(
    program: &mut Program,
    descriptor: BorrowedFd<'_>,
    protocol: &str,
) -> Result<Incoming, Failure> {
    let protocol = vec![("protocol", Value::text(protocol))];
    let call = publishing("a", Value::Descriptor(0), protocol);
    let serial = program.send_with(call, &[descriptor]);
    program.answer(serial)
}

fn heard(program: &mut Program) -> Delivery {
    let Incoming { message, descriptors } =
        program.next_of(|message| message.is(SIGNAL, KITH, "Message"));
    delivery(&message.body[1], take_sealed(descriptors))
}

fn large_payloads_go_both_ways(broker: Broker) {
    let scene = Scene::new(broker);
    let (mut program, mut other) = (scene.program(), scene.program());
    let mut client = Framing::BinaryFrames.connect(&scene.daemon);
    other.subscribe("*/self.a");
    client.subscribe(1, "*/self.a");
    for bytes in [MESSAGE_PAYLOAD_BYTES_MAX + 1, LARGE_BYTES] {
        for (protocol, payload) in [("ms", json(bytes).into_bytes()), ("x-raw", vec![0xFF; bytes])]
        {
            let memory = SealedMemory::create(&payload).unwrap();
            publish(&mut program, memory.as_fd(), protocol).unwrap();
            assert!(heard(&mut other).payload == payload);
            assert!(client.message_on(1).payload == payload);
            client.publish_it(Publication::bytes(protocol, "a", payload.clone()));
            assert!(heard(&mut other).payload == payload);
            client.message_on(1);
        }
    }
    scene.end();
}

fn a_small_one_may_go_so_too(broker: Broker) {
    let scene = Scene::new(broker);
    let mut program = scene.program();
    program.subscribe("self.a");
    let memory = SealedMemory::create(b"[1]").unwrap();
    publish(&mut program, memory.as_fd(), "ms").unwrap();
    assert_eq!(program.payload(), Value::text("[1]"));
    scene.end();
}

fn replies_may_be_large(broker: Broker) {
    let scene = Scene::new(broker);
    let mut program = scene.program();
    let mut responder = Framing::BinaryFrames.connect(&scene.daemon);
    responder.subscribe(1, "self.sum");
    let large = json(LARGE_BYTES);
    for whole in [false, true] {
        let options = vec![("whole", Value::Bool(whole))];
        let serial = program.send(sending("Request", "sum", Value::text("1"), options));
        let asked = responder.message_on(1);
        responder.reply(&asked, &large);
        let Incoming { message, descriptors } = program.answer(serial).unwrap();
        let reply = message.body[0].inside();
        let payload = take_sealed(descriptors);
        if whole {
            assert!(delivery(reply, payload).payload == large.as_bytes());
        } else {
            assert_eq!(reply, &Value::Descriptor(0));
            assert!(payload.unwrap() == large.as_bytes());
        }
    }
    // What is asked may be large too.
    let memory = SealedMemory::create(large.as_bytes()).unwrap();
    let call = sending("Request", "sum", Value::Descriptor(0), vec![]);
    let serial = program.send_with(call, &[memory.as_fd()]);
    let asked = responder.message_on(1);
    assert!(asked.text() == large);
    let answer = responder.reply(&asked, "2");
    assert!(matches!(answer, Event::Ok { .. }), "{answer:?}");
    assert_eq!(program.answer(serial).unwrap().message.body, [Value::text("2").variant()]);
    scene.end();
}

fn what_is_not_sealed_is_refused(broker: Broker) {
    let scene = Scene::new(broker);
    let mut program = scene.program();
    program.subscribe("self.a");
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(b"1").unwrap();
    file.rewind().unwrap();
    let flags = rustix::fs::MemfdFlags::ALLOW_SEALING | rustix::fs::MemfdFlags::CLOEXEC;
    let mut memory = File::from(rustix::fs::memfd_create("a", flags).unwrap());
    memory.write_all(b"1").unwrap();
    let (reading, _writing) = std::io::pipe().unwrap();
    for (wrong, word) in
        [(file.as_fd(), "memfd"), (memory.as_fd(), "F_SEAL_WRITE"), (reading.as_fd(), "memfd")]
    {
        let said = refused(publish(&mut program, wrong, "ms"), Code::BadPayload);
        assert!(said.contains(word), "{said}");
    }
    let no_json = SealedMemory::create(b"hi").unwrap();
    refused(publish(&mut program, no_json.as_fd(), "ms"), Code::BadPayload);
    // Inside of something it is no payload.
    let inside = Value::options([("a", Value::Descriptor(0))]);
    let serial = program.send_with(publishing("a", inside, vec![]), &[no_json.as_fd()]);
    let said = refused(program.answer(serial), Code::BadPayload);
    assert!(said.contains("`h`"), "{said}");
    assert!(program.pending().is_empty());
    scene.end();
}

fn a_descriptor_that_did_not_come_is_refused(broker: Broker) {
    let scene = Scene::new(broker);
    let memory = SealedMemory::create(b"1").unwrap();
    for descriptors in [&[][..], &[memory.as_fd()]] {
        let mut program = scene.program();
        let call = publishing("a", Value::Descriptor(7), vec![]);
        let serial = program.send_with(call, descriptors);
        // A broker that looks inside of messages may end the connection.
        let answer = std::iter::from_fn(|| program.next())
            .find(|incoming| incoming.message.reply_to == Some(serial));
        let error = answer.map(|answer| answer.message.error.expect("it was not refused"));
        let code = error.map_or(Code::BadPayload, |error| crate::door::code_of(&error));
        assert!([Code::BadPayload, Code::BadField].contains(&code), "{code}");
    }
    scene.end();
}

fn more_than_the_bus_allows_is_refused(broker: Broker) {
    let scene = Scene::with(broker, "limits.payload_bytes_max = '2 MiB'");
    let mut program = scene.program();
    let memory = SealedMemory::create(json(2 << 20).as_bytes()).unwrap();
    publish(&mut program, memory.as_fd(), "ms").unwrap();
    let memory = SealedMemory::create(json((2 << 20) + 1).as_bytes()).unwrap();
    refused(publish(&mut program, memory.as_fd(), "ms"), Code::TooLarge);
    scene.end();
}

fn many_large_ones_leave_no_descriptor_behind(broker: Broker) {
    let scene = Scene::new(broker);
    let (mut program, mut subscriber) = (scene.program(), scene.program());
    subscriber.subscribe("*/self.a");
    let payload = vec![7; MESSAGE_PAYLOAD_BYTES_MAX + 1];
    let memory = SealedMemory::create(&payload).unwrap();
    let exchange = |program: &mut Program, subscriber: &mut Program| {
        publish(program, memory.as_fd(), "x-raw").unwrap();
        assert!(heard(subscriber).payload == payload);
        refused(publish(program, memory.as_fd(), "ms"), Code::BadPayload);
    };
    exchange(&mut program, &mut subscriber);
    assert!(subscriber.pending().is_empty());
    let before = scene.daemon.open_files();
    for _ in 0..20 {
        exchange(&mut program, &mut subscriber);
    }
    assert!(subscriber.pending().is_empty());
    scene.daemon.wait_for_open_files(before);
    scene.end();
}

fn no_call_brings_more_than_it_takes(broker: Broker) {
    let scene = Scene::new(broker);
    let mut program = scene.program();
    let memory = SealedMemory::create(b"[1]").unwrap();
    let two = [memory.as_fd(), memory.as_fd()];
    let serial = program.send_with(publishing("a", Value::Descriptor(0), vec![]), &two);
    let text = refused(program.answer(serial), Code::BadField);
    assert!(text.contains("2 descriptors"), "{text}");
    let hello = kith_call("Hello").with([Value::options::<&str>([])]);
    let serial = program.send_with(hello, &two[..1]);
    refused(program.answer(serial), Code::BadField);
    scene.end();
}

/// They are memory that counts in no queue of the session bus.
fn who_does_not_read_gets_no_more_than_a_few(broker: Broker) {
    let scene = Scene::with(broker, "[limits]\nqueue_bytes_max = '24 MiB'\n");
    let mut stalled = scene.program();
    let mut publisher = Framing::BinaryFrames.connect(&scene.daemon);
    stalled.subscribe("x-raw/self.a");
    let payload = vec![7; LARGE_BYTES];
    let count = 40;
    for _ in 0..count {
        publisher.publish_it(Publication::bytes("x-raw", "a", payload.clone()));
    }
    let (mut heard, mut missed) = (0, 0);
    while heard + missed < count {
        let Incoming { message, .. } = stalled.next().unwrap();
        match (message.member.as_deref(), &message.body[..]) {
            (Some("Message"), _) => heard += 1,
            (Some("Lag"), [_, Value::U64(count)]) => missed += count,
            _ => {}
        }
    }
    // One window of them, what the pipe and the queue hold, and a few at the ends.
    assert!(missed > 10, "{heard} heard, {missed} missed");
    assert!(stalled.pending().is_empty());
    scene.end();
}
