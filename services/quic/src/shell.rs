//! The hands of the service: it does what `links.rs` decides, writes what `queue.rs` has, and tells
//! the bus.
//!
//! All writing is done by the one task that also hears the bus: a letter that comes from there is
//! in QUIC's hands before anything else happens. Nothing here waits for the other end.

use crate::carrying::{self, Event, Events, Greeted, Reading, close, goodbye};
use crate::hello::{CONTROL, Frame, Goodbye, Hello, LANES, place_of};
use crate::key::TlsKey;
use crate::limits::{
    CONTROL_BYTES_MAX, GOODBYE_MS, LINK_WINDOW_BYTES, MTU_BYTES_MAX, RTT_CHANGE_US_MIN,
    RTT_LOOK_MS, WAITING_TOTAL_BYTES_MAX,
};
use crate::links::{Act, Admission, Links, Number, Peer};
use crate::queue::{NotCarried, Queue, objection};
use crate::record::Shown;
use crate::settings::Settings;
use crate::tls;
use crate::{NAME, addresses};
use kith_plugins_api::contract::envelope::{Failed, Failure, Send, Sent};
use kith_plugins_api::contract::transports::{
    Connection as Up, Cost, Dial, Disconnected, Ending, HangUp, MyNodeInfo, Path,
};
use kith_plugins_api::contract::{self, CONNECTION, DISCONNECTED, ENDPOINT, FAILED, Key, SENT};
use kith_plugins_api::{Bus, Health, Moment, PostError};
use quinn::{Connection, ConnectionError, Endpoint, SendStream, VarInt};
use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use tokio::task::{AbortHandle, JoinSet};

/// How much of a reason is passed on: what the contract has room for, in any script.
const TEXT_CHARS: usize = 120;

/// What the main loop hears.
#[derive(Debug)]
pub(crate) enum Next {
    /// Something has happened to a connection.
    Event(Event),
    /// A device is to be reached.
    Dial(Dial),
    /// Its links are to be closed.
    HangUp(HangUp),
    /// Our NodeInfo.
    Mine(MyNodeInfo),
    /// A letter.
    Send(Box<Send>),
    /// There is something to say.
    Said,
    /// It is later.
    Late,
}

/// What is to be said to the bus.
#[derive(Debug)]
enum Said {
    Up(Up, Option<Box<Reading>>),
    Down(Disconnected),
    Sent(Sent),
    Failed(Failed),
}

/// An attempt, as far as it has come.
#[derive(Debug)]
enum Attempt {
    Task(AbortHandle, Option<Connection>),
    Proved(Connection, Key),
    Shown(Box<Greeted>),
}

/// A link that is up.
#[derive(Debug)]
struct Link {
    connection: Connection,
    shown: Shown,
    /// Ours: first that of the control stream, then those of the lanes.
    control: SendStream,
    lanes: Vec<SendStream>,
    /// What is to be written on the control stream.
    frames: Vec<u8>,
    queue: Queue,
    rtt_us: u64,
    rtt_at: Moment,
}

/// Everything that is open.
#[derive(Debug)]
pub(crate) struct Shell {
    bus: Bus,
    key: TlsKey,
    pub(crate) sockets: Vec<Endpoint>,
    pub(crate) links: Links,
    life: u64,
    mine: Option<MyNodeInfo>,
    attempts: BTreeMap<Number, Attempt>,
    up: BTreeMap<Number, Link>,
    events: Events,
    tasks: JoinSet<()>,
    /// Where this device can be reached is to be looked at.
    is_moved: bool,
    said: VecDeque<Said>,
    /// How many links were up when the health was last said.
    reported: Option<Option<usize>>,
}

impl Shell {
    pub(crate) fn new(bus: Bus, key: TlsKey, sockets: Vec<Endpoint>, events: Events) -> Self {
        let mut tasks = JoinSet::new();
        tasks.spawn(addresses::watch(bus.clone(), events.clone()));
        for socket in &sockets {
            tasks.spawn(carrying::attend(socket.clone(), events.clone()));
        }
        Self {
            links: Links::new(bus.random()),
            life: bus.random(),
            bus,
            key,
            sockets,
            mine: None,
            attempts: BTreeMap::new(),
            up: BTreeMap::new(),
            events,
            tasks,
            is_moved: true,
            said: VecDeque::new(),
            reported: None,
        }
    }

