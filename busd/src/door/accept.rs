//! Taking connections.
//!
//! Whoever may not come in is told why in one JSON line, which every client can at least show: the
//! framing is not known yet. The number of connections is kept below the number of file
//! descriptors, so there is always one left to accept with, refuse, and close.

use super::connection::serve;
use super::stream::Stream;
use crate::hub::Hub;
use crate::limits::ACCEPT_RETRY;
use crate::listen::{Accepting, peer_pid, peer_uid};
use kith_wire::{Code, Event, Refusal, json};
use rustix::net::SendFlags;
use rustix::process::geteuid;
use std::rc::Rc;
use tokio::net::UnixStream;

/// Takes connections, until it is dropped.
pub(crate) async fn accept(hub: Rc<Hub>, listener: &Accepting) {
    let mut has_warned = false;
    loop {
        match listener.listener().accept().await {
            Ok((stream, _)) => {
                if let Err((stream, refusal)) = take(&hub, stream) {
                    refuse(&stream, &refusal);
                    log_refusal(&stream, &refusal, &mut has_warned);
                }
                // To serve one takes longer than to take it, so whoever connects again and again
                // would fill the bus.
                hub.next_round().await;
            }
            Err(error) => {
                // Most often file descriptors that something else in this process has taken.
                tracing::error!(%error, "can't accept a connection; trying again");
                tokio::time::sleep(ACCEPT_RETRY).await;
            }
        }
    }
}

fn take(hub: &Rc<Hub>, stream: UnixStream) -> Result<(), (UnixStream, Refusal)> {
    let connected = match may_enter(&stream) {
        Ok(()) => hub.broker().connect(hub.now()),
        Err(refusal) => {
            hub.broker().count_refused_connection();
            Err(refusal)
        }
    };
    match connected {
        Ok(client) => {
            let pid = peer_pid(&stream);
            hub.gate.admit(&mut hub.broker(), hub.now().unix_ms, client, pid);
            hub.perform();
            let process = hub.fairness.process(pid);
            tokio::task::spawn_local(serve(
                Rc::clone(hub),
                Stream::Socket(stream),
                client,
                process,
                pid,
            ));
            Ok(())
        }
        Err(refusal) => Err((stream, refusal)),
    }
}

/// The first is worth a warning. Whoever connects again and again would fill the log, and a log
/// that nobody reads would stop the bus.
fn log_refusal(stream: &UnixStream, refusal: &Refusal, has_warned: &mut bool) {
    let (uid, pid) = (peer_uid(stream).ok(), peer_pid(stream));
    let reason = &refusal.text;
    if std::mem::replace(has_warned, true) {
        tracing::debug!(reason, uid, pid, "refused a connection");
    } else {
        tracing::warn!(reason, uid, pid, "refused a connection; further ones at level debug");
    }
}

/// The socket's mode keeps other users out; this holds even where somebody changed it.
fn may_enter(stream: &UnixStream) -> Result<(), Refusal> {
    let own = geteuid().as_raw();
    match peer_uid(stream) {
        Ok(uid) if uid == own => Ok(()),
        Ok(uid) => {
            let text = format!("this bus is user {own}'s, and the connection is user {uid}'s");
            Err(Refusal::fatal(Code::NotAllowed, text))
        }
        Err(error) => {
            let text = format!("the connection's user can't be told: {error}");
            Err(Refusal::fatal(Code::NotAllowed, text))
        }
    }
}

fn refuse(stream: &UnixStream, refusal: &Refusal) {
    let mut line = Vec::new();
    let Refusal { code, text, .. } = refusal;
    let event = Event::Err { number: None, code: Some(*code), text, at: None, fatal: true };
    json::deliver::event(&mut line, &event);
    // Straight to the socket, since the runtime has yet to learn that it can be written. It is new
    // and its buffer empty, so the line fits; if the peer has gone, so be it.
    let _ = rustix::net::send(stream, &line, SendFlags::NOSIGNAL | SendFlags::DONTWAIT);
}
