//! A program on a session bus: its connection, as plain as it can be.
//!
//! Nothing happens behind a test's back: what comes is read when the test asks for it and not
//! before, and so the daemon's `Ping` is answered by who reads, as by a program with libdbus.

use super::message::{CALL, ERROR, Message, NO_REPLY_EXPECTED, RETURN};
use super::value::Value;
use crate::process::{PATIENCE, dial};
use kith_sealed::{receive, send};
use std::collections::VecDeque;
use std::io::{ErrorKind, IoSlice, Read, Write};
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;

/// The session bus itself.
pub(crate) const BROKER: &str = "org.freedesktop.DBus";
const BROKER_PATH: &str = "/org/freedesktop/DBus";
/// The daemon's name and interface.
pub(crate) const KITH: &str = "org.kithbus.Bus1";
/// Its object.
pub(crate) const KITH_PATH: &str = "/org/kithbus/Bus1";
/// The interface of which everybody has `Ping`.
pub(crate) const PEER: &str = "org.freedesktop.DBus.Peer";
/// The interface of properties.
pub(crate) const PROPERTIES: &str = "org.freedesktop.DBus.Properties";

/// A connection.
pub(crate) struct Program {
    stream: UnixStream,
    buffer: Vec<u8>,
    descriptors: VecDeque<OwnedFd>,
    serial: u32,
    name: String,
    /// Came while something else was waited for.
    heard: VecDeque<Incoming>,
    pings: Pings,
    /// How many came.
    pub(crate) pings_heard: usize,
}

/// What a program does with the daemon's `Ping`s.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pings {
    Answered,
    /// As by a program that has no such method.
    Refused,
    Ignored,
}

/// A message that came, with its descriptors.
#[derive(Debug)]
pub(crate) struct Incoming {
    pub(crate) message: Message,
    pub(crate) descriptors: Vec<OwnedFd>,
}

/// An error that came: its name, and its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) name: String,
    pub(crate) text: String,
}

impl Program {
    /// A connection to the session bus at `path`.
    pub(crate) fn connect(path: &Path) -> Self {
        let mut stream = dial(path);
        let user = rustix::process::geteuid().as_raw().to_string();
        let digits: String = user.bytes().map(|byte| format!("{byte:02x}")).collect();
        write!(stream, "\0AUTH EXTERNAL {digits}\r\n").unwrap();
        assert!(line(&mut stream).starts_with("OK "));
        stream.write_all(b"NEGOTIATE_UNIX_FD\r\n").unwrap();
        assert_eq!(line(&mut stream), "AGREE_UNIX_FD\r\n");
        stream.write_all(b"BEGIN\r\n").unwrap();
        let mut program = Self {
            stream,
            buffer: Vec::new(),
            descriptors: VecDeque::new(),
            serial: 0,
            name: String::new(),
            heard: VecDeque::new(),
            pings: Pings::Answered,
            pings_heard: 0,
        };
        let hello = program.ask_broker("Hello", []);
        program.name = hello[0].as_text().to_owned();
        program
    }

    /// From now on it does this with the daemon's `Ping`s.
    pub(crate) fn with_pings(self, pings: Pings) -> Self {
        Self { pings, ..self }
    }

    /// Its unique name.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Sends a message, and returns its serial.
    pub(crate) fn send(&mut self, message: Message) -> u32 {
        self.send_with(message, &[])
    }

