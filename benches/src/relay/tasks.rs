//! The usual tokio shape: a reader and a writer task for each connection, bounded channels of
//! shared slices between them; runs of frames travel as one slice, and no payload is copied.

use crate::READ_BYTES_MAX;
use crate::frame::{self, Frame};
use std::io::{self, IoSlice};
use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixListener;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::mpsc::{Receiver, Sender, channel};

/// The channels of each topic's subscribers.
type Topics = RwLock<Vec<Vec<Sender<Slice>>>>;

/// A part of a read buffer.
#[derive(Clone)]
struct Slice {
    buffer: Arc<Vec<u8>>,
    from: usize,
    to: usize,
}

impl Slice {
    fn bytes(&self) -> &[u8] {
        &self.buffer[self.from..self.to]
    }
}

/// Slices that may wait for a writer, and that it writes at once.
const SLICES_MAX: usize = 64;
/// The read buffer of a connection that has not said much yet.
const FIRST_READ_BYTES: usize = 4096;

pub(crate) async fn serve(path: &Path) -> io::Result<()> {
    let listener = UnixListener::bind(path)?;
    let topics: Arc<Topics> = Arc::new(RwLock::new(vec![vec![]; 256]));
    loop {
        let (stream, _) = listener.accept().await?;
        let (reader, writer) = stream.into_split();
        let (sender, receiver) = channel(SLICES_MAX);
        tokio::spawn(write_all(writer, receiver));
        tokio::spawn(read_all(reader, sender, topics.clone()));
    }
}

async fn write_all(mut writer: OwnedWriteHalf, mut receiver: Receiver<Slice>) {
    let mut slices: Vec<Slice> = Vec::with_capacity(SLICES_MAX);
    while receiver.recv_many(&mut slices, SLICES_MAX).await > 0 {
        let mut first = 0;
        while first < slices.len() {
            let parts: Vec<IoSlice<'_>> =
                slices[first..].iter().map(|slice| IoSlice::new(slice.bytes())).collect();
            let Ok(mut count @ 1..) = writer.write_vectored(&parts).await else { return };
            while count > 0 {
                let length = slices[first].bytes().len();
                if count >= length {
                    count -= length;
                    first += 1;
                } else {
                    slices[first].from += count;
                    count = 0;
                }
            }
        }
        slices.clear();
    }
}

async fn read_all(mut reader: OwnedReadHalf, own: Sender<Slice>, topics: Arc<Topics>) {
    let mut buffer = Vec::with_capacity(FIRST_READ_BYTES);
    while let Ok(1..) = reader.read_buf(&mut buffer).await {
        let shared = Arc::new(buffer);
        let mut at = 0;
        while let Some(first) = frame::next(&shared, at) {
            let is_publication = first.operation == frame::PUBLISH;
            let to = if is_publication { frame::run_end(&shared, first) } else { first.end };
            let slice = Slice { buffer: shared.clone(), from: at, to };
            forward(first, slice, &own, &topics).await;
            at = to;
        }
        buffer = behind(shared, at);
    }
    for subscribers in topics.write().unwrap_or_else(PoisonError::into_inner).iter_mut() {
        subscribers.retain(|subscriber| !subscriber.same_channel(&own));
    }
}

/// A buffer that begins with what a read left over, and has room for the next: the same one again
/// where no writer holds a slice of it.
fn behind(shared: Arc<Vec<u8>>, at: usize) -> Vec<u8> {
    let mut buffer = match Arc::try_unwrap(shared) {
        Ok(mut buffer) => {
            buffer.drain(..at);
            buffer
        }
        Err(shared) => shared[at..].to_vec(),
    };
    if buffer.capacity() - buffer.len() < READ_BYTES_MAX / 4 {
        buffer.reserve(READ_BYTES_MAX);
    }
    buffer
}

async fn forward(first: Frame, slice: Slice, own: &Sender<Slice>, topics: &Topics) {
    let topic = usize::from(first.byte);
    let receivers = match first.operation {
        frame::SUBSCRIBE => {
            let mut topics = topics.write().unwrap_or_else(PoisonError::into_inner);
            topics[topic].push(own.clone());
            return;
        }
        frame::PING => vec![own.clone()],
        _ => topics.read().unwrap_or_else(PoisonError::into_inner)[topic].clone(),
    };
    for receiver in receivers {
        let _gone = receiver.send(slice.clone()).await;
    }
}
