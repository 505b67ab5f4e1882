//! A connection to the session bus: the name, who calls, and what the bus knows of them.
//!
//! One loop looks at every message and waits for nothing but the bus itself; each program has a
//! task (`program.rs`). What the programs have not taken up yet is counted, for each and for all of
//! them: a call beyond that fails at once, so that nobody is kept from being heard, and nobody
//! fills memory.

use super::breath::Breath;
use super::description::{Facts, INTERFACE, NAME, PATH, PEER, PROPERTIES};
use super::error::Failure;
use super::held::Held;
use super::link::Link;
use super::message::{Slip, failed};
use super::program::{self, Note};
use super::routing::{Route, busy, route};
use super::signs::Signs;
use super::stats::{INTERFACE as STATS, Way};
use crate::door::{Arrival, Intake, pair};
use crate::limits::DBUS_READ_BYTES;
use kith_wire::Code;
use rustix::process::geteuid;
use serde::Serialize;
use std::cell::{Cell, RefCell, RefMut};
use std::collections::{BTreeMap, HashMap};
use std::io;
use std::rc::Rc;
use tokio::sync::{mpsc, oneshot, watch};
use zbus::message::{Flags, Header, Type as Kind};
use zbus::names::UniqueName;
use zbus::wire::DynamicType;
use zbus::{Connection, Message, Variant, fdo};

/// The session bus itself, as a destination.
const BUS: &str = "org.freedesktop.DBus";
const BUS_PATH: &str = "/org/freedesktop/DBus";

/// A connection to the session bus, and the programs that call.
pub(super) struct Session {
    connection: Connection,
    breath: Breath,
    /// The session bus is a process of our own user.
    is_own: bool,
    intake: Intake,
    facts: watch::Receiver<Facts>,
    programs: RefCell<HashMap<String, Known>>,
    /// Where every program's task reads; what is left over it keeps itself.
    read_buffer: RefCell<Vec<u8>>,
    /// What calls hold that no program's task has taken up.
    held: Cell<Held>,
    /// How this session bus tells how much waits for a program.
    way: Cell<Way>,
}

/// A program that has called.
struct Known {
    notes: mpsc::UnboundedSender<Note>,
    signs: Rc<Signs>,
    held: Held,
    /// Was told that its calls are too many, where it wants no answers; not again before they are
    /// fewer.
    is_told: bool,
}

impl Session {
    pub(super) async fn new(
        connection: Connection,
        intake: Intake,
        facts: watch::Receiver<Facts>,
        breath: Breath,
    ) -> Self {
        let owner = connection.peer_creds().await.ok().and_then(|owner| owner.unix_user_id());
        let is_own = owner == Some(geteuid().as_raw());
        Self {
            is_own,
            breath,
            connection,
            intake,
            facts,
            programs: RefCell::default(),
            read_buffer: RefCell::new(vec![0; DBUS_READ_BYTES]),
            held: Cell::default(),
            way: Cell::new(Way::Connection),
        }
    }

    /// When this thread lets others go first.
    pub(super) fn breath(&self) -> &Breath {
        &self.breath
    }

    /// Does what a message asks for.
    pub(super) async fn take(self: &Rc<Self>, message: Message) {
        self.breath.pause();
        self.breath.spend();
        let header = message.header();
        let Some(sender) = header.sender() else { return };
        match message.message_type() {
            Kind::MethodCall => {
                let sender = sender.to_owned();
                self.take_call(&message, &header, sender).await;
            }
            Kind::MethodReturn | Kind::Error => {
                let Some(serial) = header.reply_serial() else { return };
                if let Some(known) = self.programs.borrow().get(sender.as_str()) {
                    known.signs.confirm(serial);
                }
            }
            Kind::Signal => self.take_signal(&message, &header),
        }
    }

