//! What waits to be written on one link, lane by lane, and what becomes of it.
//!
//! A letter is `sent` when its last byte was handed to QUIC, and not before; what still waits when
//! the link goes down has `failed`, so that the daemon tries another way. Letters of a lane go in
//! order; small ones that wait go together, and one alone goes at once.
//!
//! It knows no link and no clock.

use crate::hello::{LANES, place_of, write_letter};
use crate::limits::{BATCH_BYTES, MTU_BYTES_MAX, WAITING_BYTES_MAX, WAITING_LETTERS_MAX};
use kith_plugins_api::contract::envelope::{Failure, Send};
use kith_plugins_api::{MessageId, Moment};
use std::collections::VecDeque;

/// A letter that was not carried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotCarried {
    /// Its envelope.
    pub envelope: MessageId,
    /// Why.
    pub reason: Failure,
    /// Whether it may go better another time.
    pub retry: bool,
}

/// What waits on one link.
#[derive(Debug, Default)]
pub struct Queue {
    lanes: [Waiting; LANES.len()],
    letters: usize,
    bytes: usize,
    not_carried: VecDeque<NotCarried>,
}

/// What waits on one lane.
#[derive(Debug, Default)]
struct Waiting {
    letters: VecDeque<Send>,
    /// Bytes that are being written, and how many of them are.
    batch: Vec<u8>,
    written: usize,
    in_batch: VecDeque<InBatch>,
}

/// A letter of a batch.
#[derive(Debug)]
struct InBatch {
    envelope: MessageId,
    /// How long it is.
    bytes: usize,
    /// Where in the batch it ends.
    end: usize,
}

/// Why a letter can't be carried, whatever the link is like.
#[must_use]
pub fn objection(send: &Send, now: Moment) -> Option<NotCarried> {
    let (reason, retry) = if send.letter.0.len() > MTU_BYTES_MAX || send.letter.0.is_empty() {
        (Failure::TooBig, false)
    } else if send.expires_at <= now.unix_ms() {
        (Failure::Expired, false)
    } else {
        return None;
    };
    Some(NotCarried { envelope: send.envelope, reason, retry })
}

impl Queue {
    /// Takes a letter.
    ///
    /// # Errors
    /// If too much waits already.
    pub fn push(&mut self, send: Send) -> Result<(), NotCarried> {
        let bytes = send.letter.0.len();
        if self.letters >= WAITING_LETTERS_MAX || self.bytes + bytes > WAITING_BYTES_MAX {
            let envelope = send.envelope;
            return Err(NotCarried { envelope, reason: Failure::Quota, retry: true });
        }
        self.letters += 1;
        self.bytes += bytes;
        if let Some(lane) = self.lanes.get_mut(usize::from(place_of(send.lane))) {
            lane.letters.push_back(send);
        }
        Ok(())
    }

    /// The bytes that are to be written on a lane now, by its place; none if nothing waits.
    pub fn next(&mut self, place: usize, now: Moment) -> &[u8] {
        let Some(lane) = self.lanes.get_mut(place) else { return &[] };
        if lane.written == lane.batch.len() {
            lane.batch.clear();
            // What one large letter took is not kept for all the small ones after it.
            lane.batch.shrink_to(BATCH_BYTES);
            lane.written = 0;
            while let Some(send) = lane.letters.front() {
                let is_full =
                    !lane.batch.is_empty() && lane.batch.len() + send.letter.0.len() > BATCH_BYTES;
                if is_full {
                    break;
                }
                if let Some(objection) = objection(send, now) {
                    self.not_carried.push_back(objection);
                    self.letters -= 1;
                    self.bytes -= send.letter.0.len();
                } else {
                    write_letter(&send.letter.0, &mut lane.batch);
                    let (bytes, end) = (send.letter.0.len(), lane.batch.len());
                    lane.in_batch.push_back(InBatch { envelope: send.envelope, bytes, end });
                }
                lane.letters.pop_front();
            }
        }
        lane.batch.get(lane.written..).unwrap_or_default()
    }

    /// So many of those bytes were written. Returns the letters that are through.
    pub fn wrote(&mut self, place: usize, bytes: usize) -> Vec<MessageId> {
        let Some(lane) = self.lanes.get_mut(place) else { return Vec::new() };
        lane.written = (lane.written + bytes).min(lane.batch.len());
        let mut through = Vec::new();
        while let Some(first) = lane.in_batch.front()
            && first.end <= lane.written
        {
            self.letters -= 1;
            self.bytes -= first.bytes;
            through.push(first.envelope);
            lane.in_batch.pop_front();
        }
        through
    }

    /// Whether anything waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.letters == 0
    }

    /// How many bytes of letters wait.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// What could not be carried since the last time.
    pub fn take_not_carried(&mut self) -> impl Iterator<Item = NotCarried> + '_ {
        self.not_carried.drain(..)
    }

    /// The link is down: nothing that waits is carried by it.
    #[must_use]
    pub fn end(mut self) -> Vec<NotCarried> {
        let mut all: Vec<_> = self.not_carried.drain(..).collect();
        let retry = true;
        for lane in self.lanes {
            let interrupted = lane.in_batch.into_iter().map(|letter| letter.envelope);
            all.extend(interrupted.map(|envelope| {
                let reason = Failure::Interrupted;
                NotCarried { envelope, reason, retry }
            }));
            all.extend(lane.letters.into_iter().map(|send| {
                let (envelope, reason) = (send.envelope, Failure::Unreachable);
                NotCarried { envelope, reason, retry }
            }));
        }
        all
    }
}

#[cfg(test)]
mod tests;
