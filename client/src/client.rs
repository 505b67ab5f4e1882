//! The client: what a program asks of the bus.
//!
//! Each operation that waits is one command and one answer; what it takes to survive a lost
//! connection is the session's business. A future that is dropped stops waiting and takes nothing
//! back: the message may be published all the same.

use crate::connect::Builder;
use crate::errors::Errors;
use crate::feed::Feed;
use crate::limits::{OPERATION_BYTES, REQUEST_GRACE_MS};
use crate::mailbox::{Asked, Waiter};
use crate::publish::{frame, new_message_id};
use crate::session::{Command, Done, Failure};
use crate::task::Shared;
use crate::{
    AcknowledgeError, BackgroundError, CloseError, ConnectError, Loss, Message, PingError,
    PostError, Publish, PublishError, Published, ReplyError, Request, RequestError, Subscribe,
    SubscribeError, Subscription, TryPostError, WillError,
};
use kith_wire::{Code, Operation, binary};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::broadcast;
use tokio::time::timeout;

/// A connection to the bus. Cheap to clone; all clones share the connection.
///
/// When the last clone and the last [`Subscription`] are dropped, what was posted is still sent and
/// the connection then ends without a goodbye: a will is published. [`Client::close`] says goodbye.
#[derive(Clone, Debug)]
pub struct Client {
    inner: Arc<Inner>,
}

/// What clones and subscriptions share. When it goes, nobody is left to ask for anything.
#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) shared: Arc<Shared>,
    errors: broadcast::Sender<BackgroundError>,
    /// Keeps the first errors until somebody asks for them.
    unread: Mutex<Option<broadcast::Receiver<BackgroundError>>>,
    /// Of the subscription made last.
    last_key: AtomicU64,
}

impl Inner {
    pub(crate) fn new(
        shared: Arc<Shared>,
        errors: broadcast::Sender<BackgroundError>,
        unread: broadcast::Receiver<BackgroundError>,
    ) -> Self {
        Self { shared, errors, unread: Mutex::new(Some(unread)), last_key: AtomicU64::new(0) }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.shared.mailbox.abandon();
    }
}

impl Client {
    pub(crate) fn new(inner: Inner) -> Self {
        Self { inner: Arc::new(inner) }
    }

    /// Connects to the daemon's socket, `$KITH_SOCKET` or else `$XDG_RUNTIME_DIR/kith/bus.sock`.
    ///
    /// # Errors
    /// As [`Builder::connect`].
    pub async fn connect() -> Result<Self, ConnectError> {
        Self::builder().connect().await
    }

    /// Says how to connect.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// Publishes a JSON value, and waits until the daemon has passed it on. `payload` is its text,
    /// without line breaks.
    ///
    /// If the connection is lost meanwhile, the message is sent again after the reconnect, under
    /// the same id; the daemon doesn't deliver it twice.
    ///
    /// # Errors
    /// If it can't be sent as it is, the daemon refuses it, or the connection is lost for good.
    pub async fn publish(
        &self,
        topic: impl AsRef<str>,
        payload: impl AsRef<str>,
    ) -> Result<Published, PublishError> {
        self.send(Publish::json(topic.as_ref(), payload.as_ref())).await
    }

    /// Publishes a message with everything that can be said about it; as [`Client::publish`].
    ///
    /// # Errors
    /// As [`Client::publish`].
    pub async fn send(&self, message: Publish<'_>) -> Result<Published, PublishError> {
        let id = message.given_id().unwrap_or_else(new_message_id);
        let message = message.id(id);
        let (frame, sealed) = match message.worth_handing_over() {
            None => (self.frame_of(&message, Operation::Publish)?, None),
            Some(memory) => {
                let publication = message.envelope(self.payload_bytes_max())?;
                let payload_bytes = memory.len() as u64;
                let operation = Operation::PublishSealed { publication, payload_bytes };
                (frame(&operation, OPERATION_BYTES), Some(Arc::clone(memory)))
            }
        };
        let command = |waiter| Command::Publish { frame, sealed, id, waiter };
        let published = match self.ask(message.bytes_about(), command).await? {
            Done::Published(published) => published,
            _ => Published { id, duplicate: false, stored: false },
        };
        if message.is_until_stored() && !published.stored {
            let Published { id, duplicate, .. } = published;
            return Err(PublishError::NotStored { id, duplicate });
        }
        Ok(published)
    }

