//! A transport over a pair of named pipes: from one daemon to another on the same machine, or to
//! whatever carries bytes further, such as a serial line.
//!
//! It has the role `transport`: it says where it listens, takes `envelope.send.pipes` and carries
//! the sealed bytes in them, and says what became of each. What it carries it can't read.
//!
//! The parts are those of any transport. `frames.rs` says what goes over the wire, `carrier.rs`
//! decides, `fifo.rs` opens the pipes, and here all of them are joined to the bus. The first two
//! know nothing of the others, and are tested with bytes alone.
//!
//! Deliberately absent: proof of who is at the other end. The settings say which device that is;
//! and what came in is believed only when the daemon has opened it.

pub mod carrier;
mod fifo;
pub mod frames;
pub mod limits;

use carrier::{Carrier, Peer, Said};
use kith_plugins_api::contract::transports::Endpoint;
use kith_plugins_api::contract::{
    CONNECTION, DIAL, DISCONNECTED, ENDPOINT, FAILED, RECEIVED, Role, SEND, SENT,
};
use kith_plugins_api::{
    Bus, Health, Manifest, Moment, PostError, Service, ServiceError, async_trait,
};
use limits::{LOOK_MS, MTU_BYTES_DEFAULT, MTU_BYTES_MAX, MTU_BYTES_MIN, READ_BYTES};
use serde::Deserialize;
use std::future::pending;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::net::unix::pipe::{Receiver, Sender};

/// The service's name, which is also in the topic of what it is to carry.
const NAME: &str = "pipes";

/// The service.
#[derive(Debug, Default)]
pub struct Pipes;

/// `[services.pipes.settings]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    /// The sign key of the device at the other end, in base64.
    device: String,
    /// The pipe to read; the other end writes it.
    read: PathBuf,
    /// The pipe to write; the other end reads it.
    write: PathBuf,
    /// The most bytes of a letter.
    #[serde(default = "mtu_bytes")]
    mtu_bytes: u32,
}

fn mtu_bytes() -> u32 {
    MTU_BYTES_DEFAULT
}

impl Settings {
    fn peer(&self) -> Result<Peer, ServiceError> {
        let key = data_encoding::BASE64.decode(self.device.as_bytes()).ok();
        let Some(device) = key.and_then(|key| key.try_into().ok()) else {
            return Err(ServiceError::fatal("settings.device has to be a key of 32 bytes, base64"));
        };
        if !(MTU_BYTES_MIN..=MTU_BYTES_MAX).contains(&self.mtu_bytes) {
            let why = format!("settings.mtu_bytes has to be {MTU_BYTES_MIN} to {MTU_BYTES_MAX}");
            return Err(ServiceError::fatal(why));
        }
        Ok(Peer { transport: NAME.to_owned(), device, mtu_bytes: self.mtu_bytes })
    }
}

#[async_trait]
impl Service for Pipes {
    fn manifest(&self) -> Manifest {
        Manifest::new(NAME, env!("CARGO_PKG_VERSION"))
            .about("Carries sealed messages over a pair of named pipes")
            .role(Role::Transport)
            .subscribes_to(DIAL)
            .subscribes_to((SEND, NAME))
            .disk()
    }

    async fn run(self: Box<Self>, bus: Bus) -> Result<(), ServiceError> {
        let settings: Settings = bus.settings()?;
        let carrier = Carrier::new(settings.peer()?, bus.random());
        let mut sends = bus.subscribe_to((SEND, NAME)).await?;
        let mut dials = bus.subscribe_to(DIAL).await?;
        let reader =
            fifo::to_read(&settings.read).map_err(|error| named(&settings.read, &error))?;
        let mut pipes = Pipe::new(bus.clone(), settings.write, carrier);
        let mut buffer = Vec::with_capacity(READ_BYTES);
        pipes.announce(&settings.read).await?;
        loop {
            pipes.look()?;
            pipes.say().await?;
            let looks_at = pipes.looks_at;
            let event = tokio::select! {
                biased;
                send = sends.next() => send.map(|send| Event::Send(Box::new(send.value))),
                dial = dials.next() => dial.map(|dial| Event::Dial(dial.value.device)),
                written = pipes.write() => Some(Event::Written(written)),
                bytes = read(&reader, &mut buffer) => Some(Event::Read(bytes)),
                slept = bus.sleep_until(looks_at), if !pipes.carrier.is_open() => {
                    slept.ok().map(|()| Event::Look)
                }
            };
            match event {
                Some(Event::Read(bytes)) => {
                    bytes?;
                    pipes.carrier.read(&buffer);
                    buffer.clear();
                }
                Some(event) => pipes.handle(event),
                None => return pipes.leave().await,
            }
        }
    }
}

