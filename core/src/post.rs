//! What is on its way to the post and has not been answered: of each client, and of all together.
//!
//! A message counts with its bytes until the post has taken it, and for itself until the post has
//! said all about it; so whoever waits for a message to be delivered, which may take days, keeps
//! nobody from sending. A request counts until its reply has come, or nobody waits for that.
//!
//! A client that is gone leaves behind what the post has not taken yet, for as long as that is so.

use crate::broker::{ClientId, PostAsk, Publisher};
use crate::limits::{
    ASKED_MAX, POST_BYTES_MAX, POST_BYTES_TOTAL_MAX, POST_MESSAGES_MAX, POST_MESSAGES_TOTAL_MAX,
    POST_QUESTIONS_MAX, POST_SENT_MAX, POST_SENT_TOTAL_MAX,
};
use kith_wire::{Code, MessageId, Refusal, RequestNumber, Until};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// The way to the post.
#[derive(Debug, Default)]
pub(crate) struct Post {
    pub(crate) is_attached: bool,
    /// The shell has not been told yet that there is something.
    has_news: bool,
    asks: VecDeque<PostAsk>,
    /// By which of all connections it is; wills are nobody's, and come last.
    sides: BTreeMap<u64, Side>,
    load: Load,
    sent: usize,
    questions: usize,
    /// Requests from outside that wait for their reply.
    pub(crate) outside: usize,
}

/// Messages and requests that count, and their bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Load {
    messages: usize,
    bytes: usize,
}

/// What of one client's is there.
#[derive(Debug, Default)]
struct Side {
    load: Load,
    sent: BTreeMap<Sending, Sent>,
    questions: BTreeSet<RequestNumber>,
    is_gone: bool,
}

/// A message: its id, and under which number the answer is wanted.
pub(crate) type Sending = (MessageId, Option<RequestNumber>);

/// A message of which the post has not said all.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sent {
    /// Who gave it its id, if its publisher did.
    pub(crate) publisher: Option<Publisher>,
    pub(crate) until: Until,
    bytes: usize,
    is_taken: bool,
}

impl Load {
    fn fits(self, bytes: usize, messages_max: usize, bytes_max: usize) -> bool {
        let has_room = self.bytes == 0 || self.bytes.saturating_add(bytes) <= bytes_max;
        self.messages < messages_max && has_room
    }

    fn hold(&mut self, bytes: usize) {
        self.messages += 1;
        self.bytes = self.bytes.saturating_add(bytes);
    }

    fn release(&mut self, bytes: usize) {
        debug_assert!(self.messages > 0 && bytes <= self.bytes, "more is released than was held");
        self.messages = self.messages.saturating_sub(1);
        self.bytes = self.bytes.saturating_sub(bytes);
    }
}

impl Side {
    fn is_empty(&self) -> bool {
        self.load == Load::default() && self.sent.is_empty() && self.questions.is_empty()
    }

    /// Whether it gets answers as soon as the post takes what it has sent.
    fn is_answered_soon(&self) -> bool {
        self.sent
            .iter()
            .any(|((_, number), sent)| number.is_some() && sent.until == Until::Accepted)
    }
}

fn serial_of(client: Option<ClientId>) -> u64 {
    client.map_or(u64::MAX, ClientId::serial)
}

impl Post {
    /// Asks for something.
    pub(crate) fn ask(&mut self, ask: PostAsk) {
        self.has_news = true;
        self.asks.push_back(ask);
    }

    /// What it is asked next.
    pub(crate) fn next_ask(&mut self) -> Option<PostAsk> {
        self.asks.pop_front()
    }

    /// Whether there is something that the shell has not been told of.
    pub(crate) fn take_news(&mut self) -> bool {
        std::mem::take(&mut self.has_news) && !self.asks.is_empty()
    }

    /// Whether there is room for so many bytes.
    ///
    /// # Errors
    /// Says whose bound is reached.
    pub(crate) fn check_room(&self, client: Option<ClientId>, bytes: usize) -> Result<(), Refusal> {
        let side = self.sides.get(&serial_of(client)).filter(|_| client.is_some());
        let (own, own_sent) =
            side.map_or_else(Default::default, |side| (side.load, side.sent.len()));
        let text = if !own.fits(bytes, POST_MESSAGES_MAX, POST_BYTES_MAX) {
            "as much of this connection's waits for the post as may: wait for answers"
        } else if !self.load.fits(bytes, POST_MESSAGES_TOTAL_MAX, POST_BYTES_TOTAL_MAX) {
            "as much of all connections' waits for the post as may"
        } else if POST_SENT_MAX <= own_sent || POST_SENT_TOTAL_MAX <= self.sent {
            "of as many messages as may it is not known yet whether they have arrived"
        } else {
            return Ok(());
        };
        Err(Refusal::new(Code::Busy, text))
    }

    /// Counts something for which there is room.
    pub(crate) fn hold(&mut self, client: Option<ClientId>, bytes: usize) {
        self.load.hold(bytes);
        self.sides.entry(serial_of(client)).or_default().load.hold(bytes);
    }

    /// It counts no more.
    pub(crate) fn release(&mut self, client: Option<ClientId>, bytes: usize) {
        let serial = serial_of(client);
        let Some(side) = self.sides.get_mut(&serial) else { return };
        side.load.release(bytes);
        self.load.release(bytes);
        self.tidy(serial);
    }

