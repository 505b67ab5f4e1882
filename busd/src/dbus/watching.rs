//! What the door listens to for a program that did not ask: changes about people, for who has asked
//! about them, and how far its own messages to others have come.
//!
//! Both are subscriptions of the program's own client, under numbers that no call and no
//! subscription of its own can have. So a program hears no more than it could by subscribing; one
//! that may not subscribe to what is reserved (a confined one) hears nothing, and is not bothered
//! with that.

use super::message;
use crate::limits::DBUS_WATCHED_MESSAGES_MAX;
use kith_contract::{DELIVERY_UPDATE, PEOPLE_CHANGED};
use kith_people::{DeviceId, PersonId};
use kith_wire::{Delivery, MessageId, Operation, Pattern, Request, Subscribe};
use std::collections::VecDeque;
use std::num::NonZeroU32;
use zbus::Message;
use zbus::names::UniqueName;

use super::waiting::{CHANGES, UPDATES};

/// What is listened to for one program.
#[derive(Debug, Default)]
pub(super) struct Watching {
    changes: bool,
    updates: bool,
    /// Its latest messages to others, the oldest first.
    own: VecDeque<MessageId>,
}

impl Watching {
    /// The program asks about people. What to say to the broker, the first time.
    pub(super) fn people(&mut self) -> Option<Request<'static>> {
        let is_known = std::mem::replace(&mut self.changes, true);
        if is_known { None } else { listening(CHANGES, PEOPLE_CHANGED.name()) }
    }

    /// The program publishes to somebody else. What to say to the broker, the first time.
    pub(super) fn message(&mut self, id: MessageId) -> Option<Request<'static>> {
        if self.own.len() == DBUS_WATCHED_MESSAGES_MAX {
            self.own.pop_front();
        }
        self.own.push_back(id);
        let is_known = std::mem::replace(&mut self.updates, true);
        if is_known { None } else { listening(UPDATES, DELIVERY_UPDATE.name()) }
    }

    /// Whether it is listened to under this number.
    pub(super) fn is_of(number: NonZeroU32) -> bool {
        number == CHANGES || number == UPDATES
    }

    /// What the program is told of a message that was listened to.
    pub(super) fn heard(
        &self,
        program: &UniqueName<'_>,
        number: NonZeroU32,
        delivery: &Delivery<'_>,
    ) -> Option<zbus::Result<Message>> {
        let (protocol, payload) = (delivery.protocol.as_str(), delivery.payload);
        if number == CHANGES {
            let changed = PEOPLE_CHANGED.read(protocol, payload).ok()?;
            let person = PersonId::new(changed.person).to_string();
            return Some(message::changed(program, changed.change.name(), &person));
        }
        let update = DELIVERY_UPDATE.read(protocol, payload).ok()?;
        if !self.own.contains(&update.message) {
            return None;
        }
        let (person, device) = (PersonId::new(update.person), DeviceId::new(update.device));
        let peer = format!("{person}/{device}");
        Some(message::delivery(program, update.message, &peer, update.state.name()))
    }

    /// What the program is told where some of it was dropped.
    pub(super) fn missed(
        program: &UniqueName<'_>,
        number: NonZeroU32,
    ) -> Option<zbus::Result<Message>> {
        (number == CHANGES).then(|| message::changed(program, "", ""))
    }
}

/// The daemon's own topics always make a pattern.
fn listening(number: NonZeroU32, topic: &str) -> Option<Request<'static>> {
    let pattern = Pattern::new(format!("kith/self.{topic}")).ok()?;
    let (group, durable) = (None, None);
    let (retained, monitor, since) = (false, false, None);
    let asked = Subscribe { number, pattern, group, retained, monitor, durable, since };
    Some(Request { number: Some(number), operation: Operation::Subscribe(asked) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_listens_once_and_remembers_a_bounded_number_of_messages() {
        let mut watching = Watching::default();
        assert!(watching.people().is_some() && watching.people().is_none());
        for n in 0..2 * DBUS_WATCHED_MESSAGES_MAX as u64 {
            let id = MessageId::from_parts(n, &[0; 10]);
            assert_eq!(watching.message(id).is_some(), n == 0);
        }
        assert_eq!(watching.own.len(), DBUS_WATCHED_MESSAGES_MAX);
        assert!(
            watching.own.contains(&MessageId::from_parts(
                2 * DBUS_WATCHED_MESSAGES_MAX as u64 - 1,
                &[0; 10]
            ))
        );
    }
}
