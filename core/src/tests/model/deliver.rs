//! Who gets a message, who loses it, and who is told of that.

use super::message::{Expected, Payload};
use super::queue::Missed;
use super::reference::{Client, Kept, Loss, Notice, Reference, Subscription};
use crate::tests::heard::Heard;
use kith_wire::{Options, Priority, Protocol, Publication, Topic};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// How many wanted a message, and how many of those get it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Reach {
    pub(super) wanted: usize,
    pub(super) queued: usize,
}

/// A group by its name, or one subscription; and whether it only looks on.
type Recipients = (Vec<(u64, u32)>, bool);

/// Whether a pattern matches.
pub(super) fn wants(pattern: &str, protocol: &str, scope: &str, topic: &str) -> bool {
    fn tokens(wanted: &[&str], found: &[&str]) -> bool {
        match (wanted, found) {
            ([], []) | ([">"], [_, ..]) => true,
            ([one, wanted @ ..], [token, found @ ..]) => {
                (*one == "*" || one == token) && tokens(wanted, found)
            }
            _ => false,
        }
    }
    let (wanted_protocol, rest) = match pattern.split_once('/') {
        Some((protocol, rest)) if !protocol.contains('.') => (protocol, rest),
        _ => ("ms", pattern),
    };
    let Some((wanted_scope, wanted_topic)) = rest.split_once('.') else { return false };
    let (wanted, found): (Vec<_>, Vec<_>) =
        (wanted_topic.split('.').collect(), topic.split('.').collect());
    (wanted_protocol == "*" || wanted_protocol == protocol)
        && (wanted_scope == "*" || wanted_scope == scope)
        && tokens(&wanted, &found)
}

impl Reference {
    /// All who want what is published like this.
    fn recipients(&self, protocol: &str, scope: &str, topic: &str) -> Vec<Recipients> {
        let mut each = Vec::new();
        let mut groups: BTreeMap<&str, Vec<(u64, u32)>> = BTreeMap::new();
        for (who, client) in &self.clients {
            for one in &client.subscriptions {
                if !wants(&one.pattern, protocol, scope, topic) {
                    continue;
                }
                match &one.group {
                    Some(group) => groups.entry(group).or_default().push((*who, one.number)),
                    None => each.push((vec![(*who, one.number)], one.monitor)),
                }
            }
        }
        each.extend(groups.into_values().map(|members| (members, false)));
        each
    }

    /// A message goes to everybody who wants it.
    pub(super) fn deliver(&mut self, message: &Expected) -> Result<Reach, String> {
        let mut reach = Reach::default();
        let missed = |this: &Self| -> BTreeMap<u64, BTreeSet<(u32, Priority)>> {
            let keys = |client: &Client| client.queue.missed.keys().copied().collect();
            this.clients.iter().map(|(who, client)| (*who, keys(client))).collect()
        };
        let before = missed(self);
        let all = self.recipients(&message.protocol, message.scope.name(), &message.topic);
        for (to, monitor) in all {
            let queued = self.offer(&to, message, message.priority)?;
            if !monitor {
                reach.wanted += 1;
                reach.queued += usize::from(queued);
            }
        }
        for ((who, before), after) in before.into_iter().zip(missed(self).into_values()) {
            if !before.is_empty() && !after.is_empty() && before.is_disjoint(&after) {
                self.either_overflown.insert(who);
            }
        }
        Ok(reach)
    }

    /// One of these gets a message, or it is lost to one of them. Whether one gets it.
    fn offer(
        &mut self,
        to: &[(u64, u32)],
        message: &Expected,
        priority: Priority,
    ) -> Result<bool, String> {
        for (who, sub) in to.iter().copied() {
            // Behind the notice of what was lost before, if something was.
            let (told, heard) = match self.seen.next(who, sub, priority) {
                (Some(Heard::Lag { count, .. }), Some(Heard::Message { message, .. })) => {
                    (Some(*count), message.clone())
                }
                (Some(Heard::Message { message, .. }), _) => (None, message.clone()),
                _ => continue,
            };
            if !message.agrees(&heard) {
                continue;
            }
            let id = super::message::id_of(&heard.message_id).ok_or("not an id")?;
            self.ids.learn(&message.id, id)?;
            if let super::message::ReplyTo::Made(topic) = &message.reply_to {
                topic.replace(heard.reply_to);
            }
            let missed = self.client(who)?.queue.missed.get(&(sub, priority)).map(|one| one.count);
            if told != missed {
                return Err(format!("client {who} was told {told:?} of sub {sub}, not {missed:?}"));
            }
            if told.is_some() {
                self.note_told(who, sub, priority)?;
            }
            self.seen.take(who, sub, priority);
            let bytes = heard.payload.len() as u64;
            let client = self.client(who)?;
            client.delivered += 1;
            client.delivered_bytes += bytes;
            self.totals.delivered += 1;
            self.totals.delivered_bytes += bytes;
            return Ok(true);
        }
        self.lose(to, message, priority)?;
        Ok(false)
    }

