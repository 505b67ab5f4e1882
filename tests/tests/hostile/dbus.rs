//! Programs on the session bus that mean no good: what holds for clients on the socket holds for
//! them, and what they don't read is not kept for them without end.

use super::{CULPRIT, Scene};
use crate::door::{MESSAGE_PAYLOAD_BYTES_MAX, code_of, start_on};
use crate::process::Place;
use crate::session::{
    BROKER, BROKERS, ERROR, Failure, Incoming, KITH, KITH_PATH, Message, Program, RETURN,
    SessionBus, Value, kith_call, publishing, sending,
};
use kith_wire::Code;

const LIMITS: &str = "[limits]\nsubscriptions_max = 1000\nclients_max = 1000\n\
                      queue_bytes_max = '512 KiB'\npayload_bytes_max = '256 KiB'\n";
/// What the door may hold for programs, in a debug build: calls, and what is on its way.
const DOOR_KIB: u64 = 48 << 10;

/// A quarter of them is for programs.
const CLIENTS_MAX: usize = 1_000;

/// Runs this over each session bus that there is.
fn on_each_session_bus(attack: impl Fn(&mut Scene, &SessionBus)) {
    for broker in BROKERS.into_iter().filter(|broker| broker.is_there()) {
        let session = SessionBus::start(broker);
        let daemon = start_on(&Place::new(LIMITS), &session.address());
        let mut scene = Scene::on(daemon);
        attack(&mut scene, &session);
        scene.end(DOOR_KIB);
    }
}

fn culprit(session: &SessionBus) -> Program {
    let mut culprit = session.program();
    let name = Value::options([("name", Value::text(CULPRIT))]);
    culprit.kith("Hello", [name]).unwrap();
    culprit
}

/// What waits in the session bus for a program, where that can tell.
fn outgoing_bytes(asker: &mut Program, of: &Program) -> u64 {
    let interface = "org.freedesktop.DBus.Debug.Stats";
    let call = Message::call(BROKER, "/org/freedesktop/DBus", interface, "GetConnectionStats");
    let stats = asker.call(call.with([Value::text(of.name())]));
    stats.map_or(0, |stats| stats[0].get("OutgoingBytes").unwrap().as_number())
}

/// What became of a call.
fn outcome(incoming: &Incoming) -> Result<(), Code> {
    match incoming.message.kind {
        RETURN => Ok(()),
        ERROR => Err(code_of(incoming.message.error.as_deref().unwrap())),
        other => panic!("kind {other}"),
    }
}

/// How often the one that calls does so 500 times: its answers are a good third more than may wait
/// for it anywhere.
const ROUNDS: u32 = 50;

#[test]
fn a_program_that_calls_and_reads_no_answer_has_a_bound() {
    on_each_session_bus(|scene, session| {
        let (mut culprit, mut watcher) = (culprit(session), session.program());
        let mut last = 0;
        for round in 0..ROUNDS {
            for _ in 0..500 {
                // The answer is longer than the question.
                let asked = sending("Request", "bus.stats", Value::text("null"), vec![]);
                last = culprit.send(asked);
            }
            let told = Message::call(watcher.name(), "/", "org.example.Watcher", "Sent");
            culprit.send(told.without_reply());
            watcher.next_of(|message| message.member.as_deref() == Some("Sent"));
            // What this calls comes behind all that, on the session bus as in the door.
            watcher.publish("seen", Value::U32(round));
            if round % 10 == 0 {
                scene.talk();
            }
        }
        let waiting = outgoing_bytes(&mut watcher, &culprit);
        assert!(waiting < 8 << 20, "{waiting} bytes wait for it in the session bus");
        // When it reads it is answered, each call once: carried out, or refused as too many.
        let mut tally = [0_u32; 2];
        while tally[0] + tally[1] < ROUNDS * 500 {
            let incoming = culprit.next().unwrap();
            let Some(serial) = incoming.message.reply_to else { continue };
            let outcome = outcome(&incoming);
            assert!([Ok(()), Err(Code::QuotaMemory)].contains(&outcome), "{outcome:?}");
            assert!(serial <= last);
            tally[usize::from(outcome.is_err())] += 1;
        }
        assert!(tally[1] > 0, "all of them were carried out");
        culprit.publish("storm", Value::text("1"));
    });
}

#[test]
fn a_program_that_asks_what_the_daemon_is_and_never_listens_holds_up_nobody() {
    on_each_session_bus(|scene, session| {
        let mut culprit = session.program();
        let interface = "org.freedesktop.DBus.Introspectable";
        for _ in 0..2_000 {
            culprit.send(Message::call(KITH, KITH_PATH, interface, "Introspect"));
        }
        scene.talk();
        // The session bus holds the answers, as those to a call of any other program.
        session.program().publish("storm", Value::text("1"));
        scene.talk();
    });
}

