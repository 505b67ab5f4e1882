//! A device: a daemon with `quic`, whose user may do everything, as a test holds it.
//!
//! It keeps its place when it is stopped, so that it can be started again with what it had. Where a
//! test has to wait for something that nobody announces, it asks again and again, each time as fast
//! as the daemon answers.

use super::namespace::Namespace;
use crate::door::{Client, FRAMINGS, Framing, Publication};
use crate::process::{Daemon, PATIENCE, PROGRAM, Place, dial};
use crate::services::{Administrator, Refused};
use kith_busd::Embedded;
use kith_service_quic::Quic;
use serde_json::{Value, json};
use std::fs;
use std::io::Write;
use std::os::unix::fs::DirBuilderExt;
use std::sync::Arc;
use std::time::Instant;

/// Links of this machine alone.
const LOOPBACK: &str = "[services.quic.settings]\nlisten = ['127.0.0.1:0']\nloopback = true\n";

/// Links of a network that a test has made, which has IPv4 alone.
const ELSEWHERE: &str = "[services.quic.settings]\nlisten = ['0.0.0.0:0']\n";

/// How a device's daemon runs.
#[derive(Clone)]
pub(crate) enum Kind {
    /// On a thread of the tests.
    Thread,
    /// As a program, which can be killed.
    Program,
    /// As a program on another network.
    Elsewhere(Arc<Namespace>),
}

/// Ends the daemon when it is dropped.
enum Running {
    Thread { _daemon: Embedded },
    Program(Daemon),
}

/// A device.
pub(crate) struct Device {
    pub(crate) administrator: Administrator,
    running: Option<Running>,
    kind: Kind,
    place: Place,
}

impl Device {
    /// A device of a person of this name, who has no other.
    pub(crate) fn new(name: &str) -> Self {
        Self::of_kind(Kind::Thread, name)
    }

    /// The same, run in this way.
    pub(crate) fn of_kind(kind: Kind, name: &str) -> Self {
        let configuration = if let Kind::Elsewhere(_) = kind { ELSEWHERE } else { LOOPBACK };
        let mut device = Self::alone(kind, configuration);
        device.enable("quic");
        device.wait_until_reachable();
        device.ask("people.init", json!({"name": name, "device_name": "first"}));
        device
    }

    /// A daemon without any service, with this configuration.
    pub(crate) fn alone(kind: Kind, configuration: &str) -> Self {
        let place = Place::new(configuration);
        let (running, administrator) = start(&kind, &place);
        Self { administrator, running: Some(running), kind, place }
    }

    /// Has a service run, and waits until it does.
    pub(crate) fn enable(&mut self, service: &str) {
        self.administrator.change("services.enable", service).unwrap();
        self.administrator.wait_for(service, "running");
    }

    fn wait_until_reachable(&mut self) {
        self.until("people.me", |me| me["endpoints"] != json!([]));
    }

    /// Asks something that the daemon grants.
    #[track_caller]
    // By value, since it is written where it is asked.
    #[expect(clippy::needless_pass_by_value)]
    pub(crate) fn ask(&mut self, topic: &str, payload: Value) -> Value {
        let answer = self.administrator.ask(topic, &payload);
        answer.unwrap_or_else(|Refused(code, text)| panic!("{topic}: {code}: {text}"))
    }

    /// Asks a question until the answer is as wanted.
    #[track_caller]
    pub(crate) fn until(&mut self, topic: &str, is_so: impl Fn(&Value) -> bool) -> Value {
        let began = Instant::now();
        loop {
            let answer = self.ask(topic, Value::Null);
            if is_so(&answer) {
                return answer;
            }
            assert!(began.elapsed() < PATIENCE, "{topic} stays {answer:#}");
        }
    }

    /// A program here that speaks JSON lines.
    pub(crate) fn program(&self) -> Client {
        self.program_by(Framing::JsonLines)
    }

    /// A program of each framing.
    pub(crate) fn programs(&self) -> [Client; 2] {
        FRAMINGS.map(|framing| self.program_by(framing))
    }

