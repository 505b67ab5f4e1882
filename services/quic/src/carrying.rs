//! What runs beside the service's main loop: one task for each connection, while it comes up and
//! to read it when it is up. They own what they read from, and tell the main loop what happened.
//!
//! What comes in on a lane goes straight to the bus from here. Where the bus has no room, the
//! stream is not read on, and QUIC holds the other end back.

use crate::NAME;
use crate::hello::letter_bytes;
use crate::hello::{
    CONTROL, Frame, Goodbye, Hello, LANES, NoFrame, frame_bytes, lane_of, place_of,
};
use crate::key;
use crate::letters::Pieces;
use crate::limits::{CONTROL_BYTES_MAX, NEWS_MS, READ_BYTES};
use crate::links::Number;
use crate::record::{NotShown, Shown, shown};
use crate::tls::SERVER_NAME;
use kith_plugins_api::contract::envelope::Received;
use kith_plugins_api::contract::{Key, RECEIVED};
use kith_plugins_api::{Bus, PostError};
use quinn::{
    ApplicationClose, Connection, ConnectionError, Incoming, RecvStream, SendStream, VarInt,
};
use rustls::pki_types::CertificateDer;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

/// What has happened.
#[derive(Debug)]
pub(crate) enum Event {
    /// Somebody is at the door.
    Incoming(Box<Incoming>),
    /// TLS has proved this key on a connection that we have dialled.
    Proved(Number, Connection, Key),
    /// The other end has said who it is, and proved it.
    Shown(Number, Box<Greeted>),
    /// An attempt has come to nothing.
    Failed(Number, String),
    /// A link has news of the other end.
    News(Number, Box<Shown>),
    /// The other end asks whether we are there.
    Ping(Number, u64),
    /// It is there.
    Pong(Number),
    /// The addresses of this machine have changed.
    Network,
    /// A link is down.
    Ended(Number, ConnectionError),
}

/// A connection on which the other end has said who it is.
#[derive(Debug)]
pub(crate) struct Greeted {
    pub(crate) connection: Connection,
    pub(crate) key: Key,
    pub(crate) shown: Shown,
    /// Our control stream, if our hello was said.
    pub(crate) control: Option<SendStream>,
    /// Theirs.
    pub(crate) their_control: Control,
}

/// The other end's control stream, and what of it is read.
#[derive(Debug)]
pub(crate) struct Control {
    stream: RecvStream,
    pieces: Pieces,
    chunk: Vec<u8>,
}

