//! `kith-bench-attacker`: a program that means no good, for the suite `neighbour`.
//!
//! It does one thing to a Kith daemon, as fast as it can, until it is ended, or its parent is. A
//! process of its own, so that it can be pinned to a core and its CPU time be told from that of the
//! neighbours; `burn` is the control: as busy as can be, and not connected at all. What an attack
//! takes is started first; then it says `ready` on standard output.
//!
//! Deliberately absent: answers that are looked at. What comes is thrown away, or not even read,
//! according to the attack.
#![allow(
    clippy::cast_possible_truncation,
    reason = "frames and numbers of our own making, which are small"
)]

mod attacks;
mod desktop;
mod frames;

use anyhow::Context;
use clap::Parser;
use rustix::process::{Signal, set_parent_process_death_signal};
use std::path::PathBuf;

/// Does one thing to a daemon, without end.
#[derive(Parser)]
#[command(name = "kith-bench-attacker")]
struct CommandLine {
    attack: attacks::Attack,
    /// The daemon's socket, or that of the session bus that the daemon is on.
    socket: PathBuf,
}

fn main() -> anyhow::Result<()> {
    let CommandLine { attack, socket } = CommandLine::parse();
    // Else it would go on for ever where the harness is killed.
    set_parent_process_death_signal(Some(Signal::TERM)).context("following the parent")?;
    attacks::run(attack, &socket)
}
