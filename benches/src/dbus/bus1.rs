//! `org.kithbus.Bus1`: the calls that are measured, ready-made, and what a delivery looks like.

use super::message::{Body, Kind, Message, NO_REPLY_EXPECTED, Value};

/// Kith's name on the session bus.
pub const NAME: &str = "org.kithbus.Bus1";
/// The name of the service that is measured beside it: as long, so that its messages are.
pub const ECHO_NAME: &str = "org.kithbus.Echo";
/// The object, of both.
pub const PATH: &str = "/org/kithbus/Bus1";
/// The interface, of both.
pub const INTERFACE: &str = "org.kithbus.Bus1";

/// Nobody is to be started for it.
const NO_AUTO_START: u8 = 2;
/// What a delivery says of a message, as long as Kith's.
const MSG_ID: &str = "01900000-0000-7000-8000-000000000000";

fn call<'text>(name: &'text str, member: &'text str, signature: &'text str) -> Message<'text> {
    Message {
        path: PATH,
        destination: name,
        interface: INTERFACE,
        member,
        signature,
        ..Message::of(Kind::Call)
    }
}

/// A subscription.
pub fn subscribe(pattern: &str) -> Vec<u8> {
    let body = Body::default().text(pattern).dictionary(&[]);
    let mut out = vec![];
    call(NAME, "Subscribe", "sa{sv}").write(&[body.bytes()], &mut out);
    out
}

/// A publish to whoever owns `name`, answered or not.
pub fn publish(name: &str, topic: &str, payload: &str, is_answered: bool) -> Vec<u8> {
    let flags = if is_answered { 0 } else { NO_REPLY_EXPECTED };
    let body = Body::default().text(topic).text("local").variant(Value::Text(payload));
    let body = body.dictionary(&[]);
    let mut out = vec![];
    let message = Message { flags, ..call(name, "Publish", "ssva{sv}") };
    message.write(&[body.bytes()], &mut out);
    out
}

/// The `Message` signal that such a publish brings, to the program called `destination`.
pub fn delivered(destination: &str, topic: &str, payload: &str) -> Vec<u8> {
    let entries = [
        ("msg_id", Value::Text(MSG_ID)),
        ("sender", Value::Text("local")),
        ("scope", Value::Text("self")),
        ("protocol", Value::Text("ms")),
        ("topic", Value::Text(topic)),
        ("sent_at", Value::Number(1 << 40)),
        ("payload", Value::Text(payload)),
    ];
    let body = Body::default().number(1).dictionary(&entries);
    let message = Message {
        flags: NO_REPLY_EXPECTED,
        path: PATH,
        destination,
        interface: INTERFACE,
        member: "Message",
        signature: "ua{sv}",
        ..Message::of(Kind::Signal)
    };
    let mut out = vec![];
    message.write(&[body.bytes()], &mut out);
    out
}

/// A ping of whoever owns `name`.
pub fn ping(name: &str) -> Vec<u8> {
    let message = Message {
        flags: NO_AUTO_START,
        path: "/",
        destination: name,
        interface: "org.freedesktop.DBus.Peer",
        member: "Ping",
        ..Message::of(Kind::Call)
    };
    let mut out = vec![];
    message.write(&[], &mut out);
    out
}

#[cfg(test)]
mod tests {
    use super::super::{Incoming, whole};
    use super::*;

    #[test]
    fn both_are_sent_the_same_but_for_the_name() {
        let [kith, echo] = [NAME, ECHO_NAME].map(|name| publish(name, "a.b", "1", false));
        assert_eq!(kith.len(), echo.len());
        assert_eq!(whole(&kith), Some(kith.len()));
        assert_eq!(kith[2], NO_REPLY_EXPECTED);
        assert_eq!(publish(NAME, "a.b", "1", true)[2], 0);
        let signal = delivered(":1.7", "a.b", "1");
        assert_eq!(whole(&signal), Some(signal.len()));
        let incoming = Incoming::read(&signal).unwrap();
        assert_eq!((incoming.kind, incoming.member), (Kind::Signal as u8, "Message"));
    }
}
