//! One end of a pipe inside the process as tokio reads and writes: what a service in the daemon
//! has in place of a socket.

use super::pipe::End;
use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

impl AsyncRead for End {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        ready!(self.poll_read_ready(cx));
        // A client that asked for no descriptors gets no payloads beside the bytes.
        let read = self.try_read(buffer.initialize_unfilled(), &mut VecDeque::new())?;
        buffer.advance(read);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for End {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_write_ready(cx));
        Poll::Ready(self.try_write(slices, &[]))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        // It is closed when it is dropped, and nothing is held back until then.
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::super::pipe::pair;
    use crate::limits::PIPE_BYTES_MAX;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    #[tokio::test]
    async fn what_one_end_writes_the_other_reads_to_its_end() {
        let (mut one, mut other) = pair();
        let said = vec![7; 3 * PIPE_BYTES_MAX + 1];
        let expected = said.clone();
        let writing = async move {
            one.write_all(&said).await.unwrap();
            one.shutdown().await.unwrap();
        };
        let mut heard = Vec::new();
        let (_, read) = tokio::join!(writing, other.read_to_end(&mut heard));
        assert_eq!(read.unwrap(), expected.len());
        assert_eq!(heard, expected);
        let error = other.write_all(b"x").await.unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::BrokenPipe);
    }
}
