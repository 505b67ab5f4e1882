//! The connection's state machine, for the fuzz targets (`fuzz/`): no part of the interface.
//!
//! What a daemon sends reaches a program only through the session, which is private because
//! everything about it may change. This is a program with one of everything asked for, a daemon of
//! which nothing is expected, and a clock that only the caller moves. It is built always, since a
//! feature of its own would be one more way to build this library; it is not in the documentation.
//!
//! Deliberately absent: sockets, the task around the session, and any judgement. What has to hold
//! is said in `fuzz/src/client.rs`.

use crate::session::{Command, Output, Session};
use crate::{Incoming, Loss};
use kith_wire::binary::encode;
use kith_wire::{
    MessageId, Operation, Options, Pattern, Protocol, Publication, Request, RequestNumber, Since,
    Subscribe, Topic,
};
use std::time::{Duration, Instant};

/// A program's side of one connection after another.
#[derive(Debug)]
pub struct Conversation {
    session: Session<u32, u32>,
    now: Instant,
    /// How much was asked for: the name of whoever waits, and of each subscription.
    asked: u32,
}

/// What was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// Something that nobody waits for.
    Post,
    /// A subscription of this name, and who waits for it has the same.
    Subscription(u32),
    /// That this subscription ends, and that who waits for it waits no more.
    End(u32),
    /// Something else, for whoever waits under this name.
    Answer(u32),
}

/// What the session wants done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    /// Who waited is answered.
    Answer(u32),
    /// This subscription receives.
    Deliver(u32),
    /// This subscription receives nothing any more.
    Ended(u32),
    /// Nobody's.
    Other,
}

impl Conversation {
    /// A session that has greeted and is not answered.
    #[must_use]
    pub fn begin() -> Self {
        let session = Session::new(Some("fuzz".to_owned()), [7; 16]);
        let mut conversation = Self { session, now: Instant::now(), asked: 0 };
        conversation.session.connected();
        conversation
    }

    /// Asks for something; `kind` says what.
    pub fn ask(&mut self, kind: u8) -> Asked {
        let waiter = self.asked.saturating_add(1);
        let key = u64::from(waiter);
        let command = match kind % 9 {
            0 => Command::Ping { waiter },
            1 | 2 => {
                let (durable, since) = (kind >= 128).then_some(("d", Since::Start)).unzip();
                let written = frame(subscribe(waiter, durable, since));
                let durable = durable.map(|name| frame(subscribe(waiter, Some(name), None)));
                Command::Subscribe { key, frame: written, durable, to: waiter, waiter }
            }
            3 => {
                let mut publication = publication();
                let id = MessageId::from_parts(key, &[7; 10]);
                publication.options.message_id = Some(id);
                let frame = frame(Operation::Publish(publication));
                Command::Publish { frame, sealed: None, id, waiter }
            }
            4 => Command::Request { frame: frame(request()), waiter },
            5 => Command::SetWill { frame: frame(Operation::Will(publication())), waiter },
            6 => Command::ClearWill { waiter },
            7 => {
                let frames = frame(Operation::Publish(publication()));
                let charge = frames.len();
                self.session.command(self.now, Command::Posts { frames, count: 1, charge });
                return Asked::Post;
            }
            _ if kind >= 128 => {
                let message_ids = vec![MessageId::from_parts(key, &[7; 10]); usize::from(kind)];
                let key = u64::from(kind - 128);
                if kind.is_multiple_of(2) {
                    let message_id = MessageId::from_parts(key, &[7; 10]);
                    Command::AcknowledgeAndWait { key, message_id, waiter }
                } else {
                    self.session.command(self.now, Command::Acknowledge { key, message_ids });
                    return Asked::Post;
                }
            }
            _ => {
                let key = u32::from(kind);
                self.session.command(self.now, Command::Unsubscribe { key: key.into() });
                return Asked::End(key);
            }
        };
        self.asked = waiter;
        self.session.command(self.now, command);
        if matches!(kind % 9, 1 | 2) { Asked::Subscription(waiter) } else { Asked::Answer(waiter) }
    }

