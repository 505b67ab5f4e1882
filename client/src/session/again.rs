//! What is said again once a new connection stands.
//!
//! In this order: subscriptions, so that nothing is missed that follows; the will; publishes that
//! were sent and not answered; and then what the old connection hadn't carried, in its old order.
//! So messages of one topic keep the order in which the program published them. A publish that
//! can't be repeated without the danger of doubling it is failed instead.

use super::frames::{frames, put_number};
use super::{Failure, Kind, Output, Pending, Session, Unconfirmed};
use crate::limits::{PUBLISH_SENDS_MAX, REPEAT_MS_MAX};
use crate::{BackgroundError, Loss};
use kith_wire::Code;
use kith_wire::binary::{Frame, Kind as FrameKind};
use kith_wire::limits::{PAYLOAD_BYTES_MAX, frame_bytes_max};
use std::collections::HashSet;
use std::num::NonZeroU32;
use std::time::{Duration, Instant};

impl<W, S: Clone> Session<W, S> {
    /// The daemon has answered the greeting.
    pub(super) fn welcome(&mut self, now: Instant, payload_bytes_max: u64) {
        let bytes_max = usize::try_from(payload_bytes_max).unwrap_or(usize::MAX);
        self.payload_bytes_max = bytes_max.min(PAYLOAD_BYTES_MAX);
        let payload_bytes_max = self.payload_bytes_max;
        self.outputs.push_back(Output::Welcome { payload_bytes_max });

        let waiting = self.outgoing.take_kept();
        let numbers: HashSet<u32> = frames(&waiting).map(|frame| frame.number).collect();
        self.give_up(now, &numbers);
        let mut kept = Vec::new();
        self.subscribe_again(&numbers, &mut kept);
        self.leave_will_again(&mut kept);
        self.publish_again(&numbers, &mut kept);
        self.keep_waiting(&waiting, &mut kept);
        self.outgoing.open(kept);
        let free = self.outgoing.settle();
        if free > 0 {
            self.outputs.push_back(Output::Free(free));
        }
        self.watch_posts(now);
    }

    /// Fails what can't be repeated: too long ago, too often, or too large for this daemon.
    fn give_up(&mut self, now: Instant, waiting: &HashSet<u32>) {
        let frame_max = frame_bytes_max(self.payload_bytes_max);
        let mut given_up = Vec::new();
        for (number, pending) in &mut self.pending {
            let Kind::Publish(publish) = &mut pending.kind else { continue };
            let sent = *publish.sent.get_or_insert(now);
            if !waiting.contains(number) {
                publish.losses = publish.losses.saturating_add(1);
            }
            let is_old = now.saturating_duration_since(sent) > Duration::from_millis(REPEAT_MS_MAX);
            let failure = if publish.frame.len() > frame_max {
                too_large()
            } else if is_old || publish.losses >= PUBLISH_SENDS_MAX {
                Failure::Lost(Loss::HungUp)
            } else {
                continue;
            };
            given_up.push((pending.sequence, *number, failure));
        }
        given_up.sort_by_key(|(sequence, ..)| *sequence);
        for (_, number, failure) in given_up {
            let pending = self.pending.remove(&number);
            if let Some(Pending { kind: Kind::Publish(Unconfirmed { waiter, .. }), .. }) = pending {
                self.outputs.push_back(Output::Answer(waiter, Err(failure)));
            }
        }
    }

    fn subscribe_again(&mut self, waiting: &HashSet<u32>, kept: &mut Vec<u8>) {
        let mut all: Vec<_> = self.subscriptions.iter().collect();
        all.sort_by_key(|(_, subscribed)| subscribed.key);
        let mut established = Vec::new();
        for (number, subscribed) in all {
            if !waiting.contains(number) {
                kept.extend_from_slice(&subscribed.frame);
            }
            if !self.pending.contains_key(number) {
                established.extend(NonZeroU32::new(*number));
            }
        }
        for number in established {
            self.wait_under(number, Kind::SubscribeAgain);
        }
    }

    /// The newest will that waits for its answer, else the one that was confirmed.
    fn leave_will_again(&mut self, kept: &mut Vec<u8>) {
        let is_will = |one: &&Pending<W>| matches!(one.kind, Kind::Will { .. });
        let newest = self.pending.values().filter(is_will).map(|one| one.sequence).max();
        let Some(newest) = newest else {
            if let Some(mut frame) = self.will.clone() {
                put_number(&mut frame, self.wait_for(Kind::WillAgain).get());
                kept.extend_from_slice(&frame);
            }
            return;
        };
        self.drop_pending_wills(newest);
        let pending = self.pending.iter_mut().find(|(_, one)| one.sequence == newest);
        if let Some((number, Pending { kind: Kind::Will { frame, .. }, .. })) = pending {
            put_number(frame, *number);
            kept.extend_from_slice(frame);
        }
    }

    /// What was sent whole.
    fn publish_again(&mut self, waiting: &HashSet<u32>, kept: &mut Vec<u8>) {
        let mut again = Vec::new();
        for (number, pending) in &self.pending {
            if let Kind::Publish(publish) = &pending.kind
                && !waiting.contains(number)
            {
                again.push((pending.sequence, &publish.frame));
            }
        }
        again.sort_by_key(|(sequence, _)| *sequence);
        for (_, frame) in again {
            kept.extend_from_slice(frame);
        }
    }

    /// What was not: publishes and subscriptions that are still wanted.
    fn keep_waiting(&mut self, waiting: &[u8], kept: &mut Vec<u8>) {
        let frame_max = frame_bytes_max(self.payload_bytes_max);
        for frame in frames(waiting) {
            if is_post(&frame) {
                if frame.bytes.len() > frame_max {
                    let Failure::Refused { code, text } = too_large() else { continue };
                    let error = BackgroundError::Refused { code, text };
                    self.outputs.push_back(Output::Background(error));
                    continue;
                }
                self.posts.sent += 1;
            } else if frame.kind == FrameKind::Pub.byte() {
                let Some(pending) = self.pending.get_mut(&frame.number) else { continue };
                pending.posts = self.posts.sent;
            } else if frame.kind != FrameKind::Sub.byte()
                || !self.subscriptions.contains_key(&frame.number)
            {
                continue;
            }
            kept.extend_from_slice(frame.bytes);
        }
    }
}

/// Whether this is a publish that nobody waits for.
pub(super) fn is_post(frame: &Frame<'_>) -> bool {
    frame.kind == FrameKind::Pub.byte() && frame.number == 0
}

fn too_large() -> Failure {
    let text = "the daemon that came back takes no payload of this size".to_owned();
    Failure::Refused { code: Some(Code::TooLarge), text }
}
