//! A relay before a daemon's socket that plays one trick on the deliveries that pass: what a bus
//! would look like that loses messages without a word, or doubles them, or confuses their order.

use anyhow::{Context, Result};
use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

/// The kinds of frame that carry messages to a subscription.
const DELIVERIES: [u8; 2] = [0x83, 0x84];

/// What is done once, to the first delivery of a flood.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Trick {
    /// It is kept.
    Steal,
    /// It changes places with the next one: the count stays what it was.
    Swap,
    /// It is passed on twice.
    Double,
}

/// Listens beside the daemon's socket, for as long as the test's process lives.
pub(crate) fn before(daemon: &Path, trick: Trick) -> Result<PathBuf> {
    let path = daemon.with_file_name("thief.sock");
    let listener = UnixListener::bind(&path)?;
    let daemon = daemon.to_owned();
    let is_played = Arc::new(AtomicBool::new(false));
    thread::spawn(move || {
        for client in listener.incoming() {
            let daemon = UnixStream::connect(&daemon)?;
            relay(client?, daemon, trick, Arc::clone(&is_played))?;
        }
        Ok::<_, anyhow::Error>(())
    });
    Ok(path)
}

fn relay(
    client: UnixStream,
    daemon: UnixStream,
    trick: Trick,
    is_played: Arc<AtomicBool>,
) -> Result<()> {
    let (mut asked, mut asks) = (daemon.try_clone()?, client.try_clone()?);
    thread::spawn(move || {
        let _ = std::io::copy(&mut asks, &mut asked);
        let _ = asked.shutdown(std::net::Shutdown::Write);
    });
    thread::spawn(move || {
        let _ = answer(daemon, &client, trick, &is_played);
        let _ = client.shutdown(std::net::Shutdown::Both);
    });
    Ok(())
}

/// Passes frames on, and plays the trick if nobody has yet.
fn answer(
    mut daemon: UnixStream,
    mut client: &UnixStream,
    trick: Trick,
    is_played: &AtomicBool,
) -> Result<()> {
    let mut magic = [0; 4];
    daemon.read_exact(&mut magic)?;
    client.write_all(&magic)?;
    let mut held: Option<Vec<u8>> = None;
    loop {
        let mut length = [0; 4];
        daemon.read_exact(&mut length)?;
        let mut frame = length.to_vec();
        frame.resize(length.len() + usize::try_from(u32::from_le_bytes(length))?, 0);
        daemon.read_exact(frame.get_mut(length.len()..).context("no frame")?)?;
        let kind = frame.get(length.len()).context("an empty frame")?;
        let is_of_flood = frame.windows(6).any(|part| part == b".flood");
        let is_prey = DELIVERIES.contains(kind) && is_of_flood;
        if !is_prey || is_played.swap(true, Ordering::Relaxed) {
            client.write_all(&frame)?;
            if is_prey && let Some(held) = held.take() {
                client.write_all(&held)?;
            }
            continue;
        }
        match trick {
            Trick::Steal => {}
            Trick::Swap => held = Some(frame),
            Trick::Double => client.write_all(&[&frame[..], &frame].concat())?,
        }
    }
}
