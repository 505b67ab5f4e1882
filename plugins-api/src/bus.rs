//! The bus, as a service has it.
//!
//! A handle that is cheap to clone, over one connection. All that a service does with the world
//! goes through it: messages, time, sleep, chance, its settings and its directory. So the same
//! service runs inside the daemon, as a process of its own, and in a test with a clock that is
//! paused and a seed.
//!
//! Publishing comes in three kinds. [`Bus::publish`] waits until the daemon has passed the message
//! on. [`Bus::post`] only waits for room, and is what a service uses that moves a lot.
//! [`Bus::try_publish`] doesn't wait at all. What is refused of the latter two is logged and
//! counted ([`Bus::counts`]).
//!
//! What must not be lost is published with [`Bus::publish_stored`], and received from
//! [`Bus::subscribe_durable`].
//!
//! Deliberately absent: connecting again. When the bus ends, the service ends, and whoever started
//! it starts it again; so a service has one life, and no state that outlived its bus.

use crate::chance::Chance;
use crate::clock::{Clock, Moment};
use crate::counts::{Counters, Counts};
use crate::heartbeat::{Closed, Heartbeat};
use crate::inbox::Inbox;
use crate::limits::GOODBYE_MS;
use crate::{ServiceError, StartError};
use kith_client::{
    Builder, Client, InvalidMessage, Loss, Message, MessageId, PostError, Publish, PublishError,
    Published, Reconnect, ReplyError, Request, RequestError, Subscribe, SubscribeError, Token,
    TryPostError,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};

/// What whoever starts a service tells it.
#[derive(Clone, Debug)]
pub struct Start {
    /// The service's name, as in its manifest.
    pub name: String,
    /// What the daemon knows it by. Without one it is a program like any other, which a daemon
    /// outside of tests lets do little.
    pub token: Option<Token>,
    /// A directory of its own, which exists.
    pub data_dir: PathBuf,
    /// `[services.NAME.settings]` of the daemon's configuration: an object, or null.
    pub settings: serde_json::Value,
    /// Where its time comes from.
    pub clock: Clock,
    /// What its chance is drawn from.
    pub seed: u64,
}

/// The bus. Cheap to clone; all clones are one connection.
#[derive(Clone)]
pub struct Bus {
    inner: Arc<Inner>,
}

struct Inner {
    client: Client,
    heartbeat: Heartbeat,
    counters: Arc<Counters>,
    clock: Clock,
    chance: Chance,
    name: String,
    data_dir: PathBuf,
    settings: serde_json::Value,
}

