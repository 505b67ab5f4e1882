//! What `docs/protocol.md` says of operations, as conversations: one file for each of its subjects.

use super::{Broker, ClientId, Will};
use kith_wire::Priority;
use std::collections::BTreeMap;

impl Broker {
    /// What was queued for a client behind the first so many bytes of each lane, answers first.
    pub(crate) fn behind(&self, id: ClientId, known: [usize; 4]) -> Option<[Vec<u8>; 4]> {
        self.client(id).and_then(|client| client.outbox.behind(known))
    }

    /// What a client lost and has not been told yet: subscription, priority, how many.
    pub(crate) fn untold(&self, id: ClientId) -> Vec<(u32, Priority, u64)> {
        self.client(id).map(|client| client.outbox.untold()).unwrap_or_default()
    }

    /// Whether what is counted is what is there.
    pub(crate) fn check_counts(&self) -> Result<(), String> {
        let (mut subscriptions, mut requests) = (0, 0);
        let mut held_bytes = 0;
        let (mut blocks, mut sealed, mut unclaimed) = (BTreeMap::new(), BTreeMap::new(), 0);
        for (_, client) in &self.queues.clients {
            let outbox = &client.outbox;
            if outbox.counted() != outbox.recount() {
                return Err(format!("{:?}, not {:?}", outbox.counted(), outbox.recount()));
            }
            let limits = self.limits();
            if outbox.message_bytes() > limits.queue_bytes_max
                || outbox.messages() > limits.queue_messages_max
            {
                return Err(format!("a queue of {:?}", outbox.counted()));
            }
            held_bytes += outbox.recount_held(&mut blocks, &mut sealed) + client.unfinished_bytes;
            unclaimed += client.unclaimed_descriptors;
            held_bytes += client.will.as_ref().map_or(0, Will::bytes);
            subscriptions += client.subscriptions.len();
            requests += client.requests.len();
        }
        if self.retained.owners() > self.queues.clients.len() {
            return Err("an owner of kept values that is gone".to_owned());
        }
        let stats = self.stats();
        held_bytes += blocks.values().sum::<usize>() + sealed.values().sum::<usize>();
        let held_descriptors = self.queues.buffers.ledger.held_descriptors();
        if held_descriptors != sealed.len() + unclaimed {
            return Err(format!(
                "{held_descriptors} descriptors, not {}",
                sealed.len() + unclaimed
            ));
        }
        if stats.waiting_bytes != held_bytes {
            return Err(format!("{} bytes held, not {held_bytes}", stats.waiting_bytes));
        }
        let found = (stats.subscriptions, stats.requests_waiting, self.retained.residue());
        match found == (subscriptions, requests, 0) {
            true => Ok(()),
            false => Err(format!("{found:?}, not {:?}", (subscriptions, requests, 0))),
        }
    }

    /// What is left once every client is gone, kept values are forgotten and time has passed.
    pub(crate) fn residue(&mut self) -> usize {
        self.queues.clients.len()
            + self.order.len()
            + self.index.len()
            + self.index.residue()
            + self.requests.len()
            + usize::from(self.requests.next_deadline().is_some())
            + self.retained.len()
            + self.retained.bytes()
            + self.retained.residue()
            + self.queues.notices.len()
            + self.queues.buffers.ledger.held_bytes()
            + self.queues.buffers.ledger.held_descriptors()
            + self.post.residue()
    }
}

mod closing;
mod daemon;
mod duplicates;
mod durable;
mod durable_walk;
mod expiry;
mod groups;
mod heartbeats;
mod inbound;
mod lag;
mod lists;
mod mail;
mod memory;
mod order;
mod post;
mod quotas;
mod reloading;
mod requests;
mod reserved;
mod retained;
mod sealed;
mod services;
mod standing;
mod subscriptions;
mod tokens;
mod wills;