    /// Publishes a message and doesn't wait for the daemon: for programs that move a lot. It waits
    /// only while 4 MiB are on their way, which is also what happens while there is no connection.
    ///
    /// What goes wrong later comes from [`Client::errors`]: a message that the daemon refuses, and
    /// how many are in doubt when the connection is lost, since a message that is posted is never
    /// sent twice. When a later [`Client::ping`] succeeds, everything posted before it has arrived.
    ///
    /// # Errors
    /// If it can't be sent as it is, or the connection is lost for good.
    pub async fn post(&self, message: Publish<'_>) -> Result<(), PostError> {
        let operation = Operation::Publish(message.publication(self.payload_bytes_max())?);
        let write = |frames: &mut Vec<u8>| {
            let request = kith_wire::Request { number: None, operation };
            binary::encode::request(frames, &request);
        };
        let posted = self.inner.shared.mailbox.post(message.bytes_about(), write).await;
        posted.map_err(PostError::Disconnected)
    }

    /// Publishes a message if it can be taken for sending right now; else as [`Client::post`].
    ///
    /// # Errors
    /// [`TryPostError::Full`] while 4 MiB are on their way, and as [`Client::post`].
    pub fn try_post(&self, message: &Publish<'_>) -> Result<(), TryPostError> {
        let operation = Operation::Publish(message.publication(self.payload_bytes_max())?);
        let write = |frames: &mut Vec<u8>| {
            let request = kith_wire::Request { number: None, operation };
            binary::encode::request(frames, &request);
        };
        match self.inner.shared.mailbox.try_post(message.bytes_about(), write) {
            Ok(true) => Ok(()),
            Ok(false) => Err(TryPostError::Full),
            Err(loss) => Err(TryPostError::Disconnected(loss)),
        }
    }

    /// What goes wrong with things that nobody waits for. The first caller also gets what has gone
    /// wrong so far; every caller gets what follows.
    #[must_use]
    pub fn errors(&self) -> Errors {
        let mut unread = self.inner.unread.lock().unwrap_or_else(PoisonError::into_inner);
        Errors::new(unread.take().unwrap_or_else(|| self.inner.errors.subscribe()))
    }

    /// Subscribes to what matches a pattern, such as `self.chess.*`; see [`Subscribe::new`].
    ///
    /// After a reconnect it is subscribed again, and [`Incoming::Gap`](crate::Incoming::Gap) stands
    /// in its stream.
    ///
    /// # Errors
    /// If the pattern is none, the daemon refuses, or the connection is lost for good.
    pub async fn subscribe(
        &self,
        pattern: impl AsRef<str>,
    ) -> Result<Subscription, SubscribeError> {
        self.subscribe_with(Subscribe::new(pattern.as_ref())).await
    }

    /// Subscribes with everything that can be said about it; as [`Client::subscribe`].
    ///
    /// # Errors
    /// As [`Client::subscribe`].
    pub async fn subscribe_with(
        &self,
        subscribe: Subscribe<'_>,
    ) -> Result<Subscription, SubscribeError> {
        let frame_of = |operation| frame(&operation, OPERATION_BYTES);
        let frame = frame_of(subscribe.operation()?);
        let durable = subscribe.again()?.map(frame_of);
        let frame_bytes = frame.len();
        let key = self.inner.last_key.fetch_add(1, Ordering::Relaxed);
        let to = Arc::new(Feed::new());
        // Made before it is asked for: if this future is dropped, it unsubscribes.
        let subscription = Subscription::new(Arc::clone(&to), key, Arc::clone(&self.inner));
        let command = |waiter| Command::Subscribe { key, frame, durable, to, waiter };
        self.ask(frame_bytes, command).await?;
        Ok(subscription)
    }

    /// Asks whoever subscribes to a topic, and waits up to 5 s for the first reply. `payload` is
    /// the text of a JSON value, without line breaks.
    ///
    /// It is not repeated if the connection is lost: somebody may have acted on it already, and
    /// only the program knows whether asking twice does harm.
    ///
    /// # Errors
    /// If it can't be sent as it is, nobody is there, nobody replies in time, the daemon refuses,
    /// or the connection is lost or was not there.
    pub async fn request(
        &self,
        topic: impl AsRef<str>,
        payload: impl AsRef<str>,
    ) -> Result<Message, RequestError> {
        self.request_with(Request::json(topic.as_ref(), payload.as_ref())).await
    }

    /// Asks with everything that can be said about it; as [`Client::request`].
    ///
    /// # Errors
    /// As [`Client::request`].
    pub async fn request_with(&self, request: Request<'_>) -> Result<Message, RequestError> {
        let frame = request.frame(self.payload_bytes_max())?;
        let command = |waiter| Command::Request { frame, waiter };
        // The daemon keeps the time; this is for a daemon that hangs.
        let limit = request.waits().saturating_add(Duration::from_millis(REQUEST_GRACE_MS));
        let answer = timeout(limit, self.ask(request.bytes_about(), command)).await;
        match answer.map_err(|_| RequestError::Timeout)?? {
            Done::Replied(message) => Ok(message),
            _ => Err(RequestError::Disconnected(Loss::Silent)),
        }
    }

