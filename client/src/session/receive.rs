//! What the daemon says, and what follows from it.

use super::{Done, Failure, Kind, Output, Pending, Session, Unconfirmed, opening};
use crate::message::Payload;
use crate::{BackgroundError, Incoming, Loss, Message, Published, SubscribeError};
use kith_wire::binary::{receive, split};
use kith_wire::limits::{PAYLOAD_BYTES_MAX, frame_bytes_max};
use kith_wire::{Code, Event, MessageId, Refusal};
use std::num::NonZeroU32;
use std::time::Instant;

impl<W, S: Clone> Session<W, S> {
    /// Takes what was read, and says how much of it was used: whole frames. The rest has to come
    /// again, with more behind it.
    ///
    /// # Errors
    /// If the connection can't go on.
    pub(crate) fn receive(&mut self, now: Instant, bytes: &[u8]) -> Result<usize, Loss> {
        let mut used = 0;
        if !self.opened {
            let Some(magic_bytes) = opening::read(bytes)? else { return Ok(0) };
            self.opened = true;
            used = magic_bytes;
        }
        loop {
            let rest = bytes.get(used..).unwrap_or_default();
            // Not what the greeting said: that may have been raised since, or lowered while larger
            // values were kept.
            let limit = frame_bytes_max(PAYLOAD_BYTES_MAX);
            let Some(frame) = split(rest, limit).map_err(Loss::Unreadable)? else {
                return Ok(used);
            };
            receive::events(frame, |event| self.event(now, event)).map_err(|refusal| {
                // A refused greeting ends the connection by the same way as nonsense.
                self.farewell.take().unwrap_or(Loss::Unreadable(refusal))
            })?;
            used += frame.bytes.len();
        }
    }

    /// # Errors
    /// If the connection can't go on; `farewell` says why.
    fn event(&mut self, now: Instant, event: Event<'_>) -> Result<(), Refusal> {
        match event {
            Event::Message { subscription, delivery } => {
                let payload = delivery.sealed_bytes.map(|bytes| self.claim(bytes)).transpose()?;
                self.deliver(subscription, |last| {
                    Incoming::Message(match payload {
                        None => Message::from_delivery(delivery, last),
                        Some(payload) => Message::with_payload(delivery, payload, last),
                    })
                });
            }
            Event::Lag { subscription, count } => {
                self.deliver(subscription, |_| Incoming::Lag { count });
            }
            Event::Ok { number, message_id, duplicate, stored } => {
                self.expect(number, |kind| !matches!(kind, Kind::Request(_) | Kind::Hello))?;
                if let Some(pending) = self.answered(now, number) {
                    self.succeed(number, pending, |own| {
                        let id = message_id.unwrap_or(own);
                        Published { id, duplicate, stored }
                    });
                }
            }
            Event::Reply { number, delivery } => {
                self.expect(number, |kind| matches!(kind, Kind::Request(_)))?;
                let pending = self.answered(now, number);
                if let Some(Pending { kind: Kind::Request(waiter), .. }) = pending {
                    let message = Message::from_delivery(delivery, &mut None);
                    self.outputs.push_back(Output::Answer(waiter, Ok(Done::Replied(message))));
                }
            }
            Event::Welcome { number, payload_bytes_max, descriptors, .. } => {
                self.expect(number, |kind| matches!(kind, Kind::Hello))?;
                let pending = self.answered(now, number);
                if matches!(pending, Some(Pending { kind: Kind::Hello, .. })) {
                    self.may_hand_over = descriptors && self.takes_descriptors;
                    self.welcome(now, payload_bytes_max);
                }
            }
            Event::Err { number, code, text, fatal, .. } => {
                if fatal {
                    self.part(Loss::Refused { code, text: text.to_owned() });
                }
                match number {
                    Some(number) => self.refuse(now, number, code, text)?,
                    None if fatal => {}
                    None => {
                        let error = BackgroundError::Refused { code, text: text.to_owned() };
                        self.outputs.push_back(Output::Background(error));
                    }
                }
            }
            Event::Bye { code, text } => self.part(Loss::Refused { code, text: text.to_owned() }),
        }
        Ok(())
    }

    /// The next payload that came in a descriptor, which has to have this size.
    ///
    /// # Errors
    /// If there is none, or it is none.
    fn claim(&mut self, bytes: u64) -> Result<Payload, Refusal> {
        let refused = |text: String| Refusal::fatal(Code::BadFrame, text);
        let handed = self.handed.pop_front();
        let handed = handed.ok_or_else(|| refused("a message without its descriptor".into()))?;
        let payload = handed.map_err(refused)?;
        let found = payload.bytes().len();
        if found as u64 == bytes {
            return Ok(payload);
        }
        Err(refused(format!("a descriptor of {found} bytes in place of {bytes}")))
    }

    /// The daemon is about to hang up, for this reason; a goodbye of ours is the better one.
    fn part(&mut self, reason: Loss) {
        if self.farewell != Some(Loss::Closed) {
            self.farewell = Some(reason);
        }
    }

