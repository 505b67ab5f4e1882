//! Anything that publishers, consumers, the disk and the power do to durable subscriptions, drawn
//! by a seed; and what has to hold then.
//!
//! - What was said to be stored is delivered, or was acknowledged: none is lost.
//! - Without its mark nothing is delivered twice.
//! - First deliveries come in the order in which they were published.
//! - When everything is well again, all that waits arrives: nothing is stuck.
//!
//! A loss of power here is a disk that has done some of what it was asked for, in order, and a
//! daemon that knows nothing. What a real disk makes of a torn write is a matter of the engine, and
//! tested with it.

use crate::limits::{Limits, STORE_STALL_MS_MAX};
use crate::tests::{Bus, Heard, Who, small};
use kith_store::{Failure, Memory};
use std::collections::{BTreeMap, BTreeSet};

/// Seeds, unless `KITH_DURABLE_SEEDS` says how many.
const SEEDS: u64 = 150;
const STEPS: u64 = 120;

/// SplitMix64: small, and the same everywhere.
struct Chance(u64);

impl Chance {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % end
    }
}

/// What is known of one consumer.
#[derive(Default)]
struct Consumer {
    readers: Vec<Who>,
    /// Delivered unmarked.
    fresh: BTreeSet<u64>,
    seen: BTreeSet<u64>,
    /// Seen before the power went.
    crashed: BTreeSet<u64>,
    /// Delivered and not acknowledged by a reader that is there.
    held: Vec<(Who, String)>,
    /// The last of those that each reader had.
    last_fresh: Vec<(Who, u64)>,
}

struct Walk {
    seed: u64,
    bus: Option<Bus>,
    chance: Chance,
    writer: Option<Who>,
    next: u64,
    /// Under which number which payload was published, on this connection.
    asked: BTreeMap<u32, u64>,
    stored: BTreeSet<u64>,
    consumers: [Consumer; 2],
}

const PATTERNS: [(&str, &str); 2] = [("one", "self.a.b"), ("two", "self.a.>")];

impl Walk {
    fn new(seed: u64) -> Self {
        let bus = Some(Bus::on(limits(), Memory::new()));
        let mut walk = Self {
            seed,
            bus,
            chance: Chance(seed),
            writer: None,
            next: 0,
            asked: BTreeMap::new(),
            stored: BTreeSet::new(),
            consumers: Default::default(),
        };
        // Both are there from the start, so both wait for everything.
        for nth in 0..2 {
            walk.join(nth);
        }
        walk.listen();
        walk
    }

    fn bus(&mut self) -> &mut Bus {
        self.bus.as_mut().unwrap()
    }