    /// Publishes a JSON value where a message wants its answer. Only the first reply to a request
    /// arrives; later ones are refused.
    ///
    /// # Errors
    /// If the message wants no answer, and as [`Client::publish`].
    pub async fn reply(
        &self,
        message: &Message,
        payload: impl AsRef<str>,
    ) -> Result<Published, ReplyError> {
        let Some(topic) = message.reply_to() else {
            return Err(ReplyError::NoReplyTopic { topic: message.topic().to_owned() });
        };
        Ok(self.send(Publish::json(topic, payload.as_ref())).await?)
    }

    /// Leaves a message to be published when the connection ends without [`Client::close`]. It
    /// replaces the one before. Each time the connection is lost it is published, and left again
    /// after the reconnect.
    ///
    /// # Errors
    /// If it can't be sent as it is, the daemon refuses it, or the connection is lost for good.
    pub async fn set_will(&self, message: Publish<'_>) -> Result<(), WillError> {
        let frame = self.frame_of(&message, Operation::Will)?;
        let command = |waiter| Command::SetWill { frame, waiter };
        self.ask(message.bytes_about(), command).await?;
        Ok(())
    }

    /// Takes the will back.
    ///
    /// # Errors
    /// If the daemon refuses, or the connection is lost before it answers: then it may have been
    /// published. It is not left again.
    pub async fn clear_will(&self) -> Result<(), WillError> {
        self.ask_aside(|waiter| Command::ClearWill { waiter }).await?;
        Ok(())
    }

    /// Asks whether the daemon is there. The answer comes after everything that was asked before;
    /// so it also says that everything posted before has arrived.
    ///
    /// # Errors
    /// If the connection is lost before the answer comes, or was not there.
    pub async fn ping(&self) -> Result<(), PingError> {
        self.ask_aside(|waiter| Command::Ping { waiter }).await?;
        Ok(())
    }

    /// Says goodbye, after everything that was asked before, and closes the connection for all
    /// clones. The will is dropped. Subscriptions end after what was received; closing twice is no
    /// error.
    ///
    /// # Errors
    /// If the daemon didn't confirm it: what was posted last may not have arrived, and the will may
    /// be published. The connection is closed all the same.
    pub async fn close(&self) -> Result<(), CloseError> {
        match self.inner.shared.mailbox.ask_to_close().await {
            Ok(_) | Err(Failure::Lost(Loss::Closed)) => Ok(()),
            Err(Failure::Lost(loss)) => Err(CloseError::Disconnected(loss)),
            Err(Failure::Refused { code, text }) => {
                Err(CloseError::Disconnected(Loss::Refused { code, text }))
            }
        }
    }

    async fn ask(
        &self,
        bytes: usize,
        command: impl FnOnce(Waiter) -> Asked,
    ) -> Result<Done, Failure> {
        self.inner.shared.mailbox.ask(bytes, command).await
    }

    async fn ask_aside(&self, command: impl FnOnce(Waiter) -> Asked) -> Result<Done, Failure> {
        self.inner.shared.mailbox.ask_aside(command).await
    }

    fn frame_of<'a>(
        &self,
        message: &'a Publish<'_>,
        operation: impl FnOnce(kith_wire::Publication<'a>) -> Operation<'a>,
    ) -> Result<Vec<u8>, crate::InvalidMessage> {
        let publication = message.publication(self.payload_bytes_max())?;
        Ok(frame(&operation(publication), message.bytes_about()))
    }

    fn payload_bytes_max(&self) -> usize {
        self.inner.shared.payload_bytes_max.load(Ordering::Relaxed)
    }
}

/// Makes each operation's error of a failure.
macro_rules! fail_as {
    ($($error:ty),*) => {
        $(impl From<Failure> for $error {
            fn from(failure: Failure) -> Self {
                match failure {
                    Failure::Lost(loss) => Self::Disconnected(loss),
                    Failure::Refused { code, text } => Self::Refused { code, text },
                }
            }
        })*
    };
}

fail_as!(AcknowledgeError, PublishError, SubscribeError, WillError, PingError);

impl From<Failure> for RequestError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Lost(loss) => Self::Disconnected(loss),
            Failure::Refused { code, text } => match code {
                Some(Code::NoResponders) => Self::NoResponders,
                Some(Code::Timeout) => Self::Timeout,
                Some(Code::Busy) => Self::Busy,
                code => Self::Refused { code, text },
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_can_be_shared_between_threads() {
        fn check<T: Send + Sync>() {}
        fn check_send<T: Send>(_: T) {}
        check::<Client>();
        check::<Subscription>();
        check::<Message>();
        let _ = |client: Client| {
            check_send(async move {
                let _ = client.publish("a", String::from("1")).await;
                let _ = client.post(Publish::json("a", "1")).await;
                let _ = client.request("a", "1").await;
                let _ = client.subscribe("self.a").await;
            });
        };
    }
}