#[test]
fn programs_that_leave_in_the_middle_leave_nothing_behind() {
    on_each_session_bus(|scene, session| {
        let mut watcher = session.program();
        watcher.subscribe("self.gone");
        watcher.subscribe("self.asked");
        for n in 0..100_u32 {
            let mut program = culprit(session);
            program.send(sending("SetWill", "gone", Value::U32(n), vec![]));
            program.send(kith_call("Subscribe").with([Value::text("self.>"), none()]));
            if n % 2 == 0 {
                program.send(sending("Request", "asked", Value::U32(n), vec![]));
            }
            let call = publishing("storm", Value::Bytes(vec![b'1'; 10_000]), vec![]);
            let bytes = Message { serial: 1_000, ..call }.bytes();
            program.say(&bytes[..bytes.len() * n as usize / 100]);
        }
        let mut wills = Vec::new();
        while wills.len() < 100 {
            let (_, message) = watcher.message();
            if message.get("topic") == Some(&Value::text("gone")) {
                wills.push(message.get("payload").unwrap().as_text().parse::<u32>().unwrap());
            }
        }
        wills.sort_unstable();
        assert_eq!(wills, (0..100).collect::<Vec<_>>());
        scene.wait_until_others(1);
        assert_eq!(scene.count("subscriptions"), 4);
        drop(watcher);
    });
}

fn none() -> Value {
    Value::options::<&str>([])
}

#[test]
fn subscriptions_of_a_program_have_the_quota_of_every_client() {
    on_each_session_bus(|scene, session| {
        let mut culprit = culprit(session);
        let mut tally = [0_u32; 2];
        for _ in 0..10 {
            let subscribe = || kith_call("Subscribe").with([Value::text("self.storm"), none()]);
            let serials: Vec<_> = (0..500).map(|_| culprit.send(subscribe())).collect();
            for serial in serials {
                match culprit.answer(serial).map_err(|Failure { name, .. }| code_of(&name)) {
                    Ok(_) => tally[0] += 1,
                    Err(code) => {
                        assert_eq!(code, Code::QuotaSubscriptions);
                        tally[1] += 1;
                    }
                }
            }
            scene.talk();
        }
        assert_eq!(tally, [1_000, 4_000]);
        assert_eq!(scene.culprits()[0]["subscriptions"], 1_000);
        // One that ends makes room for that of the fence.
        culprit.publish("storm", Value::text("1"));
        let (number, _) = culprit.message();
        culprit.kith("Unsubscribe", [Value::U32(number)]).unwrap();
        assert_eq!(culprit.pending().len(), 999);
        drop(culprit);
        scene.wait_until_alone();
    });
}

#[test]
fn options_that_make_no_sense_are_refused_one_by_one() {
    on_each_session_bus(|scene, session| {
        let mut culprit = culprit(session);
        let deep = |depth| {
            let wrap = |inside: Value, _| Value::Array("v".to_owned(), vec![inside.variant()]);
            (0..depth).fold(Value::U32(1), wrap)
        };
        let many =
            |key: &'static str| (0..5_000).map(move |n| (format!("{key}{n}"), Value::U32(n)));
        let garbage = [
            Value::options(many("")),
            Value::options([("x".repeat(500_000), Value::U32(1))]),
            Value::options([("retain", deep(20))]),
            Value::options([("headers", deep(20)), ("priority", Value::options(many("a")))]),
            Value::options([("expire_after_ms", Value::text("x".repeat(500_000)))]),
            Value::options([("\u{1b}[31m\n", Value::Path("/".to_owned()))]),
            Value::options([("protocol", Value::text("x".repeat(500_000)))]),
        ];
        for options in garbage {
            for member in ["Publish", "Request", "SetWill", "Subscribe", "Hello"] {
                let (a, payload) = (Value::text("a"), Value::text("1").variant());
                let body = match member {
                    "Subscribe" => vec![Value::text("self.a"), options.clone()],
                    "Hello" => vec![options.clone()],
                    _ => vec![a, Value::text(""), payload, options.clone()],
                };
                let failure = culprit.kith(member, body).unwrap_err();
                let code = code_of(&failure.name);
                assert!([Code::BadField, Code::BadProtocol].contains(&code), "{failure:?}");
                assert!(failure.text.len() < 2_000, "{} bytes of text", failure.text.len());
                assert!(!failure.text.contains(char::is_control), "{}", failure.text);
            }
            scene.talk();
        }
        let failure = culprit.try_publish("a", deep(25), vec![]);
        assert!(failure.is_ok(), "{failure:?}");
    });
}

#[test]
fn calls_of_many_megabytes_are_refused() {
    on_each_session_bus(|scene, session| {
        for bytes in [MESSAGE_PAYLOAD_BYTES_MAX + (64 << 10), 4 << 20, 16 << 20] {
            let mut culprit = culprit(session);
            let failure = culprit.try_publish("a", Value::Bytes(vec![b'1'; bytes]), vec![]);
            let code = code_of(&failure.unwrap_err().name);
            assert!([Code::TooLarge, Code::QuotaMemory].contains(&code), "{code}");
            culprit.publish("a", Value::text("1"));
            scene.talk();
        }
    });
}

#[test]
fn a_crowd_of_programs_leaves_room_for_others() {
    on_each_session_bus(|scene, session| {
        let places = CLIENTS_MAX / 4;
        let mut crowd: Vec<_> = (0..places + 50).map(|_| session.program()).collect();
        let outcomes = crowd.iter_mut().map(|program| {
            let outcome = program.try_publish("storm", Value::text("1"), vec![]);
            outcome.map_err(|failure| code_of(&failure.name))
        });
        let refused: Vec<_> = outcomes.filter_map(Result::err).collect();
        assert_eq!(refused, [Code::QuotaClients; 50]);
        scene.talk();
        drop(crowd);
        scene.wait_until_alone();
        session.program().publish("storm", Value::text("1"));
    });
}