/// What happens.
enum Event {
    Send(Box<kith_plugins_api::contract::envelope::Send>),
    Dial(Option<kith_plugins_api::contract::Key>),
    Written(io::Result<usize>),
    Read(io::Result<usize>),
    Look,
}

/// The carrier, and the pipe that it writes.
struct Pipe {
    bus: Bus,
    path: PathBuf,
    carrier: Carrier,
    writer: Option<Sender>,
    /// The frame that is being written, and how much of it is.
    frame: Vec<u8>,
    written: usize,
    /// When to look again for the other end.
    looks_at: Moment,
}

impl Pipe {
    fn new(bus: Bus, path: PathBuf, carrier: Carrier) -> Self {
        let looks_at = bus.now();
        Self { bus, path, carrier, writer: None, frame: Vec::new(), written: 0, looks_at }
    }

    async fn announce(&self, path: &Path) -> Result<(), ServiceError> {
        let transport = NAME.to_owned();
        // An address for people; the other end is set up by hand.
        let endpoints = vec![format!("pipe:{}", path.file_name().unwrap_or_default().display())];
        // What is refused is counted: without an address it carries as well.
        self.bus.post_to(ENDPOINT, &Endpoint { transport, endpoints, tls_key: None }).await?;
        self.bus.report(Health::degraded("nobody is at the other end")).await?;
        Ok(())
    }

    /// Opens the pipe if somebody is at the other end, and it is time to look.
    fn look(&mut self) -> Result<(), ServiceError> {
        if !self.carrier.is_open() {
            self.writer = None;
            self.frame.clear();
            if self.looks_at <= self.bus.now() {
                self.looks_at = self.bus.now() + Duration::from_millis(LOOK_MS);
                self.writer =
                    fifo::to_write(&self.path).map_err(|error| named(&self.path, &error))?;
                if self.writer.is_some() {
                    self.carrier.opened();
                }
            }
        }
        if self.frame.is_empty() {
            self.frame = self.carrier.next_frame(self.bus.now()).unwrap_or_default();
            self.written = 0;
        }
        Ok(())
    }

    /// Writes some of the frame; waits for ever where there is none.
    async fn write(&mut self) -> io::Result<usize> {
        match (&mut self.writer, self.frame.get(self.written..)) {
            (Some(writer), Some(rest @ [_, ..])) => writer.write(rest).await,
            _ => pending().await,
        }
    }

    fn handle(&mut self, event: Event) {
        match event {
            Event::Send(send) => self.carrier.send(*send, self.bus.now()),
            Event::Dial(device) => {
                // An address alone says nothing to a pipe.
                if device.is_some_and(|device| self.carrier.dial(&device)) {
                    self.looks_at = self.bus.now();
                }
            }
            Event::Written(Ok(bytes)) => {
                self.written += bytes;
                if self.written >= self.frame.len() {
                    self.frame.clear();
                    self.carrier.was_written();
                }
            }
            Event::Written(Err(error)) => self.carrier.broke(error.to_string()),
            Event::Read(_) | Event::Look => {}
        }
    }

    /// Tells the bus what there is to tell.
    async fn say(&mut self) -> Result<(), PostError> {
        while let Some(said) = self.carrier.next_said() {
            match said {
                Said::Connection(connection) => {
                    self.bus.post_to(CONNECTION, &connection).await?;
                    self.bus.report(Health::ok()).await?;
                }
                Said::Disconnected(disconnected) => {
                    self.bus.post_to(DISCONNECTED, &disconnected).await?;
                    self.bus.report(Health::degraded("nobody is at the other end")).await?;
                }
                Said::Sent(sent) => self.bus.post_to(SENT, &sent).await?,
                Said::Failed(failed) => self.bus.post_to(FAILED, &failed).await?,
                Said::Received(received) => self.bus.post_to(RECEIVED, &received).await?,
            }
        }
        Ok(())
    }

    /// Says goodbye to the other end. The bus has ended: nobody is left to be told anything else.
    async fn leave(mut self) -> Result<(), ServiceError> {
        if let (Some(goodbye), Some(mut writer)) = (self.carrier.leave(), self.writer.take())
            && self.frame.is_empty()
        {
            let limit = Duration::from_millis(LOOK_MS);
            // If the other end doesn't read, it will see that the pipe is closed.
            let _ = tokio::time::timeout(limit, writer.write_all(&goodbye)).await;
        }
        Ok(())
    }
}

/// Reads once.
async fn read(reader: &Receiver, buffer: &mut Vec<u8>) -> io::Result<usize> {
    loop {
        reader.readable().await?;
        match reader.try_read_buf(buffer) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            read => return read,
        }
    }
}

fn named(path: &Path, error: &io::Error) -> ServiceError {
    ServiceError::restart(format!("{}: {error}", path.display()))
}
