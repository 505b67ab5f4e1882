//! The thinking of a connection: what was asked, what is not answered yet, and what has to be said
//! again after the connection was lost.
//!
//! A plain state machine. Commands and received bytes go in; bytes to write and [`Output`]s come
//! out; the moment comes in as an argument. `W` is whatever waits for an answer and `S` whatever
//! receives a subscription's messages: the session hands them back and never looks inside.
//!
//! What a lost connection means for an operation without an answer:
//!
//! | operation | is | because |
//! | --- | --- | --- |
//! | publish | repeated, with the same id | the daemon recognises it by client id and message id |
//! | post | sent if no whole frame was written, else counted as in doubt | it has no id |
//! | subscribe, will | said again | they are states, and the connection's |
//! | acknowledge | dropped | the message comes again, and is acknowledged then |
//! | request | failed | somebody may have acted on it |
//! | ping, unsubscribe, unwill | ended | they were about that connection |
//!
//! Answers come in the order of operations. So any answer also confirms everything posted before
//! its operation; where posts alone are sent, a ping is put in now and then to have one (a
//! *checkpoint*).
//!
//! Deliberately absent: sockets, clocks, tokio, locks and back-off; they are in `task.rs`.

mod again;
mod command;
mod frames;
mod loss;
mod opening;
mod outgoing;
mod receive;
#[cfg(test)]
mod tests;

use crate::limits::CHECKPOINT_MS;
use crate::message::{Envelope, Payload};
use crate::{BackgroundError, Incoming, Loss, Message, Published, SubscribeError};
use kith_sealed::SealedMemory;
use kith_wire::binary::{MAGIC, encode};
use kith_wire::{Code, MessageId, Operation, Request, RequestNumber, Token};
use outgoing::Outgoing;
use std::collections::{HashMap, VecDeque};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What the program asks. Frames come without their number.
#[derive(Debug)]
pub(crate) enum Command<W, S> {
    /// Messages of a durable subscription have been dealt with.
    Acknowledge {
        key: u64,
        message_ids: Vec<MessageId>,
    },
    /// The same of one, for somebody who waits until that is on the disk.
    AcknowledgeAndWait {
        key: u64,
        message_id: MessageId,
        waiter: W,
    },
    /// Says goodbye, after everything before it.
    Close {
        waiter: W,
    },
    /// Takes the will back.
    ClearWill {
        waiter: W,
    },
    Ping {
        waiter: W,
    },
    /// PUB frames that nobody waits for.
    Posts {
        frames: Vec<u8>,
        count: u64,
        charge: usize,
    },
    /// With `sealed` the frame goes with the descriptor of its payload.
    Publish {
        frame: Vec<u8>,
        sealed: Option<Arc<SealedMemory>>,
        id: MessageId,
        waiter: W,
    },
    Request {
        frame: Vec<u8>,
        waiter: W,
    },
    SetWill {
        frame: Vec<u8>,
        waiter: W,
    },
    /// `durable` is what a durable subscription says once its consumer is there.
    Subscribe {
        key: u64,
        frame: Vec<u8>,
        durable: Option<Vec<u8>>,
        to: S,
        waiter: W,
    },
    Unsubscribe {
        key: u64,
    },
}

/// What is to be done.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Output<W, S> {
    /// So many acknowledgements that nobody waits for are answered, or dropped.
    Acknowledged(usize),
    /// An operation is answered.
    Answer(W, Result<Done, Failure>),
    /// Something went wrong that nobody waits for.
    Background(BackgroundError),
    /// The subscription with this number receives.
    Deliver { number: NonZeroU32, to: S, items: Vec<Incoming> },
    /// A subscription receives nothing any more.
    Ended { to: S, reason: SubscribeError },
    /// So many bytes of what was charged for posts are written.
    Free(usize),
    /// The greeting is answered; the connection is good.
    Welcome { payload_bytes_max: usize },
}

/// What came in a descriptor, or why it is no payload.
pub(crate) type Handed = Result<Payload, String>;

/// How an operation succeeded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Done {
    Plain,
    Published(Published),
    Replied(Message),
}

/// How an operation failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    Lost(Loss),
    Refused { code: Option<Code>, text: String },
}

