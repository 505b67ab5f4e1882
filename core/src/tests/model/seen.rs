//! What the broker did in one step: everything it queued, for whom, decoded.
//!
//! The reference takes from it what it expects, piece by piece; what is left over at the end of the
//! step was queued for no reason.

use super::queue::{Item, Kind, lane};
use crate::tests::heard::{Heard, take_frames, take_lines};
use kith_wire::Priority;
use kith_wire::binary::{MAGIC, frame};
use std::collections::{BTreeMap, VecDeque};

/// What was queued for all clients.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) clients: BTreeMap<u64, Arrivals>,
}

/// What was queued for one client.
#[derive(Debug, Default)]
pub(super) struct Arrivals {
    /// Answers, then messages by priority.
    pub(super) lanes: [Vec<Arrived>; 4],
    /// What it lost and has not been told yet, when the step was over.
    pub(super) untold: Vec<(u32, Priority, u64)>,
    /// How many of the answers have been expected.
    answered: usize,
}

/// A frame or line.
#[derive(Debug)]
pub(super) struct Arrived {
    pub(super) item: Item,
    /// What it says and nobody expected yet.
    pub(super) events: VecDeque<Heard>,
    /// Whether it was put in order already.
    pub(super) is_staged: bool,
}

/// Cuts bytes into frames or lines.
pub(super) fn cut(binary: bool, mut bytes: &[u8]) -> Result<Vec<(Item, Vec<Heard>)>, String> {
    let mut items = Vec::new();
    while !bytes.is_empty() {
        let is_magic = binary && bytes.starts_with(&MAGIC);
        let end = match binary {
            _ if is_magic => Some(MAGIC.len()),
            true => frame::whole_bytes(bytes),
            false => memchr::memchr(b'\n', bytes).map(|at| at + 1),
        };
        let (one, rest) =
            end.and_then(|end| bytes.split_at_checked(end)).ok_or("half a frame or line")?;
        let mut whole = one.to_vec();
        let events = match binary {
            _ if is_magic => Vec::new(),
            true => take_frames(&mut whole, &mut VecDeque::new()),
            false => take_lines(&mut whole),
        };
        items.push((Item { bytes: one.to_vec(), kind: Kind::Answer, expires_at: None }, events));
        bytes = rest;
    }
    Ok(items)
}

impl Arrivals {
    /// Takes in what came into one lane.
    pub(super) fn arrive(&mut self, at: usize, one: (Item, Vec<Heard>), is_staged: bool) {
        let (mut item, events) = one;
        let is_reply = |event: &&Heard| matches!(event, Heard::Reply { .. });
        let is_message = |event: &&Heard| matches!(event, Heard::Message { .. });
        let messages = events.iter().filter(is_message).count();
        item.kind = match messages {
            0 if at == 0 => Kind::Answer,
            0 if events.iter().any(|event| is_reply(&event)) => Kind::Messages(1),
            0 => Kind::Notice,
            count => Kind::Messages(count),
        };
        if let Some(Heard::Message { message, .. }) = events.first() {
            item.expires_at = message.expires_at;
        }
        self.lanes[at].push(Arrived { item, events: events.into(), is_staged });
    }

    /// Takes in what was put in order as soon as it came. A notice does not say of which priority
    /// it is: of that of the message behind it, or of one of which so many were `missed`.
    pub(super) fn arrive_staged(
        &mut self,
        all: Vec<(Item, Vec<Heard>)>,
        missed: impl Fn(u32, Priority) -> u64,
    ) {
        let mut all = all.into_iter().peekable();
        while let Some(one) = all.next() {
            let told = |sub: u32, priority: Priority| {
                let mut events = self.events(sub, priority);
                events.any(|event| matches!(event, Heard::Lag { .. }))
            };
            let priority = match one.1.first() {
                Some(Heard::Lag { subscription: sub, count }) => {
                    let is_next = |priority: &Priority| {
                        missed(*sub, *priority) == *count && !told(*sub, *priority)
                    };
                    let behind = all.peek().and_then(|one| priority_of(one.1.first()?, *sub));
                    let all = behind.into_iter().chain(Priority::ALL);
                    all.clone().find(is_next).unwrap_or_default()
                }
                Some(event @ Heard::Message { subscription, .. }) => {
                    priority_of(event, *subscription).unwrap_or_default()
                }
                _ => Priority::High,
            };
            self.arrive(lane(priority), one, true);
        }
    }

