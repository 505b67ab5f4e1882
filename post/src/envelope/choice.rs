//! Which of a lane's sessions is used to send.
//!
//! A lane can hold several sessions, as both ends may open one before they hear of each other, or
//! one end may have lost its memory. All of them can be received on. To send, both ends have to
//! settle on the same one, or neither's ratchet would ever turn. So of two devices the one with
//! the lower ratchet key *leads*:
//! - Each end numbers its choices, ever higher, and each message carries the number of the choice
//!   by which it was sent. The other end takes up a session of the leader's as soon as a number
//!   comes that is higher than all before; so what comes late changes nothing for long.
//! - Whoever follows takes up each session that the leader opens. The leader takes up one that the
//!   other has opened only if it has been answered on its own already, which says that the other
//!   knew it and wants another. Else both opened at once: it chooses its own again.
//! - A session that was opened because others had failed says so, and closes all others for
//!   sending, but for another such one that crossed it.

use super::session::{Held, Tag};
use crate::limits::SESSIONS_MAX;

/// The sessions with one device in one lane.
#[derive(Default)]
pub(super) struct LaneSessions(Vec<Held>);

impl LaneSessions {
    pub(super) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn tags(&self) -> impl Iterator<Item = Tag> {
        self.0.iter().map(|held| held.tag)
    }

    pub(super) fn get(&self, tag: Tag) -> Option<&Held> {
        self.0.iter().find(|held| held.tag == tag)
    }

    pub(super) fn get_mut(&mut self, tag: Tag, curve: &[u8; 32]) -> Option<&mut Held> {
        self.0.iter_mut().find(|held| held.tag == tag && held.curve == *curve)
    }

    /// Whether something can be sent on one of them.
    pub(super) fn can_send(&self, curve: &[u8; 32]) -> bool {
        self.0.iter().any(|held| !held.is_closed && held.curve == *curve)
    }

    /// The session to send on.
    pub(super) fn current(&mut self, curve: &[u8; 32]) -> Option<&mut Held> {
        let open = self.0.iter_mut().filter(|held| !held.is_closed && held.curve == *curve);
        open.max_by_key(|held| held.rank)
    }

    /// The number of the next choice.
    pub(super) fn next_rank(&self) -> u32 {
        self.0.iter().map(|held| held.rank).max().unwrap_or(0).saturating_add(1)
    }

    /// Takes in what the disk had; whether there was room.
    pub(super) fn load(&mut self, held: Held) -> bool {
        self.0.retain(|other| other.tag != held.tag);
        let has_room = self.0.len() < SESSIONS_MAX;
        if has_room {
            self.0.push(held);
        }
        has_room
    }

    /// Adds one that was opened here.
    pub(super) fn add(&mut self, held: Held, changed: &mut Vec<Tag>) {
        changed.push(held.tag);
        self.0.push(held);
        self.evict(changed);
    }

    /// Adds one that the peer has opened.
    pub(super) fn take_up(&mut self, held: Held, leads: bool, changed: &mut Vec<Tag>) {
        let has_crossed =
            |other: &Held| other.is_unanswered() && (other.is_renewal || !held.is_renewal);
        for other in &mut self.0 {
            let is_older = held.is_renewal && !other.is_closed && !has_crossed(other);
            if is_older || 0 < other.heard {
                other.is_closed |= is_older;
                // The leader may have forgotten its numbers with its sessions.
                other.heard = 0;
                changed.push(other.tag);
            }
        }
        let ours = self.current(&held.curve).filter(|ours| leads && has_crossed(ours));
        let ours = ours.map(|ours| ours.tag);
        changed.push(held.tag);
        self.0.push(held);
        if let Some(ours) = ours {
            self.prefer(ours);
            changed.push(ours);
        }
        self.evict(changed);
    }

    /// Takes up what the leader has chosen with this number, if it is news.
    pub(super) fn follow(&mut self, tag: Tag, choice: u32) {
        if self.0.iter().all(|held| held.heard < choice) {
            self.prefer(tag);
            if let Some(held) = self.0.iter_mut().find(|held| held.tag == tag) {
                held.heard = choice;
                held.is_closed = false;
            }
        }
    }

    /// Nothing is sent on any of them any more.
    pub(super) fn close(&mut self, changed: &mut Vec<Tag>) {
        for held in self.0.iter_mut().filter(|held| !held.is_closed) {
            held.is_closed = true;
            changed.push(held.tag);
        }
    }

    fn prefer(&mut self, tag: Tag) {
        let next = self.next_rank();
        if let Some(held) = self.0.iter_mut().find(|held| held.tag == tag) {
            held.rank = next;
        }
    }

    /// Makes room again where there is one too many: what was chosen longest ago goes.
    fn evict(&mut self, changed: &mut Vec<Tag>) {
        if SESSIONS_MAX < self.0.len() {
            let oldest = self.0.iter().enumerate().min_by_key(|(_, held)| held.rank);
            let oldest = oldest.map(|(index, held)| (index, held.tag));
            if let Some((index, tag)) = oldest {
                self.0.swap_remove(index);
                changed.push(tag);
            }
        }
    }
}
