//! Attacks through the session bus: publishes as fast as that takes them, and subscribers of them
//! that read, or don't.
//!
//! The publisher and each subscriber are programs of their own on the session bus. A subscriber
//! that reads does so in a thread and answers what its bus asks, as a D-Bus library would.

use super::attacks::{DEAF, Endless, WRITE_BYTES, ready};
use kith_benches::dbus::{Client, NAME, publish, subscribe};
use std::io::{self, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;

const TOPIC: &str = "attack.desktop";
const PAYLOAD_BYTES: usize = 128;

pub(super) fn desktop(socket: &Path, reads: bool) -> Endless {
    let mut held = vec![];
    if reads {
        read_all(subscriber(socket)?)?;
    } else {
        for _ in 0..DEAF {
            held.push(subscriber(socket)?);
        }
    }
    let mut publisher = Client::open(socket)?.into_stream();
    throw_away(publisher.try_clone()?)?;
    let payload = format!("\"{}\"", "x".repeat(PAYLOAD_BYTES - 2));
    let one = publish(NAME, TOPIC, &payload, false);
    let many = one.repeat(WRITE_BYTES / one.len());
    ready()?;
    loop {
        publisher.write_all(&many)?;
    }
}

fn subscriber(socket: &Path) -> io::Result<Client> {
    let mut client = Client::open(socket)?;
    client.wait_for(NAME)?;
    client.call(&subscribe(&format!("self.{TOPIC}")))?;
    Ok(client)
}

/// Reads in a thread. If that fails, or nothing comes for long, so has the attack.
fn read_all(mut client: Client) -> io::Result<()> {
    std::thread::Builder::new().name("subscriber".into()).spawn(move || {
        while client.read().is_ok() {}
        std::process::exit(1);
    })?;
    Ok(())
}

/// What a publisher is told is of calls that were too many.
fn throw_away(mut stream: UnixStream) -> io::Result<()> {
    stream.set_read_timeout(None)?;
    std::thread::Builder::new().name("publisher".into()).spawn(move || {
        let _gone = io::copy(&mut stream, &mut io::sink());
    })?;
    Ok(())
}