    async fn take_call(
        self: &Rc<Self>,
        call: &Message,
        header: &Header<'_>,
        sender: UniqueName<'static>,
    ) {
        let route = {
            let facts = self.facts.borrow();
            route(call, header, &facts, machine_id)
        };
        match route {
            Route::Client => self.pass_on(call, sender).await,
            Route::Ping if self.programs.borrow().contains_key(sender.as_str()) => {
                self.pass_on(call, sender).await;
            }
            Route::Ping => {
                if let Some(Ok(answer)) = Slip::of(header).map(|slip| slip.answer(&())) {
                    self.send(&answer).await;
                }
            }
            Route::Answered(Some(answer)) => self.send(&answer).await,
            Route::Answered(None) => {}
            Route::Failed(failure) => self.fail(call, &failure).await,
        }
    }

    /// Hands a call to its program's task, if not too much waits there.
    async fn pass_on(self: &Rc<Self>, call: &Message, sender: UniqueName<'static>) {
        let held = Held::by(call);
        let total = self.held.get().plus(held);
        let refusal = {
            let mut programs = self.programs.borrow_mut();
            let known = programs.entry(sender.as_str().to_owned());
            let known = known.or_insert_with(|| self.begin(sender.clone()));
            let own = known.held.plus(held);
            if own.fits_one() && total.fits_all() {
                known.held = own;
                self.held.set(total);
                known.is_told = false;
                // Its task ends only with the session.
                let _ = known.notes.send(Note::Call(call.clone()));
                None
            } else {
                let wants_answer =
                    !call.primary_header().flags().contains(Flags::NO_REPLY_EXPECTED);
                let is_news = wants_answer || !std::mem::replace(&mut known.is_told, true);
                is_news.then(|| busy(!own.fits_one()))
            }
        };
        if let Some(failure) = refusal {
            self.fail(call, &failure).await;
        }
    }

    /// A program's task, from its first call on.
    fn begin(self: &Rc<Self>, name: UniqueName<'static>) -> Known {
        let (notes, taken) = mpsc::unbounded_channel();
        let signs = Rc::<Signs>::default();
        let told = Rc::clone(&signs);
        tokio::task::spawn_local(program::serve(Rc::clone(self), name, taken, told));
        Known { notes, signs, held: Held::default(), is_told: false }
    }

    /// Takes note that a call was taken up.
    pub(super) fn release(&self, name: &UniqueName<'_>, call: &Message) {
        let held = Held::by(call);
        self.held.set(self.held.get().minus(held));
        if let Some(known) = self.programs.borrow_mut().get_mut(name.as_str()) {
            known.held = known.held.minus(held);
        }
    }

    /// A program has left: after what it has said, and before all that waits for it.
    fn leave(&self, program: &str) {
        if let Some(known) = self.programs.borrow().get(program) {
            let _ = known.notes.send(Note::Gone);
            known.signs.leave();
        }
    }

    /// The session bus is gone, and with it all programs.
    pub(super) fn end(&self) {
        for known in self.programs.borrow().values() {
            let _ = known.notes.send(Note::Gone);
            known.signs.leave();
        }
    }

    fn take_signal(&self, signal: &Message, header: &Header<'_>) {
        let is_bus = header.sender().is_some_and(|sender| sender.as_str() == BUS);
        let member = header.member().map_or("", |member| member.as_str());
        if !is_bus {
            return;
        }
        let body = signal.body();
        match member {
            "NameOwnerChanged" => {
                if let Ok((name, _, "")) = body.deserialize::<(&str, &str, &str)>() {
                    self.leave(name);
                }
            }
            "NameAcquired" if body.deserialize::<&str>().is_ok_and(|name| name == NAME) => {
                tracing::info!("on the session bus as {NAME}");
            }
            _ => {}
        }
    }

    /// Asks for the name. Whoever has it already keeps it; then it comes to us when it is free.
    pub(super) async fn own_name(&self) -> zbus::Result<()> {
        const IN_QUEUE: u32 = 2;
        let answer: u32 = self.call(BUS, "RequestName", &(NAME, 0_u32)).await?;
        if answer == IN_QUEUE {
            let owner: String = self.call(BUS, "GetNameOwner", &NAME).await.unwrap_or_default();
            let pid: u32 =
                self.call(BUS, "GetConnectionUnixProcessID", &NAME).await.unwrap_or_default();
            tracing::warn!(
                owner,
                pid,
                "another program owns {NAME} on the session bus, so programs there reach that one; \
                 this daemon serves its socket, and takes the name over when it is free"
            );
        }
        Ok(())
    }