    /// A message is lost to one of these, the newest and not an older one.
    fn lose(
        &mut self,
        to: &[(u64, u32)],
        message: &Expected,
        priority: Priority,
    ) -> Result<(), String> {
        let missed = |this: &Self, who: u64, sub: u32| {
            let client = this.clients.get(&who);
            let missed = client.and_then(|client| client.queue.missed.get(&(sub, priority)));
            missed.copied().unwrap_or_default().count
        };
        // Room for a notice is set aside for all of a run, which may have been told it already.
        let is_run = self.run_lost.is_some();
        let lagging =
            to.iter().map(|(who, sub)| (*who, *sub, is_run || missed(self, *who, *sub) > 0));
        // The rest of a run came at the same time and is lost with the first of it.
        let is_rest = self.run_lost.as_ref().is_some_and(|lost: &BTreeSet<_>| lost.contains(to));
        if !is_rest {
            let loss = Loss { to: lagging.collect(), message: message.clone() };
            self.losses.push(loss);
            self.run_lost.as_mut().map(|lost| lost.insert(to.to_vec()));
        }
        // Of a group the one to whom it is counted.
        let is_counted = |(who, sub): &&(u64, u32)| {
            missed(self, *who, *sub) < self.seen.untold(*who, *sub, priority)
        };
        let (who, sub) = to.iter().find(is_counted).copied().ok_or_else(|| {
            format!("neither queued for any of {to:?} nor counted as lost: {message:?}")
        })?;
        let about_lag = u64::from(message.about_lag);
        let client = self.client(who)?;
        client.dropped += 1;
        let begins = client.queue.missed.is_empty();
        let Missed { count, about_lag: sum } =
            client.queue.missed.entry((sub, priority)).or_default();
        *count += 1;
        *sum += about_lag;
        self.totals.dropped += 1;
        if is_run {
            self.either_overflown.insert(who);
        }
        if begins {
            self.overflown.insert(who);
        }
        Ok(())
    }

    /// A notice has been put into a stream.
    fn note_told(&mut self, who: u64, sub: u32, priority: Priority) -> Result<(), String> {
        let missed = self.client(who)?.queue.missed.remove(&(sub, priority)).unwrap_or_default();
        self.notices.push(Notice { who, sub, count: missed.count - missed.about_lag });
        if let (Some(Heard::Lag { .. }), _) = self.seen.next(who, sub, priority) {
            self.seen.take(who, sub, priority);
        }
        Ok(())
    }

    /// A subscription that ends is told what it missed first.
    pub(super) fn answer_lag(
        &mut self,
        who: u64,
        sub: u32,
        priority: Priority,
    ) -> Result<(), String> {
        let missed = self.client(who)?.queue.missed.remove(&(sub, priority)).unwrap_or_default();
        self.notices.push(Notice { who, sub, count: missed.count - missed.about_lag });
        match self.seen.answer(who)? {
            Heard::Lag { subscription, count } if (subscription, count) == (sub, missed.count) => {
                Ok(())
            }
            other => Err(format!("{other:?}, not lag {sub} of {}", missed.count)),
        }
    }

    /// Once half of a queue is free its client is told all that it missed.
    pub(super) fn tell_if_drained(&mut self, who: u64) -> Result<(), String> {
        let (bytes_max, messages_max) =
            (self.limits.queue_bytes_max, self.limits.queue_messages_max);
        let queue = &self.client(who)?.queue;
        if bytes_max / 2 < queue.message_bytes() || messages_max / 2 < queue.messages() {
            return Ok(());
        }
        let all: Vec<_> = queue.missed.iter().map(|(key, missed)| (*key, missed.count)).collect();
        for ((sub, priority), missed) in all {
            match self.seen.next(who, sub, priority) {
                (Some(Heard::Lag { count, .. }), _) if *count == missed => {}
                other => {
                    return Err(format!("client {who}: {other:?}, not lag {sub} of {missed}"));
                }
            }
            self.note_told(who, sub, priority)?;
        }
        Ok(())
    }