    /// Deals with what the main loop has heard.
    pub(crate) fn handle(&mut self, settings: &Settings, next: Next) {
        let now = self.bus.now();
        match next {
            Next::Event(event) => self.happened(event, now),
            Next::Dial(Dial { device, endpoints, tls_key }) => {
                self.links.dial(device, tls_key, settings.dialled(&endpoints), now);
            }
            Next::HangUp(HangUp { device, refuse }) => self.links.hang_up(device, refuse),
            Next::Mine(mine) => self.set_mine(mine, now),
            Next::Send(send) => return self.send(*send, now),
            Next::Said => return,
            Next::Late => self.links.tick(now),
        }
        self.act();
    }

    /// Says where this device can be reached, if that is something else than what was `told`.
    pub(crate) async fn announce(
        &mut self,
        settings: &Settings,
        told: &mut Option<Vec<String>>,
    ) -> Result<(), PostError> {
        if std::mem::take(&mut self.is_moved) {
            let endpoints = addresses::all(settings, &self.sockets);
            if told.as_ref() != Some(&endpoints) {
                let (transport, tls_key) = (NAME.to_owned(), Some(self.key.public()));
                let endpoint = contract::transports::Endpoint {
                    transport,
                    endpoints: endpoints.clone(),
                    tls_key,
                };
                self.bus.post_to(ENDPOINT, &endpoint).await?;
                *told = Some(endpoints);
            }
        }
        Ok(())
    }

    /// Our record, by the daemon. It counts only if it certifies our key.
    fn set_mine(&mut self, mine: MyNodeInfo, now: Moment) {
        let hello = Hello { life: self.life, record: mine.record.0.clone(), card_hash: None };
        let is_ours = crate::record::shown(hello, &self.key.public(), now)
            .is_ok_and(|shown| shown.device == mine.device);
        let is_new = self.mine.as_ref() != Some(&mine);
        self.links.set_me(is_ours.then_some(mine.device), now);
        self.mine = is_ours.then_some(mine);
        if let (true, Some(hello)) = (is_new, self.hello()) {
            let frame = Frame::Hello(hello).written();
            for link in self.up.values_mut() {
                // Where the last news still wait to be written, the next ones come in time.
                if link.frames.is_empty() {
                    link.frames.extend_from_slice(&frame);
                }
            }
        }
    }

    fn hello(&self) -> Option<Hello> {
        let mine = self.mine.as_ref()?;
        let card_hash = mine.card_hash;
        Some(Hello { life: self.life, record: mine.record.0.clone(), card_hash })
    }

    /// Takes a letter to be sent.
    fn send(&mut self, send: Send, now: Moment) {
        let envelope = send.envelope;
        let waiting: usize = self.up.values().map(|link| link.queue.bytes()).sum();
        let number = self.links.link_to(&send.device);
        let link = number.and_then(|number| self.up.get_mut(&number));
        let refused = match (objection(&send, now), link) {
            (Some(objection), _) => Err(objection),
            (None, None) => Err(NotCarried { envelope, reason: Failure::Unreachable, retry: true }),
            (None, Some(_)) if waiting + send.letter.0.len() > WAITING_TOTAL_BYTES_MAX => {
                Err(NotCarried { envelope, reason: Failure::Quota, retry: true })
            }
            (None, Some(link)) => link.queue.push(send),
        };
        if let Err(refused) = refused {
            self.said.push_back(not_carried(refused));
        }
    }

    /// Something has happened to a connection.
    fn happened(&mut self, event: Event, now: Moment) {
        match event {
            Event::Incoming(incoming) => self.let_in(*incoming, now),
            Event::Proved(number, connection, key) => {
                match self.attempts.get_mut(&number) {
                    Some(attempt) => *attempt = Attempt::Proved(connection, key),
                    None => close(&connection, Goodbye::Slower),
                }
                self.links.proved(number);
            }
            Event::Shown(number, greeted) => {
                let peer = Peer { device: greeted.shown.device, life: greeted.shown.hello.life };
                match self.attempts.get_mut(&number) {
                    Some(attempt) => *attempt = Attempt::Shown(greeted),
                    None => close(&greeted.connection, Goodbye::Slower),
                }
                self.links.shown(number, peer, now);
            }
            Event::Failed(number, why) => {
                if self.attempts.remove(&number).is_some() {
                    tracing::debug!("no link: {why}");
                    self.links.failed(number, now);
                }
            }
            Event::News(number, news) => self.heard(number, *news),
            Event::Network => {
                self.is_moved = true;
                self.links.look_around(now);
            }
            Event::Ping(number, ping) => self.write_frame(number, &Frame::Pong(ping)),
            Event::Pong(number) => self.links.answered(number),
            Event::Ended(number, reason) => {
                let how = ending(&reason);
                if self.links.ended(number, how, now) {
                    self.down(number, how, Some(reason.to_string()));
                }
            }
        }
    }

