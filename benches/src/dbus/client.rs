//! A program on the session bus: one blocking socket, what was read of it counted.
//!
//! It answers `Ping`, as every D-Bus library does by itself, and looks at nothing else of what
//! comes but what it is.

use super::bus1::ping;
use super::incoming::{Incoming, whole};
use super::message::{BusCall, Kind, Message, NO_REPLY_EXPECTED};
use rustix::process::getuid;
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

/// Longest line of the handshake that is believed.
const LINE_BYTES_MAX: usize = 512;
const BUFFER_BYTES: usize = 256 << 10;
/// How long a read or write may wait.
const WAIT_MAX: Duration = Duration::from_secs(10);
/// Between two looks whether a name has an owner.
const LOOK_EACH: Duration = Duration::from_millis(2);

/// What has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// `Message` signals.
    pub messages: u64,
    /// Answers to calls.
    pub answers: u64,
    /// Errors, and signals that tell of something lost.
    pub errors: u64,
}

/// A program on the session bus.
pub struct Client {
    stream: UnixStream,
    buffer: Vec<u8>,
    /// Bytes of a message that is not whole yet.
    kept: usize,
    /// What has come so far.
    pub seen: Seen,
    /// The unique name that the bus has given it.
    pub name: String,
    /// The last error.
    fault: String,
}

impl Client {
    /// Connects to the session bus whose socket is at `path`.
    pub fn open(path: &Path) -> io::Result<Self> {
        let mut stream = UnixStream::connect(path)?;
        stream.set_read_timeout(Some(WAIT_MAX))?;
        stream.set_write_timeout(Some(WAIT_MAX))?;
        authenticate(&mut stream)?;
        let mut client = Self {
            stream,
            buffer: vec![0; BUFFER_BYTES],
            kept: 0,
            seen: Seen::default(),
            name: String::new(),
            fault: String::new(),
        };
        client.call(&hello())?;
        Ok(client)
    }

    /// Sends messages that are whole.
    #[inline]
    pub fn send(&mut self, messages: &[u8]) -> io::Result<()> {
        self.stream.write_all(messages)
    }

    /// Sends a call and waits for its answer.
    pub fn call(&mut self, message: &[u8]) -> io::Result<()> {
        let Seen { answers, errors, .. } = self.seen;
        self.send(message)?;
        while self.seen.answers == answers {
            if errors < self.seen.errors {
                return Err(io::Error::other(self.fault.clone()));
            }
            self.read()?;
        }
        Ok(())
    }

    /// Waits until somebody owns `name`.
    pub fn wait_for(&mut self, name: &str) -> io::Result<()> {
        let began = Instant::now();
        let question = ping(name);
        while let Err(error) = self.call(&question) {
            if began.elapsed() > WAIT_MAX {
                return Err(io::Error::other(format!("{name} is not on the bus: {error}")));
            }
            std::thread::sleep(LOOK_EACH);
        }
        Ok(())
    }

    /// Reads once, and counts what is whole.
    #[inline]
    pub fn read(&mut self) -> io::Result<()> {
        let read = self.stream.read(&mut self.buffer[self.kept..])?;
        if read == 0 {
            return Err(io::Error::other("closed by the session bus, or a message too large"));
        }
        let end = self.kept + read;
        let mut at = 0;
        while let Some(length) = whole(&self.buffer[at..end]) {
            self.take(at, at + length)?;
            at += length;
        }
        self.buffer.copy_within(at..end, 0);
        self.kept = end - at;
        Ok(())
    }

    /// The connection, for who only writes.
    pub fn into_stream(self) -> UnixStream {
        self.stream
    }

    /// Errors so far, by the name of the last.
    pub fn check(&self) -> io::Result<()> {
        match self.seen.errors {
            0 => Ok(()),
            count => Err(io::Error::other(format!("{count} errors, the last: {}", self.fault))),
        }
    }

    /// Begins to count anew.
    pub fn restart(&mut self) {
        self.seen = Seen::default();
    }

