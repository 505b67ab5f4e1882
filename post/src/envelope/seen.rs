//! What has come before: messages by sender, lane and id, so that none is delivered twice.
//!
//! A ciphertext opens once, but its sender encrypts a message again where a session was lost or
//! another way is tried. So ids are remembered until the message can no longer arrive.
//!
//! Memory is bounded for each sender and lane, and the rule at the bound is exact: ids begin with
//! the time at which they were made, so the eighth of them that are oldest is forgotten at once,
//! and from then on whatever is not newer than those is [`Remembered::TooOld`]: it may be a copy,
//! and is refused with that reason, never delivered on a guess. In a lane messages come in order,
//! so an honest sender notices nothing of it.
//!
//! Each id is a record of its own, put in the same transaction as the message. Those of the lane
//! `realtime` are kept in memory only, as the messages are.

use super::content::Party;
use super::lane::Lane;
use super::{Change, RecordError};
use crate::limits::{SEEN_IDS_IN_ALL_MAX, SEEN_IDS_MAX, SEEN_PARTIES_MAX};
use kith_people::{DeviceId, PersonId};
use kith_wire::MessageId;
use std::collections::{BTreeMap, BTreeSet};
use zeroize::Zeroizing;

/// The first bytes of keys: an id; the newest id that was forgotten at the bound.
const ID_KEY: u8 = b'd';
const FLOOR_KEY: u8 = b'f';

/// What is known of a message's id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remembered {
    /// It has not come before, and is remembered from now on.
    New,
    /// It has come before.
    Copy,
    /// It is older than what is remembered of this sender: it may have come before.
    TooOld,
    /// It can't be remembered: there are too many senders already.
    NoRoom,
}

/// What has come before.
#[derive(Debug, Default)]
pub struct Seen {
    ways: BTreeMap<(Party, Lane), Way>,
    /// Of all ids.
    count: usize,
    changed: BTreeSet<Record>,
}

#[derive(Debug, Default)]
struct Way {
    /// When each can be forgotten.
    ids: BTreeMap<MessageId, u64>,
    /// The newest that was forgotten before its time, and until when that matters.
    floor: Option<(MessageId, u64)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Record {
    Id(Party, Lane, MessageId),
    Floor(Party, Lane),
}

impl Seen {
    /// Without any memory.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// What is known of an id, without remembering it: so that a copy need not be decrypted. What
    /// was not decrypted may be forged, and says nothing.
    #[must_use]
    pub fn is_copy(&self, from: Party, lane: Lane, id: &MessageId) -> bool {
        self.ways.get(&(from, lane)).is_some_and(|way| way.ids.contains_key(id))
    }

    /// Remembers an id until a time (milliseconds since the Unix epoch), if it is new.
    pub fn remember(
        &mut self,
        from: Party,
        lane: Lane,
        id: MessageId,
        until_ms: u64,
    ) -> Remembered {
        let has_room = self.ways.len() < SEEN_PARTIES_MAX;
        if !has_room && !self.ways.contains_key(&(from, lane)) {
            return Remembered::NoRoom;
        }
        let way = self.ways.entry((from, lane)).or_default();
        if way.ids.contains_key(&id) {
            return Remembered::Copy;
        }
        if way.floor.is_some_and(|(floor, _)| id <= floor) {
            return Remembered::TooOld;
        }
        if SEEN_IDS_MAX <= way.ids.len() {
            self.count -= way.thin(from, lane, &mut self.changed);
        } else if SEEN_IDS_IN_ALL_MAX <= self.count {
            let fullest = self.ways.iter_mut().max_by_key(|(_, way)| way.ids.len());
            if let Some(((from, lane), way)) = fullest {
                self.count -= way.thin(*from, *lane, &mut self.changed);
            }
        }
        let way = self.ways.entry((from, lane)).or_default();
        if way.floor.is_some_and(|(floor, _)| id <= floor) {
            return Remembered::TooOld;
        }
        self.count += 1;
        way.ids.insert(id, until_ms);
        self.changed.insert(Record::Id(from, lane, id));
        Remembered::New
    }

    /// Forgets what can no longer arrive; how many that were.
    pub fn expire(&mut self, now_ms: u64) -> usize {
        let mut expired = 0;
        for ((from, lane), way) in &mut self.ways {
            way.ids.retain(|id, until_ms| {
                let is_over = *until_ms <= now_ms;
                if is_over {
                    expired += 1;
                    self.changed.insert(Record::Id(*from, *lane, *id));
                }
                !is_over
            });
            if way.floor.is_some_and(|(_, until_ms)| until_ms <= now_ms) {
                way.floor = None;
                self.changed.insert(Record::Floor(*from, *lane));
            }
        }
        self.ways.retain(|_, way| !way.ids.is_empty() || way.floor.is_some());
        self.count -= expired;
        expired
    }