    fn let_in(&mut self, incoming: quinn::Incoming, now: Moment) {
        let ip = incoming.remote_address().ip();
        let is_proved = incoming.remote_address_validated();
        match self.links.admit(ip, is_proved) {
            Admission::Take => {
                let number = self.links.taken(ip, now);
                let (bus, events) = (self.bus.clone(), self.events.clone());
                let task = self.tasks.spawn(carrying::take(number, incoming, bus, events));
                self.attempts.insert(number, Attempt::Task(task, None));
            }
            // Where it can't be challenged it was already.
            Admission::Challenge => drop(incoming.retry()),
            Admission::Refuse => incoming.refuse(),
        }
    }

    /// Does what is to be done.
    fn act(&mut self) {
        while let Some(act) = self.links.next_act() {
            match act {
                Act::Dial { number, address, expected } => self.dial(number, address, expected),
                Act::Greet(number) => self.greet(number),
                Act::Up(number) => self.come_up(number),
                Act::Still(number) => self.say_up(number, None),
                Act::Probe(number) => {
                    let ping = Frame::Ping(self.bus.random());
                    self.write_frame(number, &ping);
                }
                Act::Drop(number, why) => match self.attempts.remove(&number) {
                    Some(Attempt::Task(task, connection)) => {
                        task.abort();
                        if let Some(connection) = connection {
                            close(&connection, why);
                        }
                    }
                    Some(Attempt::Proved(connection, _)) => close(&connection, why),
                    Some(Attempt::Shown(greeted)) => close(&greeted.connection, why),
                    None => {}
                },
                Act::Down(number, why) => {
                    if let Some(link) = self.up.get(&number) {
                        close(&link.connection, why);
                    }
                    let reason = match why {
                        Goodbye::Replaced => Ending::Replaced,
                        Goodbye::Garbled => Ending::Refused,
                        _ => Ending::Closed,
                    };
                    self.down(number, reason, None);
                }
            }
        }
        while self.tasks.try_join_next().is_some() {}
    }

    fn dial(&mut self, number: Number, address: SocketAddr, expected: Option<Key>) {
        let fits = |socket: &&Endpoint| {
            socket.local_addr().is_ok_and(|local| local.is_ipv4() == address.is_ipv4())
        };
        let socket = self.sockets.iter().find(fits);
        let now = self.bus.now();
        let (Some(socket), Ok(config)) = (socket, tls::client(&self.key, expected)) else {
            return self.links.failed(number, now);
        };
        let (socket, events) = (socket.clone(), self.events.clone());
        let task = self.tasks.spawn(carrying::dial(number, socket, config, address, events));
        self.attempts.insert(number, Attempt::Task(task, None));
    }

    fn greet(&mut self, number: Number) {
        let attempt = self.attempts.remove(&number);
        let (Some(Attempt::Proved(connection, key)), Some(hello)) = (attempt, self.hello()) else {
            return self.links.failed(number, self.bus.now());
        };
        let (bus, events) = (self.bus.clone(), self.events.clone());
        let greeting = carrying::greet(number, connection.clone(), key, hello, bus, events);
        let task = self.tasks.spawn(greeting);
        self.attempts.insert(number, Attempt::Task(task, Some(connection)));
    }

