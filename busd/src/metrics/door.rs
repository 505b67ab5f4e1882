//! Connections that ask for the metrics: read a head, write an answer, close.
//!
//! Each way in takes a few connections at a time and leaves the others to the kernel, so whoever
//! opens very many waits for themselves, costs no more files, and wakes nobody. After each it waits
//! a little before it takes the next, so whoever asks as fast as they can gets little of the thread
//! that the bus needs. What a connection may take in time is counted from its beginning for all of
//! it, so one that sends a byte a second is no better off than one that sends nothing. The clock
//! runs only while somebody is connected, and that little while after.

use super::answer::{metrics, refusal};
use super::head::{BAD_REQUEST, Refused, Verdict, Way, judge};
use super::kept::Kept;
use super::snapshot::{Process, Snapshot, culprits};
use super::sockets::Serving;
use super::text::render;
use crate::hub::Hub;
use crate::limits::{
    ACCEPT_RETRY, METRICS_CONNECTIONS_MAX, METRICS_DISCARDED_BYTES_MAX, METRICS_HEAD_BYTES_MAX,
    METRICS_PAUSE, METRICS_TIME_MAX,
};
use crate::listen::peer_uid;
use rustix::process::geteuid;
use std::cell::RefCell;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::sync::Semaphore;
use tokio::time::timeout;

const OTHER_USER: Refused =
    Refused::new("403 Forbidden", "These are the metrics of another user's daemon.");
const TOO_SLOW: Refused =
    Refused::new("408 Request Timeout", "The request did not come in time: GET /metrics.");
const BROKEN_OFF: Refused =
    Refused::new(BAD_REQUEST, "The request ends before its head does: an empty line ends that.");

/// About what a request for the metrics takes.
const HEAD_BYTES_USUAL: usize = 512;

/// What every answer needs.
struct Source {
    hub: Rc<Hub>,
    started_at_ms: u64,
    kept: RefCell<Kept>,
}

/// Serves the metrics, until it is dropped.
pub(crate) async fn serve(hub: Rc<Hub>, serving: &Serving) {
    let started_at_ms = hub.now().unix_ms;
    let source = Rc::new(Source { hub, started_at_ms, kept: RefCell::default() });
    let socket = async {
        let Some(accepting) = &serving.socket else { return };
        let accept = async || accepting.listener().accept().await.map(|(stream, _)| stream);
        take(&source, accept, Way::Socket, is_own).await;
    };
    let tcp = async {
        let Some(listener) = &serving.tcp else { return };
        let accept = async || listener.accept().await.map(|(stream, _)| stream);
        take(&source, accept, Way::Tcp, |_| true).await;
    };
    tokio::join!(socket, tcp);
    // Where there is nothing to serve, there is nothing to end either.
    std::future::pending::<()>().await;
}

/// Takes connections that come by one way.
async fn take<S: AsyncRead + AsyncWrite + Unpin + 'static>(
    source: &Rc<Source>,
    accept: impl AsyncFn() -> io::Result<S>,
    way: Way,
    may_enter: fn(&S) -> bool,
) {
    let places = Arc::new(Semaphore::new(METRICS_CONNECTIONS_MAX));
    loop {
        // It is never closed.
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        match accept().await {
            Ok(stream) => {
                let source = Rc::clone(source);
                tokio::task::spawn_local(async move {
                    let may_enter = may_enter(&stream);
                    converse(&source, stream, way, may_enter).await;
                    drop(place);
                });
                tokio::time::sleep(METRICS_PAUSE).await;
            }
            Err(error) => {
                tracing::debug!(%error, "can't accept a connection to the metrics; trying again");
                tokio::time::sleep(ACCEPT_RETRY).await;
            }
        }
    }
}

/// The socket's mode keeps other users out; this holds even where somebody changed it.
fn is_own(stream: &UnixStream) -> bool {
    peer_uid(stream).is_ok_and(|uid| uid == geteuid().as_raw())
}

/// One connection, from its beginning to its end. Whatever fails has only to do with its peer.
async fn converse<S>(source: &Source, mut stream: S, way: Way, may_enter: bool)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let verdict = if may_enter {
        match timeout(METRICS_TIME_MAX, read(&mut stream, way)).await {
            Ok(Ok(Some(verdict))) => verdict,
            // It has gone, and said nothing before.
            Ok(Ok(None) | Err(_)) => return,
            Err(_) => Verdict::Refused(TOO_SLOW),
        }
    } else {
        Verdict::Refused(OTHER_USER)
    };
    let answer = match &verdict {
        Verdict::Metrics { is_head } => metrics(&source.text(), *is_head),
        Verdict::Refused(refused) => refusal(refused),
    };
    let in_time = timeout(METRICS_TIME_MAX, end(&mut stream, &answer)).await.is_ok();
    tracing::debug!(?way, ?verdict, in_time, "asked for metrics");
}

