//! The doors of the session bus, from `docs/dbus.md`: over `dbus-daemon`, and over `dbus-broker`.
//!
//! Each client is a connection to the session bus of its own, and reads from it only when a test
//! reads: the daemon's `Ping` is not answered before either. What is not as on a stream is in
//! [`PECULIARITIES`], and nowhere else.

use super::dbus_words::{call_of, code_of, delivery, sealed, subscription_of, take_sealed};
use super::{Bus, Client, Connection, Door, Event, Operation, Peculiarities};
use crate::process::{Daemon, Place};
use crate::session::{
    BROKER, Broker, ERROR, Incoming, KITH, Message, Program, RETURN, SIGNAL, SessionBus, Value,
};
use kith_wire::{Code, MessageId};
use std::collections::HashMap;
use std::os::fd::AsFd;

/// The door of a session bus.
#[derive(Clone, Copy)]
pub(crate) struct DbusDoor {
    broker: Broker,
}

pub(crate) const DBUS_DAEMON: DbusDoor = DbusDoor { broker: Broker::DbusDaemon };
pub(crate) const DBUS_BROKER: DbusDoor = DbusDoor { broker: Broker::DbusBroker };

/// What the daemon logs when it can be called.
const READY: &str = "on the session bus as org.kithbus.Bus1";

const PECULIARITIES: Peculiarities = Peculiarities {
    framing_at_first: Some("dbus"),
    framings: &["dbus"],
    says_duplicates: false,
    says_stored: false,
    has_zero_bytes: false,
    has_empty_destinations: false,
    held_bytes: 1 << 20,
    held_with_answers_bytes: 4 << 20,
};

struct DbusBus {
    /// First, so that it ends first. Not there between two of them.
    daemon: Option<Daemon>,
    place: Place,
    session: SessionBus,
}

/// Starts the daemon of this place on a session bus, and waits until it can be called there.
pub(crate) fn start_on(place: &Place, address: &str) -> Daemon {
    let daemon = start_beside(place, address);
    wait_until_owner(&daemon, 1);
    daemon
}

/// Starts the daemon of this place with this address of a session bus, where there may be none.
pub(crate) fn start_beside(place: &Place, address: &str) -> Daemon {
    let mut command = place.command();
    place.start_by(command.env("DBUS_SESSION_BUS_ADDRESS", address))
}

/// Waits until it has got its name so many times.
pub(crate) fn wait_until_owner(daemon: &Daemon, times: usize) {
    daemon.process().wait_for_stderr(|text| text.matches(READY).count() >= times);
}

impl DbusDoor {
    /// Whether its session bus can be run here; if not, says so.
    pub(crate) fn is_there(self) -> bool {
        self.broker.is_there()
    }
}

impl Door for DbusDoor {
    fn open(&self, configuration: &str) -> Box<dyn Bus> {
        let session = SessionBus::start(self.broker);
        let place = Place::new(configuration);
        let daemon = Some(start_on(&place, &session.address()));
        Box::new(DbusBus { daemon, place, session })
    }

    fn peculiarities(&self) -> Peculiarities {
        PECULIARITIES
    }
}

impl Bus for DbusBus {
    fn connect(&self) -> Client {
        let mut program = self.session.program();
        // Elsewhere a client begins when it connects, and not with its first call.
        program.kith("ClearWill", []).unwrap();
        Client::new(Dbus::new(program))
    }

    fn restart(&mut self) {
        self.daemon.take().unwrap().kill();
        self.daemon = Some(start_on(&self.place, &self.session.address()));
    }
}

/// A program that speaks to the daemon on the session bus.
pub(crate) struct Dbus {
    program: Program,
    /// What was asked under which serial.
    asked: HashMap<u32, Asked>,
    /// The tests' numbers of subscriptions, by those that they have here.
    subscriptions: HashMap<u32, u32>,
    has_ended: bool,
}

struct Asked {
    number: Option<u32>,
    what: What,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum What {
    Bye,
    Hello,
    Nothing,
    Publish,
    Request,
    Subscribe,
}

impl Dbus {
    pub(crate) fn new(mut program: Program) -> Self {
        let rule =
            format!("type='signal',sender='{BROKER}',member='NameOwnerChanged',arg0='{KITH}'");
        program.ask_broker("AddMatch", [Value::Text(rule)]);
        let (asked, subscriptions) = (HashMap::new(), HashMap::new());
        Self { program, asked, subscriptions, has_ended: false }
    }