    #[inline]
    fn take(&mut self, from: usize, to: usize) -> io::Result<()> {
        let none = || io::Error::other("what came is no message of D-Bus");
        let incoming = Incoming::read(&self.buffer[from..to]).ok_or_else(none)?;
        const CALL: u8 = Kind::Call as u8;
        const RETURN: u8 = Kind::Return as u8;
        const SIGNAL: u8 = Kind::Signal as u8;
        match (incoming.kind, incoming.member) {
            (SIGNAL, "Message") => self.seen.messages += 1,
            (SIGNAL, "Lag" | "Failed") => {
                self.seen.errors += 1;
                self.fault = incoming.member.to_owned();
            }
            (SIGNAL, _) => {}
            (RETURN, _) => {
                self.seen.answers += 1;
                if self.name.is_empty() {
                    self.name = incoming.text().ok_or_else(none)?.to_owned();
                }
            }
            (CALL, "Ping") => {
                let answer = pong(&incoming);
                self.send(&answer)?;
            }
            (CALL, _) => {}
            _ => {
                self.seen.errors += 1;
                self.fault = incoming.error.to_owned();
            }
        }
        Ok(())
    }
}

/// The answer to a call that wants to know nothing.
fn pong(call: &Incoming<'_>) -> Vec<u8> {
    let answer = Message {
        flags: NO_REPLY_EXPECTED,
        destination: call.sender,
        reply_serial: call.serial,
        ..Message::of(Kind::Return)
    };
    let mut out = vec![];
    answer.write(&[], &mut out);
    out
}

/// The first call on every connection.
pub fn hello() -> Vec<u8> {
    let mut out = vec![];
    BusCall { member: "Hello", argument: None }.write(&mut out);
    out
}

/// The handshake, as the user who runs this. Messages follow.
pub fn authenticate<S: Read + Write>(socket: &mut S) -> io::Result<()> {
    let user = getuid().as_raw().to_string();
    let hexadecimal: String = user.bytes().map(|byte| format!("{byte:02x}")).collect();
    socket.write_all(format!("\0AUTH EXTERNAL {hexadecimal}\r\n").as_bytes())?;
    if !line(socket)?.starts_with(b"OK") {
        return Err(io::Error::other("authentication refused"));
    }
    socket.write_all(b"BEGIN\r\n")
}

/// One line of the handshake. Read byte by byte: what comes behind it is not ours.
fn line<S: Read>(socket: &mut S) -> io::Result<Vec<u8>> {
    let mut line = vec![];
    let mut byte = [0];
    while line.last() != Some(&b'\n') {
        socket.read_exact(&mut byte)?;
        line.push(byte[0]);
        if line.len() > LINE_BYTES_MAX {
            return Err(io::Error::other("no line of a handshake"));
        }
    }
    Ok(line)
}

#[cfg(test)]
mod tests {
    use super::super::bus1::delivered;
    use super::*;

    #[test]
    fn messages_are_counted_errors_told_and_pings_answered() {
        let (stream, mut bus) = UnixStream::pair().unwrap();
        let mut client = Client {
            stream,
            buffer: vec![0; BUFFER_BYTES],
            kept: 0,
            seen: Seen::default(),
            name: ":1.1".to_owned(),
            fault: String::new(),
        };
        let mut sent = delivered(":1.1", "a.b", "1");
        sent.extend(ping(":1.1"));
        let cut = sent.len() - 3;
        bus.write_all(&sent[..cut]).unwrap();
        client.read().unwrap();
        assert_eq!(client.seen, Seen { messages: 1, ..Seen::default() });
        bus.write_all(&sent[cut..]).unwrap();
        client.read().unwrap();
        client.check().unwrap();
        let mut answer = vec![0; 512];
        let read = bus.read(&mut answer).unwrap();
        assert_eq!(whole(&answer[..read]), Some(read));
        assert_eq!(Incoming::read(&answer[..read]).unwrap().kind, Kind::Return as u8);
        let lag = Message { member: "Lag", ..Message::of(Kind::Signal) };
        let mut sent = vec![];
        lag.write(&[], &mut sent);
        bus.write_all(&sent).unwrap();
        client.read().unwrap();
        assert!(client.check().unwrap_err().to_string().ends_with("Lag"));
        drop(bus);
        assert!(client.read().is_err());
    }
}
