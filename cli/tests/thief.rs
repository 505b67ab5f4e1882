//! A relay before a daemon's socket that keeps one delivery for itself: what a bus would look like
//! that loses messages without a word.

use anyhow::{Context, Result};
use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

/// The kinds of frame that carry messages to a subscription.
const DELIVERIES: [u8; 2] = [0x83, 0x84];

/// Listens beside the daemon's socket, for as long as the test's process lives.
pub(crate) fn before(daemon: &Path) -> Result<PathBuf> {
    let path = daemon.with_file_name("thief.sock");
    let listener = UnixListener::bind(&path)?;
    let daemon = daemon.to_owned();
    let has_stolen = Arc::new(AtomicBool::new(false));
    thread::spawn(move || {
        for client in listener.incoming() {
            relay(client?, UnixStream::connect(&daemon)?, Arc::clone(&has_stolen))?;
        }
        Ok::<_, anyhow::Error>(())
    });
    Ok(path)
}

fn relay(client: UnixStream, daemon: UnixStream, has_stolen: Arc<AtomicBool>) -> Result<()> {
    let (mut asked, mut asks) = (daemon.try_clone()?, client.try_clone()?);
    thread::spawn(move || {
        let _ = std::io::copy(&mut asks, &mut asked);
        let _ = asked.shutdown(std::net::Shutdown::Write);
    });
    thread::spawn(move || {
        let _ = answer(daemon, &client, &has_stolen);
        let _ = client.shutdown(std::net::Shutdown::Both);
    });
    Ok(())
}

/// Passes frames on, but for the first that brings a message of a flood.
fn answer(mut daemon: UnixStream, mut client: &UnixStream, has_stolen: &AtomicBool) -> Result<()> {
    let mut magic = [0; 4];
    daemon.read_exact(&mut magic)?;
    client.write_all(&magic)?;
    loop {
        let mut length = [0; 4];
        daemon.read_exact(&mut length)?;
        let mut frame = vec![0; usize::try_from(u32::from_le_bytes(length))?];
        daemon.read_exact(&mut frame)?;
        let kind = frame.first().context("an empty frame")?;
        let is_of_flood = frame.windows(6).any(|part| part == b".flood");
        let is_prey = DELIVERIES.contains(kind) && is_of_flood;
        if !is_prey || has_stolen.swap(true, Ordering::Relaxed) {
            client.write_all(&length)?;
            client.write_all(&frame)?;
        }
    }
}
