//! Standard output and the notices on standard error, written by a thread of their own.
//!
//! A reader that is slow (`| less`) holds up that thread and nothing else: the connection is still
//! served, and Ctrl-C still works. What waits for it is bounded; when that is full, whoever writes
//! awaits, the daemon's queue fills, and the daemon counts what it drops. One thread for both
//! streams, so that on a terminal a notice stands where it belongs.

use crate::failure::{Failure, notice};
use crate::limits::BATCHES_MAX;
use crate::show::paint::Paint;
use std::io::{self, Write};
use tokio::sync::{mpsc, oneshot};

enum Piece {
    /// With whom to tell when it is written.
    Result(Vec<u8>, Option<oneshot::Sender<()>>),
    Notice(String),
}

/// Where a command that goes on for long prints.
pub(crate) struct Output {
    pieces: mpsc::Sender<Piece>,
    /// Until it was asked how writing ended.
    ended: Option<oneshot::Receiver<io::Result<()>>>,
    notice_paint: Paint,
}

impl Output {
    pub(crate) fn start(notice_paint: Paint) -> Result<Self, Failure> {
        let (pieces, receiver) = mpsc::channel(BATCHES_MAX);
        let (end, ended) = oneshot::channel();
        let work = move || drop(end.send(write_all(receiver)));
        let thread = std::thread::Builder::new().name("output".to_owned()).spawn(work);
        thread.map_err(|error| Failure::system("can't write in the background", &error))?;
        Ok(Self { pieces, ended: Some(ended), notice_paint })
    }

    /// For standard output. It is flushed after each call.
    pub(crate) async fn write(&mut self, bytes: Vec<u8>) -> Result<(), Failure> {
        self.put(Piece::Result(bytes, None)).await
    }

    /// The same, and waits until it is written and flushed.
    pub(crate) async fn write_through(&mut self, bytes: Vec<u8>) -> Result<(), Failure> {
        let (tell, told) = oneshot::channel();
        self.put(Piece::Result(bytes, Some(tell))).await?;
        if told.await.is_ok() {
            return Ok(());
        }
        outcome(self.ended.take()).await
    }

    /// For standard error: one line.
    pub(crate) async fn notice(&mut self, text: &str) -> Result<(), Failure> {
        let line = notice(text, self.notice_paint);
        self.put(Piece::Notice(line)).await
    }

    /// Waits until everything is written.
    pub(crate) async fn finish(self) -> Result<(), Failure> {
        let Self { pieces, ended, .. } = self;
        drop(pieces);
        outcome(ended).await
    }

    async fn put(&mut self, piece: Piece) -> Result<(), Failure> {
        if self.pieces.send(piece).await.is_ok() {
            return Ok(());
        }
        // The thread ends early only when writing fails.
        outcome(self.ended.take()).await
    }
}

async fn outcome(ended: Option<oneshot::Receiver<io::Result<()>>>) -> Result<(), Failure> {
    // It was told before.
    let Some(ended) = ended else { return Ok(()) };
    let written = ended.await.unwrap_or_else(|_| Err(io::Error::other("its thread is gone")));
    written.map_err(|error| Failure::from_output(&error))
}

fn write_all(mut pieces: mpsc::Receiver<Piece>) -> io::Result<()> {
    while let Some(piece) = pieces.blocking_recv() {
        match piece {
            Piece::Result(bytes, tell) => {
                print(&bytes)?;
                // Whoever wanted to know may have been stopped.
                let _ = tell.map(|tell| tell.send(()));
            }
            // Where nobody can be told, there is nobody to tell.
            Piece::Notice(text) => drop(io::stderr().lock().write_all(text.as_bytes())),
        }
    }
    Ok(())
}

/// Writes to standard output at once.
pub(crate) fn print(bytes: &[u8]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(bytes)?;
    out.flush()
}