    fn come_up(&mut self, number: Number) {
        let Some(Attempt::Shown(greeted)) = self.attempts.remove(&number) else { return };
        let Greeted { connection, key, shown, control, their_control } = *greeted;
        let control = match (control, self.hello()) {
            (Some(control), _) => Some(control),
            (None, Some(hello)) => {
                let bytes = [&[CONTROL], Frame::Hello(hello).written().as_slice()].concat();
                opened(&connection, &bytes)
            }
            (None, None) => None,
        };
        let lanes = LANES.map(|lane| {
            let stream = opened(&connection, &[place_of(lane) + 1])?;
            // If the link is gone already, that is said next.
            let _ = stream.set_priority(-i32::from(place_of(lane)));
            Some(stream)
        });
        let lanes: Vec<_> = lanes.into_iter().flatten().collect();
        let (Some(control), true) = (control, lanes.len() == LANES.len()) else {
            close(&connection, Goodbye::Garbled);
            self.links.ended(number, Ending::Refused, self.bus.now());
            return;
        };
        connection.set_receive_window(VarInt::from_u32(LINK_WINDOW_BYTES));
        let device = shown.device;
        let link = Link {
            connection: connection.clone(),
            shown,
            control,
            lanes,
            frames: Vec::new(),
            queue: Queue::default(),
            rtt_us: 0,
            rtt_at: self.bus.now(),
        };
        self.up.insert(number, link);
        let (bus, events) = (self.bus.clone(), self.events.clone());
        let control = their_control;
        let reading = Reading { number, device, key, connection, control, bus, events };
        self.say_up(number, Some(Box::new(reading)));
    }

    fn say_up(&mut self, number: Number, reading: Option<Box<Reading>>) {
        let Some(link) = self.up.get_mut(&number) else { return };
        link.rtt_us = rtt_us(&link.connection);
        let up = Up {
            transport: NAME.to_owned(),
            device: link.shown.device,
            link: number,
            endpoint: Some(link.connection.remote_address().to_string()),
            rtt_us: Some(link.rtt_us),
            mtu_bytes: u32::try_from(MTU_BYTES_MAX).unwrap_or(u32::MAX),
            cost: Cost::Free,
            path: Path::Direct,
            record: Some(link.shown.hello.record.clone().into()),
            card_hash: link.shown.hello.card_hash,
        };
        self.said.push_back(Said::Up(up, reading));
    }

    /// The other end of a link says something new about itself, or the same again.
    fn heard(&mut self, number: Number, news: Shown) {
        let Some(link) = self.up.get_mut(&number) else { return };
        if news.seq >= link.shown.seq && news != link.shown {
            link.shown = news;
            self.say_up(number, None);
        }
    }

    fn write_frame(&mut self, number: Number, frame: &Frame) {
        let Some(link) = self.up.get_mut(&number) else { return };
        if link.frames.len() < CONTROL_BYTES_MAX {
            link.frames.extend_from_slice(&frame.written());
        } else {
            // It asks and does not read the answers.
            close(&link.connection, Goodbye::Garbled);
        }
    }

    /// Forgets a link that is down, and says what did not get through.
    fn down(&mut self, number: Number, reason: Ending, text: Option<String>) {
        let Some(link) = self.up.remove(&number) else { return };
        self.said.extend(link.queue.end().into_iter().map(not_carried));
        let (transport, device) = (NAME.to_owned(), link.shown.device);
        let text = text.map(|text| text.chars().take(TEXT_CHARS).collect());
        let down = Disconnected { transport, device, link: number, reason, text };
        self.said.push_back(Said::Down(down));
    }

    /// Writes what waits, as far as QUIC takes it. Ready when there is something to say.
    pub(crate) fn poll_write(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let now = self.bus.now();
        let mut changed = Vec::new();
        for (number, link) in &mut self.up {
            let before = self.said.len();
            link.write(*number, now, context, &mut self.said);
            if before != self.said.len() && link.has_other_rtt(now) {
                changed.push(*number);
            }
        }
        for number in changed {
            self.say_up(number, None);
        }
        if self.said.is_empty() { Poll::Pending } else { Poll::Ready(()) }
    }

    /// Tells the bus what there is to tell. It is posted: nothing here waits for an answer.
    pub(crate) async fn say(&mut self) -> Result<(), PostError> {
        while let Some(said) = self.said.pop_front() {
            match said {
                Said::Up(up, reading) => {
                    self.bus.post_to(CONNECTION, &up).await?;
                    // Only now, so that what comes in by a link comes after it.
                    if let Some(reading) = reading {
                        self.tasks.spawn(carrying::read(*reading));
                    }
                }
                Said::Down(down) => self.bus.post_to(DISCONNECTED, &down).await?,
                Said::Sent(sent) => self.bus.post_to(SENT, &sent).await?,
                Said::Failed(failed) => self.bus.post_to(FAILED, &failed).await?,
            }
        }
        self.report().await
    }