/// One connection after another to the same daemon, under the same client id.
#[derive(Debug)]
pub(crate) struct Session<W, S> {
    name: Option<String>,
    client: [u8; 16],
    outgoing: Outgoing,
    pending: HashMap<u32, Pending<W>>,
    subscriptions: HashMap<u32, Subscribed<S>>,
    /// From a subscription's key to its number.
    numbers: HashMap<u64, u32>,
    /// The will that the daemon has confirmed.
    will: Option<Vec<u8>>,
    posts: Posts,
    last_number: u32,
    operations: u64,
    payload_bytes_max: usize,
    /// Whether to ask for descriptors.
    takes_descriptors: bool,
    token: Option<Token>,
    /// Whether they were granted on this connection.
    may_hand_over: bool,
    /// What came in descriptors, and whose frames have not come yet.
    handed: VecDeque<Handed>,
    /// Whether the daemon's magic has been read.
    opened: bool,
    /// What the daemon said before it closed the connection, or what makes us close it.
    farewell: Option<Loss>,
    /// Of the message received last, for the next to share.
    envelope: Option<Arc<Envelope>>,
    outputs: VecDeque<Output<W, S>>,
}

/// An operation without an answer.
#[derive(Debug)]
struct Pending<W> {
    /// Where it stands in the order of all operations.
    sequence: u64,
    /// How many posts were sent before it on this connection.
    posts: u64,
    kind: Kind<W>,
}

#[derive(Debug)]
enum Kind<W> {
    /// So many that nobody waits for.
    Acknowledge(usize),
    AcknowledgeAndWait(W),
    Bye(W),
    Checkpoint,
    Hello,
    Ping(W),
    Publish(Unconfirmed<W>),
    Request(W),
    Subscribe(W),
    /// After a reconnect.
    SubscribeAgain,
    Unsubscribe,
    Unwill(W),
    Will {
        frame: Vec<u8>,
        waiter: W,
    },
    /// After a reconnect.
    WillAgain,
}

/// A publish without an answer, with all that it takes to repeat it.
#[derive(Debug)]
struct Unconfirmed<W> {
    /// Its number included.
    frame: Vec<u8>,
    /// What goes with the frame, until the connection is lost.
    sealed: Option<Arc<SealedMemory>>,
    id: MessageId,
    waiter: W,
    /// When it may first have reached the daemon.
    sent: Option<Instant>,
    /// How often the connection was lost after that.
    losses: u8,
}

impl<W> Unconfirmed<W> {
    /// Puts the payload into the frame, if it is not there. Whether that went well.
    fn copy_sealed(&mut self) -> bool {
        let Some(memory) = self.sealed.take() else { return true };
        let whole = frames::inlined(&self.frame, &memory);
        whole.map(|whole| self.frame = whole).is_some()
    }
}

#[derive(Debug)]
struct Subscribed<S> {
    key: u64,
    /// Its number included.
    frame: Vec<u8>,
    /// Whether nothing is missing after a reconnect, and the frame to take once it is confirmed.
    durable: Option<Vec<u8>>,
    to: S,
}

/// The account of posts on one connection.
#[derive(Debug, Default)]
struct Posts {
    sent: u64,
    confirmed: u64,
    /// When to ask for a confirmation.
    due: Option<Instant>,
    /// Whether one was asked for.
    asked: bool,
}

impl<W, S: Clone> Session<W, S> {
    /// A session that greets with this name and client id.
    pub(crate) fn new(name: Option<String>, client: [u8; 16]) -> Self {
        Self {
            name,
            client,
            outgoing: Outgoing::default(),
            pending: HashMap::new(),
            subscriptions: HashMap::new(),
            numbers: HashMap::new(),
            will: None,
            posts: Posts::default(),
            last_number: 0,
            operations: 0,
            payload_bytes_max: 0,
            takes_descriptors: false,
            token: None,
            may_hand_over: false,
            handed: VecDeque::new(),
            opened: false,
            farewell: None,
            envelope: None,
            outputs: VecDeque::new(),
        }
    }

    /// One that asks for payloads in descriptors.
    pub(crate) fn taking_descriptors(self, takes_descriptors: bool) -> Self {
        Self { takes_descriptors, ..self }
    }

    /// One that shows a token when it greets.
    pub(crate) fn showing(self, token: Option<Token>) -> Self {
        Self { token, ..self }
    }

