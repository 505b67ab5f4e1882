//! A connection inside the process: two streams of bytes between two threads, with payloads beside
//! them.
//!
//! It stands where a socket stands for clients outside, and behaves like one: it holds so much and
//! no more, a reader waits until there is something and a writer until there is room, and what one
//! end has said is read to its end after that end is gone. A socket would do; but each hop over one
//! costs system calls, and wakes both sides twice. Here a wake-up of the other thread is all that
//! there is.
//!
//! These are the only locks of the daemon. Each is held for as long as it takes to copy what fits,
//! never while anything is waited for or anybody is woken.

use crate::limits::{PIPE_BYTES_MAX, PIPE_KEPT_BYTES_MAX, PIPE_PAYLOADS_MAX};
use kith_sealed::SealedMemory;
use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

/// One end of a connection. Dropped, it is closed.
#[derive(Debug)]
pub(crate) struct End {
    incoming: Arc<Stream>,
    outgoing: Arc<Stream>,
}

/// One direction.
#[derive(Debug, Default)]
struct Stream(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    bytes: Vec<u8>,
    /// So many of them have been read.
    read: usize,
    payloads: VecDeque<Arc<SealedMemory>>,
    /// One of the ends is gone.
    closed: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

impl Stream {
    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing can panic while it is held.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn close(&self) {
        let wakers = {
            let mut state = self.lock();
            state.closed = true;
            [state.reader.take(), state.writer.take()]
        };
        wakers.into_iter().flatten().for_each(Waker::wake);
    }
}

impl State {
    fn waiting(&self) -> usize {
        self.bytes.len() - self.read
    }

    fn has_room(&self) -> bool {
        self.waiting() < PIPE_BYTES_MAX && self.payloads.len() < PIPE_PAYLOADS_MAX
    }
}

impl Drop for End {
    fn drop(&mut self) {
        self.incoming.close();
        self.outgoing.close();
    }
}

/// Two ends.
pub(crate) fn pair() -> (End, End) {
    let (one, other) = (Arc::<Stream>::default(), Arc::<Stream>::default());
    let near = End { incoming: Arc::clone(&one), outgoing: Arc::clone(&other) };
    (near, End { incoming: other, outgoing: one })
}

impl End {
    /// Waits until there is something to read, or never will be again.
    pub(crate) fn poll_read_ready(&self, cx: &Context<'_>) -> Poll<()> {
        let mut state = self.incoming.lock();
        if state.waiting() > 0 || state.closed {
            return Poll::Ready(());
        }
        state.reader = Some(cx.waker().clone());
        Poll::Pending
    }

    /// Reads what fits, and takes all payloads that have come: they may be ahead of their frames,
    /// as descriptors on a socket may be. Returns 0 where the other end is gone and all is read.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] where there is nothing to read.
    pub(crate) fn try_read(
        &self,
        buffer: &mut [u8],
        payloads: &mut VecDeque<Arc<SealedMemory>>,
    ) -> io::Result<usize> {
        let (read, writer) = {
            let mut state = self.incoming.lock();
            if state.waiting() == 0 && !state.closed {
                return Err(io::ErrorKind::WouldBlock.into());
            }
            payloads.append(&mut state.payloads);
            let rest = state.bytes.get(state.read..).unwrap_or_default();
            let read = rest.len().min(buffer.len());
            if let (Some(to), Some(from)) = (buffer.get_mut(..read), rest.get(..read)) {
                to.copy_from_slice(from);
            }
            state.read += read;
            if state.waiting() == 0 {
                state.read = 0;
                state.bytes.clear();
                state.bytes.shrink_to(PIPE_KEPT_BYTES_MAX);
            } else if PIPE_BYTES_MAX <= state.read {
                // Else a pipe that is never empty would keep all that it ever held.
                let read = std::mem::take(&mut state.read);
                state.bytes.drain(..read);
            }
            (read, state.writer.take())
        };
        if let Some(writer) = writer {
            writer.wake();
        }
        Ok(read)
    }

    /// Waits until there is room to write, or nobody reads any more.
    pub(crate) fn poll_write_ready(&self, cx: &Context<'_>) -> Poll<()> {
        let mut state = self.outgoing.lock();
        if state.has_room() || state.closed {
            return Poll::Ready(());
        }
        state.writer = Some(cx.waker().clone());
        Poll::Pending
    }

    /// Writes what there is room for, and with the first byte of it all these payloads. Returns how
    /// many bytes were taken.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] where there is no room, and [`io::ErrorKind::BrokenPipe`]
    /// where the other end is gone.
    pub(crate) fn try_write(
        &self,
        slices: &[IoSlice<'_>],
        payloads: &[Arc<SealedMemory>],
    ) -> io::Result<usize> {
        let (written, reader) = {
            let mut state = self.outgoing.lock();
            if state.closed {
                return Err(io::ErrorKind::BrokenPipe.into());
            }
            if !state.has_room() {
                return Err(io::ErrorKind::WouldBlock.into());
            }
            let mut room = PIPE_BYTES_MAX - state.waiting();
            let mut written = 0;
            for slice in slices {
                let part = slice.get(..slice.len().min(room)).unwrap_or_default();
                state.bytes.extend_from_slice(part);
                room -= part.len();
                written += part.len();
            }
            state.payloads.extend(payloads.iter().cloned());
            (written, state.reader.take())
        };
        if let Some(reader) = reader {
            reader.wake();
        }
        Ok(written)
    }

    /// Whether the other end is still there.
    pub(crate) fn is_open(&self) -> bool {
        !self.outgoing.lock().closed
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;

    /// Counts how often it was woken.
    #[derive(Default)]
    struct Counter(AtomicUsize);

    impl Wake for Counter {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn read(end: &End, room: usize) -> io::Result<Vec<u8>> {
        let mut buffer = vec![0; room];
        let read = end.try_read(&mut buffer, &mut VecDeque::new())?;
        buffer.truncate(read);
        Ok(buffer)
    }

    fn write(end: &End, bytes: &[u8]) -> io::Result<usize> {
        end.try_write(&[IoSlice::new(bytes)], &[])
    }

    #[test]
    fn what_is_written_is_read_in_order_and_then_the_end_of_it() {
        let (one, other) = pair();
        assert_eq!(read(&other, 1).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        let slices = [IoSlice::new(b"ab"), IoSlice::new(b""), IoSlice::new(b"cde")];
        assert_eq!(one.try_write(&slices, &[]).unwrap(), 5);
        assert_eq!(read(&other, 2).unwrap(), b"ab");
        assert_eq!(write(&one, b"f").unwrap(), 1);
        assert!(other.is_open());
        drop(one);
        assert!(!other.is_open());
        assert_eq!(read(&other, 9).unwrap(), b"cdef");
        assert_eq!(read(&other, 9).unwrap(), b"");
        assert_eq!(write(&other, b"x").unwrap_err().kind(), io::ErrorKind::BrokenPipe);
    }

    #[test]
    fn it_holds_so_much_and_no_more() {
        let (one, other) = pair();
        let more = vec![7; PIPE_BYTES_MAX + 10];
        assert_eq!(write(&one, &more).unwrap(), PIPE_BYTES_MAX);
        assert_eq!(write(&one, b"x").unwrap_err().kind(), io::ErrorKind::WouldBlock);
        assert_eq!(read(&other, 10).unwrap().len(), 10);
        assert_eq!(write(&one, &more).unwrap(), 10);
        let memory = Arc::new(SealedMemory::create(b"payload").unwrap());
        let (one, other) = pair();
        for _ in 0..PIPE_PAYLOADS_MAX {
            let payloads = [Arc::clone(&memory)];
            assert_eq!(one.try_write(&[IoSlice::new(b"x")], &payloads).unwrap(), 1);
        }
        assert_eq!(write(&one, b"x").unwrap_err().kind(), io::ErrorKind::WouldBlock);
        let mut payloads = VecDeque::new();
        assert_eq!(other.try_read(&mut [0], &mut payloads).unwrap(), 1);
        assert_eq!(payloads.len(), PIPE_PAYLOADS_MAX);
        assert_eq!(write(&one, b"x").unwrap(), 1);
    }

    #[test]
    fn one_that_is_never_empty_keeps_no_more_than_it_holds() {
        let (one, other) = pair();
        write(&one, &vec![7; PIPE_BYTES_MAX]).unwrap();
        for _ in 0..100 {
            assert_eq!(read(&other, 4 << 10).unwrap().len(), 4 << 10);
            assert_eq!(write(&one, &[7; 4 << 10]).unwrap(), 4 << 10);
            let state = one.outgoing.lock();
            assert!(state.bytes.len() <= 2 * PIPE_BYTES_MAX, "{}", state.bytes.len());
            assert_eq!(state.waiting(), PIPE_BYTES_MAX);
        }
    }

    #[test]
    fn who_waits_is_woken_once_and_nobody_else() {
        let (one, other) = pair();
        let counter = Arc::new(Counter::default());
        let waker = Waker::from(Arc::clone(&counter));
        let cx = Context::from_waker(&waker);
        let woken = || counter.0.load(Ordering::Relaxed);
        assert!(one.poll_write_ready(&cx).is_ready());
        assert!(other.poll_read_ready(&cx).is_pending());
        write(&one, b"ab").unwrap();
        write(&one, b"cd").unwrap();
        assert_eq!(woken(), 1);
        read(&other, 4).unwrap();
        assert_eq!(woken(), 1, "there was room all the time");
        write(&one, &vec![0; PIPE_BYTES_MAX]).unwrap();
        assert!(one.poll_write_ready(&cx).is_pending());
        read(&other, 1).unwrap();
        assert_eq!(woken(), 2);
        assert!(one.poll_write_ready(&cx).is_ready() && one.poll_read_ready(&cx).is_pending());
        drop(other);
        assert_eq!(woken(), 3);
        assert!(one.poll_read_ready(&cx).is_ready());
    }
}
