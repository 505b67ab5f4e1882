//! A daemon that does what a test tells it to.

use kith_client::{Client, Code, Headers, MessageId, Priority, Reconnect, Scope};
use kith_wire::binary::{MAGIC, decode, deliver, encode, split};
use kith_wire::{Delivery, Event, Operation, Protocol, Publication, RequestNumber, Topic};
use std::num::NonZeroU32;
use std::path::PathBuf;
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};

pub(crate) const PAYLOAD_BYTES_MAX: usize = 16 << 20;
pub(crate) const SENT_AT_MS: u64 = 1_700_000_000_000;

/// A daemon's socket.
pub(crate) struct Daemon {
    listener: UnixListener,
    directory: TempDir,
}

/// The daemon's end of one connection.
pub(crate) struct Peer<S = UnixStream> {
    stream: S,
    buffer: Vec<u8>,
    /// From its greeting.
    pub(crate) client: [u8; 16],
}

/// What a client asks, in short.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Heard {
    pub(crate) number: u32,
    /// The operation's name and what it is about.
    pub(crate) what: String,
    pub(crate) id: Option<MessageId>,
    pub(crate) payload: Vec<u8>,
}

impl Daemon {
    pub(crate) fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(directory.path().join("bus.sock")).unwrap();
        Self { listener, directory }
    }

    pub(crate) fn from_parts(listener: UnixListener, directory: TempDir) -> Self {
        Self { listener, directory }
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.directory.path().join("bus.sock")
    }

    /// A client, and this end of its connection.
    pub(crate) async fn client(&self) -> (Client, Peer) {
        self.client_that(Reconnect::BackOff).await
    }

    pub(crate) async fn client_that(&self, reconnect: Reconnect) -> (Client, Peer) {
        let builder = Client::builder().path(self.path()).name("test").reconnect(reconnect);
        let (client, peer) = tokio::join!(builder.connect(), self.accept());
        (client.unwrap(), peer)
    }

    /// The next connection, greeted.
    pub(crate) async fn accept(&self) -> Peer {
        let mut peer = self.accept_silently().await;
        peer.welcome(PAYLOAD_BYTES_MAX).await;
        peer
    }

    /// The next connection, with nothing said.
    pub(crate) async fn accept_silently(&self) -> Peer {
        let (stream, _) = self.listener.accept().await.unwrap();
        Peer::on(stream)
    }

    /// Stops listening; the directory with the socket's file stays.
    pub(crate) fn stop(self) -> TempDir {
        self.directory
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Peer<S> {
    /// This end of a connection, with nothing said.
    pub(crate) fn on(stream: S) -> Self {
        Self { stream, buffer: Vec::new(), client: [0; 16] }
    }

    pub(crate) async fn welcome(&mut self, payload_bytes_max: usize) {
        while self.buffer.len() < MAGIC.len() {
            assert_ne!(self.stream.read_buf(&mut self.buffer).await.unwrap(), 0);
        }
        assert_eq!(self.buffer.drain(..MAGIC.len()).collect::<Vec<_>>(), MAGIC);
        let hello = self.hear().await;
        assert_eq!(hello.what, "hello test");
        self.write(&MAGIC).await;
        let number = RequestNumber::new(hello.number).unwrap();
        let payload_bytes_max = payload_bytes_max as u64;
        self.say(&Event::Welcome {
            number,
            version: "0.1.0",
            payload_bytes_max,
            descriptors: false,
        })
        .await;
    }

    /// What the client asks next.
    pub(crate) async fn hear(&mut self) -> Heard {
        self.hear_or_end().await.unwrap()
    }

    /// What the client asks next, or nothing if it is gone.
    pub(crate) async fn hear_or_end(&mut self) -> Option<Heard> {
        loop {
            if let Some(frame) = split(&self.buffer, usize::MAX).unwrap() {
                let bytes = frame.bytes.len();
                let request = decode::request(frame, PAYLOAD_BYTES_MAX).unwrap();
                let number = request.number.map_or(0, RequestNumber::get);
                let heard = short(number, &request.operation, &mut self.client);
                self.buffer.drain(..bytes);
                return Some(heard);
            }
            if self.stream.read_buf(&mut self.buffer).await.unwrap_or(0) == 0 {
                return None;
            }
        }
    }

    /// Expects this operation, and says how it is numbered.
    pub(crate) async fn expect(&mut self, what: &str) -> u32 {
        let heard = self.hear().await;
        assert_eq!(heard.what, what);
        heard.number
    }

    pub(crate) async fn say(&mut self, event: &Event<'_>) {
        let mut bytes = Vec::new();
        deliver::event(&mut bytes, event);
        self.write(&bytes).await;
    }

    pub(crate) async fn write(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.unwrap();
    }

    pub(crate) async fn ok(&mut self, number: u32) {
        self.say(&ok(number, None, false)).await;
    }

    pub(crate) async fn refuse(&mut self, number: u32, code: Code) {
        let number = RequestNumber::new(number);
        let event = Event::Err { number, code: Some(code), text: "no", at: None, fatal: false };
        self.say(&event).await;
    }

    /// Expects a subscription, and takes it.
    pub(crate) async fn subscribed(&mut self, pattern: &str) -> u32 {
        let number = self.expect(&format!("sub {pattern}")).await;
        self.ok(number).await;
        number
    }

    pub(crate) async fn message(&mut self, subscription: u32, delivery: Delivery<'_>) {
        let subscription = NonZeroU32::new(subscription).unwrap();
        self.say(&Event::Message { subscription, delivery }).await;
    }

    /// Delivers a run of messages.
    pub(crate) async fn run(&mut self, subscription: u32, payloads: impl Iterator<Item = String>) {
        let mut entries = Vec::new();
        let mut count = 0;
        for payload in payloads {
            encode::entry(&mut entries, "test.run", &Protocol::MS, payload.as_bytes());
            count += 1;
        }
        let bytes = entries.len();
        let head = deliver::run_head(subscription, Scope::Own, id(0), SENT_AT_MS, count, bytes);
        self.write(&head).await;
        self.write(&entries).await;
    }
}

/// A message as it is delivered.
pub(crate) fn delivery<'a>(topic: &'a str, payload: &'a [u8]) -> Delivery<'a> {
    Delivery {
        message_id: id(1),
        sender: "local",
        petname: None,
        device: None,
        scope: Scope::Own,
        protocol: Protocol::MS,
        topic: Topic::new(topic).unwrap(),
        sent_at_ms: SENT_AT_MS,
        expires_at_ms: None,
        reply_to: None,
        priority: Priority::Normal,
        retained: false,
        attempt: None,
        headers: Headers::new(),
        payload,
        sealed_bytes: None,
    }
}

pub(crate) fn id(last: u8) -> MessageId {
    MessageId::from_parts(SENT_AT_MS, &[0, 0, 0, 0, 0, 0, 0, 0, 0, last])
}

pub(crate) fn ok(number: u32, message_id: Option<MessageId>, duplicate: bool) -> Event<'static> {
    let number = NonZeroU32::new(number).unwrap();
    Event::Ok { number, message_id, duplicate, stored: false }
}