    /// Sends a message with these descriptors, and returns its serial.
    pub(crate) fn send_with(&mut self, message: Message, with: &[BorrowedFd<'_>]) -> u32 {
        self.serial += 1;
        let descriptors = u32::try_from(with.len()).unwrap();
        let bytes = Message { serial: self.serial, descriptors, ..message }.bytes();
        let sent = send(&self.stream, &[IoSlice::new(&bytes)], with).unwrap();
        self.stream.write_all(&bytes[sent..]).unwrap();
        self.serial
    }

    /// What comes next, whatever it is; nothing if the session bus has closed the connection.
    pub(crate) fn next(&mut self) -> Option<Incoming> {
        match self.heard.pop_front() {
            Some(incoming) => Some(incoming),
            None => self.receive(),
        }
    }

    /// The next that is wanted; what else comes waits.
    pub(crate) fn next_of(&mut self, is_wanted: impl Fn(&Message) -> bool) -> Incoming {
        if let Some(at) = self.heard.iter().position(|one| is_wanted(&one.message)) {
            return self.heard.remove(at).unwrap();
        }
        loop {
            let incoming = self.receive().expect("the session bus has closed the connection");
            if is_wanted(&incoming.message) {
                return incoming;
            }
            self.heard.push_back(incoming);
        }
    }

    /// What has come while something else was waited for.
    pub(super) fn take_heard(&mut self) -> Vec<Incoming> {
        self.heard.drain(..).collect()
    }

    /// The answer to the call with this serial.
    pub(crate) fn answer(&mut self, serial: u32) -> Result<Incoming, Failure> {
        let is_answer = |message: &Message| message.reply_to == Some(serial);
        let answer = self.next_of(is_answer);
        match answer.message.kind {
            RETURN => Ok(answer),
            ERROR => Err(Failure {
                name: answer.message.error.unwrap(),
                text: answer.message.body[0].as_text().to_owned(),
            }),
            other => panic!("an answer of kind {other}"),
        }
    }

    /// Calls, and waits for the answer.
    pub(crate) fn call(&mut self, message: Message) -> Result<Vec<Value>, Failure> {
        let serial = self.send(message);
        self.answer(serial).map(|answer| answer.message.body)
    }
    /// Sends bytes, whatever they are.
    pub(crate) fn say(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).unwrap();
    }

    /// Calls the session bus itself.
    pub(crate) fn ask_broker(&mut self, member: &str, body: impl Into<Vec<Value>>) -> Vec<Value> {
        let message = Message::call(BROKER, BROKER_PATH, BROKER, member).with(body);
        self.call(message).unwrap_or_else(|failure| panic!("{member}: {failure:?}"))
    }

    fn receive(&mut self) -> Option<Incoming> {
        loop {
            let incoming = self.read()?;
            let Message { serial, sender, flags, .. } = &incoming.message;
            if !incoming.message.is(CALL, PEER, "Ping") {
                return Some(incoming);
            }
            self.pings_heard += 1;
            if self.pings == Pings::Ignored || flags & NO_REPLY_EXPECTED != 0 {
                continue;
            }
            let answer = Message {
                kind: RETURN,
                reply_to: Some(*serial),
                destination: sender.clone(),
                ..Message::default()
            };
            let error = Some("org.freedesktop.DBus.Error.UnknownMethod".to_owned());
            self.send(match self.pings {
                Pings::Refused => Message { kind: ERROR, error, ..answer },
                _ => answer,
            });
        }
    }

    fn read(&mut self) -> Option<Incoming> {
        let mut chunk = [0; 65_536];
        loop {
            if let Some((message, used)) = Message::cut(&self.buffer) {
                self.buffer.drain(..used);
                let count = message.descriptors as usize;
                let descriptors = self.descriptors.drain(..count).collect();
                return Some(Incoming { message, descriptors });
            }
            let mut came = Vec::new();
            let received = match receive(&self.stream, &mut chunk, &mut came) {
                Err(error) if error.kind() == ErrorKind::ConnectionReset => return None,
                other => other.unwrap_or_else(|error| panic!("nothing for {PATIENCE:?}: {error}")),
            };
            assert!(!received.is_cut_off);
            self.descriptors.extend(came);
            if received.bytes == 0 {
                return None;
            }
            self.buffer.extend_from_slice(&chunk[..received.bytes]);
        }
    }
}

/// A call of a method of the daemon's interface.
pub(crate) fn kith_call(member: &str) -> Message {
    Message::call(KITH, KITH_PATH, KITH, member)
}

/// One line of the handshake. Read byte by byte: what comes behind it is not its.
fn line(stream: &mut UnixStream) -> String {
    let mut line = Vec::new();
    while line.last() != Some(&b'\n') {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        line.push(byte[0]);
    }
    String::from_utf8(line).unwrap()
}
