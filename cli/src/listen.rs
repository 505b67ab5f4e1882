//! Several subscriptions as one stream, and when to stop listening to it.
//!
//! A pattern is a subscription of its own, and each takes its turn. If one of them ends, all do,
//! and the reason is told: half an answer that looks like a whole one is the worst.

use crate::arguments::UntilArguments;
use crate::exit_code;
use crate::failure::Failure;
use futures_core::Stream;
use kith_client::{AcknowledgeError, Client, Code, Incoming, Message, Subscribe, Subscription};
use kith_wire::{Delivery, Pattern, Topic};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::time::{Instant, sleep_until};

/// What comes for any of several subscriptions.
pub(crate) struct Listening {
    subscriptions: Vec<Subscription>,
    /// Whose turn it is.
    next: usize,
}

impl Listening {
    /// Subscribes to all of them; `ask` adds what is wanted beside the pattern.
    pub(crate) async fn start(
        client: &Client,
        patterns: &[Pattern<'_>],
        ask: impl Fn(Subscribe<'static>) -> Subscribe<'static>,
    ) -> Result<Self, Failure> {
        let mut subscriptions = Vec::with_capacity(patterns.len());
        for pattern in patterns {
            let subscribe = ask(Subscribe::new(pattern.to_string()));
            subscriptions.push(client.subscribe_with(subscribe).await?);
        }
        Ok(Self { subscriptions, next: 0 })
    }
}

impl Listening {
    /// Says that messages have been dealt with, of those that came from a durable subscription, and
    /// waits until that is on the disk.
    ///
    /// One that was acknowledged before, when it came for the first time, needs it no more.
    pub(crate) async fn acknowledge_and_wait(&self, messages: &[Message]) -> Result<(), Failure> {
        let durable = || messages.iter().filter(|message| message.attempt().is_some());
        // A durable subscription is alone. The last is answered after those before it.
        let (Some(subscription), Some(last)) = (self.subscriptions.first(), durable().next_back())
        else {
            return Ok(());
        };
        let before = durable().count() - 1;
        for message in durable().take(before) {
            tell(subscription, message).await?;
        }
        known(subscription.acknowledge_and_wait(last).await)
    }

    /// The same without waiting for the disk.
    pub(crate) async fn acknowledge(&self, messages: &[Message]) -> Result<(), Failure> {
        let Some(subscription) = self.subscriptions.first() else { return Ok(()) };
        for message in messages.iter().filter(|message| message.attempt().is_some()) {
            tell(subscription, message).await?;
        }
        Ok(())
    }
}

/// What a lost connection keeps from being acknowledged comes again, or the subscription says that
/// it has ended.
async fn tell(subscription: &Subscription, message: &Message) -> Result<(), Failure> {
    let told = match subscription.acknowledge(message) {
        Err(AcknowledgeError::Full) => subscription.acknowledge_and_wait(message).await,
        told => told,
    };
    match told {
        Err(AcknowledgeError::Disconnected(_)) => Ok(()),
        told => known(told),
    }
}

fn known(outcome: Result<(), AcknowledgeError>) -> Result<(), Failure> {
    match outcome {
        Err(AcknowledgeError::Refused { code: Some(Code::UnknownMessage), .. }) => Ok(()),
        outcome => Ok(outcome?),
    }
}

/// The same as one of a group, if one is named.
pub(crate) fn in_group<'a>(asked: Subscribe<'a>, group: Option<&str>) -> Subscribe<'a> {
    match group {
        Some(group) => asked.group(group.to_owned()),
        None => asked,
    }
}

impl Stream for Listening {
    type Item = Result<Incoming, Failure>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        for _ in 0..this.subscriptions.len() {
            let turn = this.next;
            this.next = (turn + 1) % this.subscriptions.len();
            let Some(subscription) = this.subscriptions.get_mut(turn) else { continue };
            match Pin::new(&mut *subscription).poll_next(context) {
                Poll::Pending => {}
                Poll::Ready(Some(incoming)) => return Poll::Ready(Some(Ok(incoming))),
                Poll::Ready(None) => {
                    let reason = subscription.ended().map(Failure::from);
                    this.subscriptions.clear();
                    return Poll::Ready(reason.map(Err));
                }
            }
        }
        if this.subscriptions.is_empty() { Poll::Ready(None) } else { Poll::Pending }
    }
}

/// How many messages are still wanted, and until when.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Until {
    wanted: Option<u64>,
    deadline: Option<Instant>,
}

impl Until {
    /// Counts from now.
    pub(crate) fn start(arguments: &UntilArguments) -> Self {
        let deadline = arguments.timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        Self { wanted: arguments.count, deadline }
    }

    /// Counts a message.
    pub(crate) fn count(&mut self) {
        if let Some(wanted) = &mut self.wanted {
            *wanted = wanted.saturating_sub(1);
        }
    }

    /// Whether there were as many as were asked for.
    pub(crate) fn is_reached(&self) -> bool {
        self.wanted == Some(0)
    }

    /// Waits for the deadline, for ever if there is none.
    pub(crate) async fn passed(&self) {
        match self.deadline {
            Some(deadline) => sleep_until(deadline).await,
            None => std::future::pending().await,
        }
    }

    /// What it ends with when the deadline has passed.
    pub(crate) fn outcome(&self) -> Result<(), Failure> {
        match self.wanted {
            None | Some(0) => Ok(()),
            Some(missing) => {
                let text = format!("the time is over, with {missing} of `--count` still to come");
                Err(Failure::new(exit_code::TRY_AGAIN, text))
            }
        }
    }
}

/// A message as the formatters take it.
pub(crate) fn delivery(message: &Message) -> Result<Delivery<'_>, Failure> {
    let unreadable =
        |error: &dyn std::error::Error| Failure::new(exit_code::INPUT_OUTPUT, error.to_string());
    let topic = |text| Topic::new(text).map_err(|error| unreadable(&error));
    Ok(Delivery {
        message_id: message.id(),
        sender: message.sender(),
        petname: message.petname(),
        device: message.device(),
        scope: message.scope(),
        protocol: kith_wire::Protocol::new(message.protocol())
            .map_err(|error| unreadable(&error))?,
        topic: topic(message.topic())?,
        sent_at_ms: message.sent_at_ms(),
        expires_at_ms: message.expires_at_ms(),
        reply_to: message.reply_to().map(topic).transpose()?,
        priority: message.priority(),
        retained: message.retained(),
        attempt: message.attempt(),
        headers: message.headers().clone(),
        sealed_bytes: None,
        payload: message.payload(),
    })
}

/// This moment, in milliseconds since the Unix epoch.
pub(crate) fn now_ms() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    u64::try_from(now.as_millis()).unwrap_or(u64::MAX)
}
