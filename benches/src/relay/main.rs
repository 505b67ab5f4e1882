//! `kith-bench-relay MODE SOCKET`: minimal relays, the ceiling for a broker that is one process.
//!
//! | mode | what |
//! | --- | --- |
//! | `route` | one epoll thread that looks up each message's text topic |
//! | `epoll` | one epoll thread; runs of frames of one topic travel as one slice |
//! | `threads` | one thread a connection, blocking; the same slices |
//! | `tokio1`, `tokio2` | tokio, one or two threads, two tasks a connection; the same slices |
//!
//! What they leave out is everything that a bus is for: patterns, checks, limits on memory, news of
//! a loss, and frames larger than one read. They are no examples of how to write one.
#![allow(
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "the ceiling for a broker; it is fed by our own clients, and dies with their run"
)]

mod epoll;
mod frame;
mod poll;
mod route;
mod tasks;
mod threads;

use anyhow::{Context, bail};
use rustix::process::{Signal, set_parent_process_death_signal};
use std::path::Path;
use tokio::runtime::Builder;

/// The most that one read brings.
const READ_BYTES_MAX: usize = 256 * 1024;
/// Bytes that may wait for a subscriber before the publisher is paused.
const WAITING_BYTES_MAX: usize = 4 << 20;

fn main() -> anyhow::Result<()> {
    set_parent_process_death_signal(Some(Signal::TERM))?;
    let mut arguments = std::env::args().skip(1);
    let usage = "kith-bench-relay route|epoll|threads|tokio1|tokio2 SOCKET";
    let mode = arguments.next().context(usage)?;
    let path = arguments.next().context(usage)?;
    let path = Path::new(&path);
    match mode.as_str() {
        "route" => route::serve(path)?,
        "epoll" => epoll::serve(path)?,
        "threads" => threads::serve(path)?,
        "tokio1" => {
            Builder::new_current_thread().enable_all().build()?.block_on(tasks::serve(path))?;
        }
        "tokio2" => {
            let mut builder = Builder::new_multi_thread();
            builder.worker_threads(2).enable_all().build()?.block_on(tasks::serve(path))?;
        }
        _ => bail!("{usage}"),
    }
    Ok(())
}
