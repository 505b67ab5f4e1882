//! The invites that this device has given out, and who has used them.
//!
//! A device that has joined is remembered until the invite is forgotten: if it comes again, since
//! it did not hear the answer, it gets the same one and uses nothing up. Another that comes with
//! the same proof is refused, for a proof is one device's. What is wrong is said in the order in
//! which it tells least: who can't prove the secret learns only whether there is such an invite.

use std::collections::{BTreeMap, BTreeSet};

use crate::cbor::{Reader, Writer};
use crate::change::{Change, LoadError};
use crate::ids::DeviceId;
use crate::invite::{Invite, InviteId, JoinProof};
use crate::limits::{
    AHEAD_MS, INVITE_BYTES_MAX, INVITE_LIFE_MS, INVITE_MEMORY_MS, INVITE_USES_MAX, INVITES_MAX,
};
use crate::record::{RecordError, begin};

/// What an invite's key begins with.
const KEY: u8 = b'i';
const FORM: u64 = 1;

/// Why an invite is not given out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InviteRefusal {
    /// It is over already.
    #[error("the invite has expired")]
    Expired,
    /// It would be good for too long.
    #[error("an invite is good for {} days at most", INVITE_LIFE_MS / crate::limits::DAY_MS)]
    TooLong,
    /// There are too many.
    #[error("{INVITES_MAX} invites are open: take one back")]
    TooMany,
    /// Its number is in use.
    #[error("there is an invite with this number already")]
    Twice,
}

/// Why somebody does not join.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, thiserror::Error)]
pub enum JoinRefusal {
    /// There is none of this number: it was never there, was taken back, or is long over.
    #[error("there is no such invite, or it was taken back")]
    Unknown,
    /// The proof is not that of this device.
    #[error("the secret of the invite was not proved")]
    Forged,
    /// It is over.
    #[error("the invite has expired")]
    Expired,
    /// Others have used it.
    #[error("the invite is used up")]
    UsedUp,
}

/// Somebody has joined.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Joining {
    /// By this invite.
    pub invite: Invite,
    /// Whether this device had joined by it already.
    pub is_again: bool,
    /// How many further devices may use it.
    pub uses_left: u64,
}

/// An invite and who has used it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Open {
    invite: Invite,
    joined: BTreeSet<DeviceId>,
}

impl Open {
    fn uses_left(&self) -> u64 {
        self.invite.uses.saturating_sub(self.joined.len() as u64)
    }

    fn is_remembered(&self, now_ms: u64) -> bool {
        now_ms < self.invite.expires.saturating_add(INVITE_MEMORY_MS)
    }
}

/// All invites of this device.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InviteBook {
    open: BTreeMap<InviteId, Open>,
    changed: BTreeSet<InviteId>,
}

impl InviteBook {
    /// A book without invites.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Remembers an invite that is given out.
    ///
    /// # Errors
    ///
    /// If it is over or good for too long, if there are too many, or one of this number.
    pub fn open(&mut self, now_ms: u64, invite: Invite) -> Result<(), InviteRefusal> {
        self.sweep(now_ms);
        if invite.expires <= now_ms {
            return Err(InviteRefusal::Expired);
        }
        if now_ms.saturating_add(INVITE_LIFE_MS).saturating_add(AHEAD_MS) < invite.expires {
            return Err(InviteRefusal::TooLong);
        }
        if self.open.contains_key(&invite.id) {
            return Err(InviteRefusal::Twice);
        }
        if INVITES_MAX <= self.open.len() {
            return Err(InviteRefusal::TooMany);
        }
        self.changed.insert(invite.id);
        self.open.insert(invite.id, Open { invite, joined: BTreeSet::new() });
        Ok(())
    }