    /// The answer to what was asked.
    fn answered(&mut self, asked: &Asked, incoming: Incoming) -> Option<Event> {
        let Incoming { message, descriptors } = incoming;
        let number = asked.number;
        if message.kind == ERROR {
            let code = code_of(&message.error.unwrap());
            assert!(!message.body[0].as_text().is_empty(), "an error without a text");
            return Some(Event::Err { number, code, fatal: false });
        }
        self.has_ended = asked.what == What::Bye;
        // A goodbye is answered in any case, so that it can be seen.
        let number = number?;
        let body = &message.body[..];
        let ok = |message_id| Event::Ok { number, message_id, duplicate: false, stored: false };
        Some(match (asked.what, body) {
            (What::Bye | What::Nothing, []) => ok(None),
            (What::Subscribe, [Value::U32(here)]) => {
                assert_eq!(self.subscriptions.get(here), Some(&number));
                ok(None)
            }
            (What::Publish, [id]) => ok(Some(MessageId::from_text(id.as_text()).unwrap())),
            (What::Hello, [about]) => {
                let version = about.get("version").unwrap().as_text().to_owned();
                let payload_bytes_max = about.get("payload_bytes_max").unwrap().as_number();
                Event::Welcome { number, version, payload_bytes_max }
            }
            (What::Request, [reply]) => {
                let delivery = delivery(reply.inside(), take_sealed(descriptors));
                Event::Reply { number, delivery }
            }
            (_, body) => panic!("not an answer to this: {body:?}"),
        })
    }

    /// What came without having been asked for, if it is anything to hear.
    fn signalled(&mut self, incoming: Incoming) -> Option<Event> {
        let Incoming { message, descriptors } = incoming;
        if message.is(SIGNAL, BROKER, "NameOwnerChanged") {
            assert_eq!(message.body[2].as_text(), "", "a second daemon");
            self.has_ended = true;
            return Some(Event::Bye { code: Code::ShuttingDown });
        }
        if message.interface.as_deref() != Some(KITH) {
            return None;
        }
        let subscription = |here: &u32| self.subscriptions[here];
        match (message.member.as_deref(), &message.body[..]) {
            (Some("Message"), [Value::U32(here), found]) => {
                let delivery = delivery(found, take_sealed(descriptors));
                Some(Event::Message { subscription: subscription(here), delivery })
            }
            (Some("Lag"), [Value::U32(here), Value::U64(count)]) => {
                Some(Event::Lag { subscription: subscription(here), count: *count })
            }
            (Some("Failed"), [Value::Text(error), Value::Text(text)]) => {
                assert!(!text.is_empty(), "an error without a text");
                Some(Event::Err { number: None, code: code_of(error), fatal: false })
            }
            (member, body) => panic!("not a signal of the daemon: {member:?} {body:?}"),
        }
    }
}

impl Connection for Dbus {
    fn send(&mut self, number: Option<u32>, operation: &Operation) {
        let what = match operation {
            Operation::Bye => What::Bye,
            Operation::Hello { .. } => What::Hello,
            Operation::Publish(_) => What::Publish,
            Operation::Request { .. } => What::Request,
            Operation::Subscribe(_) => {
                let number = number.expect("a subscription has a number");
                self.subscriptions.insert(subscription_of(number), number);
                What::Subscribe
            }
            Operation::Acknowledge { .. }
            | Operation::Ping
            | Operation::Unsubscribe(_)
            | Operation::Unwill
            | Operation::Will(_) => What::Nothing,
        };
        let memory = sealed(operation);
        let mut message: Message = call_of(number, operation);
        if number.is_none() && what != What::Bye {
            message = message.without_reply();
        }
        let descriptors: Vec<_> = memory.iter().map(|memory| memory.as_fd()).collect();
        let serial = self.program.send_with(message, &descriptors);
        if number.is_some() || what == What::Bye {
            self.asked.insert(serial, Asked { number, what });
        }
    }

    fn receive(&mut self) -> Option<Event> {
        while !self.has_ended {
            let incoming = self.program.next()?;
            let event = match incoming.message.kind {
                RETURN | ERROR => {
                    let serial = incoming.message.reply_to.unwrap();
                    let asked = self.asked.remove(&serial).expect("an answer to nothing");
                    self.answered(&asked, incoming)
                }
                _ => self.signalled(incoming),
            };
            if event.is_some() {
                return event;
            }
        }
        None
    }
}