    fn events(&self, sub: u32, priority: Priority) -> impl Iterator<Item = &Heard> {
        let is_its = move |event: &&Heard| match event {
            Heard::Message { subscription, .. } | Heard::Lag { subscription, .. } => {
                *subscription == sub
            }
            _ => false,
        };
        self.lanes[lane(priority)].iter().flat_map(|one| &one.events).filter(is_its)
    }
}

/// The priority of a message for this subscription.
fn priority_of(event: &Heard, sub: u32) -> Option<Priority> {
    match event {
        Heard::Message { subscription, message } if *subscription == sub => {
            Priority::from_name(&message.priority)
        }
        _ => None,
    }
}

impl Seen {
    /// The next two things that a subscription is told in one priority.
    pub(super) fn next(
        &self,
        who: u64,
        sub: u32,
        priority: Priority,
    ) -> (Option<&Heard>, Option<&Heard>) {
        let Some(arrivals) = self.clients.get(&who) else { return (None, None) };
        let mut events = arrivals.events(sub, priority);
        (events.next(), events.next())
    }

    /// Takes the next thing that a subscription is told in one priority.
    pub(super) fn take(&mut self, who: u64, sub: u32, priority: Priority) {
        let Some(arrivals) = self.clients.get_mut(&who) else { return };
        for one in &mut arrivals.lanes[lane(priority)] {
            let at = one.events.iter().position(|event| match event {
                Heard::Message { subscription, .. } | Heard::Lag { subscription, .. } => {
                    *subscription == sub
                }
                _ => false,
            });
            if let Some(at) = at {
                one.events.remove(at);
                return;
            }
        }
    }

    /// The next answer.
    pub(super) fn answer(&mut self, who: u64) -> Result<Heard, String> {
        if let Some(Arrivals { lanes: [answers, ..], answered, .. }) = self.clients.get_mut(&who) {
            while let Some(one) = answers.get_mut(*answered) {
                if let Some(event) = one.events.pop_front() {
                    return Ok(event);
                }
                *answered += 1;
            }
        }
        Err(format!("client {who} was not answered"))
    }

    /// Takes the reply to a request, if it came among the messages.
    pub(super) fn reply(&mut self, who: u64, wanted: u32) -> Option<Heard> {
        let arrivals = self.clients.get_mut(&who)?;
        arrivals.lanes[lane(Priority::High)].iter_mut().find_map(|one| {
            let is_it =
                |event: &Heard| matches!(event, Heard::Reply { number, .. } if *number == wanted);
            let at = one.events.iter().position(is_it)?;
            one.events.remove(at)
        })
    }

    /// How many a subscription is going to be told that it missed.
    pub(super) fn untold(&self, who: u64, sub: u32, priority: Priority) -> u64 {
        let Some(arrivals) = self.clients.get(&who) else { return 0 };
        let told = arrivals.events(sub, priority).find_map(|event| match event {
            Heard::Lag { count, .. } => Some(*count),
            _ => None,
        });
        let untold = arrivals.untold.iter().find(|one| (one.0, one.1) == (sub, priority));
        told.or_else(|| untold.map(|one| one.2)).unwrap_or(0)
    }

    /// What nobody expected.
    pub(super) fn left_over(&self) -> Option<String> {
        self.clients.iter().find_map(|(who, arrivals)| {
            let mut events = arrivals.lanes.iter().flatten().flat_map(|one| &one.events);
            events.next().map(|event| format!("client {who} was told {}", event.text()))
        })
    }
}
