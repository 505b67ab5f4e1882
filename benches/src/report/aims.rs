//! The aims themselves, each with what was measured for it.
//!
//! The best peer is the one with the best median of those that are not ours; it may be another one
//! in each row. Of those that everybody can install, each that was not measured is named, since it
//! might have been the best.

use super::verdict::{Aim, Bound, Measured};
use crate::results::Cells;
use crate::suites::desktop::{self, Sender};
use crate::suites::neighbour::{IDLE, Kind, PLACE_OF_AIMS, TESTS, attacks, peer_beside};
use crate::suites::{people, services, store};
use serde_json::{Value, json};
use std::cmp::Ordering;

/// Brokers of other people begin with neither.
const OURS: [&str; 2] = ["kith", "limit-"];
/// Whom "the best peer" is chosen from. Zenoh's router, too, where it is there: it is no package of
/// the usual systems, and takes long to build.
const OTHERS: [&str; 5] = ["nats", "redis", "dbus-broker", "mosquitto", "dbus-daemon"];
const KIB_PER_MIB: f64 = 1024.0;

/// All of them.
pub(super) fn of(cells: &Cells) -> Vec<Aim> {
    let judge = Judge(cells);
    let parts = [
        judge.load_aims(),
        judge.latency_aims(),
        judge.held_aims(),
        judge.idle_aims(),
        judge.neighbour_aims(),
        judge.desktop_aims(),
        judge.services_aims(),
        judge.store_aims(),
        judge.people_aims(),
    ];
    parts.into_iter().flatten().collect()
}

