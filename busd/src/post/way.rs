//! The broker's side of the way to the post.

use super::files::{Files, PostError};
use super::thread::{self, Told};
use crate::door::bring_part;
use crate::hub::Hub;
use crate::limits::{POST_OUTPUTS_PER_TURN_MAX, SHUTDOWN_GRACE};
use kith_core::{Broker, ClientId, Inbound, Now, Outgoing, PostAsk};
use kith_post::{Input, Output};
use kith_wire::{
    Code, MessageId, Options, Protocol, Publication, Refusal, RequestNumber, Scope, Topic,
};
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::path::Path;
use std::rc::Rc;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::oneshot;
use tokio::task::{JoinHandle, spawn_local};
use tokio::time::timeout;

/// Who waits for an answer of the post.
#[derive(Clone, Copy, Debug)]
enum Ticket {
    Send { client: Option<ClientId>, number: Option<RequestNumber> },
    Request { client: ClientId, number: RequestNumber, id: MessageId },
    Asked { client: ClientId, number: RequestNumber, topic: &'static str },
}

/// The way to the post.
#[derive(Debug)]
pub(crate) struct Way {
    told: UnboundedSender<Told>,
    tickets: RefCell<HashMap<u64, Ticket>>,
    next: Cell<u64>,
}

/// A post that runs.
pub(crate) struct Running {
    begun: oneshot::Receiver<()>,
    ended: oneshot::Receiver<()>,
    outputs: JoinHandle<()>,
}

/// Starts the post of a daemon with this state directory, on a thread of its own. Where it can't be
/// started the daemon serves without: whoever writes to others is told so.
pub(crate) fn start(hub: &Rc<Hub>, state: &Path) -> Option<Running> {
    match try_start(hub, state) {
        Ok(running) => Some(running),
        Err(error) => {
            tracing::error!(%error, "no messages to and from others");
            None
        }
    }
}

fn try_start(hub: &Rc<Hub>, state: &Path) -> Result<Running, PostError> {
    let files = Files::new(state);
    let loaded = files.load()?;
    let pipe = bring_part(hub, "post");
    let (told, inputs) = unbounded_channel();
    let (outputs, said) = unbounded_channel();
    let (beginning, begun) = oneshot::channel();
    let (ending, ended) = oneshot::channel();
    let clock = hub.clock();
    thread::start(thread::Begin {
        files,
        loaded,
        pipe,
        inputs,
        outputs,
        clock,
        beginning,
        ending,
    })?;
    let way = Way { told, tickets: RefCell::default(), next: Cell::new(0) };
    // There is no other: this is done once, at the start.
    let _ = hub.post.set(way);
    hub.broker().attach_post();
    let outputs = spawn_local(take_outputs(Rc::clone(hub), said));
    Ok(Running { begun, ended, outputs })
}

impl Running {
    /// Waits until it hears what services say: they say where they are once, when they start.
    pub(crate) async fn begun(&mut self) {
        // It is dropped then, or when the thread has ended; nothing is ever sent.
        let _ = (&mut self.begun).await;
    }

    /// Waits a little until it has ended, which it does with the bus.
    pub(crate) async fn end(self) {
        // Its store is closed then, and the next daemon can open it.
        if timeout(SHUTDOWN_GRACE, self.ended).await.is_err() {
            tracing::warn!("the disk does not answer: what was for others may not be stored");
        }
        self.outputs.abort();
    }
}

impl Way {
    fn ticket(&self, ticket: Ticket) -> u64 {
        let number = self.next.get().wrapping_add(1);
        self.next.set(number);
        self.tickets.borrow_mut().insert(number, ticket);
        number
    }

    fn take(&self, ticket: u64) -> Option<Ticket> {
        self.tickets.borrow_mut().remove(&ticket)
    }

    /// Who waits stays: it is not answered yet.
    fn of(&self, ticket: u64) -> Option<Ticket> {
        self.tickets.borrow().get(&ticket).copied()
    }

    fn tell(&self, input: Input) {
        // Nobody to tell: the daemon ends.
        let _ = self.told.send(Told::Input(Box::new(input)));
    }

    fn hand_on(&self, ask: PostAsk) {
        let input = match ask {
            PostAsk::Send { client, number, message } => {
                let is_repeated = message.is_repeated;
                let ticket = self.ticket(Ticket::Send { client, number });
                Input::Send { ticket, message: outgoing(message), is_repeated }
            }
            PostAsk::Request { client, number, timeout_ms, message } => {
                let id = message.message_id;
                let ticket = self.ticket(Ticket::Request { client, number, id });
                Input::Request { ticket, timeout_ms, message: outgoing(message) }
            }
            PostAsk::Reply { request, message } => {
                Input::Reply { request, message: outgoing(message) }
            }
            PostAsk::Unanswered { request } => {
                let text = "no program replied in time".to_owned();
                Input::NotTaken { request, code: Code::Timeout, text }
            }
            PostAsk::Asked { client, number, topic, payload, is_administrator } => {
                let ticket = self.ticket(Ticket::Asked { client, number, topic });
                Input::Asked { ticket, topic: topic.to_owned(), payload, is_administrator }
            }
            PostAsk::Kept { ticket, kept: Ok(_) } => Input::Handed { mail: ticket },
            PostAsk::Kept { ticket, .. } => {
                tracing::warn!("a message from others could not be stored for later subscribers");
                Input::Left { mail: ticket }
            }
            // Its messages are sent all the same, and the broker knows that nobody waits.
            _ => return,
        };
        self.tell(input);
    }
}

impl Hub {
    /// Hands on all that the broker has for the post.
    pub(crate) fn ask_post(&self) {
        let Some(way) = self.post.get() else { return };
        loop {
            let Some(ask) = self.broker().poll_post() else { return };
            way.hand_on(ask);
        }
    }