    fn program_by(&self, framing: Framing) -> Client {
        let mut stream = dial(&self.place.socket());
        stream.write_all(framing.greeting()).unwrap();
        framing.client(stream)
    }

    /// Who this is.
    pub(crate) fn identity(&mut self) -> String {
        text(&self.ask("people.me", Value::Null)["identity"])
    }

    /// The key of this device.
    pub(crate) fn device(&mut self) -> String {
        text(&self.ask("people.me", Value::Null)["device"])
    }

    /// Makes this person and another friends, by an invite of this one's. Each gets the name by
    /// which the other calls them.
    pub(crate) fn befriend(&mut self, own: &str, other: &mut Self, others: &str) {
        let invite = self.ask("people.invite", json!({"petname": others}));
        let joined = other.ask("people.join", json!({"link": invite["link"], "petname": own}));
        assert_eq!((&joined["kind"], &joined["petname"]), (&json!("friend"), &json!(own)));
        assert_eq!(joined["relation"], "friend");
    }

    /// Takes another device into this person's card, by an invite of that one's.
    pub(crate) fn link(&mut self, new: &mut Self) {
        let invite = new.ask("people.invite", json!({"kind": "device"}));
        let joined = self.ask("people.join", json!({"link": invite["link"]}));
        assert_eq!(joined["kind"], "device");
        let identity = self.identity();
        new.until("people.me", |me| me["identity"] == *identity);
    }

    /// How often something of this cause was refused.
    pub(crate) fn refused(&mut self, cause: &str) -> u64 {
        self.ask("people.status", Value::Null)["refused"][cause].as_u64().unwrap_or(0)
    }

    /// Waits until so much of this cause was refused.
    #[track_caller]
    pub(crate) fn wait_for_refused(&mut self, cause: &str, count: u64) {
        self.until("people.status", |status| status["refused"][cause] == count);
    }

    /// Where it is.
    pub(crate) fn place(&self) -> &Place {
        &self.place
    }

    /// Stops the daemon as its user would.
    pub(crate) fn stop(&mut self) {
        match self.running.take() {
            Some(Running::Program(daemon)) => assert!(daemon.stop().status.success()),
            other => drop(other),
        }
    }

    /// Kills the daemon, which is a program.
    pub(crate) fn kill(&mut self) {
        let Some(Running::Program(daemon)) = self.running.take() else { panic!("no program") };
        daemon.kill();
    }

    /// Starts it again where it was.
    pub(crate) fn start(&mut self) {
        self.start_offline();
        self.wait_until_reachable();
    }

    /// The same where no transport is enabled.
    pub(crate) fn start_offline(&mut self) {
        let (running, administrator) = start(&self.kind, &self.place);
        (self.running, self.administrator) = (Some(running), administrator);
    }
}

fn start(kind: &Kind, place: &Place) -> (Running, Administrator) {
    let running = match kind {
        Kind::Thread => Running::Thread { _daemon: embedded(place) },
        Kind::Program => Running::Program(place.start()),
        Kind::Elsewhere(network) => {
            let daemon = place.command();
            let mut command = network.command(PROGRAM);
            Running::Program(place.start_by(command.args(daemon.get_args())))
        }
    };
    (running, Administrator::at(place))
}

fn embedded(place: &Place) -> Embedded {
    let configuration = fs::read_to_string(place.path().join("config.toml")).unwrap();
    for folder in [place.state(), place.path().join("kith")] {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).unwrap();
    }
    let builder = Embedded::builder(place.path().join("kith")).state(place.state());
    let builder = builder.service(|| Quic);
    builder.configuration(&configuration, place.path()).unwrap().start().unwrap()
}

/// A message that is answered once it is on a disk of whoever it is for.
pub(crate) fn until_delivered(publication: Publication) -> Publication {
    Publication { until: Some(3), ..publication }
}

/// The text of a JSON value that is one.
pub(crate) fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text")).to_owned()
}