    /// Forgets a sender that was revoked or removed.
    pub fn forget(&mut self, from: Party) {
        for lane in Lane::ALL {
            let Some(way) = self.ways.remove(&(from, lane)) else { continue };
            self.count -= way.ids.len();
            self.changed.extend(way.ids.keys().map(|id| Record::Id(from, lane, *id)));
            self.changed.insert(Record::Floor(from, lane));
        }
    }

    /// How many ids are remembered.
    #[must_use]
    pub const fn count(&self) -> usize {
        self.count
    }

    /// The records that have changed since the last time, each as it is now.
    #[must_use]
    pub fn take_changes(&mut self) -> Vec<Change> {
        let changed = std::mem::take(&mut self.changed);
        let is_kept = |record: &Record| record.lane() != Lane::Realtime;
        changed.into_iter().filter(is_kept).map(|record| self.change(record)).collect()
    }

    /// Takes in a record, at the start.
    ///
    /// # Errors
    /// If it is not one of these.
    pub fn load(&mut self, key: &[u8], value: &[u8]) -> Result<(), RecordError> {
        let record = Record::from_key(key).ok_or(RecordError::Key)?;
        let (until_ms, rest) = value.split_first_chunk().ok_or(RecordError::Value)?;
        let until_ms = u64::from_be_bytes(*until_ms);
        match (record, rest) {
            (Record::Id(from, lane, id), []) => {
                let way = self.ways.entry((from, lane)).or_default();
                if SEEN_IDS_MAX <= way.ids.len() || SEEN_IDS_IN_ALL_MAX <= self.count {
                    return Err(RecordError::TooMany);
                }
                self.count += usize::from(way.ids.insert(id, until_ms).is_none());
                Ok(())
            }
            (Record::Floor(from, lane), floor) => {
                let floor = floor.try_into().ok().and_then(|id| MessageId::from_bytes(id).ok());
                let floor = floor.ok_or(RecordError::Value)?;
                self.ways.entry((from, lane)).or_default().floor = Some((floor, until_ms));
                Ok(())
            }
            _ => Err(RecordError::Value),
        }
    }

    fn change(&self, record: Record) -> Change {
        let value = match record {
            Record::Id(from, lane, id) => {
                let way = self.ways.get(&(from, lane));
                let until_ms = way.and_then(|way| way.ids.get(&id));
                until_ms.map(|until_ms| until_ms.to_be_bytes().to_vec())
            }
            Record::Floor(from, lane) => {
                let floor = self.ways.get(&(from, lane)).and_then(|way| way.floor);
                floor.map(|(id, until_ms)| [&until_ms.to_be_bytes()[..], id.as_bytes()].concat())
            }
        };
        Change { key: record.key(), value: value.map(Zeroizing::new) }
    }
}

impl Way {
    /// Forgets the oldest eighth; how many those were.
    fn thin(&mut self, from: Party, lane: Lane, changed: &mut BTreeSet<Record>) -> usize {
        let before = self.ids.len();
        for _ in 0..before.div_ceil(8) {
            let Some((forgotten, until_ms)) = self.ids.pop_first() else { break };
            let until_ms = self.floor.map_or(until_ms, |(_, before)| before.max(until_ms));
            self.floor = Some((forgotten, until_ms));
            changed.insert(Record::Id(from, lane, forgotten));
        }
        changed.insert(Record::Floor(from, lane));
        before - self.ids.len()
    }
}

impl Record {
    const fn lane(self) -> Lane {
        let (Self::Id(_, lane, _) | Self::Floor(_, lane)) = self;
        lane
    }

    fn key(self) -> Vec<u8> {
        let (kind, Self::Id(from, lane, _) | Self::Floor(from, lane)) = match self {
            Self::Id(..) => (ID_KEY, self),
            Self::Floor(..) => (FLOOR_KEY, self),
        };
        let mut key = Vec::with_capacity(1 + 32 + 32 + 1 + 16);
        key.push(kind);
        key.extend(from.person.as_bytes());
        key.extend(from.device.as_bytes());
        key.push(lane.number());
        if let Self::Id(_, _, id) = self {
            key.extend(id.as_bytes());
        }
        key
    }

    fn from_key(key: &[u8]) -> Option<Self> {
        let (kind, rest) = key.split_first()?;
        let (person, rest) = rest.split_first_chunk()?;
        let (device, rest) = rest.split_first_chunk()?;
        let from = Party { person: PersonId::new(*person), device: DeviceId::new(*device) };
        let (lane, id) = rest.split_first()?;
        let lane = Lane::from_number(*lane).filter(|lane| *lane != Lane::Realtime)?;
        match (*kind, id) {
            (FLOOR_KEY, []) => Some(Self::Floor(from, lane)),
            (ID_KEY, id) => {
                Some(Self::Id(from, lane, MessageId::from_bytes(id.try_into().ok()?).ok()?))
            }
            _ => None,
        }
    }
}
