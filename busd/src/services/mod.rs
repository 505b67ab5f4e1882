//! The host of services: plugins that talk with the world through the bus alone.
//!
//! A service is compiled in and has a thread of its own, or is any program and has a process. To
//! the bus both are the same: a client that showed a token, with the rights of its manifest. The
//! broker holds it to those (`kith-core`, `standing.rs`); here it is started, watched, restarted
//! and stopped.
//!
//! - `host.rs`: the owner of it all; `starting.rs`: how one is started; `alive.rs`: what those do
//!   that run; `asked.rs`: what people ask;
//! - `supervisor.rs`: what becomes of one service, as a function of what happens; `entry.rs`: all
//!   that is known of it; `record.rs`: what was enabled; `logs.rs`: what it says;
//! - `instance.rs`: a running one; `inside.rs`: on a thread; `process.rs`: as a process;
//! - `registry.rs`: those that are built in.
//!
//! Whether a service lives is asked only after something was sent to it, so a hundred that have
//! nothing to do wake nobody.
//!
//! Deliberately absent: any way for a service to the daemon but its connection.

mod alive;
mod asked;
mod entry;
mod host;
mod inside;
mod instance;
mod logs;
mod process;
mod record;
mod registry;
mod starting;
mod supervisor;

pub(crate) use host::Setup;
pub(crate) use registry::{BuiltIn, Make, all as built_in};

use crate::hub::Hub;
use crate::limits::{ANSWERS_PER_TURN_MAX, SERVICE_EVENTS_MAX, SERVICES_STOP_MAX};
use host::Host;
use kith_core::Notice;
use kith_wire::{Code, Refusal};
use std::rc::Rc;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// The host, while it runs.
pub(crate) struct Hosted {
    /// Dropped to have it end.
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Hosted {
    /// Starts all services that are enabled.
    pub(crate) fn start(hub: &Rc<Hub>, setup: Setup) -> Self {
        let (stop, stopped) = oneshot::channel();
        let task = tokio::task::spawn_local(serve(Rc::clone(hub), setup, stopped));
        Self { stop, task }
    }

    /// Has all of them end, and waits for that, but not for ever.
    pub(crate) async fn end(self) {
        drop(self.stop);
        if timeout(SERVICES_STOP_MAX, self.task).await.is_err() {
            tracing::warn!("some services did not end; they end with the daemon");
        }
    }
}

/// Runs services until the other end of `stop` is gone, and then until they have ended.
async fn serve(hub: Rc<Hub>, setup: Setup, mut stop: oneshot::Receiver<()>) {
    let (sender, mut events) = mpsc::channel(SERVICE_EVENTS_MAX);
    let configured = setup.configured.clone();
    let mut host = Host::new(Rc::clone(&hub), setup, sender);
    let mut changes = hub.services.subscribe();
    hub.broker().ask_shell();
    host.configure(configured);
    let mut is_stopping = false;
    loop {
        if take_notices(&hub, &mut host) {
            hub.next_round().await;
            continue;
        }
        if hub.is_stirred() {
            host.stir();
        }
        if is_stopping && !host.has_instances() {
            return;
        }
        let due = [host.poll_timeout(), hub.grants_due_ms()].into_iter().flatten().min();
        let due = due.map(|due_ms| hub.instant(due_ms));
        tokio::select! {
            Some(event) = events.recv() => {
                host.hear(event);
                // Others come first: a service may have much to say.
                tokio::task::yield_now().await;
            }
            () = hub.host_notified() => {}
            () = sleep_until(due), if due.is_some() => {
                hub.review_grants_if_due();
                host.handle_timeout();
            }
            Ok(()) = changes.changed(), if !is_stopping => {
                let configured = changes.borrow_and_update().clone();
                host.configure(configured);
            }
            _ = &mut stop, if !is_stopping => {
                is_stopping = true;
                host.stop_all();
            }
        }
    }
}

async fn sleep_until(due: Option<std::time::Instant>) {
    if let Some(due) = due {
        tokio::time::sleep_until(due.into()).await;
    }
}

/// Does what the broker told.
///
/// Answers not too many questions at once: then there is more to do, and others come first.
fn take_notices(hub: &Hub, host: &mut Host) -> bool {
    let mut answers_left = ANSWERS_PER_TURN_MAX;
    while answers_left > 0 {
        let Some(notice) = hub.broker().poll_notice() else { break };
        match notice {
            Notice::Entered { service, client } => host.entered(&service, client),
            Notice::Left { service, client, usage } => host.left(&service, client, usage),
            Notice::CutOff { client, code } => host.cut_off(client, code),
            Notice::Ready(client) => {
                if let Some(name) = host.of(client) {
                    host.act(&name, |entry, now_ms| {
                        entry.supervisor.is_ready(now_ms);
                        None
                    });
                }
            }
            Notice::Health { client, payload } => host.health(client, &payload),
            Notice::Refused { client, code, text, count } => {
                let service = host.of(client).unwrap_or_default();
                tracing::warn!(service, code = code.name(), count, "refused: {text}");
            }
            Notice::Alive(client) => host.heartbeat(client, true),
            Notice::Silent(client) => host.heartbeat(client, false),
            Notice::Asked { client, number, topic, payload } => {
                answers_left -= 1;
                // Not within the match, which would hold the broker while it is answered.
                let is_choked = hub.broker().is_choked(client);
                let answer = match is_choked {
                    // Whoever does not read its answers gets short ones.
                    true => Err(Refusal::new(Code::Busy, "the answers before wait to be read")),
                    false => host.answer(hub, client, topic, &payload),
                };
                hub.broker().answer_asked(hub.now(), client, number, topic, answer);
            }
            _ => {}
        }
    }
    hub.perform();
    answers_left == 0
}