    /// Whether to read with descriptors.
    pub(crate) fn takes_descriptors(&self) -> bool {
        self.takes_descriptors
    }

    /// Takes in what came in a descriptor, before the bytes that it came with.
    pub(crate) fn hand_over(&mut self, handed: Handed) {
        self.handed.push_back(handed);
    }

    /// There is a new connection: greets.
    pub(crate) fn connected(&mut self) {
        self.opened = false;
        self.farewell = None;
        self.may_hand_over = false;
        self.handed.clear();
        let number = self.wait_for(Kind::Hello);
        let operation = Operation::Hello {
            name: self.name.clone(),
            client: Some(self.client),
            descriptors: self.takes_descriptors,
            token: self.token.clone(),
        };
        let mut greeting = MAGIC.to_vec();
        encode::request(&mut greeting, &Request { number: Some(number), operation });
        self.outgoing.greet(greeting);
    }

    /// What is to be done next, if anything.
    pub(crate) fn poll_output(&mut self) -> Option<Output<W, S>> {
        self.outputs.pop_front()
    }

    /// What is to be written now.
    pub(crate) fn unwritten(&mut self) -> &[u8] {
        self.outgoing.unwritten()
    }

    /// What has to go with the first of those bytes.
    pub(crate) fn unwritten_sealed(&self) -> Vec<Arc<SealedMemory>> {
        self.outgoing.unwritten_sealed()
    }

    /// No descriptors can go now: the payloads go in their frames.
    pub(crate) fn copy_sealed(&mut self) {
        self.outgoing.copy_sealed();
    }

    /// So many of those bytes were written.
    pub(crate) fn written(&mut self, bytes: usize) {
        let free = self.outgoing.written(bytes);
        if free > 0 {
            self.outputs.push_back(Output::Free(free));
        }
    }

    /// When [`Session::tick`] is due.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.posts.due
    }

    /// Time has passed.
    pub(crate) fn tick(&mut self, now: Instant) {
        if self.posts.due.is_none_or(|due| now < due) {
            return;
        }
        self.posts.due = None;
        if self.posts.confirmed < self.posts.sent && !self.posts.asked {
            self.posts.asked = true;
            self.ask(Operation::Ping, Kind::Checkpoint);
        }
    }

    /// Sends an operation without more to it, and waits for its answer.
    fn ask(&mut self, operation: Operation<'_>, kind: Kind<W>) {
        let number = Some(self.wait_for(kind));
        encode::request(self.outgoing.frames(), &Request { number, operation });
    }

    fn wait_for(&mut self, kind: Kind<W>) -> RequestNumber {
        let number = self.free_number();
        self.wait_under(number, kind);
        number
    }

    fn wait_under(&mut self, number: RequestNumber, kind: Kind<W>) {
        self.operations += 1;
        let (sequence, posts) = (self.operations, self.posts.sent);
        self.pending.insert(number.get(), Pending { sequence, posts, kind });
    }

    /// A number that neither an operation nor a subscription has.
    fn free_number(&mut self) -> RequestNumber {
        loop {
            self.last_number = self.last_number.wrapping_add(1);
            let number = self.last_number;
            let is_free =
                !self.pending.contains_key(&number) && !self.subscriptions.contains_key(&number);
            if let Some(number) = RequestNumber::new(number).filter(|_| is_free) {
                return number;
            }
        }
    }

    /// Delivers to the subscription with this number, if there is one: together with what was
    /// delivered to it just before.
    fn deliver(
        &mut self,
        number: NonZeroU32,
        item: impl FnOnce(&mut Option<Arc<Envelope>>) -> Incoming,
    ) {
        if let Some(Output::Deliver { number: last, items, .. }) = self.outputs.back_mut()
            && *last == number
        {
            items.push(item(&mut self.envelope));
        } else if let Some(subscribed) = self.subscriptions.get(&number.get()) {
            let (to, items) = (subscribed.to.clone(), vec![item(&mut self.envelope)]);
            self.outputs.push_back(Output::Deliver { number, to, items });
        }
    }

    fn watch_posts(&mut self, now: Instant) {
        let in_doubt = self.posts.confirmed < self.posts.sent;
        if in_doubt && !self.posts.asked && self.posts.due.is_none() {
            self.posts.due = now.checked_add(Duration::from_millis(CHECKPOINT_MS));
        }
    }
}
