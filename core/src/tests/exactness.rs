//! For every subscription: what it heard, and what it was told it missed, is what matched, in
//! order.
//!
//! The model is the naive one: a list of what was published and matched, and a place in it. A
//! message must be the one at that place; a notice moves the place on by its count.

use super::bus::{Bus, Who};
use super::heard::Heard;
use super::walk::limits;
use super::{publication, publish};
use crate::broker::Framing;
use crate::limits::Limits;
use kith_wire::{Operation, Pattern, Priority, Protocol, Scope};
use proptest::prelude::*;
use std::collections::BTreeMap;

const SUBSCRIBERS: usize = 3;

/// Topics of one priority each, and patterns that ask for one priority: a notice does not say of
/// which priority the messages were.
const TOPICS: [(&str, Priority); 4] = [
    ("n.a", Priority::Normal),
    ("n.b", Priority::Normal),
    ("h.a", Priority::High),
    ("b.a", Priority::Bulk),
];
const PATTERNS: [&str; 6] = ["self.n.*", "self.n.a", "*.n.>", "self.h.>", "*/self.b.*", "self.*.b"];

#[derive(Clone, Debug)]
enum Step {
    Sub { who: usize, number: u32, pattern: usize },
    Unsub { who: usize, number: u32, answered: bool },
    Publish { topic: usize, bytes: usize, count: u32, headers: bool },
    Read { who: usize, bytes: usize },
    ReadAll(usize),
    Bye(usize),
    Cut(usize),
}

fn step() -> impl Strategy<Value = Step> {
    let who = || 0..SUBSCRIBERS;
    let bytes = prop_oneof![3 => 0..60_usize, 2 => 1_800..2_500_usize, 1 => 3_500..4_000_usize];
    prop_oneof![
        4 => (who(), 1..5_u32, 0..PATTERNS.len())
            .prop_map(|(who, number, pattern)| Step::Sub { who, number, pattern }),
        1 => (who(), 1..5_u32, any::<bool>())
            .prop_map(|(who, number, answered)| Step::Unsub { who, number, answered }),
        10 => (0..TOPICS.len(), bytes, 1..12_u32, prop::bool::weighted(0.2)).prop_map(
            |(topic, bytes, count, headers)| Step::Publish { topic, bytes, count, headers }
        ),
        4 => (who(), 1..8_000_usize).prop_map(|(who, bytes)| Step::Read { who, bytes }),
        2 => who().prop_map(Step::ReadAll),
        1 => who().prop_map(Step::Bye),
        1 => who().prop_map(Step::Cut),
    ]
}

/// What one subscription should hear, and how far it has.
struct Expected {
    pattern: Pattern<'static>,
    /// Numbers of the messages that matched.
    matched: Vec<u32>,
    place: usize,
    ended: bool,
    /// Whether its subscriber has heard that it begins.
    begun: bool,
}

struct Model {
    bus: Bus,
    publisher: Who,
    subscribers: Vec<Who>,
    /// Of each subscriber: its subscriptions, the newest of each number last.
    expected: Vec<BTreeMap<u32, Vec<Expected>>>,
    published: u32,
}

impl Model {
    fn new(framings: [Framing; SUBSCRIBERS], publisher: Framing, messages: usize) -> Self {
        let limits = Limits {
            queue_messages_max: messages,
            subscriptions_max: 10,
            subscriptions_total_max: 100,
            ..limits()
        };
        let mut bus = Bus::new(limits);
        let subscribers = framings.map(|framing| bus.join(framing)).to_vec();
        let publisher = bus.join(publisher);
        let expected = (0..SUBSCRIBERS).map(|_| BTreeMap::new()).collect();
        Self { bus, publisher, subscribers, expected, published: 0 }
    }

    fn take(&mut self, step: &Step) -> Result<(), TestCaseError> {
        match step {
            Step::Sub { who, number, pattern } => self.sub(*who, *number, PATTERNS[*pattern]),
            Step::Unsub { who, number, answered } => {
                let answer = if *answered { 90 } else { 0 };
                self.bus.unsub(self.subscribers[*who], answer, *number);
                self.end(*who, Some(*number));
            }
            Step::Publish { topic, bytes, count, headers } => {
                self.publish(*topic, *bytes, *count, *headers);
            }
            Step::Read { who, bytes } => {
                let heard = self.bus.hear_some(self.subscribers[*who], *bytes);
                self.check(*who, &heard)?;
            }
            Step::ReadAll(who) => self.read_all(*who)?,
            Step::Bye(who) => {
                self.bus.say(self.subscribers[*who], 91, Operation::Bye);
                self.end(*who, None);
                self.read_all(*who)?;
                self.replace(*who);
            }
            Step::Cut(who) => self.replace(*who),
        }
        Ok(())
    }