    /// Lets a device join that proves an invite's secret.
    ///
    /// # Errors
    ///
    /// If there is no such invite, the proof is wrong, or the invite is over or used up and this
    /// device has not joined before.
    pub fn join(
        &mut self,
        now_ms: u64,
        id: &InviteId,
        joiner: DeviceId,
        proof: &JoinProof,
    ) -> Result<Joining, JoinRefusal> {
        self.sweep(now_ms);
        let open = self.open.get_mut(id).ok_or(JoinRefusal::Unknown)?;
        if !open.invite.is_proved(joiner, proof) {
            return Err(JoinRefusal::Forged);
        }
        let is_again = open.joined.contains(&joiner);
        if !is_again {
            open.invite.check(now_ms).map_err(|_| JoinRefusal::Expired)?;
            if open.uses_left() == 0 {
                return Err(JoinRefusal::UsedUp);
            }
            open.joined.insert(joiner);
            self.changed.insert(*id);
        }
        Ok(Joining { invite: open.invite.clone(), is_again, uses_left: open.uses_left() })
    }

    /// Takes an invite back. Says whether there was one.
    pub fn close(&mut self, id: &InviteId) -> bool {
        let was_open = self.open.remove(id).is_some();
        if was_open {
            self.changed.insert(*id);
        }
        was_open
    }

    /// The invites that can still be used, and how often.
    pub fn invites(&self, now_ms: u64) -> impl Iterator<Item = (&Invite, u64)> {
        let rows = self.open.values().map(|open| (&open.invite, open.uses_left()));
        rows.filter(move |(invite, left)| now_ms < invite.expires && 0 < *left)
    }

    /// Forgets what has been over for long enough.
    pub fn sweep(&mut self, now_ms: u64) {
        let changed = &mut self.changed;
        self.open.retain(|id, open| {
            let is_kept = open.is_remembered(now_ms);
            if !is_kept {
                changed.insert(*id);
            }
            is_kept
        });
    }

    /// What has changed since it was asked last.
    pub fn take_changes(&mut self) -> Vec<Change> {
        let changed = std::mem::take(&mut self.changed);
        let change = |id: InviteId| Change {
            key: [&[KEY], id.as_slice()].concat(),
            value: self.open.get(&id).map(record),
        };
        changed.into_iter().map(change).collect()
    }

    /// Whether a record of the store is one of this book's.
    #[must_use]
    pub fn is_record(key: &[u8]) -> bool {
        key.first() == Some(&KEY)
    }

    /// Takes in a record that was kept.
    ///
    /// # Errors
    ///
    /// If it is damaged.
    pub fn load(&mut self, key: &[u8], value: &[u8]) -> Result<(), LoadError> {
        let damaged = |why: &dyn std::fmt::Display| LoadError::new(key, why);
        let open = read(value).map_err(|error| damaged(&error))?;
        if key != [&[KEY], open.invite.id.as_slice()].concat() || INVITES_MAX <= self.open.len() {
            return Err(damaged(&"it is in the wrong place"));
        }
        self.open.insert(open.invite.id, open);
        Ok(())
    }
}

fn record(open: &Open) -> Vec<u8> {
    let mut writer = Writer::new();
    writer.map(3).number(0).number(FORM);
    writer.number(1).bytes(open.invite.bytes());
    writer.number(2).list(open.joined.len());
    open.joined.iter().for_each(|device| {
        writer.bytes(device.as_bytes());
    });
    writer.done()
}

fn read(value: &[u8]) -> Result<Open, RecordError> {
    let mut reader = Reader::new(value);
    let mut map = begin(&mut reader)?;
    reader.required(&mut map, 1, "invite")?;
    let invite = Invite::parse(reader.bytes(INVITE_BYTES_MAX)?)?;
    reader.required(&mut map, 2, "joined")?;
    let n_joined = reader.list(usize::try_from(INVITE_USES_MAX).unwrap_or(usize::MAX))?;
    let joined = (0..n_joined).map(|_| Ok(DeviceId::new(reader.array()?)));
    let joined = joined.collect::<Result<_, RecordError>>()?;
    reader.end(&map)?;
    reader.done()?;
    Ok(Open { invite, joined })
}