fn short(number: u32, operation: &Operation<'_>, client: &mut [u8; 16]) -> Heard {
    let mut heard = Heard { number, what: String::new(), id: None, payload: Vec::new() };
    let mut publication = |name: &str, publication: &Publication<'_>| {
        heard.id = publication.options.message_id;
        heard.payload = publication.payload.to_vec();
        format!("{name} {}", publication.topic)
    };
    heard.what = match operation {
        Operation::Acknowledge { subscription, message_ids } => {
            format!("ack {subscription} of {}", message_ids.len())
        }
        Operation::Bye => "bye".to_owned(),
        Operation::Hello { name, client: id, .. } => {
            *client = id.unwrap();
            format!("hello {}", name.as_deref().unwrap_or_default())
        }
        Operation::Ping => "ping".to_owned(),
        Operation::PublishSealed { .. } => panic!("this client sends no descriptors"),
        Operation::Publish(asked) => publication("pub", asked),
        Operation::Request { publication: asked, .. } => publication("req", asked),
        Operation::Subscribe(asked) => {
            let group = asked.group.as_ref().map(|group| format!(" in {group}"));
            let retained = if asked.retained { " retained" } else { "" };
            let durable = asked.durable.as_ref().map(|name| format!(" as {name}"));
            let since = if asked.since.is_some() { " since" } else { "" };
            let who = group.or(durable).unwrap_or_default();
            format!("sub {}{who}{retained}{since}", asked.pattern)
        }
        Operation::Unsubscribe(number) => format!("unsub {number}"),
        Operation::Unwill => "unwill".to_owned(),
        Operation::Will(asked) => publication("will", asked),
    };
    heard
}