    fn join(&mut self, nth: usize) {
        let (name, pattern) = PATTERNS[nth];
        let who = self.bus().json();
        let line = format!(r#"{{"op":"sub","id":1,"pattern":"{pattern}","durable":"{name}"}}"#);
        self.bus().line(who, &line);
        self.bus().settle();
        self.consumers[nth].readers.push(who);
    }

    fn publish(&mut self) {
        let writer = match self.writer {
            Some(writer) => writer,
            None => {
                let writer = self.bus().json();
                self.writer = Some(writer);
                writer
            }
        };
        let payload = self.next;
        self.next += 1;
        let number = u32::try_from(payload + 1).unwrap();
        self.asked.insert(number, payload);
        let line = format!(r#"{{"op":"pub","id":{number},"topic":"a.b","payload":{payload}}}"#);
        self.bus().line(writer, &line);
    }

    /// Everybody reads what there is.
    fn listen(&mut self) {
        let seed = self.seed;
        if let Some(writer) = self.writer {
            for one in self.bus().hear(writer) {
                match one {
                    Heard::Ok { number, stored, .. } => {
                        assert!(stored, "seed {seed}: answered, and not stored");
                        self.stored.insert(self.asked[&number]);
                    }
                    Heard::Err { code, .. } => {
                        assert!(["not-stored", "quota-stored"].contains(&code.as_str()), "{code}");
                    }
                    other => panic!("seed {seed}: {other:?}"),
                }
            }
        }
        for nth in 0..2 {
            for who in self.consumers[nth].readers.clone() {
                for one in self.bus().hear(who) {
                    self.take(nth, who, &one);
                }
            }
        }
    }

    fn take(&mut self, nth: usize, who: Who, heard: &Heard) {
        let seed = self.seed;
        let Heard::Message { message, .. } = heard else { return };
        let consumer = &mut self.consumers[nth];
        let payload: u64 = String::from_utf8_lossy(&message.payload).parse().unwrap();
        let attempt = message.attempt.unwrap();
        consumer.seen.insert(payload);
        if attempt == 1 {
            // Another reader may have heard of it again before this one heard of it at all.
            let is_new = consumer.fresh.insert(payload) && !consumer.crashed.contains(&payload);
            assert!(is_new, "seed {seed}: {payload} came twice, and is not marked");
            let is_late = |(reader, last): &(Who, u64)| *reader == who && payload < *last;
            let is_late = consumer.last_fresh.iter().any(is_late);
            assert!(!is_late, "seed {seed}: {payload} came out of order");
            consumer.last_fresh.push((who, payload));
        }
        consumer.held.push((who, message.message_id.clone()));
    }

    fn acknowledge(&mut self, nth: usize) {
        let held = std::mem::take(&mut self.consumers[nth].held);
        let share = self.chance.below(3);
        for (who, id) in held {
            if share > 0 && self.chance.below(share + 1) == 0 {
                self.consumers[nth].held.push((who, id));
                continue;
            }
            let line = format!(r#"{{"op":"ack","sub":1,"msg_id":"{id}"}}"#);
            self.bus().line(who, &line);
        }
    }

    fn cut(&mut self, nth: usize) {
        let Some(who) = self.consumers[nth].readers.pop() else { return };
        self.consumers[nth].held.retain(|(holder, _)| *holder != who);
        self.bus().cut(who);
    }

    /// The power goes: what the store had not done by then is not there.
    fn crash(&mut self) {
        let before = self.bus.take().unwrap();
        let mut disk = before.store.unwrap().into_backend();
        disk.fail(None);
        let mut bus = Bus::on(limits(), disk);
        bus.now = before.now;
        self.bus = Some(bus);
        self.writer = None;
        self.asked.clear();
        for consumer in &mut self.consumers {
            consumer.readers.clear();
            consumer.crashed.extend(consumer.seen.iter().copied());
            consumer.held.clear();
            consumer.last_fresh.clear();
        }
    }

    fn step(&mut self) {
        let nth = usize::try_from(self.chance.below(2)).unwrap();
        match self.chance.below(20) {
            0..=7 => self.publish(),
            8..=10 => self.listen(),
            11..=13 => self.acknowledge(nth),
            14 => self.cut(nth),
            15 if self.consumers[nth].readers.len() < 3 => self.join(nth),
            16 => {
                let ms = self.chance.below(STORE_STALL_MS_MAX * 2);
                self.bus().pass(ms);
            }
            17 => {
                let holds = self.chance.below(2) == 0;
                self.bus().holds = holds;
            }
            18 => {
                let failure = Failure::Full { text: "full".to_owned() };
                let failing = (self.chance.below(3) == 0).then_some(failure);
                self.bus().store.as_mut().unwrap().backend_mut().fail(failing);
            }
            19 if self.chance.below(3) == 0 => self.crash(),
            _ => self.bus().settle(),
        }
    }

    /// Everything is well again: all that waits has to come.
    fn heal(&mut self) {
        self.bus().holds = false;
        self.bus().store.as_mut().unwrap().backend_mut().fail(None);
        self.bus().answer_store();
        for _ in 0..40 {
            for nth in 0..2 {
                if self.consumers[nth].readers.is_empty() {
                    self.join(nth);
                }
                for (who, id) in std::mem::take(&mut self.consumers[nth].held) {
                    let line = format!(r#"{{"op":"ack","sub":1,"msg_id":"{id}"}}"#);
                    self.bus().line(who, &line);
                }
            }
            self.listen();
            self.bus().pass(1_000);
        }
        let seed = self.seed;
        for (consumer, (name, _)) in self.consumers.iter().zip(PATTERNS) {
            let lost: Vec<_> = self.stored.difference(&consumer.seen).collect();
            assert!(lost.is_empty(), "seed {seed}: {name} never got {lost:?}");
        }
        let who = self.bus().json();
        self.bus().ask(who, 1, "bus.consumers", 1_000);
        let answer = self.bus().hears(who).pop().unwrap();
        let stuck = answer.matches(r#""waiting":0"#).count();
        assert_eq!(stuck, 2, "seed {seed}: something is stuck: {answer}");
    }
}

fn limits() -> Limits {
    // So that nobody gives up.
    Limits { deliveries_max: u32::MAX, history_messages_max: 8, ..small() }
}

#[test]
fn nothing_stored_is_lost_or_doubled_or_stuck() {
    let seeds = std::env::var("KITH_DURABLE_SEEDS").ok().and_then(|text| text.parse().ok());
    for seed in 0..seeds.unwrap_or(SEEDS) {
        let mut walk = Walk::new(seed);
        for _ in 0..STEPS {
            walk.step();
        }
        walk.heal();
    }
}
