//! The calls of a program that wait for the broker's answer.
//!
//! Most answers come in the order of the calls, but not all: a request is answered when there is a
//! reply, and a publish that is stored when it is on the disk. So each call has a number of its
//! own, one that no subscription can have. A subscription's call has that of the subscription,
//! which the program may have given twice: of those the first is meant.

use super::call::{Asked, Call};
use super::message::Slip;
use crate::limits::{DBUS_QUESTION_MS, DBUS_SUBSCRIPTION_MAX};
use kith_sealed::SealedMemory;
use kith_wire::{Code, Operation, Request, Subscribe};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::num::NonZeroU32;

/// Under which the broker is greeted.
pub(super) const GREETING: NonZeroU32 = NonZeroU32::MIN.saturating_add(DBUS_SUBSCRIPTION_MAX);

/// Under which the door listens to what concerns people, and to what becomes of messages.
pub(super) const CHANGES: NonZeroU32 = GREETING.saturating_add(1);
pub(super) const UPDATES: NonZeroU32 = GREETING.saturating_add(2);

/// How a reply is handed on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Form {
    /// Its payload, as a variant.
    #[default]
    Payload,
    /// All of the message.
    Whole,
    /// Its payload, which is text.
    Text,
}

/// The calls of one program that wait, and the numbers that it uses.
#[derive(Debug)]
pub(super) struct Waiting {
    /// All but those that subscribe.
    calls: BTreeMap<u32, Asks>,
    last_call: u32,
    /// Those that subscribe, in their order.
    subscribing: VecDeque<(u32, Option<Slip>)>,
    subscriptions: BTreeSet<u32>,
    last_subscription: u32,
}

/// A call that waits.
#[derive(Debug, Default)]
pub(super) struct Asks {
    /// Nothing, where no answer is wanted and the broker gives one all the same.
    pub(super) slip: Option<Slip>,
    /// What of the reply is wanted.
    pub(super) form: Form,
    /// The subscription that it ends.
    ends: Option<u32>,
}

/// What an answer belongs to.
pub(super) struct Answered {
    pub(super) slip: Option<Slip>,
    /// The subscription that it began.
    pub(super) subscription: Option<u32>,
}

impl Waiting {
    /// Those of a client that has greeted the broker, and asked for nothing yet.
    pub(super) fn new() -> Self {
        Self {
            calls: BTreeMap::from([(GREETING.get(), Asks::default())]),
            last_call: UPDATES.get(),
            subscribing: VecDeque::new(),
            subscriptions: BTreeSet::new(),
            last_subscription: 0,
        }
    }

