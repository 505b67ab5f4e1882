//! One thread a connection, blocking reads and writes; runs of frames travel as one slice.
//!
//! A subscriber that doesn't read stops its publisher, which is all the flow control there is.

use crate::READ_BYTES_MAX;
use crate::frame;
use std::io::{self, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

type Writer = Arc<Mutex<UnixStream>>;
/// The writers of each topic's subscribers.
type Topics = RwLock<Vec<Vec<Writer>>>;

const STACK_BYTES: usize = 64 * 1024;
/// The read buffer of a connection that has not said much yet.
const FIRST_READ_BYTES: usize = 4096;

pub(crate) fn serve(path: &Path) -> io::Result<()> {
    let listener = UnixListener::bind(path)?;
    let topics: Arc<Topics> = Arc::new(RwLock::new(vec![vec![]; 256]));
    for stream in listener.incoming() {
        let stream = stream?;
        let topics = topics.clone();
        let writer = Arc::new(Mutex::new(stream.try_clone()?));
        std::thread::Builder::new().stack_size(STACK_BYTES).spawn(move || {
            let _end = read_all(stream, &writer, &topics);
            for subscribers in topics.write().unwrap_or_else(PoisonError::into_inner).iter_mut() {
                subscribers.retain(|subscriber| !Arc::ptr_eq(subscriber, &writer));
            }
        })?;
    }
    Ok(())
}

fn read_all(mut stream: UnixStream, own: &Writer, topics: &Topics) -> io::Result<()> {
    let mut buffer = vec![0; FIRST_READ_BYTES];
    let mut length = 0;
    loop {
        if length == buffer.len() {
            buffer.resize(READ_BYTES_MAX.max(buffer.len() * 2), 0);
        }
        let count = stream.read(&mut buffer[length..])?;
        if count == 0 {
            return Ok(());
        }
        length += count;
        if length == buffer.len() && length < READ_BYTES_MAX {
            buffer.resize(READ_BYTES_MAX, 0);
        }
        let used = forward(&buffer[..length], own, topics);
        buffer.copy_within(used..length, 0);
        length -= used;
    }
}

/// Writes each run of frames to whom it concerns; returns the bytes consumed.
fn forward(bytes: &[u8], own: &Writer, topics: &Topics) -> usize {
    let mut at = 0;
    while let Some(first) = frame::next(bytes, at) {
        let topic = usize::from(first.byte);
        let mut end = first.end;
        match first.operation {
            frame::SUBSCRIBE => {
                let mut topics = topics.write().unwrap_or_else(PoisonError::into_inner);
                topics[topic].push(own.clone());
            }
            frame::PING => {
                let _gone = locked(own).write_all(&bytes[at..end]);
            }
            _ => {
                end = frame::run_end(bytes, first);
                let topics = topics.read().unwrap_or_else(PoisonError::into_inner);
                for subscriber in &topics[topic] {
                    let _gone = locked(subscriber).write_all(&bytes[at..end]);
                }
            }
        }
        at = end;
    }
    at
}

fn locked(writer: &Writer) -> MutexGuard<'_, UnixStream> {
    writer.lock().unwrap_or_else(PoisonError::into_inner)
}