    /// Learns which process a program is, and sees to it that its end is told. Only programs of the
    /// daemon's own user are served.
    pub(super) async fn meet(&self, name: &UniqueName<'_>) -> Result<Option<u32>, Failure> {
        let failed = |error: zbus::Error| {
            let text = format!("the session bus does not say who this is: {error}");
            Failure::standard("Failed", text)
        };
        // First, so that it can't leave unseen in between.
        self.call_bus(BUS, "AddMatch", &rule(name).as_str()).await.map_err(failed)?;
        let answer = self.call_bus(BUS, "GetConnectionCredentials", &name.as_str()).await;
        let credentials = match answer {
            Ok(credentials) => credentials,
            // It has said what it had to say and left, as `busctl --expect-reply=no` does. A
            // session bus that is of our own user lets in nobody else.
            Err(error) if self.is_own && is_gone(&error) => {
                self.leave(name.as_str());
                return Ok(None);
            }
            Err(error) => return Err(failed(error)),
        };
        let body = credentials.body();
        let all: HashMap<&str, Variant<'_>> = body.deserialize().map_err(failed)?;
        let number = |key| match all.get(key) {
            Some(Variant::U32(number)) => Some(*number),
            _ => None,
        };
        let own = geteuid().as_raw();
        match number("UnixUserID") {
            Some(uid) if uid == own => Ok(number("ProcessID")),
            uid => {
                let whose =
                    uid.map_or_else(|| "of an unknown user".into(), |uid| format!("user {uid}'s"));
                let text = format!("this bus is user {own}'s, and the program is {whose}");
                Err(Failure::new(Code::NotAllowed, text))
            }
        }
    }

    /// A client of the broker.
    pub(super) async fn enter(&self, pid: Option<u32>) -> Result<Link, Failure> {
        let stopping = || Failure::new(Code::ShuttingDown, "the daemon is shutting down");
        let (near, far) = pair();
        let (entered, answer) = oneshot::channel();
        let arrival = Arrival { pipe: far, door: "dbus", pid, entered };
        self.intake.send(arrival).map_err(|_| stopping())?;
        answer.await.map_err(|_| stopping())??;
        Ok(Link::new(near))
    }

