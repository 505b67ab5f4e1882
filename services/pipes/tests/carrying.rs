//! The transport on a bus in memory, with real pipes whose other end the test has.

use kith_plugins_api::contract::envelope::{Lane, Send};
use kith_plugins_api::contract::transports::Dial;
use kith_plugins_api::contract::{CONNECTION, DIAL, DISCONNECTED, ENDPOINT, RECEIVED, SEND, SENT};
use kith_plugins_api::testkit::TestBus;
use kith_plugins_api::{Bus, Code, MessageId};
use kith_service_pipes::Pipes;
use kith_service_pipes::frames::{Frame, Frames, VERSION, written};
use serde_json::json;
use std::path::Path;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::unix::pipe::{OpenOptions, Receiver};

const DEVICE: [u8; 32] = [7; 32];

#[cfg(test)]
async fn next(receiver: &mut Receiver, frames: &mut Frames) -> Frame {
    loop {
        if let Some(frame) = frames.take().unwrap() {
            return frame;
        }
        let mut bytes = vec![0; 4096];
        let count = receiver.read(&mut bytes).await.unwrap();
        frames.read(&bytes[..count]);
    }
}

#[cfg(test)]
fn settings(directory: &Path) -> serde_json::Value {
    let device = data_encoding::BASE64.encode(&DEVICE);
    let path = |name: &str| directory.join(name).display().to_string();
    json!({"device": device, "read": path("in"), "write": path("out")})
}

#[cfg(test)]
fn letter(bus: &Bus) -> Send {
    Send {
        envelope: MessageId::from_parts(bus.now().unix_ms(), &[1; 10]),
        device: DEVICE,
        letter: b"sealed".to_vec().into(),
        lane: Lane::Normal,
        // The clock of the test runs on while the kernel is waited for.
        expires_at: bus.now().unix_ms() + 1_000_000_000,
        relays: None,
        delete_hash: None,
    }
}

#[test]
fn it_carries_letters_both_ways() {
    let directory = tempfile::tempdir().unwrap();
    TestBus::run(1, async |bus| {
        let mut endpoints = bus.subscribe_to(ENDPOINT).await.unwrap();
        let mut connections = bus.subscribe_to(CONNECTION).await.unwrap();
        let mut disconnections = bus.subscribe_to(DISCONNECTED).await.unwrap();
        let mut sent = bus.subscribe_to(SENT).await.unwrap();
        let mut received = bus.subscribe_to(RECEIVED).await.unwrap();
        let pipes = bus.start_with(Pipes, settings(directory.path())).await;
        assert_eq!(endpoints.next().await.unwrap().endpoints, ["pipe:in"]);
        assert!(pipes.is_alive().await, "while nobody is there");

        // The first look has made the pipe.
        let out = directory.path().join("out");
        let mut receiver = OpenOptions::new().read_write(true).open_receiver(out).unwrap();
        let mut sender = OpenOptions::new().open_sender(directory.path().join("in")).unwrap();
        let dial = Dial { device: Some(DEVICE), endpoints: Vec::new(), tls_key: None };
        bus.as_daemon(DIAL, &dial).await;
        let mut frames = Frames::new(1000);
        let greeting = next(&mut receiver, &mut frames).await;
        assert!(matches!(greeting, Frame::Greeting { version: VERSION, .. }));
        sender.write_all(&written(&Frame::Greeting { version: 1, life: 9 })).await.unwrap();
        let connection = connections.next().await.unwrap();
        assert_eq!((connection.link, connection.device), (1, DEVICE));

        let letter = letter(&bus);
        bus.as_daemon((SEND, "pipes"), &letter).await;
        assert_eq!(next(&mut receiver, &mut frames).await, Frame::Letter(b"sealed".to_vec()));
        assert_eq!(sent.next().await.unwrap().envelope, letter.envelope);

        sender.write_all(&written(&Frame::Letter(b"reply".to_vec()))).await.unwrap();
        assert_eq!(received.next().await.unwrap().letter.0, b"reply");

        sender.write_all(&written(&Frame::Goodbye)).await.unwrap();
        assert_eq!(disconnections.next().await.unwrap().link, 1);
        pipes.stop().await.unwrap();
    });
}

#[test]
fn settings_that_make_no_sense_are_fatal() {
    let directory = tempfile::tempdir().unwrap();
    TestBus::run(1, async |bus| {
        for (name, value) in [("device", json!("AAAA")), ("mtu_bytes", json!(7)), ("x", json!(1))] {
            let mut settings = settings(directory.path());
            settings[name] = value;
            let error = bus.start_with(Pipes, settings).await.ended().await.unwrap_err();
            assert!(error.is_fatal(), "{error}");
        }
    });
}

#[test]
fn what_the_daemon_refuses_does_not_end_it() {
    let directory = tempfile::tempdir().unwrap();
    TestBus::run(1, async |bus| {
        let pipes = bus.start_with(Pipes, settings(directory.path())).await;
        // Its health, when the link comes up.
        pipes.refuse_next(Code::NotGranted, "not any more");
        pipes.refuse_next(Code::NotGranted, "not any more");
        let out = directory.path().join("out");
        let _receiver = OpenOptions::new().read_write(true).open_receiver(out).unwrap();
        let mut sender = OpenOptions::new().open_sender(directory.path().join("in")).unwrap();
        sender.write_all(&written(&Frame::Greeting { version: 1, life: 9 })).await.unwrap();
        bus.advance(std::time::Duration::from_secs(10)).await;
        assert!(pipes.is_alive().await);
        pipes.stop().await.unwrap();
    });
}