    /// Does what the post wants done.
    fn take_output(&self, way: &Way, now: Now, output: Output) {
        match output {
            Output::Announce { topic, payload } => {
                self.broker().announce_from_post(now, &topic, &payload);
            }
            Output::Deliver { mail, inbound, is_stored } => {
                self.deliver(way, now, mail, inbound, is_stored);
            }
            Output::DeliverRequest { request, timeout_ms, inbound } => {
                let taken = with_inbound(now, &inbound, |inbound| {
                    self.broker().deliver_inbound_request(now, inbound, request, timeout_ms)
                });
                if let Err(Refusal { code, text, .. }) = taken {
                    way.tell(Input::NotTaken { request, code, text });
                }
            }
            Output::Took { ticket, id } => {
                if let Some(Ticket::Send { client, number }) = way.of(ticket) {
                    self.broker().post_took(client, number, id);
                }
            }
            Output::Answer { ticket, id, result } => {
                if let Some(Ticket::Send { client, number }) = way.take(ticket) {
                    self.broker().posted(client, number, id, result);
                }
            }
            Output::AnswerRequest { ticket, result } => {
                let Some(Ticket::Request { client, number, id }) = way.take(ticket) else { return };
                let answer = |result: Result<&Inbound<'_>, Refusal>| {
                    self.broker().answer_remote(now, client, number, id, result);
                };
                match result {
                    Ok(inbound) => drop(with_inbound(now, &inbound, |inbound| {
                        answer(Ok(inbound));
                        Ok(())
                    })),
                    Err(refusal) => answer(Err(refusal)),
                }
            }
            Output::Answered { ticket, result } => {
                if let Some(Ticket::Asked { client, number, topic }) = way.take(ticket) {
                    self.broker().answer_people(now, client, number, topic, result);
                }
            }
            _ => {}
        }
    }

    /// Hands a message from outside to the bus.
    fn deliver(&self, way: &Way, now: Now, mail: u64, opened: kith_post::Inbound, is_stored: bool) {
        let is_wanted = opened.scope != Scope::Public
            || self.broker().is_wanted(opened.scope, &opened.protocol, &opened.topic);
        if !is_wanted {
            return way.tell(Input::Unwanted);
        }
        let live = |broker: &mut Broker| {
            with_inbound(now, &opened, |inbound| broker.deliver_inbound(now, inbound))
        };
        if !is_stored {
            // What is refused is counted there.
            let _ = live(&mut self.broker());
            return;
        }
        let kept =
            with_inbound(now, &opened, |inbound| self.broker().keep_inbound(now, inbound, mail));
        match kept {
            // When it is on the disk, `Kept` says so.
            Ok(_) => {}
            Err(Refusal { code: Code::QuotaStored | Code::NotStored, .. }) => {
                way.tell(Input::NotHanded { mail, inbound: opened });
            }
            Err(_) => {
                // There is no store: only those who are there get it.
                let _ = live(&mut self.broker());
                way.tell(Input::Handed { mail });
            }
        }
    }
}

/// What the post opened, in the broker's words.
fn with_inbound<T>(
    now: Now,
    opened: &kith_post::Inbound,
    then: impl FnOnce(&Inbound<'_>) -> Result<T, Refusal>,
) -> Result<T, Refusal> {
    let bad = |text: String| Refusal::new(Code::BadField, text);
    let topic = Topic::new(opened.topic.as_str()).map_err(|error| bad(error.to_string()))?;
    let protocol =
        Protocol::new(opened.protocol.as_str()).map_err(|error| bad(error.to_string()))?;
    let options = Options {
        message_id: Some(opened.id),
        headers: opened.headers.clone(),
        priority: opened.priority,
        expire_after_ms: opened.expires_at_ms.map(|at| at.saturating_sub(now.unix_ms)),
        ..Options::default()
    };
    let publication =
        Publication { topic, protocol, payload: opened.payload.as_slice().into(), options };
    then(&Inbound {
        sender: &opened.sender,
        device: &opened.device,
        petname: opened.petname.as_deref(),
        scope: opened.scope,
        sent_at_ms: Some(opened.sent_at_ms),
        publication,
    })
}

fn outgoing(message: Outgoing) -> kith_post::Outgoing {
    kith_post::Outgoing {
        id: message.message_id,
        to: message.to,
        topic: message.topic,
        protocol: message.protocol,
        payload: message.payload,
        headers: message.headers,
        expire_after_ms: message.expire_after_ms,
        priority: message.priority,
        realtime: message.realtime,
        echo: message.echo,
        until: message.until,
    }
}

/// Takes in what the post says. Runs for as long as the daemon.
async fn take_outputs(hub: Rc<Hub>, mut said: UnboundedReceiver<Output>) {
    let mut batch = Vec::new();
    while said.recv_many(&mut batch, POST_OUTPUTS_PER_TURN_MAX).await > 0 {
        let now = hub.now();
        if let Some(way) = hub.post.get() {
            for output in batch.drain(..) {
                hub.take_output(way, now, output);
            }
        }
        hub.perform_at(now);
        // There may be more of it, and others come first.
        hub.next_round().await;
    }
    // It has ended before the daemon did; whoever waits for it is told.
    let text = "the part of the daemon that speaks to others has ended: restart the daemon";
    hub.broker().detach_post(&Refusal::new(Code::NotAvailable, text));
    hub.perform();
}
