//! The door's thread: it looks for the session bus, stays while that is there, and looks again.
//!
//! A session bus that isn't there is said once, and so is one that has ended; in between it is
//! tried again at longer and longer intervals. The daemon serves its socket in any case.

use super::breath::Breath;
use super::description::Facts;
use super::place::Place;
use super::session::Session;
use crate::door::Intake;
use crate::limits::{
    DBUS_ANSWER_TIME_MAX, DBUS_QUEUED_MESSAGES_MAX, DBUS_RETRY_MAX, DBUS_RETRY_MIN,
};
use futures_core::Stream;
use std::future::poll_fn;
use std::io;
use std::num::NonZeroUsize;
use std::pin::Pin;
use std::rc::Rc;
use std::time::Duration;
use tokio::sync::{oneshot, watch};
use tokio::task::LocalSet;
use zbus::{Connection, Message, MessageStream, connection};

/// The door, from outside its thread. It closes when this is dropped.
pub(crate) struct Door {
    facts: watch::Sender<Facts>,
    stop: Option<oneshot::Sender<()>>,
    ended: Option<oneshot::Receiver<()>>,
}

impl Door {
    /// Opens the door on the session bus at `place`, now or as soon as that is there.
    pub(crate) fn open(place: Place, facts: Facts, intake: Intake) -> io::Result<Self> {
        let breath = Breath::default();
        let sleeping = breath.clone();
        let mut builder = tokio::runtime::Builder::new_current_thread();
        let runtime = builder.on_thread_park(move || sleeping.take()).enable_all().build()?;
        let (facts, told) = watch::channel(facts);
        let (stop, mut stopped) = oneshot::channel();
        let (alive, ended) = oneshot::channel();
        std::thread::Builder::new().name("kith-dbus".to_owned()).spawn(move || {
            LocalSet::new().block_on(&runtime, async {
                tokio::select! {
                    () = stay(&place, &told, &intake, &breath) => {}
                    _ = &mut stopped => {}
                }
            });
            drop(alive);
        })?;
        Ok(Self { facts, stop: Some(stop), ended: Some(ended) })
    }

    /// Has programs told of what has changed.
    pub(crate) fn tell(&self, facts: Facts) {
        self.facts.send_if_modified(|told| {
            let differs = *told != facts;
            *told = facts;
            differs
        });
    }

    /// Leaves the session bus, and waits until that is done.
    pub(crate) async fn close(mut self) {
        drop(self.stop.take());
        if let Some(ended) = self.ended.take() {
            // Nothing is ever sent: the end of the other side is what is waited for.
            let _ = ended.await;
        }
    }
}

/// Serves programs whenever there is a session bus. Ends with the one that started the daemon.
async fn stay(place: &Place, facts: &watch::Receiver<Facts>, intake: &Intake, breath: &Breath) {
    let Place { address, source, has_started_us } = place;
    let mut wait = DBUS_RETRY_MIN;
    let mut is_said = false;
    loop {
        match connect(address).await {
            Ok(stream) => {
                let connection = Connection::from(&stream);
                let (intake, told, breath) = (intake.clone(), facts.clone(), breath.clone());
                let session = Session::new(connection, intake, told, breath).await;
                match visit(Rc::new(session), stream, facts.clone()).await {
                    Ok(()) if *has_started_us => return,
                    Ok(()) => {
                        tracing::warn!(address, "the session bus has ended; waiting for the next");
                        is_said = true;
                        wait = DBUS_RETRY_MIN;
                    }
                    Err(error) => {
                        tracing::warn!(address, %error, "lost the session bus; trying again");
                        is_said = true;
                    }
                }
            }
            Err(error) => say(&mut is_said, address, source, &error),
        }
        tokio::time::sleep(wait).await;
        wait = longer(wait);
    }
}

fn longer(wait: Duration) -> Duration {
    (wait * 2).min(DBUS_RETRY_MAX)
}

/// Says once that the session bus can't be used.
fn say(is_said: &mut bool, address: &str, source: &str, error: &zbus::Error) {
    if std::mem::replace(is_said, true) {
        tracing::debug!(address, %error, "the session bus is still not there");
    } else {
        tracing::warn!(
            address,
            %error,
            "no session bus at the address of {source}: programs reach the bus by its socket, and \
             by D-Bus as soon as that is there"
        );
    }
}

async fn connect(address: &str) -> zbus::Result<MessageStream> {
    let mut builder = connection::Builder::address(address).method_timeout(DBUS_ANSWER_TIME_MAX);
    if let Some(queued_max) = NonZeroUsize::new(DBUS_QUEUED_MESSAGES_MAX) {
        builder = builder.max_queued(queued_max);
    }
    builder.build().await.map(MessageStream::from)
}

/// Stays on a session bus until that ends.
async fn visit(
    session: Rc<Session>,
    mut stream: MessageStream,
    mut facts: watch::Receiver<Facts>,
) -> zbus::Result<()> {
    let asking = Rc::clone(&session);
    // Beside the loop, which has to look at messages all the time.
    let mut asked = tokio::task::spawn_local(async move { asking.own_name().await });
    let mut is_answered = false;
    facts.mark_unchanged();
    let ended = loop {
        tokio::select! {
            answer = &mut asked, if !is_answered => {
                is_answered = true;
                if let Ok(Err(error)) = answer {
                    tracing::warn!(
                        %error,
                        "this session bus does not let the daemon have its name; programs reach \
                         the bus by its socket"
                    );
                }
            }
            message = next(&mut stream) => match message {
                Some(Ok(message)) => session.take(message).await,
                Some(Err(error)) if !is_end(&error) => break Err(error),
                Some(Err(_)) | None => break Ok(()),
            },
            changed = facts.changed() => match changed {
                Ok(()) => session.tell_changed().await,
                // The daemon ends, and this with it.
                Err(_) => std::future::pending().await,
            },
        }
    };
    session.end();
    ended
}

/// Whether the session bus has ended, or closed the connection: anything else has failed here.
fn is_end(error: &zbus::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
    let zbus::Error::InputOutput(error) = error else { return false };
    matches!(error.kind(), BrokenPipe | ConnectionAborted | ConnectionReset | UnexpectedEof)
}

async fn next(stream: &mut MessageStream) -> Option<zbus::Result<Message>> {
    poll_fn(|cx| Pin::new(&mut *stream).poll_next(cx)).await
}
