//! Ids of messages that were published with an id of the client's own, so that a publish that is
//! repeated after a reconnect is delivered once.
//!
//! A memory, not a promise for ever: bounded in time, per client and in all. The daemon's restart
//! forgets it, together with everybody's subscriptions.

use super::client::ClientId;
use crate::limits::{
    REMEMBERED_CLIENTS_MAX, REMEMBERED_IDS_MAX, REMEMBERED_IDS_TOTAL_MAX, REMEMBERED_MS_MAX,
};
use foldhash::fast::FixedState;
use hashbrown::{HashMap, HashSet};
use kith_wire::MessageId;
use std::collections::VecDeque;

/// Whose ids they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Publisher {
    /// A connection that gave no client id.
    Connection(u64),
    /// Whoever gives this client id.
    Identity([u8; 16]),
}

impl Publisher {
    pub(crate) fn new(id: ClientId, identity: Option<[u8; 16]>) -> Self {
        identity.map_or(Self::Connection(id.serial), Self::Identity)
    }
}

/// All remembered ids.
#[derive(Debug, Default)]
pub(crate) struct Remembered {
    windows: HashMap<Publisher, Window, FixedState>,
    /// Publishers without a connection, the one that has been gone longest first.
    gone: VecDeque<[u8; 16]>,
    total: usize,
}

#[derive(Debug, Default)]
struct Window {
    ids: HashSet<MessageId, FixedState>,
    order: VecDeque<(u64, MessageId)>,
    connections: usize,
}

impl Remembered {
    /// Whether this publisher published this id before; remembers it if not.
    pub(crate) fn is_repeated(
        &mut self,
        publisher: Publisher,
        id: MessageId,
        monotonic_ms: u64,
    ) -> bool {
        let window = self.windows.entry(publisher).or_default();
        while let Some((at, _)) = window.order.front() {
            let is_old = at + REMEMBERED_MS_MAX <= monotonic_ms;
            if !is_old && window.order.len() < REMEMBERED_IDS_MAX {
                break;
            }
            forget_oldest(window, &mut self.total);
        }
        if window.ids.contains(&id) {
            return true;
        }
        if REMEMBERED_IDS_TOTAL_MAX <= self.total {
            forget_oldest(window, &mut self.total);
        }
        if self.total < REMEMBERED_IDS_TOTAL_MAX {
            window.ids.insert(id);
            window.order.push_back((monotonic_ms, id));
            self.total += 1;
        }
        while REMEMBERED_IDS_TOTAL_MAX <= self.total && !self.gone.is_empty() {
            self.forget_longest_gone();
        }
        false
    }

    /// Forgets one id, because its publish was refused after all.
    pub(crate) fn forget(&mut self, publisher: Publisher, id: MessageId) {
        let Some(window) = self.windows.get_mut(&publisher) else { return };
        if window.ids.remove(&id) {
            window.order.retain(|(_, other)| *other != id);
            self.total -= 1;
        }
    }

    /// A connection uses this name from now on.
    pub(crate) fn attach(&mut self, publisher: Publisher) {
        self.windows.entry(publisher).or_default().connections += 1;
        if let Publisher::Identity(identity) = publisher {
            self.gone.retain(|other| *other != identity);
        }
    }

    /// A connection that used this name has ended.
    pub(crate) fn detach(&mut self, publisher: Publisher) {
        let Some(window) = self.windows.get_mut(&publisher) else { return };
        window.connections = window.connections.saturating_sub(1);
        if window.connections > 0 {
            return;
        }
        match publisher {
            Publisher::Identity(identity) if !window.ids.is_empty() => {
                self.gone.push_back(identity);
                while REMEMBERED_CLIENTS_MAX < self.gone.len() {
                    self.forget_longest_gone();
                }
            }
            _ => self.drop_window(publisher),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.total
    }

    fn forget_longest_gone(&mut self) {
        if let Some(identity) = self.gone.pop_front() {
            self.drop_window(Publisher::Identity(identity));
        }
    }

    fn drop_window(&mut self, publisher: Publisher) {
        if let Some(window) = self.windows.remove(&publisher) {
            self.total -= window.ids.len();
        }
    }
}

fn forget_oldest(window: &mut Window, total: &mut usize) {
    if let Some((_, id)) = window.order.pop_front()
        && window.ids.remove(&id)
    {
        *total -= 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(n: u32) -> MessageId {
        MessageId::from_parts(1, &[0; 10]).advance(n)
    }

    #[test]
    fn an_id_is_new_once_for_each_publisher() {
        let mut remembered = Remembered::default();
        let (a, b) = (Publisher::Connection(1), Publisher::Identity([2; 16]));
        assert!(!remembered.is_repeated(a, id(1), 0));
        assert!(remembered.is_repeated(a, id(1), 1));
        assert!(!remembered.is_repeated(b, id(1), 1));
        assert!(!remembered.is_repeated(a, id(2), 1));
    }

    #[test]
    fn a_named_client_is_remembered_when_it_is_gone_and_a_connection_is_not() {
        let mut remembered = Remembered::default();
        for publisher in [Publisher::Connection(1), Publisher::Identity([2; 16])] {
            remembered.attach(publisher);
            assert!(!remembered.is_repeated(publisher, id(1), 0));
            remembered.detach(publisher);
            let named = matches!(publisher, Publisher::Identity(_));
            assert_eq!(remembered.is_repeated(publisher, id(1), 5), named);
        }
    }

    #[test]
    fn ids_are_forgotten_by_time_and_by_number() {
        let mut remembered = Remembered::default();
        let publisher = Publisher::Connection(1);
        assert!(!remembered.is_repeated(publisher, id(0), 0));
        assert!(!remembered.is_repeated(publisher, id(0), REMEMBERED_MS_MAX));
        for n in 1..=u32::try_from(REMEMBERED_IDS_MAX).unwrap() {
            assert!(!remembered.is_repeated(publisher, id(n), REMEMBERED_MS_MAX));
        }
        assert_eq!(remembered.len(), REMEMBERED_IDS_MAX);
        assert!(!remembered.is_repeated(publisher, id(0), REMEMBERED_MS_MAX));
        remembered.detach(publisher);
        assert_eq!(remembered.len(), 0);
    }
}
