//! What an attacker does. Each goes on until a call fails, which is when the daemon is gone.

use super::desktop::desktop;
use super::frames::{MAGIC, ping, publish, publish_retained, request, subscribe, unsubscribe};
use std::convert::Infallible;
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

/// What one write of a flood carries at least.
pub(super) const WRITE_BYTES: usize = 64 << 10;
/// Connections that subscribe and never read.
pub(super) const DEAF: usize = 4;
/// Subscriptions that come and go, of each round.
const SUBSCRIPTIONS: u32 = 10_000;
/// Values that are kept, of each round: under what one connection may.
const KEPT: u32 = 30_000;
/// Connections that send one byte at a time.
const SLOW: usize = 500;
/// Between two bytes of the crowd: each of it sends ten a second.
const SLOW_PAUSE: Duration = Duration::from_micros(200);
/// The largest payload that the daemon takes.
const HUGE_BYTES: usize = 16 << 20;
const FLOOD_TOPIC: &str = "attack.flood";

/// What is done to the daemon.
#[derive(Clone, Copy, clap::ValueEnum)]
pub(crate) enum Attack {
    /// Nothing: only the core is kept busy.
    Burn,
    /// Publishes, for nobody.
    Flood,
    /// Publishes to subscribers that never read.
    Deaf,
    /// Begins and ends subscriptions.
    Subscribe,
    /// Keeps values, and asks for all of them.
    Retain,
    /// Connects and leaves in the middle of a frame.
    Connect,
    /// Sends a byte ten times a second, on each of many connections.
    Slow,
    /// The same without a pause.
    Drip,
    /// Connects and sends noise.
    Garbage,
    /// Publishes the largest messages to itself.
    Huge,
    /// Asks what nobody answers.
    Request,
    /// Publishes through the session bus, and reads what it publishes. The socket is that bus's.
    Desktop,
    /// The same with subscribers that never read.
    DesktopDeaf,
}

/// Does it until the daemon is gone.
pub(crate) fn run(attack: Attack, socket: &Path) -> anyhow::Result<()> {
    let Err(error) = match attack {
        Attack::Burn => burn(),
        Attack::Flood => flood(socket),
        Attack::Deaf => deaf(socket),
        Attack::Subscribe => storm(socket),
        Attack::Retain => retain(socket),
        Attack::Connect => connect(socket),
        Attack::Slow => slow(socket, SLOW_PAUSE),
        Attack::Drip => slow(socket, Duration::ZERO),
        Attack::Garbage => garbage(socket),
        Attack::Huge => huge(socket),
        Attack::Request => requests(socket),
        Attack::Desktop => desktop(socket, true),
        Attack::DesktopDeaf => desktop(socket, false),
    };
    Err(error.into())
}

pub(super) type Endless = io::Result<Infallible>;

/// Tells the harness that everything is there. Not `println!`, which keeps it where this is a pipe.
pub(super) fn ready() -> io::Result<()> {
    let mut output = io::stdout().lock();
    output.write_all(b"ready\n")?;
    output.flush()
}

fn open(socket: &Path) -> io::Result<UnixStream> {
    let mut stream = UnixStream::connect(socket)?;
    stream.write_all(&MAGIC)?;
    Ok(stream)
}

/// A connection whose answers are read by a thread, which throws them away.
fn open_drained(socket: &Path) -> io::Result<UnixStream> {
    let stream = open(socket)?;
    let mut answers = stream.try_clone()?;
    std::thread::Builder::new().name("answers".into()).spawn(move || {
        let mut buffer = vec![0; WRITE_BYTES];
        while answers.read(&mut buffer).is_ok_and(|read| read > 0) {}
    })?;
    Ok(stream)
}

fn burn() -> Endless {
    ready()?;
    loop {
        std::hint::spin_loop();
    }
}

fn flood(socket: &Path) -> Endless {
    let mut stream = open(socket)?;
    ready()?;
    publish_on(&mut stream)
}

fn publish_on(stream: &mut UnixStream) -> Endless {
    let one = publish(FLOOD_TOPIC, &[b'x'; 128]);
    let many = one.repeat(WRITE_BYTES / one.len());
    loop {
        stream.write_all(&many)?;
    }
}

fn deaf(socket: &Path) -> Endless {
    let mut held = vec![];
    for _ in 0..DEAF {
        let mut stream = open(socket)?;
        stream.write_all(&subscribe(1, &format!("raw/self.{FLOOD_TOPIC}"), false))?;
        held.push(stream);
    }
    let mut stream = open(socket)?;
    ready()?;
    publish_on(&mut stream)
}

fn storm(socket: &Path) -> Endless {
    let mut stream = open_drained(socket)?;
    let begin = (1..=SUBSCRIPTIONS).map(|n| subscribe(n, &format!("*/self.storm.*.n{n}"), false));
    let end = (1..=SUBSCRIPTIONS).map(|n| unsubscribe(SUBSCRIPTIONS + n, n));
    let round: Vec<u8> = begin.chain(end).flatten().collect();
    ready()?;
    loop {
        stream.write_all(&round)?;
    }
}

fn retain(socket: &Path) -> Endless {
    let mut stream = open_drained(socket)?;
    let keep = (1..=KEPT).map(|n| publish_retained(&format!("kept.n{n}"), &[b'x'; 64]));
    let look = [subscribe(1, "raw/self.kept.>", true), unsubscribe(2, 1)];
    let round: Vec<u8> = keep.chain(look).flatten().collect();
    ready()?;
    loop {
        stream.write_all(&round)?;
    }
}

fn connect(socket: &Path) -> Endless {
    let one = subscribe(1, "self.attack", false);
    let half = one.get(..one.len() / 2).unwrap_or_default();
    ready()?;
    loop {
        open(socket)?.write_all(half)?;
    }
}

fn slow(socket: &Path, pause: Duration) -> Endless {
    let mut crowd = vec![];
    for _ in 0..SLOW {
        crowd.push(open(socket)?);
    }
    let frame = ping();
    ready()?;
    loop {
        for byte in &frame {
            for stream in &mut crowd {
                stream.write_all(&[*byte])?;
                if !pause.is_zero() {
                    std::thread::sleep(pause);
                }
            }
        }
    }
}

fn garbage(socket: &Path) -> Endless {
    // After the magic it is frames that say they are 12 bytes long, of no kind that there is.
    let noise = [8, 0, 0, 0, 0xEE, 1, 2, 3, 4, 5, 6, 7].repeat(300);
    ready()?;
    loop {
        let mut stream = open(socket)?;
        // It is cut off in the middle.
        let _ = stream.write_all(&noise);
        let _ = stream.read_to_end(&mut vec![]);
    }
}

fn huge(socket: &Path) -> Endless {
    let mut stream = open_drained(socket)?;
    stream.write_all(&subscribe(1, &format!("raw/self.{FLOOD_TOPIC}"), false))?;
    let one = publish(FLOOD_TOPIC, &vec![b'x'; HUGE_BYTES]);
    ready()?;
    loop {
        stream.write_all(&one)?;
    }
}

fn requests(socket: &Path) -> Endless {
    let mut stream = open_drained(socket)?;
    let round: Vec<u8> = (1..=1_000).flat_map(|n| request(n, "attack.nobody")).collect();
    ready()?;
    loop {
        stream.write_all(&round)?;
    }
}