impl Bus {
    /// Greets the daemon over this stream, and begins to answer its heartbeats.
    ///
    /// # Errors
    /// If the daemon refuses, or the stream ends.
    pub async fn connect<S>(stream: S, start: Start) -> Result<Self, StartError>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let client = builder(&start).over(stream).await?;
        Self::begin(client, start).await
    }

    /// Greets the daemon at its socket; as [`Bus::connect`].
    ///
    /// # Errors
    /// If nobody listens there, and as [`Bus::connect`].
    pub async fn connect_to(socket: &Path, start: Start) -> Result<Self, StartError> {
        let client = builder(&start).path(socket).connect().await?;
        Self::begin(client, start).await
    }

    async fn begin(client: Client, start: Start) -> Result<Self, StartError> {
        let Start { name, token: _, data_dir, settings, clock, seed } = start;
        let pattern = format!("self.services.heartbeat.{name}");
        let heartbeat = Heartbeat::new(client.clone(), client.subscribe(pattern).await?);
        let counters = Arc::new(Counters::default());
        tokio::spawn(Arc::clone(&counters).watch(client.errors()));
        let chance = Chance::new(seed);
        let inner = Inner { client, heartbeat, counters, clock, chance, name, data_dir, settings };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Publishes a value as JSON, and waits until the daemon has passed it on.
    ///
    /// # Errors
    /// If it can't be sent as it is, the daemon refuses it, or the bus has ended.
    pub async fn publish<T>(&self, topic: &str, value: &T) -> Result<(), PublishError>
    where
        T: Serialize + ?Sized + Sync,
    {
        self.send(Publish::json(topic, json(value)?)).await?;
        Ok(())
    }

    /// Publishes a value as JSON, and waits until it is on the daemon's disk.
    ///
    /// # Errors
    /// As [`Bus::publish`]; with [`Code::NoConsumers`](crate::Code::NoConsumers) where no durable
    /// subscription matches.
    pub async fn publish_stored<T>(&self, topic: &str, value: &T) -> Result<(), PublishError>
    where
        T: Serialize + ?Sized + Sync,
    {
        self.send(Publish::json(topic, json(value)?).until_stored()).await?;
        Ok(())
    }

    /// Publishes a message with everything that can be said about it; as [`Bus::publish`].
    ///
    /// # Errors
    /// As [`Bus::publish`].
    pub async fn send(&self, message: Publish<'_>) -> Result<Published, PublishError> {
        let id = message.given_id().unwrap_or_else(|| self.new_id());
        self.inner.heartbeat.attend(self.inner.client.send(message.id(id))).await
    }

    /// Publishes a value as JSON and doesn't wait for the daemon; only for room, while very much is
    /// on its way.
    ///
    /// # Errors
    /// If it can't be sent as it is, or the bus has ended.
    pub async fn post<T>(&self, topic: &str, value: &T) -> Result<(), PostError>
    where
        T: Serialize + ?Sized + Sync,
    {
        self.post_message(Publish::json(topic, json(value)?)).await
    }

    /// Posts a message with everything that can be said about it; as [`Bus::post`].
    ///
    /// # Errors
    /// As [`Bus::post`].
    pub async fn post_message(&self, message: Publish<'_>) -> Result<(), PostError> {
        self.inner.heartbeat.attend(self.inner.client.post(message)).await
    }

    /// Publishes a value as JSON if it can be taken for sending at once.
    ///
    /// # Errors
    /// [`TryPostError::Full`] while very much is on its way, and as [`Bus::post`].
    pub fn try_publish<T>(&self, topic: &str, value: &T) -> Result<(), TryPostError>
    where
        T: Serialize + ?Sized,
    {
        self.try_send(&Publish::json(topic, json(value)?))
    }

    /// The same with everything that can be said about a message.
    ///
    /// # Errors
    /// As [`Bus::try_publish`].
    pub fn try_send(&self, message: &Publish<'_>) -> Result<(), TryPostError> {
        self.inner.heartbeat.was_ready();
        self.inner.client.try_post(message)
    }

    /// Waits until everything that was posted has arrived.
    ///
    /// # Errors
    /// [`Closed`], if the bus has ended before that.
    pub async fn flush(&self) -> Result<(), Closed> {
        self.inner.heartbeat.attend(self.inner.client.ping()).await.map_err(|_| Closed)
    }

    /// Subscribes to what matches a pattern, such as `self.weather.ask`.
    ///
    /// # Errors
    /// If the pattern is none, the daemon refuses, or the bus has ended.
    pub async fn subscribe(&self, pattern: &str) -> Result<Inbox, SubscribeError> {
        self.subscribe_with(Subscribe::new(pattern)).await
    }

    /// Subscribes to what matches a pattern and is stored under this name until it is acknowledged
    /// ([`Inbox::acknowledge`]), also while the service, the daemon or the machine is away. What is
    /// not acknowledged comes again: a service that has died over a message gets it when it was
    /// started again.
    ///
    /// # Errors
    /// As [`Bus::subscribe`], and if the name is none.
    pub async fn subscribe_durable(
        &self,
        pattern: &str,
        name: &str,
    ) -> Result<Inbox, SubscribeError> {
        self.subscribe_with(Subscribe::new(pattern).durable(name)).await
    }

    /// Subscribes with everything that can be said about it; as [`Bus::subscribe`].
    ///
    /// # Errors
    /// As [`Bus::subscribe`].
    pub async fn subscribe_with(&self, what: Subscribe<'_>) -> Result<Inbox, SubscribeError> {
        let subscribed = self.inner.client.subscribe_with(what);
        let subscription = self.inner.heartbeat.attend(subscribed).await?;
        Ok(Inbox::new(self.clone(), subscription))
    }

    /// Asks whoever subscribes to a topic, with a value as JSON, and waits up to 5 s for the first
    /// reply.
    ///
    /// # Errors
    /// If it can't be sent as it is, nobody is there, nobody replies in time, the daemon refuses,
    /// or the bus has ended.
    pub async fn request<T>(&self, topic: &str, value: &T) -> Result<Message, RequestError>
    where
        T: Serialize + ?Sized + Sync,
    {
        self.ask(Request::json(topic, json(value)?)).await
    }

    /// Asks with everything that can be said about it; as [`Bus::request`].
    ///
    /// # Errors
    /// As [`Bus::request`].
    pub async fn ask(&self, request: Request<'_>) -> Result<Message, RequestError> {
        self.inner.heartbeat.attend(self.inner.client.request_with(request)).await
    }

    /// Replies to a message with a value as JSON. It is posted: a reply that comes too late is
    /// refused, which is counted.
    ///
    /// # Errors
    /// If the message wants no reply, the reply can't be sent as it is, or the bus has ended.
    pub async fn reply<T>(&self, to: &Message, value: &T) -> Result<(), ReplyError>
    where
        T: Serialize + ?Sized + Sync,
    {
        let Some(topic) = to.reply_to() else {
            return Err(ReplyError::NoReplyTopic { topic: to.topic().to_owned() });
        };
        let message = Publish::json(topic, json(value).map_err(PublishError::Invalid)?);
        Ok(self.post_message(message).await.map_err(|error| match error {
            PostError::Disconnected(loss) => PublishError::Disconnected(loss),
            PostError::Invalid(invalid) => PublishError::Invalid(invalid),
            other => PublishError::Invalid(InvalidMessage::Unwritable { text: other.to_string() }),
        })?)
    }

    /// The time of day.
    #[must_use]
    pub fn now(&self) -> Moment {
        self.inner.clock.now()
    }

    /// Sleeps for so long.
    ///
    /// # Errors
    /// [`Closed`], as soon as the bus ends.
    pub async fn sleep(&self, duration: Duration) -> Result<(), Closed> {
        self.sleep_until(self.now() + duration).await
    }

    /// Sleeps until this moment.
    ///
    /// # Errors
    /// As [`Bus::sleep`].
    pub async fn sleep_until(&self, moment: Moment) -> Result<(), Closed> {
        self.inner.heartbeat.attend_while_open(self.inner.clock.sleep_until(moment)).await
    }

    /// Waits for something that has nothing to do with the bus, such as a device, and counts as
    /// alive meanwhile.
    ///
    /// # Errors
    /// [`Closed`], as soon as the bus ends.
    pub async fn wait_for<F: Future>(&self, future: F) -> Result<F::Output, Closed> {
        self.inner.heartbeat.attend_while_open(future).await
    }

    /// Waits until the bus has ended.
    pub async fn closed(&self) {
        // It has no other end.
        let _ = self.inner.heartbeat.attend_while_open(std::future::pending::<()>()).await;
    }

    /// Whether the bus has ended.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.inner.heartbeat.look();
        self.inner.heartbeat.ended().is_some()
    }

    /// Any number.
    #[must_use]
    pub fn random(&self) -> u64 {
        self.inner.chance.next()
    }

    /// Fills `bytes` with any.
    pub fn fill(&self, bytes: &mut [u8]) {
        self.inner.chance.fill(bytes);
    }

    /// The service's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.inner.name
    }

    /// The service's own directory, which exists. What it keeps there is there the next time.
    #[must_use]
    pub fn data_dir(&self) -> &Path {
        &self.inner.data_dir
    }

    /// What the configuration says under `[services.NAME.settings]`; nothing is an empty table.
    ///
    /// # Errors
    /// A fatal one that says what is wrong: to start again would not mend the configuration.
    pub fn settings<T: DeserializeOwned>(&self) -> Result<T, ServiceError> {
        let settings = match &self.inner.settings {
            serde_json::Value::Null => serde_json::Value::Object(serde_json::Map::new()),
            settings => settings.clone(),
        };
        serde_json::from_value(settings).map_err(|error| {
            ServiceError::fatal(format!("[services.{}.settings]: {error}", self.inner.name))
        })
    }

    /// What was refused, lost and not understood so far.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.inner.counters.counts()
    }

    pub(crate) fn counters(&self) -> &Counters {
        &self.inner.counters
    }

    pub(crate) fn heartbeat(&self) -> &Heartbeat {
        &self.inner.heartbeat
    }

    /// Says goodbye, after everything that was posted. Returns how the bus ended: [`Loss::Closed`]
    /// if by this.
    pub(crate) async fn goodbye(&self) -> Option<Loss> {
        let limit = Duration::from_millis(GOODBYE_MS);
        let ending = async {
            let _ = self.inner.client.close().await;
            self.closed().await;
        };
        let _ = tokio::time::timeout(limit, ending).await;
        self.inner.heartbeat.ended().and_then(|ended| ended.0)
    }

    fn new_id(&self) -> MessageId {
        let mut random = [0; 10];
        self.fill(&mut random);
        MessageId::from_parts(self.now().unix_ms(), &random)
    }
}

impl fmt::Debug for Bus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bus").field("name", &self.inner.name).finish_non_exhaustive()
    }
}

fn builder(start: &Start) -> Builder {
    let builder = Client::builder().name(&start.name).reconnect(Reconnect::Never);
    match &start.token {
        Some(token) => builder.token(token.clone()),
        None => builder,
    }
}

fn json<T: Serialize + ?Sized>(value: &T) -> Result<String, InvalidMessage> {
    let text = serde_json::to_string(value);
    text.map_err(|error| InvalidMessage::Unwritable { text: error.to_string() })
}