    /// What was lost must not have fitted, wherever it could have gone: to each connection of which
    /// one subscription was tried, which of them is free. And nothing is over its limit. Looked at
    /// when the step is over: in between, queues have only grown.
    pub(super) fn check_losses(&mut self) -> Result<(), String> {
        for Loss { to, message } in std::mem::take(&mut self.losses) {
            let mut had_room: BTreeMap<u64, bool> = BTreeMap::new();
            for (who, sub, lagging) in to {
                if !self.clients.contains_key(&who) {
                    continue;
                }
                // A notice has at most 64 bytes.
                let notice = if lagging { 64 } else { 0 };
                let binary = self.client(who)?.binary.unwrap_or_default();
                let fits = self.fits(who, notice + message.bytes(binary, sub))?;
                *had_room.entry(who).or_insert(true) &= fits;
            }
            if let Some((who, _)) = had_room.iter().find(|(_, had_room)| **had_room) {
                return Err(format!("lost to client {who}, and has room: {message:?}"));
            }
        }
        for (who, client) in &self.clients {
            let (bytes, messages) = (client.queue.message_bytes(), client.queue.messages());
            if self.limits.queue_bytes_max < bytes || self.limits.queue_messages_max < messages {
                return Err(format!("client {who}'s queue has {messages} messages, {bytes} bytes"));
            }
        }
        Ok(())
    }

    /// Whether one more message of so many bytes has room.
    pub(super) fn fits(&mut self, who: u64, bytes: usize) -> Result<bool, String> {
        let (bytes_max, messages_max) =
            (self.limits.queue_bytes_max, self.limits.queue_messages_max);
        let queue = &self.client(who)?.queue;
        Ok(queue.message_bytes() + bytes <= bytes_max && queue.messages() < messages_max)
    }

    /// Kept values that match come first, whatever their priority.
    pub(super) fn deliver_kept(&mut self, who: u64, asked: &Subscription) -> Result<(), String> {
        let unix_ms = self.now.unix_ms;
        let is_wanted = |kept: &&Kept| {
            let Expected { protocol, topic, expires_at, .. } = &kept.message;
            wants(&asked.pattern, protocol, "self", topic)
                && expires_at.is_none_or(|at| unix_ms < at)
        };
        let mut all: Vec<Expected> =
            self.kept.iter().filter(is_wanted).map(|kept| kept.message.clone()).collect();
        all.sort_by_key(|one| (one.topic.clone(), one.protocol.clone()));
        for message in all {
            let message = Expected { retained: true, plain: false, ..message };
            self.offer(&[(who, asked.number)], &message, Priority::High)?;
        }
        let rest = asked.pattern.split('/').next_back().unwrap_or_default();
        match rest.starts_with("self.") || rest.starts_with("*.") {
            true => self.tell_of_lag(),
            false => Ok(()),
        }
    }

    /// The daemon tells something, if somebody wants to know.
    pub(super) fn daemon_says(&mut self, topic: &str, fields: Value) -> Result<(), String> {
        if self.recipients("ms", "self", topic).is_empty() {
            return Ok(());
        }
        let message = self.daemon_message(topic, fields);
        self.deliver(&message)?;
        self.tell_of_lag()
    }

    pub(super) fn daemon_message(&mut self, topic: &str, fields: Value) -> Expected {
        let publication = Publication {
            topic: Topic::new(topic.to_owned()).unwrap(),
            protocol: Protocol::MS,
            payload: Vec::new().into(),
            options: Options::default(),
        };
        let id = self.make_id();
        let message = Expected::local(id, self.now.unix_ms, &publication);
        Expected { payload: Payload::Fields(fields), plain: false, ..message }
    }

    pub(super) fn event_of_client(
        &mut self,
        who: u64,
        event: &str,
        reason: Option<&str>,
    ) -> Result<Value, String> {
        let client = self.client(who)?;
        let framing = client.binary.map(|binary| if binary { "binary" } else { "json" });
        let mut fields =
            json!({"event": event, "client": who, "name": client.name, "framing": framing});
        if let Some(reason) = reason {
            fields["reason"] = reason.into();
        }
        Ok(fields)
    }

