//! The sign of life: what the daemon asks for, and what a service answers by doing its work.
//!
//! The daemon asks on a topic of the service's own, after it has delivered something. The answer
//! comes from wherever the service waits for something of the bus: the next message, a sleep, an
//! answer. Nothing answers in the background on its behalf; so a service that hangs in a loop, in
//! a system call or in a deadlock is seen to hang, and one that is merely idle is not.
//!
//! A service may wait in several tasks at once. Whoever waits leaves its waker here; a question
//! wakes all of them, and the first one that runs answers. The same stream tells when the bus has
//! ended: then everybody who waits is woken once more.

use crate::limits::READY_IN_A_ROW_MAX;
use futures_core::Stream;
use kith_client::{Client, Incoming, Loss, Publish, SubscribeError, Subscription, TryPostError};
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

/// The bus has ended: it said goodbye, or the connection is gone. A service that returns this from
/// its `run` has ended in good order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the bus has ended")]
pub struct Closed;

/// The heartbeat of one service.
#[derive(Debug)]
pub(crate) struct Heartbeat {
    client: Client,
    asked: Mutex<Asked>,
    waiting: Arc<Waiting>,
    /// Wakes everybody in `waiting`.
    waker: Waker,
    /// Things that were ready at once since the last look.
    ready: AtomicU32,
}

#[derive(Debug)]
struct Asked {
    questions: Subscription,
    /// Where an answer is wanted for which there was no room.
    unanswered: Option<String>,
    ended: Option<Ended>,
}

/// How the bus ended.
#[derive(Clone, Debug)]
pub(crate) struct Ended(pub(crate) Option<Loss>);

impl Heartbeat {
    /// Begins to answer what comes in `questions`.
    pub(crate) fn new(client: Client, questions: Subscription) -> Self {
        let waiting = Arc::new(Waiting::default());
        let waker = Waker::from(Arc::clone(&waiting));
        let asked = Mutex::new(Asked { questions, unanswered: None, ended: None });
        Self { client, asked, waiting, waker, ready: AtomicU32::new(0) }
    }

    /// Waits for `future`, and answers meanwhile.
    pub(crate) async fn attend<F: Future>(&self, future: F) -> F::Output {
        let mut future = pin!(future);
        let mut place = Place { waiting: &self.waiting, key: None };
        poll_fn(|context| {
            if let Poll::Ready(output) = future.as_mut().poll(context) {
                self.was_ready();
                return Poll::Ready(output);
            }
            place.take(context.waker());
            self.look();
            Poll::Pending
        })
        .await
    }

    /// The same, but only as long as there is a bus.
    pub(crate) async fn attend_while_open<F: Future>(
        &self,
        future: F,
    ) -> Result<F::Output, Closed> {
        let mut future = pin!(future);
        self.attend(poll_fn(|context| {
            if let Poll::Ready(output) = future.as_mut().poll(context) {
                return Poll::Ready(Ok(output));
            }
            // Looked at before it waits, since only who has looked is told of the end.
            self.look();
            if self.ended().is_some() { Poll::Ready(Err(Closed)) } else { Poll::Pending }
        }))
        .await
    }

    /// Something was done without waiting. Now and then that is a sign of life too.
    pub(crate) fn was_ready(&self) {
        if self.ready.fetch_add(1, Ordering::Relaxed) >= READY_IN_A_ROW_MAX {
            self.look();
        }
    }

    /// How the bus ended, if it has and somebody has looked since.
    pub(crate) fn ended(&self) -> Option<Ended> {
        self.lock().ended.clone()
    }

    /// Answers what was asked.
    pub(crate) fn look(&self) {
        self.ready.store(0, Ordering::Relaxed);
        let mut asked = self.lock();
        if asked.ended.is_some() {
            return;
        }
        let mut context = Context::from_waker(&self.waker);
        loop {
            if let Some(topic) = asked.unanswered.take()
                && !self.answer(&topic)
            {
                // Who waits is woken when there is room.
                asked.unanswered = Some(topic);
                return;
            }
            match Pin::new(&mut asked.questions).poll_next(&mut context) {
                Poll::Ready(Some(Incoming::Message(question))) => {
                    asked.unanswered = question.reply_to().map(str::to_owned);
                }
                Poll::Ready(Some(_)) => {}
                Poll::Ready(None) => {
                    let loss = match asked.questions.ended() {
                        Some(SubscribeError::Disconnected(loss)) => Some(loss),
                        _ => None,
                    };
                    asked.ended = Some(Ended(loss));
                    drop(asked);
                    self.waiting.wake_all();
                    return;
                }
                Poll::Pending => return,
            }
        }
    }

    /// Whether the answer is on its way, or needn't be.
    fn answer(&self, topic: &str) -> bool {
        let answered = self.client.try_post(&Publish::json(topic, "null"));
        !matches!(answered, Err(TryPostError::Full))
    }

    fn lock(&self) -> MutexGuard<'_, Asked> {
        // Whoever panicked with the lock held has at worst not answered.
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Who waits for something of the bus.
#[derive(Debug, Default)]
struct Waiting(Mutex<Wakers>);

#[derive(Debug, Default)]
struct Wakers {
    last_key: u64,
    all: Vec<(u64, Waker)>,
}

impl Waiting {
    fn wake_all(&self) {
        let all: Vec<Waker> = self.lock().all.iter().map(|(_, waker)| waker.clone()).collect();
        all.into_iter().for_each(Waker::wake);
    }

    fn lock(&self) -> MutexGuard<'_, Wakers> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Wake for Waiting {
    fn wake(self: Arc<Self>) {
        self.wake_all();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.wake_all();
    }
}

/// A place among those who wait; given up when the waiting ends.
struct Place<'a> {
    waiting: &'a Waiting,
    key: Option<u64>,
}

impl Place<'_> {
    fn take(&mut self, waker: &Waker) {
        let mut wakers = self.waiting.lock();
        let ours = |one: &&mut (u64, Waker)| Some(one.0) == self.key;
        if let Some((_, ours)) = wakers.all.iter_mut().find(ours) {
            ours.clone_from(waker);
            return;
        }
        wakers.last_key += 1;
        let key = wakers.last_key;
        wakers.all.push((key, waker.clone()));
        self.key = Some(key);
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        if let Some(key) = self.key {
            self.waiting.lock().all.retain(|(one, _)| *one != key);
        }
    }
}