    fn sub(&mut self, who: usize, number: u32, pattern: &str) {
        let subscriptions = self.expected[who].entry(number).or_default();
        self.bus.sub(self.subscribers[who], number, pattern);
        if subscriptions.last().is_none_or(|last| last.ended) {
            let pattern = Pattern::new(pattern.to_owned()).unwrap();
            subscriptions.push(Expected {
                pattern,
                matched: Vec::new(),
                place: 0,
                ended: false,
                begun: false,
            });
        }
    }

    fn publish(&mut self, topic: usize, bytes: usize, count: u32, headers: bool) {
        let (topic, priority) = TOPICS[topic];
        let mut batch = Vec::new();
        for _ in 0..count {
            let payload = format!("\"{:06}{}\"", self.published, "x".repeat(bytes));
            let mut one = publication(topic, &payload);
            one.options.priority = priority;
            if headers {
                one.options.headers.insert("key", "value").unwrap();
            }
            batch.extend(self.bus.encode(self.publisher, 0, publish(one)));
            for expected in self.expected.iter_mut().flat_map(BTreeMap::values_mut).flatten() {
                if !expected.ended && expected.pattern.matches(&Protocol::MS, Scope::Own, topic) {
                    expected.matched.push(self.published);
                }
            }
            self.published += 1;
        }
        self.bus.feed(self.publisher, &batch);
    }

    fn end(&mut self, who: usize, number: Option<u32>) {
        for (_, subscriptions) in
            self.expected[who].iter_mut().filter(|(n, _)| number.is_none_or(|one| one == **n))
        {
            for expected in subscriptions {
                expected.ended = true;
            }
        }
    }

    fn replace(&mut self, who: usize) {
        let framing = self.bus.framing(self.subscribers[who]);
        self.bus.cut(self.subscribers[who]);
        self.subscribers[who] = self.bus.join(framing);
        self.expected[who].clear();
    }

    fn read_all(&mut self, who: usize) -> Result<(), TestCaseError> {
        let heard = self.bus.hear(self.subscribers[who]);
        self.check(who, &heard)?;
        // All is told once all was read.
        for expected in self.expected[who].values().flatten() {
            prop_assert_eq!(expected.place, expected.matched.len());
        }
        Ok(())
    }

    fn check(&mut self, who: usize, heard: &[Heard]) -> Result<(), TestCaseError> {
        for one in heard {
            match one {
                Heard::Message { subscription, message } => {
                    let number = std::str::from_utf8(&message.payload[1..7]).unwrap();
                    let expected = self.current(who, *subscription);
                    let next = expected.matched.get(expected.place).copied();
                    prop_assert_eq!(Some(number.parse().unwrap()), next, "{:?}", one.text());
                    expected.place += 1;
                }
                Heard::Lag { subscription, count } => {
                    let expected = self.current(who, *subscription);
                    expected.place += usize::try_from(*count).unwrap();
                    prop_assert!(expected.place <= expected.matched.len());
                    prop_assert!(*count > 0);
                }
                // From here on the next one of this number is heard.
                Heard::Ok { number, .. } if *number < 90 => {
                    let subscriptions = self.expected[who].get_mut(number).unwrap();
                    for expected in subscriptions.iter_mut() {
                        if !expected.begun {
                            expected.begun = true;
                            break;
                        }
                        prop_assert_eq!(expected.place, expected.matched.len(), "heard too late");
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// The oldest subscription of this number that has not heard all.
    fn current(&mut self, who: usize, number: u32) -> &mut Expected {
        let subscriptions = self.expected[who].get_mut(&number).unwrap();
        let at = subscriptions.iter().position(|one| one.place < one.matched.len());
        let at = at.unwrap_or_else(|| panic!("{number}: heard what nobody published"));
        &mut subscriptions[at]
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn heard_and_missed_is_what_matched(
        framings in prop::array::uniform3(prop::sample::select(super::FRAMINGS.to_vec())),
        publisher in prop::sample::select(super::FRAMINGS.to_vec()),
        messages in prop::sample::select(vec![1, 2, 7, 60, 1 << 20]),
        steps in prop::collection::vec(step(), 1..150),
    ) {
        let mut model = Model::new(framings, publisher, messages);
        for step in &steps {
            model.take(step)?;
        }
        for who in 0..SUBSCRIBERS {
            model.read_all(who)?;
        }
        let totals = model.bus.broker.stats().totals;
        prop_assert_eq!(totals.expired, 0);
    }
}