    /// What to say to the broker, and what goes with it; from now on the call waits.
    pub(super) fn begin<'a>(
        &mut self,
        call: Call<'a>,
        slip: Option<Slip>,
    ) -> (Request<'a>, Option<SealedMemory>) {
        let mut asks = Asks { slip, ..Asks::default() };
        let mut sealed = None;
        let operation = match call {
            Call::Request { publication, timeout_ms, whole } => {
                let number = self.number();
                asks.form = if whole { Form::Whole } else { Form::Payload };
                self.calls.insert(number.get(), asks);
                let operation = Operation::Request { number, publication, timeout_ms };
                return (Request { number: Some(number), operation }, None);
            }
            Call::Ask(publication) => {
                let number = self.number();
                asks.form = Form::Text;
                self.calls.insert(number.get(), asks);
                let timeout_ms = DBUS_QUESTION_MS;
                let operation = Operation::Request { number, publication, timeout_ms };
                return (Request { number: Some(number), operation }, None);
            }
            Call::Subscribe { number, asked } => {
                return (self.subscribe(number, asked, asks.slip), None);
            }
            Call::Unsubscribe(subscription) => {
                asks.ends = Some(subscription.get());
                Operation::Unsubscribe(subscription)
            }
            Call::Acknowledge { subscription, message_id } => {
                Operation::Acknowledge { subscription, message_ids: vec![message_id] }
            }
            Call::PublishSealed(publication, memory) => {
                let payload_bytes = memory.len() as u64;
                sealed = Some(memory);
                Operation::PublishSealed { publication, payload_bytes }
            }
            Call::Publish(publication) => Operation::Publish(publication),
            Call::SetWill(publication) => Operation::Will(publication),
            Call::ClearWill => Operation::Unwill,
            Call::Hello { name, client, token } => {
                Operation::Hello { name, client, descriptors: false, token }
            }
            Call::Ping => Operation::Ping,
            Call::Bye => Operation::Bye,
        };
        let number = asks.slip.is_some().then(|| self.number());
        match number {
            Some(number) => drop(self.calls.insert(number.get(), asks)),
            None => self.ended(&asks),
        }
        (Request { number, operation }, sealed)
    }

    fn subscribe<'a>(
        &mut self,
        number: Option<NonZeroU32>,
        asked: Asked<'a>,
        slip: Option<Slip>,
    ) -> Request<'a> {
        let number = number.unwrap_or_else(|| self.subscription_number());
        self.subscriptions.insert(number.get());
        self.subscribing.push_back((number.get(), slip));
        let Asked { pattern, group, retained, monitor, durable, since } = asked;
        let (group, durable) = (group.map(Cow::Owned), durable.map(Cow::Owned));
        let asked = Subscribe { number, pattern, group, retained, monitor, durable, since };
        Request { number: Some(number), operation: Operation::Subscribe(asked) }
    }

    /// What an answer under this number belongs to, if to anything.
    pub(super) fn answer(&mut self, number: NonZeroU32) -> Option<Answered> {
        if let Some(asks) = self.calls.remove(&number.get()) {
            self.ended(&asks);
            return Some(Answered { slip: asks.slip, subscription: None });
        }
        let slip = self.subscribed(number)?;
        Some(Answered { slip, subscription: Some(number.get()) })
    }

    /// The request under this number, which has its reply.
    pub(super) fn reply(&mut self, number: NonZeroU32) -> Option<Asks> {
        self.calls.remove(&number.get())
    }

    /// Whose error this is. Nothing if nobody waits for it.
    pub(super) fn fail(&mut self, number: Option<NonZeroU32>, code: Option<Code>) -> Option<Slip> {
        let number = number?;
        if let Some(asks) = self.calls.remove(&number.get()) {
            return asks.slip;
        }
        let slip = self.subscribed(number)?;
        if code != Some(Code::DuplicateSubscription) {
            self.subscriptions.remove(&number.get());
        }
        slip
    }

    /// The first call that subscribes under this number.
    fn subscribed(&mut self, number: NonZeroU32) -> Option<Option<Slip>> {
        let mut calls = self.subscribing.iter();
        let first = calls.position(|(asked, _)| *asked == number.get())?;
        self.subscribing.remove(first).map(|(_, slip)| slip)
    }

    fn ended(&mut self, asks: &Asks) {
        if let Some(subscription) = asks.ends {
            self.subscriptions.remove(&subscription);
        }
    }

    /// Whether an answer is waited for.
    pub(super) fn is_any(&self) -> bool {
        !self.subscribing.is_empty() || !self.calls.is_empty()
    }

    /// All that wait: no answer comes any more.
    pub(super) fn drain(&mut self) -> impl Iterator<Item = Slip> {
        let calls = std::mem::take(&mut self.calls).into_values().filter_map(|asks| asks.slip);
        self.subscribing.drain(..).filter_map(|(_, slip)| slip).chain(calls)
    }

    fn number(&mut self) -> NonZeroU32 {
        loop {
            self.last_call = self.last_call.wrapping_add(1) | GREETING.get();
            if let Some(number) = NonZeroU32::new(self.last_call)
                && UPDATES < number
                && !self.calls.contains_key(&number.get())
            {
                return number;
            }
        }
    }

    fn subscription_number(&mut self) -> NonZeroU32 {
        loop {
            self.last_subscription = self.last_subscription % DBUS_SUBSCRIPTION_MAX + 1;
            if let Some(number) = NonZeroU32::new(self.last_subscription)
                && !self.subscriptions.contains(&number.get())
            {
                return number;
            }
        }
    }
}
