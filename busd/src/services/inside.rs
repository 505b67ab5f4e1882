//! A service in this process: on a thread and a runtime of its own.
//!
//! So one that panics ends alone, and one that waits for ever, or is busy for ever, keeps nobody
//! from anything. It can be told to end wherever it awaits. One that never does can't be ended: a
//! thread can't be killed without harm to the process. Then it is left alone, with what it has, and
//! reported as failed; its connection is closed all the same. A service that may hang runs as a
//! process.
//!
//! What it logs goes where the output of a process goes: to the host, under its name.

use super::instance::Reporter;
use super::supervisor::{Action, Failure};
use crate::door::End;
use crate::limits::SERVICE_BLOCKING_MAX;
use kith_plugins_api::{Bus, Service, ServiceError, Start, run};
use std::any::Any;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use tokio::runtime::Runtime;
use tokio::sync::oneshot;
use tracing_subscriber::fmt::MakeWriter;

/// A service on a thread.
#[derive(Debug)]
pub(super) struct Thread {
    /// Dropped to have it end.
    abort: Option<oneshot::Sender<()>>,
}

impl Thread {
    /// Starts it with this end of a pipe as its connection.
    ///
    /// # Errors
    /// If the system has no more threads.
    pub(super) fn start(
        service: Box<dyn Service>,
        stream: End,
        start: Start,
        reporter: Reporter,
    ) -> io::Result<Self> {
        let (abort, aborted) = oneshot::channel::<()>();
        let name = start.name.clone();
        std::thread::Builder::new().name(format!("kith-{name}")).spawn(move || {
            let lines = Lines(reporter.clone());
            let subscriber = tracing_subscriber::fmt()
                .with_max_level(tracing_subscriber::filter::LevelFilter::INFO)
                .with_ansi(false)
                .with_target(false)
                .without_time()
                .with_writer(lines)
                .finish();
            let how = tracing::subscriber::with_default(subscriber, || {
                serve(service, stream, start, aborted)
            });
            reporter.report_end(how);
        })?;
        Ok(Self { abort: Some(abort) })
    }

    pub(super) fn act(&mut self, action: Action) -> Option<Failure> {
        match action {
            Action::Start | Action::Dismiss => None,
            Action::Terminate => {
                self.abort = None;
                None
            }
            Action::Kill => Some(Failure::fatal(
                "its thread never awaits, and can't be stopped: only the daemon's end ends it",
            )),
        }
    }
}

fn serve(
    service: Box<dyn Service>,
    stream: End,
    start: Start,
    aborted: oneshot::Receiver<()>,
) -> Failure {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => return Failure::new(format!("can't start its runtime: {error}")),
    };
    let served = async {
        let bus = Bus::connect(stream, start).await;
        let bus = bus.map_err(|error| ServiceError::restart(error.to_string()))?;
        run(service, bus).await
    };
    let ended = finish(runtime, async {
        tokio::select! {
            biased;
            ended = served => Some(ended),
            // Nothing is ever sent: the end of the sender is what is waited for.
            _ = aborted => None,
        }
    });
    match ended {
        Ok(Some(Ok(()))) => Failure::new("ended by itself"),
        Ok(Some(Err(error))) if error.is_fatal() => Failure::fatal(error.to_string()),
        Ok(Some(Err(error))) => Failure::new(error.to_string()),
        Ok(None) => Failure::new("had to be stopped"),
        Err(panicked) => Failure::new(panicked),
    }
}

/// What comes of this, and the end of the runtime. What was left to blocking threads may never end;
/// then it is left alone.
///
/// # Errors
/// If it panics, with what it said.
fn finish<T>(runtime: Runtime, served: impl Future<Output = T>) -> Result<T, String> {
    let ended = caught(|| runtime.block_on(served));
    runtime.shutdown_timeout(SERVICE_BLOCKING_MAX);
    ended
}

/// What this code of a service returns.
///
/// # Errors
/// If it panics, with what it said.
pub(super) fn caught<T>(code: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(code)).map_err(|panic| format!("panicked: {}", said(&*panic)))
}

/// What a panic said.
fn said(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("of nothing")
}

/// Takes what a service logs, line by line.
#[derive(Clone)]
struct Lines(Reporter);

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // An event is written at once.
        for line in String::from_utf8_lossy(bytes).lines() {
            self.0.try_line(line.to_owned());
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    #[test]
    fn nobody_waits_for_blocking_threads_for_ever() {
        // Not dropped before the end.
        let (_never, waits) = mpsc::channel::<()>();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let ended = finish(runtime, async {
            tokio::task::spawn_blocking(move || waits.recv());
            std::panic::panic_any("as it was told to");
        });
        assert_eq!(ended.unwrap_err(), "panicked: as it was told to");
    }
}