/// Why an attempt came to nothing.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoLink {
    #[error(transparent)]
    Connect(#[from] quinn::ConnectError),
    #[error("{0}")]
    Connection(#[from] ConnectionError),
    #[error(transparent)]
    Read(#[from] quinn::ReadError),
    #[error(transparent)]
    Write(#[from] quinn::WriteError),
    #[error(transparent)]
    Frame(#[from] NoFrame),
    #[error(transparent)]
    NotShown(#[from] NotShown),
    #[error("it has shown no key")]
    NoKey,
    #[error("it does not begin with a hello")]
    NoHello,
}

impl NoLink {
    fn goodbye(&self) -> Goodbye {
        match self {
            Self::NotShown(_) | Self::NoKey => Goodbye::Refused,
            _ => Goodbye::Garbled,
        }
    }
}

/// Where events go.
pub(crate) type Events = mpsc::Sender<Event>;

/// Says it to the main loop; that it has ended is of no interest to anybody then.
async fn tell(events: &Events, event: Event) {
    let _ = events.send(event).await;
}

/// Waits for whoever is at the door of one socket.
pub(crate) async fn attend(endpoint: quinn::Endpoint, events: Events) {
    while let Some(incoming) = endpoint.accept().await {
        tell(&events, Event::Incoming(Box::new(incoming))).await;
    }
}

/// Connects, until TLS has proved the other end's key.
pub(crate) async fn dial(
    number: Number,
    endpoint: quinn::Endpoint,
    config: quinn::ClientConfig,
    address: SocketAddr,
    events: Events,
) {
    let proved = async {
        let connection = endpoint.connect_with(config, address, SERVER_NAME)?.await?;
        let key = proved_key(&connection)?;
        Ok::<_, NoLink>((connection, key))
    };
    let event = match proved.await {
        Ok((connection, key)) => Event::Proved(number, connection, key),
        Err(why) => Event::Failed(number, format!("{address}: {why}")),
    };
    tell(&events, event).await;
}

/// Says our hello on a connection that we have dialled, and waits for the other's.
pub(crate) async fn greet(
    number: Number,
    connection: Connection,
    key: Key,
    hello: Hello,
    bus: Bus,
    events: Events,
) {
    let greeting = async {
        let mut control = connection.open_uni().await?;
        let bytes = [&[CONTROL], Frame::Hello(hello).written().as_slice()].concat();
        control.write_all(&bytes).await?;
        listen(&connection, key, Some(control), &bus).await
    };
    let greeted = greeting.await;
    greeted_or_not(number, &connection, greeted, &events).await;
}

/// Lets somebody in, and waits for the hello.
pub(crate) async fn take(number: Number, incoming: Incoming, bus: Bus, events: Events) {
    let address = incoming.remote_address();
    let connection = match incoming.accept() {
        Ok(connecting) => connecting.await,
        Err(why) => Err(why),
    };
    match connection {
        Ok(connection) => {
            let greeted = match proved_key(&connection) {
                Ok(key) => listen(&connection, key, None, &bus).await,
                Err(why) => Err(why),
            };
            greeted_or_not(number, &connection, greeted, &events).await;
        }
        Err(why) => tell(&events, Event::Failed(number, format!("{address}: {why}"))).await,
    }
}

async fn greeted_or_not(
    number: Number,
    connection: &Connection,
    greeted: Result<Greeted, NoLink>,
    events: &Events,
) {
    let event = match greeted {
        Ok(greeted) => Event::Shown(number, Box::new(greeted)),
        Err(why) => {
            close(connection, why.goodbye());
            Event::Failed(number, format!("{}: {why}", connection.remote_address()))
        }
    };
    tell(events, event).await;
}

/// Waits for the other end's hello.
async fn listen(
    connection: &Connection,
    key: Key,
    control: Option<SendStream>,
    bus: &Bus,
) -> Result<Greeted, NoLink> {
    let mut patience = Patience(Some(connection));
    let greeted = heard(connection, key, control, bus).await;
    patience.0 = None;
    greeted
}

/// Says why a connection is closed whose time was over before it had said a hello: then the task
/// that waits for it is dropped.
struct Patience<'a>(Option<&'a Connection>);

impl Drop for Patience<'_> {
    fn drop(&mut self) {
        if let Some(connection) = self.0 {
            close(connection, Goodbye::Garbled);
        }
    }
}

async fn heard(
    connection: &Connection,
    key: Key,
    control: Option<SendStream>,
    bus: &Bus,
) -> Result<Greeted, NoLink> {
    let mut stream = connection.accept_uni().await?;
    let mut first = [0];
    if stream.read(&mut first).await? != Some(1) || first != [CONTROL] {
        return Err(NoLink::NoHello);
    }
    let pieces = Pieces::new(frame_bytes);
    let mut their_control = Control { stream, pieces, chunk: Vec::new() };
    let Some(Frame::Hello(hello)) = their_control.next().await? else {
        return Err(NoLink::NoHello);
    };
    let shown = shown(hello, &key, bus.now())?;
    Ok(Greeted { connection: connection.clone(), key, shown, control, their_control })
}

/// The key that TLS has proved.
fn proved_key(connection: &Connection) -> Result<Key, NoLink> {
    let identity = connection.peer_identity().ok_or(NoLink::NoKey)?;
    let shown = identity.downcast::<Vec<CertificateDer<'static>>>().map_err(|_| NoLink::NoKey)?;
    shown.first().and_then(key::public).ok_or(NoLink::NoKey)
}

impl Control {
    /// The next frame; none at the end of the stream.
    async fn next(&mut self) -> Result<Option<Frame>, NoLink> {
        loop {
            let mut rest = self.chunk.as_slice();
            let whole = self.pieces.take(&mut rest)?;
            let read = self.chunk.len() - rest.len();
            self.chunk.drain(..read);
            if let Some(frame) = whole {
                return Ok(Some(Frame::parse(&frame)?));
            }
            let Some(chunk) = self.stream.read_chunk(CONTROL_BYTES_MAX, true).await? else {
                return Ok(None);
            };
            self.chunk.extend_from_slice(&chunk.bytes);
        }
    }
}

/// A link that is up, to be read.
#[derive(Debug)]
pub(crate) struct Reading {
    pub(crate) number: Number,
    pub(crate) device: Key,
    pub(crate) key: Key,
    pub(crate) connection: Connection,
    pub(crate) control: Control,
    pub(crate) bus: Bus,
    pub(crate) events: Events,
}

/// Reads a link until it ends.
pub(crate) async fn read(reading: Reading) {
    let Reading { number, device, key, connection, control, bus, events } = reading;
    let mut tasks = JoinSet::new();
    let mut seen = [false; LANES.len()];
    let of_control = read_control(number, device, key, control, bus.clone(), events.clone());
    tasks.spawn(of_control);
    let reason = loop {
        let stream = tokio::select! {
            stream = connection.accept_uni() => stream,
            Some(ended) = tasks.join_next() => {
                // Whoever ends a stream of a link, or sends what is none, ends the link.
                if !matches!(ended, Ok(Err(NoLink::Read(_)))) {
                    close(&connection, Goodbye::Garbled);
                }
                continue;
            }
        };
        match stream {
            Ok(mut stream) => {
                let mut first = [0];
                let place = match stream.read(&mut first).await {
                    Ok(Some(1)) => lane_of(first[0]).map(place_of),
                    _ => None,
                };
                match place.and_then(|place| seen.get_mut(usize::from(place))) {
                    Some(seen) if !*seen => {
                        *seen = true;
                        tasks.spawn(read_lane(number, device, stream, bus.clone()));
                    }
                    _ => close(&connection, Goodbye::Garbled),
                }
            }
            Err(reason) => break reason,
        }
    };
    // What has come in is handed on before the link is said to be down.
    while tasks.join_next().await.is_some() {}
    tell(&events, Event::Ended(number, reason)).await;
}

async fn read_lane(
    number: Number,
    device: Key,
    mut stream: RecvStream,
    bus: Bus,
) -> Result<(), NoLink> {
    let mut pieces = Pieces::new(letter_bytes);
    while let Some(chunk) = stream.read_chunk(READ_BYTES, true).await? {
        let mut rest = &*chunk.bytes;
        while let Some(letter) = pieces.take(&mut rest)? {
            let transport = NAME.to_owned();
            let (device, link) = (Some(device), Some(number));
            let received = Received { transport, letter: letter.into(), device, link, relay: None };
            let posted: Result<(), PostError> = bus.post_to(RECEIVED, &received).await;
            if posted.is_err() {
                // The bus has ended, and the link with it.
                return Ok(());
            }
        }
    }
    Ok(())
}

async fn read_control(
    number: Number,
    device: Key,
    key: Key,
    mut control: Control,
    bus: Bus,
    events: Events,
) -> Result<(), NoLink> {
    while let Some(frame) = control.next().await? {
        match frame {
            Frame::Hello(hello) => {
                let news = shown(hello, &key, bus.now())?;
                if news.device != device {
                    return Err(NotShown::OtherDevice.into());
                }
                tell(&events, Event::News(number, Box::new(news))).await;
                // Who has much to say waits.
                if bus.sleep(Duration::from_millis(NEWS_MS)).await.is_err() {
                    return Ok(());
                }
            }
            Frame::Ping(ping) => tell(&events, Event::Ping(number, ping)).await,
            Frame::Pong(_) => tell(&events, Event::Pong(number)).await,
            Frame::Unknown => {}
        }
    }
    Ok(())
}

/// Closes a connection, and says why.
pub(crate) fn close(connection: &Connection, why: Goodbye) {
    connection.close(VarInt::from_u32(u32::from(why as u8)), why.text().as_bytes());
}

/// What the other end has said at the end, if it has.
pub(crate) fn goodbye(reason: &ConnectionError) -> Option<Goodbye> {
    match reason {
        ConnectionError::ApplicationClosed(ApplicationClose { error_code, .. }) => {
            Goodbye::from_code(error_code.into_inner())
        }
        _ => None,
    }
}
