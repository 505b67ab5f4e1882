//! Requests that wait for their replies.
//!
//! A request is published with a reply topic that only its receivers learn; the first publish on
//! that topic ends it. The number of those that wait is bounded for each connection, and each waits
//! for a bounded time.

use super::client::ClientId;
use foldhash::fast::FixedState;
use hashbrown::HashMap;
use kith_wire::{MessageId, RequestNumber};
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// What a reply topic begins with.
const PREFIX: &str = "bus.reply.";

/// All requests that wait.
#[derive(Debug, Default)]
pub(crate) struct Requests {
    waiting: HashMap<u128, Waiting, FixedState>,
    /// When each ends, the first on top. One that was answered stays until its time.
    deadlines: BinaryHeap<Reverse<(u64, u128)>>,
}

/// Who waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Waiting {
    /// A client, under this number.
    Client { client: ClientId, number: RequestNumber },
    /// The daemon, for a sign of life of this service.
    Daemon { service: ClientId },
    /// A client, under this number, for somebody elsewhere whom the post asks with this id; so many
    /// bytes are at the post for it.
    Elsewhere { client: ClientId, number: RequestNumber, message_id: MessageId, bytes: usize },
    /// Somebody outside, whom the post knows by this handle.
    Outside { request: u64 },
}

impl Requests {
    pub(crate) fn len(&self) -> usize {
        self.waiting.len()
    }

    pub(crate) fn insert(&mut self, token: u128, waiting: Waiting, deadline_ms: u64) {
        self.waiting.insert(token, waiting);
        self.deadlines.push(Reverse((deadline_ms, token)));
    }

    pub(crate) fn get(&self, token: u128) -> Option<&Waiting> {
        self.waiting.get(&token)
    }

    /// Takes the one with this token.
    pub(crate) fn take(&mut self, token: u128) -> Option<Waiting> {
        self.take_if(token, |_| true)
    }

    /// Takes it if it is such a one.
    pub(crate) fn take_if(
        &mut self,
        token: u128,
        is_such: impl FnOnce(&Waiting) -> bool,
    ) -> Option<Waiting> {
        if !is_such(self.waiting.get(&token)?) {
            return None;
        }
        let waiting = self.waiting.remove(&token);
        // Answered requests would pile up until their time; most of the heap is kept alive.
        if self.waiting.len() * 2 + 1024 < self.deadlines.len() {
            let Self { waiting, deadlines } = self;
            deadlines.retain(|Reverse((_, token))| waiting.contains_key(token));
        }
        waiting
    }

    /// When the next one ends.
    pub(crate) fn next_deadline(&mut self) -> Option<u64> {
        while let Some(Reverse((deadline, token))) = self.deadlines.peek() {
            if self.waiting.contains_key(token) {
                return Some(*deadline);
            }
            self.deadlines.pop();
        }
        None
    }

    /// Takes one whose time is over.
    pub(crate) fn take_expired(&mut self, monotonic_ms: u64) -> Option<(u128, Waiting)> {
        while self.next_deadline().is_some_and(|deadline| deadline <= monotonic_ms) {
            if let Some(Reverse((_, token))) = self.deadlines.pop()
                && let Some(waiting) = self.waiting.remove(&token)
            {
                return Some((token, waiting));
            }
        }
        None
    }
}

/// The reply topic with this token.
pub(crate) fn reply_topic(token: u128) -> String {
    format!("{PREFIX}{token:032x}")
}

/// The token of a reply topic.
pub(crate) fn token_of(topic: &str) -> Option<u128> {
    let hex = topic.strip_prefix(PREFIX)?;
    let is_ours = hex.len() == 32 && hex.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    if is_ours { u128::from_str_radix(hex, 16).ok() } else { None }
}
