//! Work on a thread and a runtime of its own: as near as one process gets to another program.

use crate::failure::Failure;
use std::io;
use tokio::sync::oneshot;

/// Starts it, and gives what is to be awaited for its result. If that is dropped, the work goes on
/// to its end, which everything here has, or to that of the process.
pub(super) fn start<T, W, F>(
    name: &str,
    work: W,
) -> Result<impl Future<Output = Result<T, Failure>> + use<T, W, F>, Failure>
where
    T: Send + 'static,
    W: FnOnce() -> F + Send + 'static,
    F: Future<Output = Result<T, Failure>> + 'static,
{
    let (done, result) = oneshot::channel();
    let run = move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| Failure::system("can't start a runtime", &error));
        // Whoever asked may not be there any more.
        let _ = done.send(runtime.and_then(|runtime| runtime.block_on(work())));
    };
    let thread = std::thread::Builder::new().name(name.to_owned()).spawn(run);
    thread.map_err(|error| Failure::system("can't start a thread", &error))?;
    Ok(async move {
        let gone = |_| {
            let error = io::Error::other("its thread has ended");
            Err(Failure::system("a part of the measurement is gone", &error))
        };
        result.await.unwrap_or_else(gone)
    })
}