    /// The buffer in which to read what the broker says.
    pub(super) fn read_buffer(&self) -> RefMut<'_, Vec<u8>> {
        self.read_buffer.borrow_mut()
    }

    /// Nothing of a program is known any more.
    pub(super) async fn forget(&self, name: &UniqueName<'_>) {
        let known = self.programs.borrow_mut().remove(name.as_str());
        if known.is_some() {
            let _ = self.tell_bus("RemoveMatch", &rule(name)).await;
        }
    }

    /// A call can't be taken up.
    pub(super) async fn give_up(&self, name: &UniqueName<'_>, call: &Message, failure: &Failure) {
        self.release(name, call);
        self.fail(call, failure).await;
    }

    /// The largest payload, in bytes.
    pub(super) fn payload_bytes_max(&self) -> usize {
        self.facts.borrow().payload_bytes_max
    }

    /// How many bytes the session bus holds for a program, if it can tell.
    pub(super) async fn waiting_bytes(&self, name: &UniqueName<'_>) -> Option<u64> {
        loop {
            let way = self.way.get();
            let answer = match way {
                Way::Connection => self.call_bus(STATS, "GetConnectionStats", &name.as_str()).await,
                Way::Accounting => self.call_bus(STATS, "GetStats", &()).await,
                Way::None => return None,
            };
            match answer {
                Ok(answer) => match way.read(&answer.body(), name.as_str()) {
                    None if way == Way::Connection => {}
                    waiting => return waiting,
                },
                // Then nothing does, and what it left is taken up.
                Err(error) if is_gone(&error) => return Some(0),
                // It may be able to tell, and did not answer.
                Err(zbus::Error::InputOutput(_)) => return None,
                Err(_) => {}
            }
            self.way.set(way.next());
        }
    }

    /// Tells all who watch that the properties have changed.
    pub(super) async fn tell_changed(&self) {
        let signal = {
            let facts = self.facts.borrow();
            let changed = BTreeMap::from([(
                "PayloadBytesMax",
                Variant::from(facts.payload_bytes_max as u64),
            )]);
            let body = (INTERFACE, changed, Vec::<&str>::new());
            Message::signal(PATH, PROPERTIES, "PropertiesChanged").build(&body)
        };
        match signal {
            Ok(signal) => self.send(&signal).await,
            Err(error) => tracing::error!(%error, "a signal can't be written"),
        }
    }

    /// Tells a program that its call has failed.
    async fn fail(&self, call: &Message, failure: &Failure) {
        let header = call.header();
        let message = match (Slip::of(&header), header.sender()) {
            (Some(slip), _) => slip.fail(failure),
            (None, Some(sender)) => failed(sender, failure),
            (None, None) => return,
        };
        match message {
            Ok(message) => self.send(&message).await,
            Err(error) => tracing::error!(%error, "an error can't be written"),
        }
    }

    async fn send(&self, message: &Message) {
        // If it can't be sent the session bus is gone, which the loop notices.
        let _ = self.connection.send(message).await;
    }

    /// Sends messages to a program, in this order.
    pub(super) async fn send_all(&self, messages: &[Message]) -> io::Result<()> {
        // dbus-broker takes descriptors with the bytes of one message only, and hangs up otherwise.
        let has_files = |message: &Message| !message.data().fds().is_empty();
        for run in messages.chunk_by(|one, next| !has_files(one) && !has_files(next)) {
            self.connection.send_all(run).await.map_err(io::Error::other)?;
        }
        Ok(())
    }

    /// Asks a program whether it has read all that was sent before.
    pub(super) fn question(name: &UniqueName<'_>) -> zbus::Result<Message> {
        let question = Message::method_call("/", "Ping").interface(PEER);
        question.destination(name.to_owned()).with_flags(Flags::NO_AUTO_START).build(&())
    }

    async fn tell_bus(&self, method: &'static str, rule: &str) -> zbus::Result<()> {
        let message = Message::method_call(BUS_PATH, method).interface(BUS).destination(BUS);
        let message = message.with_flags(Flags::NO_REPLY_EXPECTED).build(&rule)?;
        self.connection.send(&message).await
    }

    async fn call_bus<B: Serialize + DynamicType>(
        &self,
        interface: &str,
        method: &str,
        body: &B,
    ) -> zbus::Result<Message> {
        self.connection.call_method(Some(BUS), BUS_PATH, Some(interface), method, body).await
    }

    async fn call<B, R>(&self, interface: &str, method: &str, body: &B) -> zbus::Result<R>
    where
        B: Serialize + DynamicType,
        R: for<'a> zbus::wire::DynamicDeserialize<'a>,
    {
        self.call_bus(interface, method, body).await?.body().deserialize()
    }
}

/// Whether the session bus says that a program has left.
fn is_gone(error: &zbus::Error) -> bool {
    match error {
        zbus::Error::FDO(error) => matches!(**error, fdo::Error::NameHasNoOwner(_)),
        _ => false,
    }
}

/// The rule by which the session bus says that a program is gone.
fn rule(name: &UniqueName<'_>) -> String {
    format!("type='signal',sender='{BUS}',member='NameOwnerChanged',arg0='{name}',arg2=''")
}

/// The id of this machine (`machine-id(5)`).
fn machine_id() -> Option<String> {
    let read = |path| std::fs::read_to_string(path).ok();
    let id = read("/etc/machine-id").or_else(|| read("/var/lib/dbus/machine-id"))?;
    Some(id.trim().to_owned()).filter(|id| !id.is_empty())
}