    /// Takes what was read, and says how much of it was used.
    ///
    /// # Errors
    /// Says why the connection can't go on.
    pub fn receive(&mut self, bytes: &[u8]) -> Result<usize, String> {
        self.session.receive(self.now, bytes).map_err(|loss| format!("{loss:?}"))
    }

    /// Lets time pass.
    pub fn pass(&mut self, ms: u64) {
        if let Some(now) = self.now.checked_add(Duration::from_millis(ms)) {
            self.now = now;
        }
        self.session.tick(self.now);
    }

    /// Loses the connection and greets on another.
    pub fn reconnect(&mut self) {
        let loss = self.session.loss(Loss::HungUp);
        self.session.lost(&loss);
        self.session.connected();
    }

    /// Ends everything.
    pub fn finish(&mut self) {
        let loss = self.session.loss(Loss::HungUp);
        self.session.finish(&loss);
    }

    /// What is to be written, as if the socket took all of it.
    pub fn take_written(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        loop {
            let unwritten = self.session.unwritten();
            if unwritten.is_empty() {
                return bytes;
            }
            bytes.extend_from_slice(unwritten);
            let count = unwritten.len();
            self.session.written(count);
        }
    }

    /// What is to be done, with all that a program could learn of it.
    pub fn take_outputs(&mut self) -> Vec<(Seen, String)> {
        let outputs = std::iter::from_fn(|| self.session.poll_output());
        let seen = outputs.map(|output| {
            let seen = match &output {
                Output::Answer(waiter, _) => Seen::Answer(*waiter),
                Output::Deliver { to, .. } => Seen::Deliver(*to),
                Output::Ended { to, .. } => Seen::Ended(*to),
                Output::Acknowledged(_)
                | Output::Background(_)
                | Output::Free(_)
                | Output::Welcome { .. } => Seen::Other,
            };
            (seen, text_of(&output))
        });
        seen.collect()
    }
}

fn text_of(output: &Output<u32, u32>) -> String {
    let Output::Deliver { items, .. } = output else { return format!("{output:?}") };
    let items: Vec<_> = items.iter().map(item).collect();
    format!("{output:?} {items:?}")
}

/// Everything that a program can ask of what it received.
fn item(item: &Incoming) -> String {
    let Incoming::Message(message) = item else { return format!("{item:?}") };
    let moments = (message.sent_at(), message.expires_at());
    let marks = (message.scope(), message.priority(), message.retained(), message.id());
    let texts = (message.topic(), message.protocol(), message.sender(), message.device());
    let marks = (marks, message.attempt());
    let rest = (message.reply_to(), message.text(), message.headers(), message.payload().len());
    format!("{moments:?} {marks:?} {texts:?} {rest:?}")
}

fn publication() -> Publication<'static> {
    Publication {
        topic: Topic::new("a").unwrap_or_else(|_| unreachable!("a topic")),
        protocol: Protocol::BT,
        payload: b"1".into(),
        options: Options::default(),
    }
}

fn request() -> Operation<'static> {
    let (number, publication) = (RequestNumber::MIN, publication());
    Operation::Request { number, publication, timeout_ms: 5 }
}

fn subscribe(
    number: u32,
    durable: Option<&'static str>,
    since: Option<Since>,
) -> Operation<'static> {
    Operation::Subscribe(Subscribe {
        number: RequestNumber::MIN,
        pattern: Pattern::new(format!("self.{number}"))
            .unwrap_or_else(|_| unreachable!("a pattern")),
        group: None,
        retained: false,
        monitor: false,
        durable: durable.map(Into::into),
        since,
    })
}

fn frame(operation: Operation<'_>) -> Vec<u8> {
    let mut frame = Vec::new();
    encode::request(&mut frame, &Request { number: None, operation });
    frame
}