    /// Whether a message is there already that would be answered alike.
    pub(crate) fn has_sent(&self, client: ClientId, sending: Sending) -> bool {
        self.sides.get(&client.serial()).is_some_and(|side| side.sent.contains_key(&sending))
    }

    /// Takes note of a message that is handed over, which counts already.
    pub(crate) fn send(
        &mut self,
        client: Option<ClientId>,
        sending: Sending,
        (publisher, until, bytes): (Option<Publisher>, Until, usize),
    ) {
        let sent = Sent { publisher, until, bytes, is_taken: false };
        let side = self.sides.entry(serial_of(client)).or_default();
        let before = side.sent.insert(sending, sent);
        self.sent += usize::from(before.is_none());
    }

    /// The post has taken a message. Of a client that is gone nothing more is said.
    pub(crate) fn took(&mut self, client: Option<ClientId>, sending: Sending) {
        let serial = serial_of(client);
        let Some(side) = self.sides.get_mut(&serial) else { return };
        let Some(sent) = side.sent.get_mut(&sending) else { return };
        if std::mem::replace(&mut sent.is_taken, true) {
            return;
        }
        let bytes = sent.bytes;
        if side.is_gone || client.is_none() {
            side.sent.remove(&sending);
            self.sent = self.sent.saturating_sub(1);
        }
        self.release(client, bytes);
    }

    /// The post has said all about a message.
    pub(crate) fn take_sent(&mut self, client: Option<ClientId>, sending: Sending) -> Option<Sent> {
        let serial = serial_of(client);
        let sent = self.sides.get_mut(&serial)?.sent.remove(&sending)?;
        self.sent = self.sent.saturating_sub(1);
        if sent.is_taken {
            self.tidy(serial);
        } else {
            self.release(client, sent.bytes);
        }
        Some(sent)
    }

    /// Takes note of a question.
    ///
    /// # Errors
    /// If as many wait as may, or one with this number.
    pub(crate) fn question(
        &mut self,
        client: ClientId,
        number: RequestNumber,
    ) -> Result<(), Refusal> {
        let side = self.sides.get(&client.serial());
        let (code, text) = if side.is_some_and(|side| ASKED_MAX <= side.questions.len()) {
            let text = format!("{ASKED_MAX} questions of this connection wait for an answer");
            (Code::QuotaRequests, text)
        } else if side.is_some_and(|side| side.questions.contains(&number)) {
            let text = format!("request {number} still waits; take another number");
            (Code::DuplicateRequest, text)
        } else if POST_QUESTIONS_MAX <= self.questions {
            (Code::Busy, "too much is asked of the daemon at once".to_owned())
        } else {
            self.sides.entry(client.serial()).or_default().questions.insert(number);
            self.questions += 1;
            return Ok(());
        };
        Err(Refusal::new(code, text))
    }

    /// A question has its answer. Whether it was waited for.
    pub(crate) fn take_question(&mut self, client: ClientId, number: RequestNumber) -> bool {
        let Some(side) = self.sides.get_mut(&client.serial()) else { return false };
        let was_there = side.questions.remove(&number);
        self.questions -= usize::from(was_there);
        self.tidy(client.serial());
        was_there
    }

    /// Whether a client waits for answers that come soon, and stays until then.
    pub(crate) fn keeps(&self, client: ClientId) -> bool {
        self.sides.get(&client.serial()).is_some_and(Side::is_answered_soon)
    }

    /// The numbers under which a client waits for answers about messages and to questions.
    pub(crate) fn numbers(&self, client: ClientId) -> (Vec<Sending>, Vec<RequestNumber>) {
        let Some(side) = self.sides.get(&client.serial()) else { return Default::default() };
        (side.sent.keys().copied().collect(), side.questions.iter().copied().collect())
    }

    /// A client is gone, and with it so many requests. Whether the post should be told: it was
    /// handed something of the client's that was waited for.
    pub(crate) fn leave(&mut self, client: ClientId, requests: usize) -> bool {
        let serial = client.serial();
        let mut waited_for = requests;
        if let Some(side) = self.sides.get_mut(&serial) {
            if std::mem::replace(&mut side.is_gone, true) {
                return false;
            }
            let (sent, questions) = (side.sent.len(), side.questions.len());
            waited_for += sent + questions;
            side.questions.clear();
            side.sent.retain(|_, sent| !sent.is_taken);
            self.sent = self.sent.saturating_sub(sent - side.sent.len());
            self.questions = self.questions.saturating_sub(questions);
            self.tidy(serial);
        }
        if waited_for == 0 {
            return false;
        }
        // What it asked and was not handed out is not asked.
        let asks = self.asks.len();
        self.asks.retain(|ask| match ask {
            PostAsk::Request { client: of, .. } | PostAsk::Asked { client: of, .. } => {
                *of != client
            }
            _ => true,
        });
        waited_for > asks - self.asks.len()
    }

    /// Forgets all that it was to be asked and all that it was asked.
    pub(crate) fn forget_all(&mut self) {
        let outside = self.outside;
        *self = Self { outside, ..Self::default() };
    }

    fn tidy(&mut self, serial: u64) {
        if self.sides.get(&serial).is_some_and(Side::is_empty) {
            self.sides.remove(&serial);
        }
    }

    /// What would leak if something was forgotten.
    #[cfg(test)]
    pub(crate) fn residue(&self) -> usize {
        let Load { messages, bytes } = self.load;
        self.sides.len() + self.sent + self.questions + messages + bytes + self.outside
    }
}
