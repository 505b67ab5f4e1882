//! The client library's receiving side: a daemon that says anything to a program that has asked for
//! everything.
//!
//! The input is a sequence of steps: bytes from the daemon, operations of the program, time, lost
//! connections. However the bytes are cut, the program sees the same. Everybody who waits is
//! answered once; a subscription hears nothing after its end, and ends once; and whatever the
//! daemon said, what is written to it stays readable.

use crate::input::{Input, pieces};
use kith_client::fuzzing::{Asked, Conversation, Seen};
use kith_wire::binary::{MAGIC, decode, deliver, split};
use kith_wire::{Code, Delivery, Event, Headers, MessageId, Priority, Protocol, Scope, Topic};
use std::collections::BTreeSet;
use std::num::NonZeroU32;

/// Steps of one input.
const STEPS: usize = 64;

/// Runs the target.
pub fn target(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let seed = input.byte();
    assert_eq!(converse(input, None), converse(input, Some(seed)), "the cuts can be seen");
}

/// A conversation, and what is held against it.
struct Program {
    conversation: Conversation,
    /// What was read and not used.
    unread: Vec<u8>,
    /// What was written since the last greeting.
    written: Vec<u8>,
    log: Vec<String>,
    waiting: BTreeSet<u32>,
    /// Who asked for a subscription and did not wait for it: may be answered all the same.
    gone: BTreeSet<u32>,
    subscribed: BTreeSet<u32>,
}

/// All that the program saw, where what is read comes whole or in pieces.
fn converse(mut input: Input<'_>, seed: Option<u8>) -> Vec<String> {
    let mut program = Program {
        conversation: Conversation::begin(),
        unread: Vec::new(),
        written: Vec::new(),
        log: Vec::new(),
        waiting: BTreeSet::new(),
        gone: BTreeSet::new(),
        subscribed: BTreeSet::new(),
    };
    for _ in 0..STEPS {
        if input.is_empty() {
            break;
        }
        let step = input.byte();
        let what = step >> 3;
        match step & 7 {
            0 | 1 => program.read(input.counted(), seed),
            2 => program.read(&event(what, &mut input), seed),
            3 => program.read(&welcome(), seed),
            4 | 5 => program.ask(what),
            6 => program.conversation.pass(1_000 * u64::from(what)),
            _ => program.reconnect(),
        }
        program.look();
    }
    program.conversation.finish();
    program.look();
    let Program { waiting, log, .. } = program;
    assert!(waiting.is_empty(), "never answered: {waiting:?} of {log:#?}");
    log
}

impl Program {
    fn ask(&mut self, what: u8) {
        match self.conversation.ask(what) {
            Asked::Post => {}
            Asked::Answer(name) => self.waiting.extend([name]),
            Asked::Subscription(name) => {
                self.waiting.extend([name]);
                self.subscribed.extend([name]);
            }
            Asked::End(name) => {
                if self.subscribed.remove(&name) {
                    self.gone.extend(self.waiting.take(&name));
                }
            }
        }
    }

    fn read(&mut self, bytes: &[u8], seed: Option<u8>) {
        let pieces = seed.map_or_else(|| vec![bytes], |seed| pieces(bytes, seed));
        for piece in pieces {
            self.unread.extend_from_slice(piece);
            match self.conversation.receive(&self.unread) {
                Ok(used) => {
                    assert!(used <= self.unread.len());
                    self.unread.drain(..used);
                }
                Err(loss) => {
                    self.log.push(loss);
                    return self.reconnect();
                }
            }
        }
    }

    fn reconnect(&mut self) {
        self.look();
        self.conversation.reconnect();
        self.unread.clear();
        self.written.clear();
    }

    /// Looks at what was written and at what is to be done.
    fn look(&mut self) {
        self.written.extend(self.conversation.take_written());
        let mut rest = &self.written[..];
        if let Some(frames) = self.written.strip_prefix(&MAGIC) {
            rest = frames;
        }
        while let Some(frame) = split(rest, usize::MAX).unwrap() {
            let request = decode::request(frame, usize::MAX).unwrap();
            let waits = request.number.is_some();
            assert!(waits || frame.kind == 4, "an answer is wanted of all but posts: {request:?}");
            rest = &rest[frame.bytes.len()..];
        }
        assert!(rest.is_empty(), "half a frame is written");
        self.written.clear();

        for (seen, text) in self.conversation.take_outputs() {
            match seen {
                Seen::Answer(waiter) => {
                    let waits = self.waiting.remove(&waiter) || self.gone.remove(&waiter);
                    assert!(waits, "answered twice: {text}");
                }
                Seen::Deliver(to) => assert!(self.subscribed.contains(&to), "has ended: {text}"),
                Seen::Ended(to) => assert!(self.subscribed.remove(&to), "has ended: {text}"),
                Seen::Other => {}
            }
            self.log.push(text);
        }
    }
}

/// What a daemon says to a greeting, which is the first operation of all.
fn welcome() -> Vec<u8> {
    let mut bytes = MAGIC.to_vec();
    for number in 1..=2 {
        let number = NonZeroU32::new(number).unwrap();
        let welcome = Event::Welcome {
            number,
            version: "1",
            payload_bytes_max: 1 << 16,
            descriptors: number.get() == 2,
        };
        deliver::event(&mut bytes, &welcome);
    }
    bytes
}

/// A whole frame of a daemon that may not have been asked for it.
fn event(what: u8, input: &mut Input<'_>) -> Vec<u8> {
    let number = NonZeroU32::new(1 + u32::from(input.byte()) % 16).unwrap();
    let text = String::from_utf8_lossy(input.counted()).into_owned();
    let code = Code::from_number(u16::from(what));
    let delivery = Delivery {
        message_id: MessageId::from_parts(what.into(), &[what; 10]),
        sender: &text,
        petname: None,
        device: None,
        scope: Scope::ALL[usize::from(what) % 3],
        protocol: Protocol::MS,
        topic: Topic::new("a").unwrap(),
        sent_at_ms: if what < 16 { input.number() } else { 0 },
        expires_at_ms: (what < 8).then(|| input.number()),
        reply_to: Topic::new(text.as_str()).ok(),
        priority: Priority::Normal,
        retained: false,
        attempt: NonZeroU32::new(u32::from(what) / 64),
        headers: Headers::new(),
        payload: text.as_bytes(),
        sealed_bytes: None,
    };
    let event = match what % 6 {
        0 | 1 => Event::Ok { number, message_id: None, duplicate: what > 16, stored: what > 64 },
        2 => Event::Message { subscription: number, delivery },
        3 => Event::Reply { number, delivery },
        4 => Event::Lag { subscription: number, count: input.number() },
        _ => {
            let number = Some(number).filter(|_| what < 24);
            Event::Err { number, code, text: &text, at: None, fatal: what & 8 != 0 }
        }
    };
    let mut bytes = Vec::new();
    deliver::event(&mut bytes, &event);
    bytes
}
