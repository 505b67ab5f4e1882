//! One program on the session bus: its calls go to the broker, and what the broker says goes to it.
//!
//! Its task takes calls up in their order, so that order holds as on the socket, and waits for none
//! of them. It reads what the broker says while there is room on the way to the program
//! (`window.rs`); what it does not read stays in the broker's queue for this client, where it may
//! lag.
//!
//! A program begins with its first call and ends when the session bus says that it is gone. Where
//! the broker closes its client, after `Bye` or because it was cut off, its next call begins
//! another.

use super::call::Call;
use super::error::Failure;
use super::link::Link;
use super::message::{self, Delivered, Slip};
use super::sending::Sending;
use super::session::Session;
use super::signs::Signs;
use super::waiting::{Answered, Asks, Waiting};
use super::watching::Watching;
use crate::limits::{DBUS_CALLS_PER_TURN_MAX, DBUS_PAYLOAD_BYTES_MAX};
use kith_sealed::SealedMemory;
use kith_wire::binary::receive;
use kith_wire::{Code, Delivery, Destination, Event, MessageId, Refusal};
use rustix::rand::{GetRandomFlags, getrandom};
use std::collections::VecDeque;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::time::SystemTime;
use tokio::sync::mpsc;
use tokio::time::Instant;
use zbus::Message;
use zbus::names::UniqueName;

/// What a program's task is told.
#[derive(Debug)]
pub(super) enum Note {
    /// The program has called.
    Call(Message),
    /// It has left the session bus.
    Gone,
}

/// Where a program's task is told, and what it has not taken up yet.
pub(super) type Notes = mpsc::UnboundedReceiver<Note>;

/// A program that has called.
struct Program {
    session: Rc<Session>,
    name: UniqueName<'static>,
    link: Link,
    waiting: Waiting,
    watching: Watching,
    sending: Sending,
    /// It has said goodbye, or the broker has closed its client.
    is_leaving: bool,
    /// The broker says nothing more.
    is_closed: bool,
    /// What it called after that, which is for the next client.
    later: VecDeque<Message>,
}

/// How a program's task goes on.
enum Step {
    /// There is more to do.
    On,
    /// The broker has closed its client.
    Closed,
    /// It has left the session bus.
    Gone,
}

/// Serves a program until it has left the session bus.
pub(super) async fn serve(
    session: Rc<Session>,
    name: UniqueName<'static>,
    mut notes: Notes,
    signs: Rc<Signs>,
) {
    let mut pid = None;
    let mut later: VecDeque<Message> = VecDeque::new();
    let mut has_left = false;
    loop {
        let call = match later.pop_front() {
            Some(call) => call,
            None if has_left => break,
            None => match notes.recv().await {
                Some(Note::Call(call)) => call,
                Some(Note::Gone) | None => break,
            },
        };
        // The session bus is asked once who it is, and told to say when it is gone.
        let process = match pid {
            Some(process) => process,
            None => match session.meet(&name).await {
                Ok(process) => *pid.insert(process),
                Err(failure) => {
                    session.give_up(&name, &call, &failure).await;
                    break;
                }
            },
        };
        let link = match session.enter(process).await {
            Ok(link) => link,
            Err(failure) => {
                session.give_up(&name, &call, &failure).await;
                continue;
            }
        };
        let mut program = Program::new(Rc::clone(&session), name.clone(), link);
        program.take_up(call);
        later.into_iter().for_each(|call| program.take_up(call));
        let ended = if has_left {
            program.flush().await.map(|()| Step::Gone)
        } else {
            program.run(&mut notes, &signs).await
        };
        program.end().await;
        later = program.later;
        has_left |= matches!(ended, Ok(Step::Gone));
        if let Err(error) = ended {
            tracing::debug!(program = %name, %error, "a client on D-Bus has ended");
        }
    }
    session.forget(&name).await;
    // What a program that may not come in has called since.
    let failure = Failure::new(Code::NotAllowed, "this program is not let in");
    while let Ok(note) = notes.try_recv() {
        if let Note::Call(call) = note {
            session.give_up(&name, &call, &failure).await;
        }
    }
}

impl Program {
    fn new(session: Rc<Session>, name: UniqueName<'static>, link: Link) -> Self {
        Self {
            session,
            name,
            link,
            waiting: Waiting::new(),
            watching: Watching::default(),
            sending: Sending::new(),
            is_leaving: false,
            is_closed: false,
            later: VecDeque::new(),
        }
    }

