//! What is counted, and what happens when its time has come.

use super::reference::Reference;
use crate::broker::Stats;
use crate::tests::heard::Heard;
use kith_wire::Code;
use serde_json::Value;

impl Reference {
    /// `bus.stats` is published from time to time while somebody wants it.
    pub(super) fn arm_stats(&mut self) {
        if self.stats_due.is_none() && self.is_wanted("bus.stats") {
            self.stats_due = Some(self.now.monotonic_ms + self.limits.stats_interval_ms);
        }
    }

    fn is_wanted(&self, topic: &str) -> bool {
        let mut all = self.clients.values().flat_map(|client| &client.subscriptions);
        all.any(|one| super::deliver::wants(&one.pattern, "ms", "self", topic))
    }

    /// When something is due.
    pub(super) fn due(&self) -> Option<u64> {
        self.waiting.iter().map(|one| one.deadline).chain(self.stats_due).min()
    }

    /// Does what is due. Which of two requests of one deadline ends first is free.
    pub(super) fn handle_timeout(&mut self) -> Result<(), String> {
        let now = self.now.monotonic_ms;
        let (mut due, waiting): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.waiting).into_iter().partition(|one| one.deadline <= now);
        self.waiting = waiting;
        due.sort_by_key(|one| one.deadline);
        while let Some(first) = due.first() {
            let (who, deadline) = (first.who, first.deadline);
            let heard = self.seen.answer(who)?;
            let is_it = |number: u32| {
                due.iter()
                    .position(|one| (one.who, one.number, one.deadline) == (who, number, deadline))
            };
            let at = match &heard {
                Heard::Err { number: Some(number), code, at: None, fatal: false, .. }
                    if *code == Code::Timeout.name() =>
                {
                    is_it(*number)
                }
                _ => None,
            };
            due.remove(at.ok_or_else(|| format!("client {who}: {heard:?}, not a timeout"))?);
            self.totals.refused += 1;
        }
        if self.stats_due.is_some_and(|due| due <= now) {
            self.stats_due = None;
            let fields = self.stats_fields();
            self.daemon_says("bus.stats", fields)?;
            self.arm_stats();
        }
        Ok(())
    }

    fn counters(&self) -> Vec<(&'static str, u64)> {
        let totals = self.totals;
        let queues = || self.clients.values().map(|client| &client.queue);
        let subscriptions: usize = self.clients.values().map(|one| one.subscriptions.len()).sum();
        let messages: usize = queues().map(super::queue::Queue::messages).sum();
        let bytes: usize = queues().map(super::queue::Queue::message_bytes).sum();
        let (kept, kept_bytes) = self.kept_sizes();
        vec![
            ("published", totals.published),
            ("published_bytes", totals.published_bytes),
            ("delivered", totals.delivered),
            ("delivered_bytes", totals.delivered_bytes),
            ("dropped", totals.dropped),
            ("expired", totals.expired),
            ("requests", totals.requests),
            ("replies", totals.replies),
            ("no_responders", totals.no_responders),
            ("refused", totals.refused),
            ("refused_connections", totals.refused_connections),
            ("cut_off", totals.cut_off),
            ("clients", self.clients.len() as u64),
            ("subscriptions", subscriptions as u64),
            ("requests_waiting", self.waiting.len() as u64),
            ("retained_messages", kept as u64),
            ("retained_bytes", kept_bytes as u64),
            ("queued_messages", messages as u64),
            ("queued_bytes", bytes as u64),
            ("remembered_ids", self.remembered.len() as u64),
        ]
    }

    /// The payload of `bus.stats`.
    pub(super) fn stats_fields(&self) -> Value {
        let mut fields: serde_json::Map<String, Value> = self
            .counters()
            .into_iter()
            .map(|(name, count)| (name.to_owned(), count.into()))
            .collect();
        fields.insert("at".to_owned(), self.now.unix_ms.into());
        fields.into()
    }

    /// Compares all counters, and sees to it that they add up.
    pub(super) fn check_stats(&self, stats: &Stats) -> Result<(), String> {
        let totals = stats.totals;
        let real = [
            totals.published,
            totals.published_bytes,
            totals.delivered,
            totals.delivered_bytes,
            totals.dropped,
            totals.expired,
            totals.requests,
            totals.replies,
            totals.no_responders,
            totals.refused,
            totals.refused_connections,
            totals.cut_off,
            stats.clients as u64,
            stats.subscriptions as u64,
            stats.requests_waiting as u64,
            stats.retained_messages as u64,
            stats.retained_bytes as u64,
            stats.queued_messages as u64,
            stats.queued_bytes as u64,
            stats.remembered_ids as u64,
        ];
        for ((name, expected), real) in self.counters().into_iter().zip(real) {
            if real != expected {
                return Err(format!("{name}: {real}, not {expected}"));
            }
        }
        let replies = totals.replies - self.daemon_replies;
        let ends = self.written + totals.expired + self.gone + stats.queued_messages as u64;
        match totals.delivered + replies == ends {
            true => Ok(()),
            false => {
                Err(format!("{} delivered and {replies} replies, {ends} ends", totals.delivered))
            }
        }
    }
}
