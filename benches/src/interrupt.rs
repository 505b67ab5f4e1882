//! Ctrl-C and SIGTERM: stop between two measurements, so that every broker is ended and the
//! temporary directory goes.
//!
//! A thread waits for the signal and sets a flag; the suites ask for it before each measurement and
//! give up through the usual error path, where destructors end what was started. Killed with
//! SIGKILL, the brokers stay behind: that could only be helped by a wrapper around each of them,
//! which would falsify their start-up time.

use anyhow::{Context, bail};
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::signal::unix::{SignalKind, signal};

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// Starts to watch; call once, before anything is started.
pub(crate) fn watch() -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (mut interrupt, mut terminate) = {
        let _context = runtime.enter();
        (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?)
    };
    let wait = move || {
        runtime.block_on(async {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
        });
        INTERRUPTED.store(true, Ordering::Relaxed);
    };
    std::thread::Builder::new().name("signals".into()).spawn(wait).context("signal thread")?;
    Ok(())
}

/// An error once a signal came.
pub(crate) fn check() -> anyhow::Result<()> {
    if INTERRUPTED.load(Ordering::Relaxed) {
        bail!("interrupted");
    }
    Ok(())
}
