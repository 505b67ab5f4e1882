//! What a connection runs on: the daemon's socket, or any other stream of bytes.
//!
//! The socket keeps its own halves, since descriptors come and go on it and since it is the hot
//! path: which of the two it is costs a comparison for each read. Any other stream (a pipe inside
//! the process, a test's) is boxed: one call through a table beside a copy of what it carries.
//!
//! Deliberately absent: connecting again on another stream. Whoever made the stream knows where
//! the next one would come from.

use crate::descriptors::{self, Taking};
use kith_sealed::SealedMemory;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::net::unix;

/// Any stream but the socket.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

/// A connection, before it is cut into halves.
pub(crate) enum Link {
    Socket(UnixStream),
    Other(Box<dyn Stream>),
}

/// The half that is read.
pub(crate) enum Reader<'a> {
    Socket(unix::ReadHalf<'a>),
    Other(tokio::io::ReadHalf<&'a mut Box<dyn Stream>>),
}

/// The half that is written.
pub(crate) enum Writer<'a> {
    Socket(unix::WriteHalf<'a>),
    Other(tokio::io::WriteHalf<&'a mut Box<dyn Stream>>),
}

impl Link {
    pub(crate) fn halves(&mut self) -> (Reader<'_>, Writer<'_>) {
        match self {
            Self::Socket(socket) => {
                let (reader, writer) = socket.split();
                (Reader::Socket(reader), Writer::Socket(writer))
            }
            Self::Other(stream) => {
                let (reader, writer) = tokio::io::split(stream);
                (Reader::Other(reader), Writer::Other(writer))
            }
        }
    }
}

impl Reader<'_> {
    /// Reads once, and appends the bytes.
    pub(crate) async fn read(
        &mut self,
        taking: &mut Option<Taking>,
        buffer: &mut Vec<u8>,
    ) -> io::Result<usize> {
        match (self, taking) {
            (Self::Socket(socket), None) => socket.read_buf(buffer).await,
            (Self::Socket(socket), Some(taking)) => taking.read(socket.as_ref(), buffer).await,
            (Self::Other(stream), _) => stream.read_buf(buffer).await,
        }
    }
}

impl Writer<'_> {
    /// Writes once, with the descriptors of these.
    pub(crate) async fn write(
        &mut self,
        bytes: &[u8],
        sealed: &[Arc<SealedMemory>],
    ) -> io::Result<usize> {
        match (self, sealed) {
            (Self::Socket(socket), []) => socket.write(bytes).await,
            (Self::Socket(socket), sealed) => {
                descriptors::write(socket.as_ref(), bytes, sealed).await
            }
            (Self::Other(stream), _) => stream.write(bytes).await,
        }
    }

    /// Says that nothing follows.
    pub(crate) async fn shutdown(&mut self) {
        // Whoever is gone needn't be told.
        let _ = match self {
            Self::Socket(socket) => socket.shutdown().await,
            Self::Other(stream) => stream.shutdown().await,
        };
    }
}

/// Which of two came first.
pub(crate) enum Either<A, B> {
    First(A),
    Second(B),
}

/// Waits for one of two, and looks at the second one first if asked to. Where both are always ready
/// the caller takes turns; so neither starves, and no chance decides.
pub(crate) async fn either<A, B>(
    first: impl Future<Output = A>,
    second: impl Future<Output = B>,
    is_second_first: bool,
) -> Either<A, B> {
    let (mut first, mut second) = (pin!(first), pin!(second));
    std::future::poll_fn(move |context| {
        if is_second_first && let Poll::Ready(second) = second.as_mut().poll(context) {
            return Poll::Ready(Either::Second(second));
        }
        if let Poll::Ready(first) = first.as_mut().poll(context) {
            return Poll::Ready(Either::First(first));
        }
        if !is_second_first && let Poll::Ready(second) = second.as_mut().poll(context) {
            return Poll::Ready(Either::Second(second));
        }
        Poll::Pending
    })
    .await
}
