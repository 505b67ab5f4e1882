//! How bytes are cut by the socket changes nothing, and nor does the framing.

use super::bus::{Bus, Who};
use super::heard::Heard;
use super::walk::{CLIENTS, Saying, Step, Walk, limits, saying, step};
use crate::broker::Framing;
use crate::limits::Limits;
use kith_wire::binary::MAGIC;
use proptest::prelude::*;

/// What each subscription heard, and the answers: what is comparable where runs are cut elsewhere,
/// which changes the order between subscriptions.
fn by_subscription(heard: Vec<Heard>) -> Vec<(u32, Vec<Heard>)> {
    let mut streams: std::collections::BTreeMap<u32, Vec<Heard>> = Default::default();
    for one in heard {
        let key = if let Heard::Message { subscription, .. } = &one { *subscription } else { 0 };
        streams.entry(key).or_default().push(one);
    }
    streams.into_iter().collect()
}

/// Has one client say everything while another listens.
struct Scene {
    bus: Bus,
    speaker: Who,
    listeners: [Who; 2],
}

impl Scene {
    fn new(framing: Framing) -> Self {
        // Queues that are never full: what is lost where depends on how runs are cut.
        let queue = Limits { queue_messages_max: 1 << 20, queue_bytes_max: 64 << 20, ..limits() };
        let mut bus = Bus::new(queue);
        let listeners = [bus.json(), bus.binary()];
        for who in listeners {
            bus.subscribed(who, 1, "self.>");
            bus.joined(who, 2, "*/self.a.>", "g");
        }
        let speaker = bus.raw(framing);
        Self { bus, speaker, listeners }
    }

    fn end(mut self) -> Vec<Vec<(u32, Vec<Heard>)>> {
        let all = [self.speaker, self.listeners[0], self.listeners[1]];
        all.map(|who| by_subscription(self.bus.hear(who))).to_vec()
    }
}

fn script(framing: Framing, sayings: &[Saying]) -> Vec<u8> {
    let mut bytes = match framing {
        Framing::Binary => MAGIC.to_vec(),
        Framing::JsonLines => b"{\"op\":\"ping\"}\n".to_vec(),
    };
    for saying in sayings {
        bytes.extend(saying.bytes(framing));
    }
    bytes
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn pieces_of_any_size_give_the_same(
        framing in prop::sample::select(super::FRAMINGS.to_vec()),
        sayings in prop::collection::vec(saying(), 1..60),
        cuts in prop::collection::vec(1..700_usize, 1..40),
    ) {
        let bytes = script(framing, &sayings);
        let mut whole = Scene::new(framing);
        whole.bus.feed(whole.speaker, &bytes);
        let mut pieces = Scene::new(framing);
        let mut rest = &bytes[..];
        for cut in cuts.iter().cycle() {
            let (now, later) = rest.split_at((*cut).min(rest.len()));
            pieces.bus.feed(pieces.speaker, now);
            rest = later;
            if rest.is_empty() {
                break;
            }
        }
        prop_assert_eq!(pieces.end(), whole.end());
    }

    #[test]
    fn what_is_wanted_is_what_is_missing(
        sayings in prop::collection::vec(saying(), 1..20),
        cut in any::<prop::sample::Index>(),
    ) {
        let bytes = script(Framing::Binary, &sayings);
        let cut = cut.index(bytes.len());
        let mut scene = Scene::new(Framing::Binary);
        let mut session = crate::Session::new(scene.bus.id(scene.speaker));
        let now = scene.bus.now;
        let fed = session.feed(&mut scene.bus.broker, now, &bytes[..cut]);
        if scene.bus.broker.is_closing(session.client()) {
            return Ok(());
        }
        let rest = &bytes[fed.consumed..];
        let left = cut - fed.consumed;
        // The magic has no length, and a length field that is not there can't be read.
        let known = fed.consumed >= MAGIC.len() && left >= 4;
        let whole = if known { kith_wire::binary::frame::whole_bytes(rest).unwrap() } else { 0 };
        prop_assert_eq!(fed.wanted, whole);
        prop_assert!(!known || left < whole);
        // One byte less than wanted is not enough, and just that is.
        if known {
            let early = session.feed(&mut scene.bus.broker, now, &rest[..whole - 1]);
            prop_assert_eq!((early.consumed, early.wanted), (0, whole));
            let fed = session.feed(&mut scene.bus.broker, now, &rest[..whole]);
            prop_assert_eq!(fed.consumed, whole);
        }
    }

    #[test]
    fn clients_of_both_framings_see_the_same(
        steps in prop::collection::vec(step(), 1..80),
    ) {
        let mut walks = super::FRAMINGS.map(|framing| Walk::new([framing; CLIENTS], 5));
        for step in &steps {
            for walk in &mut walks {
                walk.take(&readable(step));
                for who in 0..CLIENTS {
                    walk.read_all(who);
                }
            }
        }
        let [json, binary] = walks.map(|walk| {
            walk.heard.into_iter().map(|(who, heard)| (who, comparable(heard))).collect::<Vec<_>>()
        });
        prop_assert_eq!(json, binary);
    }
}

/// The step for clients that read everything at once, so that nothing depends on how many bytes a
/// message takes.
fn readable(step: &Step) -> Step {
    match step {
        Step::Read(who, _) => Step::ReadAll(*who),
        Step::Say(who, Saying::Run(what, _)) => Step::Say(*who, Saying::Run(what.clone(), 1)),
        other => other.clone(),
    }
}

/// Without the places where errors were found, and what the daemon says of bytes and framings.
fn comparable(heard: Heard) -> Heard {
    match heard {
        Heard::Err { number, code, fatal, .. } if code.starts_with("bad-") => {
            Heard::Err { number, code: "bad".to_owned(), text: String::new(), at: None, fatal }
        }
        Heard::Err { number, code, fatal, .. } => {
            Heard::Err { number, code, text: String::new(), at: None, fatal }
        }
        Heard::Message { subscription, mut message } => {
            if message.topic.starts_with("bus.") {
                message.payload = Vec::new();
            }
            Heard::Message { subscription, message }
        }
        other => other,
    }
}

/// In binary frames the protocol `ms` may be named or left out; who reads lines sees no difference.
#[test]
fn a_protocol_that_need_not_be_named_may_be() {
    let mut bus = Bus::new(limits());
    let (speaker, json, binary) = (bus.binary(), bus.json(), bus.binary());
    for who in [json, binary] {
        bus.subscribed(who, 1, "self.a");
    }
    let mut frame = 16_u32.to_le_bytes().to_vec();
    frame.extend([4, 0, 1, 2, 0, 0, 0, 0]);
    frame.extend(b"amstrue ");
    bus.feed(speaker, &frame.repeat(2));
    for who in [json, binary] {
        let heard = bus.hear(who);
        let payloads = heard.iter().map(|one| one.message().payload.trim_ascii().to_vec());
        assert_eq!(payloads.collect::<Vec<_>>(), [b"true", b"true"]);
    }
}
