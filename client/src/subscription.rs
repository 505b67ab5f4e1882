//! A subscription, and asking for one.
//!
//! The stream tells the whole truth: messages, how many are missing and where, and where the
//! connection was lost. A program that only wants messages can pass over the rest; it can't be made
//! to believe that nothing was lost. Dropping the stream unsubscribes.

use crate::client::Inner;
use crate::feed::Feed;
use crate::session::Command;
use crate::{AcknowledgeError, Incoming, Message, SubscribeError};
use futures_core::Stream;
use kith_wire::{Pattern, Since};
use std::borrow::Cow;
use std::collections::VecDeque;
use std::future::poll_fn;
use std::num::NonZeroU32;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

/// What to subscribe to: [`Client::subscribe_with`](crate::Client::subscribe_with) takes it.
///
/// ```
/// use kith_client::Subscribe;
///
/// let jobs = Subscribe::new("self.jobs.>").group("workers");
/// # let _ = jobs;
/// ```
#[derive(Clone, Debug)]
#[must_use = "a subscription is made by `Client::subscribe_with`"]
pub struct Subscribe<'a> {
    pattern: Cow<'a, str>,
    group: Option<Cow<'a, str>>,
    retained: bool,
    monitor: bool,
    durable: Option<Cow<'a, str>>,
    since: Option<Since>,
}

impl<'a> Subscribe<'a> {
    /// Everything that matches a pattern, `[protocol/]scope.topic-pattern`: `self.chess.*`,
    /// `friends.chess.>`, `bt/self.*`, `*/*.>`. The protocol is `ms` if none is given. Because the
    /// scope is part of the pattern, a subscription to `self.…` can't be reached from outside.
    pub fn new(pattern: impl Into<Cow<'a, str>>) -> Self {
        Self {
            pattern: pattern.into(),
            group: None,
            retained: false,
            monitor: false,
            durable: None,
            since: None,
        }
    }

    /// Of all subscriptions in one group, one gets each message.
    pub fn group(mut self, group: impl Into<Cow<'a, str>>) -> Self {
        self.group = Some(group.into());
        self
    }

    /// Kept values that match come first; after a reconnect too.
    pub fn retained(mut self) -> Self {
        self.retained = true;
        self
    }

    /// It only looks on: it gets what matches, but a request that nobody else gets has no
    /// responder.
    pub fn monitor(mut self) -> Self {
        self.monitor = true;
        self
    }

    /// What matches is stored for the consumer of this name until it is acknowledged
    /// ([`Subscription::acknowledge`]): while the program, the daemon or the machine is away, too.
    /// Subscriptions of one name, in any program, share its messages. It can be neither one of a
    /// group nor a monitor. In its stream there is no [`Incoming::Gap`], since it misses nothing.
    pub fn durable(mut self, name: impl Into<Cow<'a, str>>) -> Self {
        self.durable = Some(name.into());
        self
    }

    /// From where on a durable subscription begins whose consumer is new; for one that is there it
    /// says nothing (unless the daemon crashed before all of it was given), and it is not said
    /// again after a reconnect. Of kept values ([`Subscribe::retained`]) without a durable
    /// subscription: those that are as new as that.
    pub fn since(mut self, since: Since) -> Self {
        self.since = Some(since);
        self
    }

    /// What a durable subscription says after a reconnect, when its consumer is there.
    pub(crate) fn again(&self) -> Result<Option<kith_wire::Operation<'_>>, SubscribeError> {
        let operation = self.operation()?;
        Ok(match operation {
            kith_wire::Operation::Subscribe(asked) if asked.durable.is_some() => {
                let asked = kith_wire::Subscribe { since: None, ..asked };
                Some(kith_wire::Operation::Subscribe(asked))
            }
            _ => None,
        })
    }

    /// Checks it, and gives what a frame can be made of, with a number yet to be put in.
    pub(crate) fn operation(&self) -> Result<kith_wire::Operation<'_>, SubscribeError> {
        if let Some(group) = &self.group {
            kith_wire::check_group(group).map_err(SubscribeError::Group)?;
        }
        if let Some(durable) = &self.durable {
            kith_wire::check_consumer(durable).map_err(SubscribeError::Consumer)?;
        }
        Ok(kith_wire::Operation::Subscribe(kith_wire::Subscribe {
            number: NonZeroU32::MIN,
            pattern: Pattern::new(&*self.pattern)?,
            group: self.group.as_deref().map(Cow::Borrowed),
            retained: self.retained,
            monitor: self.monitor,
            durable: self.durable.as_deref().map(Cow::Borrowed),
            since: self.since,
        }))
    }
}