    async fn report(&mut self) -> Result<(), PostError> {
        let links = self.mine.as_ref().map(|_| self.up.len());
        if self.reported == Some(links) {
            return Ok(());
        }
        self.reported = Some(links);
        let health = match links {
            Some(links) => Health::ok().figure("links", i64::try_from(links).unwrap_or(i64::MAX)),
            None => Health::degraded("the daemon has not certified this transport's key"),
        };
        self.bus.report(health).await
    }

    /// Closes everything. The bus has ended: nobody is left to be told.
    pub(crate) async fn leave(mut self) {
        self.tasks.abort_all();
        for socket in &self.sockets {
            let code = VarInt::from_u32(u32::from(Goodbye::Closed as u8));
            socket.close(code, Goodbye::Closed.text().as_bytes());
        }
        let idle = async {
            for socket in &self.sockets {
                socket.wait_idle().await;
            }
        };
        // Whoever does not hear it finds out by the silence.
        let _ = tokio::time::timeout(Duration::from_millis(GOODBYE_MS), idle).await;
    }
}

impl Link {
    fn write(
        &mut self,
        number: Number,
        now: Moment,
        context: &mut Context<'_>,
        said: &mut VecDeque<Said>,
    ) {
        while !self.frames.is_empty()
            && let Poll::Ready(Ok(bytes)) =
                Pin::new(&mut self.control).poll_write(context, &self.frames)
        {
            self.frames.drain(..bytes.min(self.frames.len()));
        }
        if self.queue.is_empty() {
            return;
        }
        for (place, stream) in self.lanes.iter_mut().enumerate() {
            loop {
                let bytes = self.queue.next(place, now);
                // What is wrong with the link its reader says.
                let (false, Poll::Ready(Ok(bytes))) =
                    (bytes.is_empty(), Pin::new(&mut *stream).poll_write(context, bytes))
                else {
                    break;
                };
                said.extend(self.queue.wrote(place, bytes).into_iter().map(|envelope| {
                    let transport = NAME.to_owned();
                    Said::Sent(Sent { transport, envelope, link: Some(number) })
                }));
            }
        }
        said.extend(self.queue.take_not_carried().map(not_carried));
    }

    /// Whether the round-trip time is quite another one than was said. It is looked at seldom.
    fn has_other_rtt(&mut self, now: Moment) -> bool {
        if now.since(self.rtt_at) < Duration::from_millis(RTT_LOOK_MS) {
            return false;
        }
        self.rtt_at = now;
        let (before, after) = (self.rtt_us, rtt_us(&self.connection));
        before.abs_diff(after) >= RTT_CHANGE_US_MIN.max(before.min(after))
    }
}

/// Opens a stream that begins with these bytes; none if that can't be at once, since the other end
/// has to leave room for all that there are.
fn opened(connection: &Connection, bytes: &[u8]) -> Option<SendStream> {
    let mut context = Context::from_waker(Waker::noop());
    let Poll::Ready(Ok(mut stream)) = pin!(connection.open_uni()).poll(&mut context) else {
        return None;
    };
    match Pin::new(&mut stream).poll_write(&mut context, bytes) {
        Poll::Ready(Ok(written)) if written == bytes.len() => Some(stream),
        _ => None,
    }
}

fn not_carried(not: NotCarried) -> Said {
    let NotCarried { envelope, reason, retry } = not;
    let transport = NAME.to_owned();
    Said::Failed(Failed { transport, envelope, reason, retry, text: None })
}

fn rtt_us(connection: &Connection) -> u64 {
    u64::try_from(connection.rtt().as_micros()).unwrap_or(u64::MAX)
}

/// How a link has ended.
fn ending(reason: &ConnectionError) -> Ending {
    match (goodbye(reason), reason) {
        (Some(Goodbye::Closed), _) => Ending::ClosedByPeer,
        (Some(Goodbye::Replaced), _) => Ending::Replaced,
        (Some(_), _) | (None, ConnectionError::ApplicationClosed(_)) => Ending::Refused,
        // By its reader: what came was not understood.
        (None, ConnectionError::LocallyClosed) => Ending::Refused,
        (None, _) => Ending::Lost,
    }
}