type Keys<'keys> = &'keys [(&'keys str, Value)];

struct Judge<'cells>(&'cells Cells);

impl Judge<'_> {
    fn of(&self, peer: &str, test: &str, keys: Keys<'_>, figure: &str) -> Option<Measured> {
        let cell = self.0.of_test(test, keys).find(|cell| cell.peer == peer)?;
        Some(Measured::of(cell, figure))
    }

    /// Of the other people's brokers, the one with the largest figure, or the smallest.
    fn best(&self, test: &str, keys: Keys<'_>, figure: &str, rule: Rule) -> Option<Measured> {
        let is_peer = |name: &str| !OURS.iter().any(|ours| name.starts_with(ours));
        let counts = |name: &str| rule != Rule::LargestUnbatched || !name.starts_with("zenoh");
        let mut peers: Vec<Measured> = self
            .0
            .of_test(test, keys)
            .filter(|cell| is_peer(&cell.peer) && counts(&cell.peer))
            .map(|cell| Measured::of(cell, figure))
            .filter(|peer| peer.value.is_some())
            .collect();
        peers.sort_by(by_value);
        if rule == Rule::Smallest { peers.into_iter().next() } else { peers.pop() }
    }

    /// Those of the others that have no figure, neither over a Unix socket nor over TCP.
    fn without(&self, test: &str, keys: Keys<'_>, figure: &str) -> Vec<&'static str> {
        let is_measured = |other: &str| {
            let mut cells = self.0.of_test(test, keys);
            cells.any(|cell| {
                cell.peer.trim_end_matches("-tcp") == other && cell.figure(figure).is_some()
            })
        };
        OTHERS.into_iter().filter(|other| !is_measured(other)).collect()
    }

    fn throughput(&self, peer: &str, payload: usize, times: f64) -> Aim {
        let keys = [("payload", json!(payload))];
        Aim {
            what: format!("1→1, {payload} B, `{peer}` beside the best peer"),
            bound: Bound::AtLeast(times),
            unit: "×",
            ours: self.of(peer, "thr", &keys, "rate"),
            beside: Some(self.best("thr", &keys, "rate", Rule::Largest)),
            without: self.without("thr", &keys, "rate"),
        }
    }

    fn load_aims(&self) -> Vec<Aim> {
        let small = [("payload", json!(128))];
        let fan = [("payload", json!(128)), ("subs", json!(100))];
        vec![
            self.throughput("kith", 16, 2.0),
            self.throughput("kith", 128, 3.0),
            self.throughput("kith", 1024, 2.0),
            self.throughput("kith", 65536, 0.9),
            self.throughput("kith-memfd", 65536, 3.0),
            Aim {
                what: "one write a message, 128 B, beside the best peer but zenoh".into(),
                bound: Bound::AtLeast(1.2),
                unit: "×",
                ours: self.of("kith", "one", &small, "rate"),
                beside: Some(self.best("one", &small, "rate", Rule::LargestUnbatched)),
                without: self.without("one", &small, "rate"),
            },
            Aim {
                what: "fan-out 1→100, 128 B, beside the best peer".into(),
                bound: Bound::AtLeast(2.0),
                unit: "×",
                ours: self.of("kith", "fan", &fan, "rate"),
                beside: Some(self.best("fan", &fan, "rate", Rule::Largest)),
                without: self.without("fan", &fan, "rate"),
            },
            Aim {
                what: "JSON lines, 1→1, 128 B, beside redis".into(),
                bound: Bound::AtLeast(0.5),
                unit: "×",
                ours: self.of("kith-json", "thr", &small, "rate"),
                beside: Some(self.of("redis", "thr", &small, "rate")),
                without: vec![],
            },
        ]
    }

    fn latency_aims(&self) -> Vec<Aim> {
        let place = [("place", json!("one-core"))];
        let ours = || self.of("kith", "transit", &place, "p50_us");
        vec![
            Aim {
                what: "one pass, 128 B, one core, p50 beside a bare tokio relay".into(),
                bound: Bound::AtMost(1.2),
                unit: "×",
                ours: ours(),
                beside: Some(self.of("limit-tokio1", "transit", &place, "p50_us")),
                without: vec![],
            },
            Aim {
                what: "one pass, 128 B, one core, p50 beside the best peer".into(),
                bound: Bound::Below(1.0),
                unit: "×",
                ours: ours(),
                beside: Some(self.best("transit", &place, "p50_us", Rule::Smallest)),
                without: self.without("transit", &place, "p50_us"),
            },
        ]
    }

    fn held_aims(&self) -> Vec<Aim> {
        let (one, million) = ([("held", json!(1))], [("held", json!(1_000_000))]);
        let called = |who: &str, found: Option<Measured>| {
            found.map(|found| Measured { who: who.to_string(), ..found })
        };
        let with_one = self.of("kith", "subs_hot", &one, "rate");
        vec![
            Aim {
                what: "1M subscriptions held, one hot topic, beside one held".into(),
                bound: Bound::AtLeast(0.9),
                unit: "×",
                ours: self.of("kith", "subs_hot", &million, "rate"),
                beside: Some(called("kith with one", with_one)),
                without: vec![],
            },
            Aim {
                what: "1M subscriptions held, topics spread over them, beside nats".into(),
                bound: Bound::AtLeast(5.0),
                unit: "×",
                ours: self.of("kith", "subs_spread", &million, "rate"),
                beside: Some(self.of("nats", "subs_spread", &million, "rate")),
                without: vec![],
            },
            Aim {
                what: "1M subscriptions held, memory of each".into(),
                bound: Bound::AtMost(300.0),
                unit: "B",
                ours: self.of("kith", "subs_memory", &million, "bytes_per_sub"),
                beside: None,
                without: vec![],
            },
        ]
    }

    fn idle_aims(&self) -> Vec<Aim> {
        let alone = |what: &str, bound, unit, test: &str, figure: &str| Aim {
            what: what.to_string(),
            bound,
            unit,
            ours: self.of("kith", test, &[], figure),
            beside: None,
            without: vec![],
        };
        let mut resident = alone("idle, resident", Bound::AtMost(8.0), "MiB", "rss", "idle_kib");
        if let Some(ours) = &mut resident.ours {
            ours.value = ours.value.map(|kib| kib / KIB_PER_MIB);
        }
        vec![
            resident,
            alone(
                "idle, resident for each further connection",
                Bound::AtMost(10.0),
                "KiB",
                "rss",
                "kib_per_connection",
            ),
            alone("idle, wakeups in 2 s", Bound::AtMost(0.0), "", "rss", "wakeups_2s"),
            alone("exec to ready", Bound::AtMost(6.0), "ms", "start", "ms"),
        ]
    }

    fn desktop_aims(&self) -> Vec<Aim> {
        let place = [("place", json!("one-core"))];
        let of =
            |sender: Sender, bus: &str| self.of(&sender.on(bus), desktop::TRIP, &place, "p50_us");
        let aim = |bus: &str| Aim {
            what: format!("publish to signal on {bus}, 128 B, one core, p50 beside a bare service"),
            bound: Bound::AtMost(1.5),
            unit: "×",
            ours: of(Sender::Kith, bus),
            beside: Some(of(Sender::Service, bus)),
            without: vec![],
        };
        desktop::BUSES.map(aim).into()
    }

    fn services_aims(&self) -> Vec<Aim> {
        let aim =
            |what: &str, unit: &'static str, most, test: &str, keys: &str, figure: &str| Aim {
                what: what.to_owned(),
                bound: Bound::AtMost(most),
                unit,
                ours: self.of(services::PEER, test, &[("unit", json!(keys))], figure),
                beside: None,
                without: vec![],
            };
        let hop = "a hop between two services, in batches of 32";
        let idle = "100 idle services, wakeups in 2 s";
        vec![
            aim(hop, "µs", 2.0, services::HOP, "batch of 32", "us_per_hop"),
            aim(idle, "", 0.0, services::IDLE, "100 idle", "wakeups_2s"),
        ]
    }

    fn store_aims(&self) -> Vec<Aim> {
        let beside = |in_flight: u64, peer: &str, times: f64, called: &str| {
            let keys = [("unit", json!(store::in_flight_name(in_flight)))];
            Aim {
                what: format!("stored, 512 B, {in_flight} in flight, beside {called}"),
                bound: Bound::AtLeast(times),
                unit: "×",
                ours: self.of(store::PEER, store::PUBLISH, &keys, "rate"),
                beside: Some(self.of(peer, store::PUBLISH, &keys, "rate")),
                without: vec![],
            }
        };
        let waiting = |what: &str, bound: Bound, unit: &'static str, figure: &str| Aim {
            what: format!("100,000 stored messages that wait: {what}"),
            bound,
            unit,
            ours: self.of(store::PEER, store::WAITING, &[], figure),
            beside: None,
            without: vec![],
        };
        let bare = "a bare append and sync";
        vec![
            beside(1, store::LIMIT, 0.7, bare),
            beside(32, store::LIMIT, 0.6, bare),
            beside(256, store::LIMIT, 0.4, bare),
            beside(32, store::OTHER, 3.0, "JetStream that syncs always"),
            beside(256, store::OTHER, 3.0, "JetStream that syncs always"),
            Aim {
                what: "live, 1,000 messages/s, p99 with a consumer that nobody reads".into(),
                bound: Bound::AtMost(1.2),
                unit: "×",
                ours: self.of(store::UNREAD, store::BESIDE, &[], "p99_us"),
                beside: Some(self.of(store::WITHOUT, store::BESIDE, &[], "p99_us")),
                without: vec![],
            },
            waiting("restart to ready", Bound::AtMost(500.0), "ms", "ready_ms"),
            waiting("memory above idle", Bound::AtMost(32.0), "MiB", "mib_above_idle"),
            waiting("read and acknowledged", Bound::AtLeast(50_000.0), "/s", "rate"),
        ]
    }

    fn people_aims(&self) -> Vec<Aim> {
        let way = |unit: &str| {
            let keys = [("unit", json!(unit))];
            Aim {
                what: format!("to a friend, 128 B, {unit}, one way, beside QUIC and cryptography"),
                bound: Bound::AtMost(2.0),
                unit: "×",
                ours: self.of(people::PEER, people::WAY, &keys, "p50_us"),
                beside: Some(self.of(people::LIMIT, people::WAY, &keys, "p50_us")),
                without: vec![],
            }
        };
        let alone = |what: String, most: f64, unit: &'static str, found: (&str, &str, &str)| {
            let (test, keys, figure) = found;
            let keys = if keys.is_empty() { vec![] } else { vec![("unit", json!(keys))] };
            let ours = self.of(people::PEER, test, &keys, figure);
            Aim { what, bound: Bound::AtMost(most), unit, ours, beside: None, without: vec![] }
        };
        let times = |unit: &str| {
            alone(format!("to a friend: {unit}"), 1_000.0, "ms", (people::TIMES, unit, "ms"))
        };
        let idle = |what: &str, most: f64, unit: &'static str, figure: &str| {
            let what = format!("a friend who says nothing: {what}");
            alone(what, most, unit, (people::IDLE, "", figure))
        };
        let local = |unit: &str| {
            let keys = [("unit", json!(unit))];
            self.of(people::PEER, people::LOCAL, &keys, "p99_us")
        };
        vec![
            way(people::NORMAL),
            way(people::REALTIME),
            Aim {
                what: "to a friend, 128 B, messages/s, beside what one core encrypts".into(),
                bound: Bound::AtLeast(0.7),
                unit: "×",
                ours: self.of(people::PEER, people::RATE, &[], "rate"),
                beside: Some(self.of(people::LIMIT_RATE, people::RATE, &[], "rate")),
                without: vec![],
            },
            times(people::JOIN),
            times(people::LINK),
            times(people::CRASH),
            idle("wakeups/s", 1.0, "", "wakeups_per_s"),
            idle("memory", 16.0, "MiB", "mib"),
            Aim {
                what: "two local programs while friends talk, p99".into(),
                bound: Bound::AtMost(1.05),
                unit: "×",
                ours: local(people::BESIDE),
                beside: Some(local(people::ALONE)),
                without: vec![],
            },
        ]
    }

    fn neighbour_aims(&self) -> Vec<Aim> {
        let [one, steady] = TESTS;
        let shapes = [(steady, "1,000 messages/s"), (one, "one message at a time")];
        let kinds = [
            (Kind::Many, "the worst attack"),
            (Kind::Whole, "the worst of large operations"),
            (Kind::Desktop, "the worst traffic on a session bus"),
        ];
        let aims = kinds.map(|(kind, called)| {
            shapes.map(|(test, shape)| {
                self.neighbour(test, kind, &format!("{shape} beside {called}"))
            })
        });
        aims.into_iter().flatten().collect()
    }

    /// A pair that shares its core with the daemon only, beside the attack that is worst for it.
    fn neighbour(&self, test: &str, kind: Kind, what: &str) -> Aim {
        let place = [("place", json!(PLACE_OF_AIMS))];
        let beside = |who: &str| self.of(&peer_beside(who), test, &place, "p99_us");
        let all: Vec<Measured> = attacks(kind)
            .filter_map(|attack| {
                beside(attack).map(|found| Measured { who: attack.into(), ..found })
            })
            .collect();
        let sum = |of: fn(&Measured) -> usize| all.iter().map(of).sum();
        let (failed, left_out) = (sum(|one| one.failed), sum(|one| one.left_out));
        let (runs, lost) = (sum(|one| one.runs), all.iter().map(|one| one.lost).sum());
        let is_missing =
            |attack: &&str| !all.iter().any(|found| found.who == *attack && found.value.is_some());
        let without = attacks(kind).filter(is_missing).collect();
        // What some of them failed at, or lost, the worst of them answers for.
        let worst = all.into_iter().max_by(by_value).map(|worst| Measured {
            runs: if failed > 0 { runs } else { worst.runs },
            failed,
            left_out,
            lost,
            ..worst
        });
        let who = worst.as_ref().map_or("–", |worst| &worst.who);
        Aim {
            what: format!("{what} (`{who}`), p99 beside an idle bus"),
            bound: Bound::AtMost(2.0),
            unit: "×",
            ours: worst,
            beside: Some(beside(IDLE)),
            without,
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Rule {
    Largest,
    /// Without those whose client batches by itself, so that one write a message is not theirs.
    LargestUnbatched,
    Smallest,
}

/// What has no value comes first.
fn by_value(one: &Measured, other: &Measured) -> Ordering {
    let value = |measured: &Measured| measured.value.unwrap_or(f64::NEG_INFINITY);
    value(one).total_cmp(&value(other))
}