/// A stream of what matches a pattern. Dropping it unsubscribes.
///
/// It ends (`None`) when the client is closed, when the connection is lost for good, or when the
/// daemon refuses the subscription after a reconnect; [`Subscription::ended`] says which.
///
/// What the program has not taken yet waits in a queue of bounded size. When that is full the
/// newest messages are dropped, and [`Incoming::Lag`] with their exact number stands where they
/// would have stood. No other subscription, and no answer, is held up by it.
///
/// A durable subscription ([`Subscribe::durable`]) loses nothing by that: the daemon sends at most
/// 1,024 messages and 8 MiB that are not acknowledged, which fits; and where a program doesn't poll
/// for so long that they have been delivered again and again, what is dropped here is not
/// acknowledged, and comes again.
#[derive(Debug)]
#[must_use = "dropping a subscription unsubscribes"]
pub struct Subscription {
    /// Taken from the feed and not yet given out.
    taken: VecDeque<Incoming>,
    feed: Arc<Feed>,
    key: u64,
    inner: Arc<Inner>,
}

impl Subscription {
    pub(crate) fn new(feed: Arc<Feed>, key: u64, inner: Arc<Inner>) -> Self {
        Self { taken: VecDeque::new(), feed, key, inner }
    }

    /// The next that comes; `None` if nothing comes any more. Nothing is lost if the future is
    /// dropped.
    pub async fn next(&mut self) -> Option<Incoming> {
        poll_fn(|context| self.poll_incoming(context)).await
    }

    /// Why nothing comes any more, if that is so. What was received before can still be taken.
    #[must_use]
    pub fn ended(&self) -> Option<SubscribeError> {
        self.feed.ended()
    }

    /// Says that a message of this durable subscription has been dealt with, and doesn't wait until
    /// the daemon has that on the disk. Many are told to the daemon at once.
    ///
    /// If the connection is lost meanwhile this is not said again: the message comes once more,
    /// with a greater [`Message::attempt`]. What the daemon refuses comes from
    /// [`Client::errors`](crate::Client::errors).
    ///
    /// # Errors
    /// If the message is of no durable subscription, too many acknowledgements are on their way, or
    /// the connection is lost for good.
    pub fn acknowledge(&self, message: &Message) -> Result<(), AcknowledgeError> {
        check_durable(message)?;
        match self.inner.shared.mailbox.acknowledge(self.key, message.id()) {
            Ok(true) => Ok(()),
            Ok(false) => Err(AcknowledgeError::Full),
            Err(loss) => Err(AcknowledgeError::Disconnected(loss)),
        }
    }

    /// The same, and waits until the daemon has it on the disk: the message is not delivered again.
    ///
    /// # Errors
    /// If the message is of no durable subscription, the daemon refuses, or the connection is lost
    /// before it answers, or was not there.
    pub async fn acknowledge_and_wait(&self, message: &Message) -> Result<(), AcknowledgeError> {
        check_durable(message)?;
        let (key, message_id) = (self.key, message.id());
        let command = |waiter| Command::AcknowledgeAndWait { key, message_id, waiter };
        self.inner.shared.mailbox.ask_aside(command).await?;
        Ok(())
    }

    fn poll_incoming(&mut self, context: &mut Context<'_>) -> Poll<Option<Incoming>> {
        if let Some(incoming) = self.taken.pop_front() {
            return Poll::Ready(Some(incoming));
        }
        ready!(self.feed.poll_take(context, &mut self.taken));
        Poll::Ready(self.taken.pop_front())
    }
}

fn check_durable(message: &Message) -> Result<(), AcknowledgeError> {
    match message.attempt() {
        Some(_) => Ok(()),
        None => Err(AcknowledgeError::NotDurable { topic: message.topic().to_owned() }),
    }
}

impl Stream for Subscription {
    type Item = Incoming;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Incoming>> {
        self.poll_incoming(context)
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        // Where the connection is gone for good, so is the subscription.
        let _ = self.inner.shared.mailbox.put(Command::Unsubscribe { key: self.key });
    }
}