    pub(super) fn tell_of_client(
        &mut self,
        who: u64,
        event: &str,
        reason: Option<&str>,
    ) -> Result<(), String> {
        let fields = self.event_of_client(who, event, reason)?;
        self.daemon_says("bus.client", fields)
    }

    /// `bus.lag` tells of the notices that were put into streams; of one client's 16 at a time, and
    /// of further ones the sum.
    pub(super) fn tell_of_lag(&mut self) -> Result<(), String> {
        while !self.notices.is_empty() {
            let notices = std::mem::take(&mut self.notices);
            let watchers = self.recipients("ms", "self", "bus.lag");
            if watchers.is_empty() {
                continue;
            }
            let mut left: Vec<Notice> = notices.into_iter().filter(|one| one.count > 0).collect();
            let mut told: BTreeMap<u64, usize> = BTreeMap::new();
            while !left.is_empty() {
                let said = self.next_of_lag(&watchers);
                let fields = self.choose_lag(&mut left, &mut told, said.as_ref())?;
                let message = self.daemon_message("bus.lag", fields);
                // Two may read the same, and differ by their ids alone.
                if let Some((_, id)) = said {
                    self.ids.learn(&message.id, id)?;
                }
                self.deliver(&Expected { about_lag: true, ..message })?;
            }
        }
        Ok(())
    }

    /// What was said on `bus.lag` next: in which order that is done is free.
    fn next_of_lag(&self, watchers: &[Recipients]) -> Option<(Value, u128)> {
        let next = watchers.iter().flat_map(|(to, _)| to).filter_map(|(who, sub)| {
            let (first, second) = self.seen.next(*who, *sub, Priority::Normal);
            let first = if let Some(Heard::Lag { .. }) = first { second } else { first };
            match first {
                Some(Heard::Message { message, .. }) if message.topic == "bus.lag" => Some(message),
                _ => None,
            }
        });
        // Members of a group each get some of them.
        let first = next.min_by_key(|message| message.message_id.clone())?;
        let id = super::message::id_of(&first.message_id)?;
        Some((serde_json::from_slice(&first.payload).ok()?, id))
    }

    /// Takes the notice of which that tells, or the first one left, if nobody was told.
    fn choose_lag(
        &mut self,
        left: &mut Vec<Notice>,
        told: &mut BTreeMap<u64, usize>,
        said: Option<&(Value, u128)>,
    ) -> Result<Value, String> {
        let is_said = |one: &Notice, said: &Value| {
            said["client"] == one.who
                && (said["sub"].is_null() || said["sub"] == one.sub && said["count"] == one.count)
        };
        let at = match said {
            Some((said, _)) => left.iter().position(|one| is_said(one, said)),
            // One by one as long as that is allowed, then the sums.
            None => left.iter().position(|one| told.get(&one.who).is_none_or(|told| *told < 16)),
        };
        let at = match (at, said) {
            (Some(at), _) => at,
            (None, None) => 0,
            (None, Some((said, _))) => return Err(format!("bus.lag told {said}, not of {left:?}")),
        };
        let Notice { who, sub, count } = left[at].clone();
        let told = told.entry(who).or_default();
        *told += 1;
        let name = self.clients.get(&who).and_then(|client| client.name.clone());
        if 16 < *told {
            let of_client = left.extract_if(.., |one| one.who == who);
            let count: u64 = of_client.map(|one| one.count).sum();
            return Ok(
                json!({"client": who, "name": name, "sub": null, "pattern": null, "count": count}),
            );
        }
        left.remove(at);
        let client = self.clients.get(&who);
        let subscriptions =
            client.map(|client| client.subscriptions.as_slice()).unwrap_or_default();
        let pattern = subscriptions.iter().find(|one| one.number == sub).map(|one| &one.pattern);
        Ok(json!({"client": who, "name": name, "sub": sub, "pattern": pattern, "count": count}))
    }

    /// What has arrived waits from now on.
    pub(super) fn absorb(&mut self) -> Result<(), String> {
        if let Some(text) = self.seen.left_over() {
            return Err(text);
        }
        for (who, arrivals) in std::mem::take(&mut self.seen).clients {
            let Some(client) = self.clients.get_mut(&who) else { continue };
            for (at, lane) in arrivals.lanes.into_iter().enumerate() {
                for one in lane.into_iter().filter(|one| !one.item.bytes.is_empty()) {
                    match one.is_staged {
                        true => client.queue.put(one.item),
                        false => client.queue.lanes[at].push_back(one.item),
                    }
                }
            }
        }
        self.check_losses()
    }
}
