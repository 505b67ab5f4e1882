//! What the program asks, and what is written for it.
//!
//! While there is no connection, publishes and subscriptions are written all the same and wait;
//! `again.rs` looks through them. What would only be about a connection fails at once.

use super::frames::put_number;
use super::{Command, Done, Failure, Kind, Output, Pending, Session, Subscribed, Unconfirmed};
use crate::Loss;
use kith_wire::limits::ACKNOWLEDGED_IDS_MAX;
use kith_wire::{Code, MessageId, Operation};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Instant;

impl<W, S: Clone> Session<W, S> {
    /// The program asks for something.
    pub(crate) fn command(&mut self, now: Instant, command: Command<W, S>) {
        match command {
            Command::Posts { frames, count, charge } => {
                self.outgoing.append(frames, charge);
                if self.outgoing.is_open() {
                    self.posts.sent += count;
                    self.watch_posts(now);
                }
            }
            Command::Publish { frame, sealed, id, waiter } => {
                let sent = self.outgoing.is_open().then_some(now);
                self.publish(Unconfirmed { frame, sealed, id, waiter, sent, losses: 0 });
            }
            Command::Subscribe { key, frame, durable, to, waiter } => {
                let number = self.wait_for(Kind::Subscribe(waiter)).get();
                self.subscribe(number, Subscribed { key, frame, durable, to });
            }
            Command::Acknowledge { key, message_ids } => self.acknowledge(key, &message_ids),
            Command::Unsubscribe { key } => self.unsubscribe(key),
            Command::SetWill { frame, waiter } => self.set_will(frame, waiter),
            Command::ClearWill { waiter } if !self.outgoing.is_open() => {
                // The daemon has none of ours any more; what waits to be left is taken back here.
                self.drop_pending_wills(u64::MAX);
                self.will = None;
                self.outputs.push_back(Output::Answer(waiter, Ok(Done::Plain)));
            }
            Command::AcknowledgeAndWait { waiter, .. }
            | Command::Request { waiter, .. }
            | Command::Ping { waiter }
            | Command::Close { waiter }
                if !self.outgoing.is_open() =>
            {
                let failure = Failure::Lost(Loss::NotConnected);
                self.outputs.push_back(Output::Answer(waiter, Err(failure)));
            }
            Command::AcknowledgeAndWait { key, message_id, waiter } => {
                let Some(subscription) = self.number(key) else {
                    // It was refused after a reconnect.
                    let failure = Failure::Lost(Loss::NotConnected);
                    self.outputs.push_back(Output::Answer(waiter, Err(failure)));
                    return;
                };
                let message_ids = vec![message_id];
                let operation = Operation::Acknowledge { subscription, message_ids };
                self.ask(operation, Kind::AcknowledgeAndWait(waiter));
            }
            Command::ClearWill { waiter } => self.ask(Operation::Unwill, Kind::Unwill(waiter)),
            Command::Ping { waiter } => self.ask(Operation::Ping, Kind::Ping(waiter)),
            Command::Close { waiter } => self.ask(Operation::Bye, Kind::Bye(waiter)),
            Command::Request { mut frame, waiter } => {
                let number = self.wait_for(Kind::Request(waiter));
                put_number(&mut frame, number.get());
                self.outgoing.frames().extend_from_slice(&frame);
            }
        }
    }

    fn publish(&mut self, mut publish: Unconfirmed<W>) {
        let number = self.free_number();
        put_number(&mut publish.frame, number.get());
        let may_hand_over = self.may_hand_over && self.outgoing.is_open();
        if !may_hand_over && !publish.copy_sealed() {
            let text = "the payload can't be read".to_owned();
            let failure = Failure::Refused { code: Some(Code::BadPayload), text };
            self.outputs.push_back(Output::Answer(publish.waiter, Err(failure)));
            return;
        }
        match &publish.sealed {
            Some(memory) => self.outgoing.push_sealed(&publish.frame, Arc::clone(memory)),
            None => self.outgoing.frames().extend_from_slice(&publish.frame),
        }
        self.wait_under(number, Kind::Publish(publish));
    }

    fn subscribe(&mut self, number: u32, mut subscribed: Subscribed<S>) {
        put_number(&mut subscribed.frame, number);
        if let Some(durable) = &mut subscribed.durable {
            put_number(durable, number);
        }
        self.outgoing.frames().extend_from_slice(&subscribed.frame);
        self.numbers.insert(subscribed.key, number);
        self.subscriptions.insert(number, subscribed);
    }

    /// What can't be said now need not be: who has not acknowledged gets it again.
    fn acknowledge(&mut self, key: u64, message_ids: &[MessageId]) {
        let subscription = self.number(key).filter(|_| self.outgoing.is_open());
        let Some(subscription) = subscription else {
            self.outputs.push_back(Output::Acknowledged(message_ids.len()));
            return;
        };
        for ids in message_ids.chunks(ACKNOWLEDGED_IDS_MAX) {
            let operation = Operation::Acknowledge { subscription, message_ids: ids.to_vec() };
            self.ask(operation, Kind::Acknowledge(ids.len()));
        }
    }

    /// The number of the subscription with this key.
    fn number(&self, key: u64) -> Option<NonZeroU32> {
        self.numbers.get(&key).copied().and_then(NonZeroU32::new)
    }

    fn unsubscribe(&mut self, key: u64) {
        let Some(number) = self.numbers.remove(&key).and_then(NonZeroU32::new) else { return };
        self.subscriptions.remove(&number.get());
        if self.outgoing.is_open() {
            self.ask(Operation::Unsubscribe(number), Kind::Unsubscribe);
        } else {
            self.pending.remove(&number.get());
        }
    }

    fn set_will(&mut self, mut frame: Vec<u8>, waiter: W) {
        if self.outgoing.is_open() {
            let number = self.free_number();
            put_number(&mut frame, number.get());
            self.outgoing.frames().extend_from_slice(&frame);
            self.wait_under(number, Kind::Will { frame, waiter });
        } else {
            self.wait_for(Kind::Will { frame, waiter });
        }
    }

    /// Wills that were not confirmed before another word was said about them.
    pub(super) fn drop_pending_wills(&mut self, before: u64) {
        let is_dropped =
            |one: &Pending<W>| matches!(one.kind, Kind::Will { .. }) && one.sequence < before;
        let mut dropped: Vec<_> = self.pending.extract_if(|_, one| is_dropped(one)).collect();
        dropped.sort_by_key(|(_, one)| one.sequence);
        for (_, one) in dropped {
            if let Kind::Will { waiter, .. } = one.kind {
                self.outputs.push_back(Output::Answer(waiter, Ok(Done::Plain)));
            }
        }
    }
}