/// Reads until it is clear what to answer. Nothing if there is nobody to answer.
async fn read(stream: &mut (impl AsyncRead + Unpin), way: Way) -> io::Result<Option<Verdict>> {
    let mut head = Vec::with_capacity(HEAD_BYTES_USUAL);
    loop {
        let known = head.len();
        let room = u64::try_from(METRICS_HEAD_BYTES_MAX.saturating_sub(known)).unwrap_or(0);
        if (&mut *stream).take(room).read_buf(&mut head).await? == 0 {
            return Ok((known > 0).then_some(Verdict::Refused(BROKEN_OFF)));
        }
        // Looking at each byte that comes for itself would take the square of their number.
        let has_news = head.get(known..).is_some_and(|news| news.contains(&b'\n'));
        if (has_news || head.len() >= METRICS_HEAD_BYTES_MAX)
            && let Some(verdict) = judge(&head, way)
        {
            return Ok(Some(verdict));
        }
    }
}

/// Writes the answer, says that nothing follows, and lets the peer end what it is saying: closing
/// before that may take the answer from it.
async fn end(stream: &mut (impl AsyncRead + AsyncWrite + Unpin), answer: &[u8]) -> io::Result<()> {
    stream.write_all(answer).await?;
    stream.shutdown().await?;
    let mut scrap = [0; 512];
    let mut left = METRICS_DISCARDED_BYTES_MAX;
    while left > 0 {
        match stream.read(&mut scrap).await? {
            0 => break,
            bytes => left = left.saturating_sub(bytes),
        }
    }
    Ok(())
}

impl Source {
    /// The text of this moment, or of one not long before it.
    fn text(&self) -> Rc<str> {
        let now_ms = self.hub.now().monotonic_ms;
        self.kept.borrow_mut().text(now_ms, || render(&self.snapshot()))
    }

    /// The numbers of this moment.
    fn snapshot(&self) -> Snapshot {
        let clients = self.hub.clients();
        let broker = self.hub.broker();
        let clients = clients.into_iter().filter_map(|client| {
            Some((client.serial(), broker.name(client), broker.usage(client)?))
        });
        Snapshot {
            version: env!("CARGO_PKG_VERSION"),
            started_at_ms: self.started_at_ms,
            stats: broker.stats(),
            limits: broker.limits().clone(),
            culprits: culprits(clients, broker.limits()),
            process: Process::read(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{Clock, Offset};
    use crate::grants::Gate;
    use kith_core::{Broker, Limits};
    use std::time::Duration;
    use tokio::io::{DuplexStream, duplex};

    /// Less than an answer, so that it has to be read before it is written whole.
    const BUFFER_BYTES: usize = 64;

    /// Asks on a connection of its own, and returns its end and the conversation.
    async fn ask(source: &Source) -> (DuplexStream, impl Future<Output = ()>) {
        let (near, mut far) = duplex(BUFFER_BYTES);
        far.write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
        (far, converse(source, near, Way::Tcp, true))
    }

    /// Sockets have so much room that no answer fills it; here there is none.
    #[tokio::test]
    async fn who_does_not_read_is_left_after_a_while_and_another_gets_all_of_it() {
        let broker = Broker::new(Limits::default(), 1);
        let hub = Rc::new(Hub::new(broker, Gate::open(None), Clock::start(Offset::default())));
        let source = Source { hub, started_at_ms: 0, kept: RefCell::default() };
        let (mut deaf, to_deaf) = ask(&source).await;
        let (mut reader, to_reader) = ask(&source).await;
        let mut text = String::new();
        let begun = std::time::Instant::now();
        let read = async {
            reader.read_to_string(&mut text).await.unwrap();
            drop(reader);
            begun.elapsed()
        };
        let ((), (), read_after) = tokio::join!(to_deaf, to_reader, read);
        assert!(text.starts_with("HTTP/1.1 200 OK\r\n") && text.ends_with("# EOF\n"), "{text}");
        assert!(read_after < METRICS_TIME_MAX, "the deaf one was waited for");
        assert!(begun.elapsed() + Duration::from_millis(1) >= METRICS_TIME_MAX);
        let mut rest = Vec::new();
        deaf.read_to_end(&mut rest).await.unwrap();
        assert_eq!(rest.len(), BUFFER_BYTES, "what had room, and no more");
    }
}