    /// Holds that what is answered, if it waits, is something that can be answered so.
    ///
    /// # Errors
    /// If it is something else: one side has lost count, and whoever waits would never be answered.
    fn expect(
        &self,
        number: NonZeroU32,
        fits: impl FnOnce(&Kind<W>) -> bool,
    ) -> Result<(), Refusal> {
        if self.pending.get(&number.get()).is_none_or(|pending| fits(&pending.kind)) {
            return Ok(());
        }
        let text = format!("the answer {number} is none to what was asked under that number");
        Err(Refusal::fatal(Code::BadFrame, text))
    }

    /// The operation that is answered; so everything before it has arrived too.
    fn answered(&mut self, now: Instant, number: NonZeroU32) -> Option<Pending<W>> {
        let pending = self.pending.remove(&number.get())?;
        self.posts.confirmed = self.posts.confirmed.max(pending.posts);
        if matches!(pending.kind, Kind::Checkpoint) {
            self.posts.asked = false;
            self.watch_posts(now);
        }
        Some(pending)
    }

    fn succeed(
        &mut self,
        number: NonZeroU32,
        pending: Pending<W>,
        published: impl FnOnce(MessageId) -> Published,
    ) {
        let (waiter, done) = match pending.kind {
            Kind::Publish(Unconfirmed { id, waiter, .. }) => {
                (waiter, Done::Published(published(id)))
            }
            Kind::Will { frame, waiter } => {
                self.will = Some(frame);
                (waiter, Done::Plain)
            }
            Kind::Unwill(waiter) => {
                self.will = None;
                (waiter, Done::Plain)
            }
            Kind::Bye(waiter) => {
                self.farewell = Some(Loss::Closed);
                (waiter, Done::Plain)
            }
            Kind::Subscribe(waiter) => {
                self.confirm(number);
                (waiter, Done::Plain)
            }
            Kind::Ping(waiter) | Kind::AcknowledgeAndWait(waiter) => (waiter, Done::Plain),
            Kind::Acknowledge(count) => {
                self.outputs.push_back(Output::Acknowledged(count));
                return;
            }
            Kind::SubscribeAgain => {
                let subscribed = self.subscriptions.get(&number.get());
                // What is durable misses nothing.
                if subscribed.is_some_and(|subscribed| subscribed.durable.is_none()) {
                    self.deliver(number, |_| Incoming::Gap);
                }
                return;
            }
            // The first two are answered by a reply and a welcome, or not at all; nobody would want
            // to know of the others.
            Kind::Request(_)
            | Kind::Hello
            | Kind::Checkpoint
            | Kind::Unsubscribe
            | Kind::WillAgain => return,
        };
        self.outputs.push_back(Output::Answer(waiter, Ok(done)));
    }

    /// # Errors
    /// If it was the greeting that was refused.
    fn refuse(
        &mut self,
        now: Instant,
        number: NonZeroU32,
        code: Option<Code>,
        text: &str,
    ) -> Result<(), Refusal> {
        let Some(pending) = self.answered(now, number) else { return Ok(()) };
        let text = text.to_owned();
        let waiter = match pending.kind {
            Kind::Acknowledge(count) => {
                self.outputs.push_back(Output::Acknowledged(count));
                let error = BackgroundError::Acknowledge { code, text };
                self.outputs.push_back(Output::Background(error));
                return Ok(());
            }
            Kind::Publish(Unconfirmed { waiter, .. })
            | Kind::AcknowledgeAndWait(waiter)
            | Kind::Bye(waiter)
            | Kind::Ping(waiter)
            | Kind::Request(waiter)
            | Kind::Unwill(waiter)
            | Kind::Will { waiter, .. } => waiter,
            Kind::Subscribe(waiter) => {
                self.forget(number);
                waiter
            }
            Kind::SubscribeAgain => {
                if let Some(to) = self.forget(number) {
                    let reason = SubscribeError::Refused { code, text };
                    self.outputs.push_back(Output::Ended { to, reason });
                }
                return Ok(());
            }
            Kind::WillAgain => {
                self.will = None;
                let error = BackgroundError::Will { code, text };
                self.outputs.push_back(Output::Background(error));
                return Ok(());
            }
            Kind::Hello => {
                self.farewell = Some(Loss::Refused { code, text: text.clone() });
                return Err(Refusal::fatal(code.unwrap_or(Code::BadOp), text));
            }
            Kind::Checkpoint | Kind::Unsubscribe => return Ok(()),
        };
        self.outputs.push_back(Output::Answer(waiter, Err(Failure::Refused { code, text })));
        Ok(())
    }

    /// The daemon has this subscription, and if it is durable its consumer: from here on that goes
    /// on where it is.
    fn confirm(&mut self, number: NonZeroU32) {
        if let Some(subscribed) = self.subscriptions.get_mut(&number.get())
            && let Some(durable) = &subscribed.durable
        {
            subscribed.frame.clone_from(durable);
        }
    }

    /// The daemon has no such subscription.
    fn forget(&mut self, number: NonZeroU32) -> Option<S> {
        let subscribed = self.subscriptions.remove(&number.get())?;
        self.numbers.remove(&subscribed.key);
        Some(subscribed.to)
    }
}