    /// Goes on until the program is gone, or its client closed and all that was said to it sent.
    async fn run(&mut self, notes: &mut Notes, signs: &Signs) -> io::Result<Step> {
        loop {
            self.take_signs(signs);
            self.link.write();
            self.sending.send(&self.session, &self.name).await?;
            if self.is_closed && self.sending.is_empty() {
                return Ok(Step::Closed);
            }
            let takes_calls =
                self.is_closed || self.link.takes_calls() && self.sending.takes_calls();
            let has_output = self.link.has_output();
            let has_room = self.sending.takes_more(self.waiting.is_any());
            let reads = !self.is_closed && (has_room || signs.has_left());
            let doubt_at = self.sending.doubt_at();
            tokio::select! {
                note = notes.recv(), if takes_calls => {
                    if let Step::Gone = self.take_notes(note, notes) {
                        self.flush().await?;
                        return Ok(Step::Gone);
                    }
                }
                () = signs.told() => {}
                () = self.link.writable(), if has_output => {}
                () = self.link.readable(), if reads => self.read()?,
                () = sleep_until(doubt_at), if doubt_at.is_some() => {
                    self.sending.ask_session(&self.session, &self.name).await;
                }
            }
        }
    }

    /// Takes note of what does not wait for the calls before it.
    fn take_signs(&mut self, signs: &Signs) {
        if signs.has_left() {
            self.sending.clear();
        }
        if let Some(serial) = signs.take_confirmed() {
            self.sending.confirm(serial);
        }
    }

    /// Says to the broker what the program said before it left. What the broker says is for nobody.
    async fn flush(&mut self) -> io::Result<()> {
        loop {
            self.link.write();
            // After a goodbye the broker closes, and only then the next client is in its turn.
            if self.is_closed || self.link.output_bytes() == 0 && !self.is_leaving {
                return Ok(());
            }
            tokio::select! {
                () = self.link.writable(), if self.link.has_output() => {}
                () = self.link.readable() => {
                    self.read()?;
                    self.sending.clear();
                }
            }
        }
    }

    /// Takes up calls, but not very many before it is looked at what the broker says.
    fn take_notes(&mut self, first: Option<Note>, notes: &mut Notes) -> Step {
        let mut next = first;
        for left in (0..DBUS_CALLS_PER_TURN_MAX).rev() {
            match next {
                Some(Note::Call(call)) => self.take_up(call),
                // The link ends without a goodbye, as a socket does whose program is gone.
                Some(Note::Gone) | None => return Step::Gone,
            }
            // What is taken out after this has to be looked at.
            if left == 0 || !self.link.takes_calls() || !self.sending.takes_calls() {
                break;
            }
            next = match notes.try_recv() {
                Ok(note) => Some(note),
                Err(_) => break,
            };
        }
        Step::On
    }

    /// The broker closes a client that has said goodbye, and hears nothing more of it.
    fn take_up(&mut self, call: Message) {
        if self.is_leaving {
            self.later.push_back(call);
        } else {
            self.call(&call);
        }
    }

    fn call(&mut self, call: &Message) {
        self.session.release(&self.name, call);
        let header = call.header();
        let slip = Slip::of(&header);
        let (member, body) = (header.member().map_or("", |member| member.as_str()), call.body());
        let asked = match Call::read(member, &body, self.session.payload_bytes_max()) {
            Some(Ok(asked)) => asked,
            Some(Err(failure)) => return self.fail(slip.as_ref(), &failure),
            // Nothing else is routed here.
            None => Call::Ping,
        };
        let asked = self.watch(asked);
        self.is_leaving = matches!(asked, Call::Bye);
        let (request, memory) = self.waiting.begin(asked, slip);
        self.link.ask(&request, memory);
    }

