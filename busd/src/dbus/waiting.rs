//! The calls of a program that wait for the broker's answer.
//!
//! The broker answers operations in their order, so most answers need no number to be told apart:
//! the first that waits is meant. Only requests are answered when there is a reply; theirs are
//! numbers that no subscription can have.

use super::call::{Asked, Call};
use super::message::Slip;
use crate::limits::DBUS_SUBSCRIPTION_MAX;
use kith_sealed::SealedMemory;
use kith_wire::{Code, Operation, Request, Subscribe};
use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap, VecDeque};
use std::num::NonZeroU32;

/// The number of what needs none of its own.
const ANY: NonZeroU32 = NonZeroU32::MIN;

/// The calls of one program that wait, and the numbers that it uses.
#[derive(Debug)]
pub(super) struct Waiting {
    in_order: VecDeque<Waits>,
    requests: HashMap<u32, Asks>,
    last_request: u32,
    subscriptions: BTreeSet<u32>,
    last_subscription: u32,
}

/// One that is answered in its turn.
#[derive(Debug)]
struct Waits {
    /// Nothing, where no answer is wanted and the broker gives one all the same.
    slip: Option<Slip>,
    /// What becomes of the program's numbers.
    number: Option<Number>,
}

#[derive(Clone, Copy, Debug)]
enum Number {
    Begins(u32),
    Ends(u32),
}

/// One that waits for a reply.
#[derive(Debug)]
pub(super) struct Asks {
    pub(super) slip: Option<Slip>,
    pub(super) whole: bool,
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
            in_order: VecDeque::from([Waits { slip: None, number: None }]),
            requests: HashMap::new(),
            last_request: 0,
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
        let wanted = slip.is_some().then_some(ANY);
        let mut number = None;
        let mut sealed = None;
        let operation = match call {
            Call::Request { publication, timeout_ms, whole } => {
                let number = self.request_number();
                self.requests.insert(number.get(), Asks { slip, whole });
                let operation = Operation::Request { number, publication, timeout_ms };
                return (Request { number: Some(number), operation }, None);
            }
            Call::Subscribe { number, asked } => {
                let number = number.unwrap_or_else(|| self.subscription_number());
                self.subscriptions.insert(number.get());
                let begins = Some(Number::Begins(number.get()));
                self.in_order.push_back(Waits { slip, number: begins });
                let Asked { pattern, group, retained, monitor } = asked;
                let group = group.map(Cow::Owned);
                let (durable, since) = (None, None);
                let asked = Subscribe { number, pattern, group, retained, monitor, durable, since };
                return (
                    Request { number: Some(number), operation: Operation::Subscribe(asked) },
                    None,
                );
            }
            Call::Unsubscribe(subscription) => {
                number = Some(Number::Ends(subscription.get()));
                Operation::Unsubscribe(subscription)
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
        if wanted.is_some() {
            self.in_order.push_back(Waits { slip, number });
        } else if let Some(Number::Ends(number)) = number {
            self.subscriptions.remove(&number);
        }
        (Request { number: wanted, operation }, sealed)
    }

    /// What the next answer that is not about a request belongs to.
    pub(super) fn answer(&mut self) -> Option<Answered> {
        let Waits { slip, number } = self.in_order.pop_front()?;
        let subscription = match number {
            Some(Number::Begins(number)) => Some(number),
            Some(Number::Ends(number)) => {
                self.subscriptions.remove(&number);
                None
            }
            None => None,
        };
        Some(Answered { slip, subscription })
    }

    /// The request under this number, which has its reply.
    pub(super) fn reply(&mut self, number: NonZeroU32) -> Option<Asks> {
        self.requests.remove(&number.get())
    }

    /// Whose error this is: a request's, or else the next one's. Nothing if nobody waits for it.
    pub(super) fn fail(&mut self, number: Option<NonZeroU32>, code: Option<Code>) -> Option<Slip> {
        let number = number?;
        if let Some(asks) = self.reply(number) {
            return asks.slip;
        }
        let Waits { slip, number } = self.in_order.pop_front()?;
        if let Some(Number::Begins(number)) = number
            && code != Some(Code::DuplicateSubscription)
        {
            self.subscriptions.remove(&number);
        }
        slip
    }

    /// Whether an answer is waited for.
    pub(super) fn is_any(&self) -> bool {
        !self.in_order.is_empty() || !self.requests.is_empty()
    }

    /// All that wait: no answer comes any more.
    pub(super) fn drain(&mut self) -> impl Iterator<Item = Slip> {
        let requests = self.requests.drain().filter_map(|(_, asks)| asks.slip);
        self.in_order.drain(..).filter_map(|waits| waits.slip).chain(requests)
    }

    fn request_number(&mut self) -> NonZeroU32 {
        loop {
            self.last_request = self.last_request.wrapping_add(1) | (DBUS_SUBSCRIPTION_MAX + 1);
            if let Some(number) = NonZeroU32::new(self.last_request)
                && !self.requests.contains_key(&number.get())
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