    /// Sees to it that the program hears what concerns what it asks for.
    fn watch<'a>(&mut self, mut asked: Call<'a>) -> Call<'a> {
        let listen = match &mut asked {
            Call::Ask(_) => self.watching.people(),
            Call::Publish(publication) | Call::PublishSealed(publication, _)
                if publication.options.to != Destination::Local =>
            {
                // Told before its first update comes.
                let id = publication.options.message_id.get_or_insert_with(new_message_id);
                self.watching.message(*id)
            }
            _ => None,
        };
        if let Some(listen) = listen {
            self.link.ask(&listen, None);
        }
        asked
    }

    /// Reads what the broker says, and turns it into messages.
    fn read(&mut self) -> io::Result<()> {
        let goes_on = self.link.read(&mut self.session.read_buffer())?;
        let (mut input, arrived) = self.link.take();
        let mut arrived = std::mem::take(arrived);
        let mut outcome = Ok(());
        while let Some(frame) = input.next_frame() {
            outcome = receive::events(frame, |event| {
                let written = self.hear(&event, &mut arrived);
                written.map_err(|text| Refusal::fatal(Code::BadFrame, text))
            });
            if outcome.is_err() {
                break;
            }
        }
        self.link.give_back(input);
        self.link.arrive(arrived);
        // The broker's frames are read as the client library reads them: if one is not what it
        // should be, this client can't go on.
        outcome.map_err(io::Error::other)?;
        if !goes_on {
            self.is_closed = true;
            self.is_leaving = true;
        }
        Ok(())
    }

    /// Turns what the broker says into a message.
    fn hear(
        &mut self,
        event: &Event<'_>,
        arrived: &mut VecDeque<Arc<SealedMemory>>,
    ) -> Result<(), String> {
        let is_answer = !matches!(event, Event::Lag { .. } | Event::Message { .. });
        let mut payload_bytes = 0;
        let message = match event {
            Event::Ok { number, message_id, .. } => {
                let answered = self.waiting.answer(*number);
                let Some(Answered { slip: Some(slip), subscription }) = answered else {
                    return Ok(());
                };
                match (message_id, subscription) {
                    (Some(id), _) => message::message_id(&slip, *id),
                    (None, Some(number)) => slip.answer(&number),
                    (None, None) => slip.answer(&()),
                }
            }
            Event::Welcome { number, version, payload_bytes_max, descriptors } => {
                self.link.welcome(*descriptors);
                let Some(Answered { slip: Some(slip), .. }) = self.waiting.answer(*number) else {
                    return Ok(());
                };
                message::about(&slip, version, *payload_bytes_max)
            }
            // A program that may not listen to what is reserved asked for something else.
            Event::Err { number: Some(number), .. } if Watching::is_of(*number) => return Ok(()),
            Event::Err { number, code, text, .. } => {
                let slip = self.waiting.fail(*number, *code);
                self.fail(slip.as_ref(), &Failure::from_broker(*code, text));
                return Ok(());
            }
            Event::Lag { subscription, .. } if Watching::is_of(*subscription) => {
                let Some(told) = Watching::missed(&self.name, *subscription) else { return Ok(()) };
                told
            }
            Event::Message { subscription, delivery } if Watching::is_of(*subscription) => {
                let heard = self.watching.heard(&self.name, *subscription, delivery);
                let Some(told) = heard else { return Ok(()) };
                told
            }
            Event::Lag { subscription, count } => message::lag(&self.name, *subscription, *count),
            Event::Message { subscription, delivery } => {
                let mut bytes = Vec::new();
                let delivered = delivered(delivery, arrived, &mut bytes)?;
                payload_bytes = delivered.memory_bytes();
                message::message(&self.name, *subscription, &delivered)
            }
            Event::Reply { number, delivery } => {
                let Some(Asks { slip: Some(slip), form, .. }) = self.waiting.reply(*number) else {
                    return Ok(());
                };
                let mut bytes = Vec::new();
                let delivered = delivered(delivery, arrived, &mut bytes)?;
                payload_bytes = delivered.memory_bytes();
                message::reply(&slip, form, &delivered)
            }
            Event::Bye { code, text } => {
                let failure = Failure::from_broker(*code, text);
                let waiting: Vec<Slip> = self.waiting.drain().collect();
                for slip in waiting {
                    self.fail(Some(&slip), &failure);
                }
                return Ok(());
            }
        };
        self.push(message.map_err(|error| error.to_string())?, is_answer, payload_bytes);
        Ok(())
    }

    /// Tells the program that a call of it has failed, also if it wants no answer.
    fn fail(&mut self, slip: Option<&Slip>, failure: &Failure) {
        let message = match slip {
            Some(slip) => slip.fail(failure),
            None => message::failed(&self.name, failure),
        };
        match message {
            Ok(message) => self.push(message, true, 0),
            Err(error) => tracing::error!(%error, "an error can't be written"),
        }
    }

    fn push(&mut self, message: Message, is_answer: bool, payload_bytes: usize) {
        self.session.breath().spend();
        self.sending.push(message, is_answer, payload_bytes as u64);
    }

    /// Tells those who still wait that no answer comes.
    async fn end(&mut self) {
        let failure = Failure::new(Code::ShuttingDown, "the bus has closed this program's client");
        let waiting: Vec<Slip> = self.waiting.drain().collect();
        for slip in waiting {
            self.fail(Some(&slip), &failure);
        }
        // If the session bus is gone, so is whoever waits.
        let _ = self.sending.send(&self.session, &self.name).await;
        self.sending.clear();
    }
}

/// A message to be delivered, with its payload in `bytes` if it came in a descriptor and is small.
fn delivered<'a>(
    delivery: &'a Delivery<'a>,
    arrived: &mut VecDeque<Arc<SealedMemory>>,
    bytes: &'a mut Vec<u8>,
) -> Result<Delivered<'a>, String> {
    if delivery.sealed_bytes.is_none() {
        return Delivered::with_bytes(delivery, delivery.payload);
    }
    let memory = arrived.pop_front().ok_or("a payload has not come")?;
    if DBUS_PAYLOAD_BYTES_MAX < memory.len() {
        return Ok(Delivered::with_memory(delivery, memory));
    }
    memory.read_into(bytes).map_err(|error| error.to_string())?;
    Delivered::with_bytes(delivery, bytes)
}

/// An id for a message that has none.
fn new_message_id() -> MessageId {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let mut random = [0; 10];
    // So few bytes come whole, or the system has none, and then this process would not run.
    let _ = getrandom(&mut random, GetRandomFlags::empty());
    MessageId::from_parts(u64::try_from(now.as_millis()).unwrap_or(u64::MAX), &random)
}

async fn sleep_until(instant: Option<Instant>) {
    if let Some(instant) = instant {
        tokio::time::sleep_until(instant).await;
    }
}
