//! The post's side: the loop that drives it, on a thread and a runtime of its own.
//!
//! A round takes in everything that is there (what the broker hands on, what services have said,
//! what the disk has answered), has the post settle what that causes, and does it. Then it waits
//! for more, or for the moment that the post wants to be woken at.
//!
//! What services say comes by two subscriptions. Whatever they say of links is taken in before the
//! letters that came behind it, since a letter is judged by its link.

use super::files::{Files, Loading};
use crate::clock::Clock;
use crate::door::End;
use crate::limits::{POST_INPUTS_PER_ROUND_MAX, POST_LETTERS_PER_ROUND_MAX};
use futures_util::FutureExt;
use kith_plugins_api::contract::services::Stage;
use kith_plugins_api::contract::{
    CONNECTION, DISCONNECTED, ENDPOINT, FAILED, HEALTH, NODE_INFO, RECEIVED, SENT, SIGHTING, STATE,
};
use kith_plugins_api::{Bus, Inbox, Message, Moment, Start, SubscribeError};
use kith_post::{Input, Output, Post, Setup};
use kith_store::{Failure, Receipt};
use kith_store_disk::Disk;
use rustix::rand::{GetRandomFlags, getrandom};
use std::collections::BTreeSet;
use std::io;
use std::path::PathBuf;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::oneshot;

/// What the post's thread is told.
pub(super) enum Told {
    /// Something happened.
    Input(Box<Input>),
}

/// What the thread begins with.
pub(super) struct Begin {
    pub(super) files: Files,
    pub(super) loaded: Loading,
    pub(super) pipe: End,
    pub(super) inputs: UnboundedReceiver<Told>,
    pub(super) outputs: UnboundedSender<Output>,
    pub(super) clock: Clock,
    /// Told, by being dropped, when services are heard.
    pub(super) beginning: oneshot::Sender<()>,
    /// Told, by being dropped, when all is closed.
    pub(super) ending: oneshot::Sender<()>,
}

struct Serving {
    files: Files,
    loaded: Loading,
    pipe: End,
    inputs: UnboundedReceiver<Told>,
    outputs: UnboundedSender<Output>,
    clock: Clock,
    beginning: oneshot::Sender<()>,
}

/// Starts it. It ends when nobody can tell it anything any more.
pub(super) fn start(begin: Begin) -> io::Result<()> {
    let Begin { files, loaded, pipe, inputs, outputs, clock, beginning, ending } = begin;
    let serving = Serving { files, loaded, pipe, inputs, outputs, clock, beginning };
    std::thread::Builder::new().name("kith-post".to_owned()).spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let ended = match runtime {
            Ok(runtime) => runtime.block_on(run(serving)),
            Err(error) => Err(error.to_string()),
        };
        if let Err(error) = ended {
            tracing::error!(error, "the post has ended");
        }
        // The store is closed by now.
        drop(ending);
    })?;
    Ok(())
}

/// What services say.
struct Heard {
    transports: Inbox,
    letters: Inbox,
    stages: Inbox,
    healths: Inbox,
}

impl Heard {
    async fn new(bus: &Bus) -> Result<Self, SubscribeError> {
        Ok(Self {
            transports: bus.subscribe("kith/self.transports.*").await?,
            letters: bus.subscribe("kith/self.envelope.*").await?,
            stages: bus.subscribe("kith/self.services.state").await?,
            healths: bus.subscribe("kith/self.services.health").await?,
        })
    }
}

struct Loop {
    post: Post,
    files: Files,
    disk: Option<Disk>,
    committed: UnboundedSender<(u64, Result<Receipt, Failure>)>,
    outputs: UnboundedSender<Output>,
    clock: Clock,
    /// Services that run, and have not said how they are.
    silent: BTreeSet<String>,
}

async fn run(begin: Serving) -> Result<(), String> {
    let Serving { files, loaded, pipe, mut inputs, outputs, clock, beginning } = begin;
    let Loading { loaded, disk, device_name } = loaded;
    let post = Post::open(now(&clock), Setup { device_name }, loaded, Box::new(fill));
    let post = post.map_err(|error| error.to_string())?;
    let start = Start {
        name: "post".to_owned(),
        token: None,
        data_dir: PathBuf::new(),
        settings: serde_json::Value::Null,
        clock: kith_plugins_api::Clock::counted_from(Moment::from_unix_ms(now(&clock).unix_ms)),
        seed: 0,
    };
    let bus = Bus::connect(pipe, start).await.map_err(|error| error.to_string())?;
    let mut heard = Heard::new(&bus).await.map_err(|error| error.to_string())?;
    drop(beginning);
    let (committed, mut commits) = unbounded_channel();
    let mut turning =
        Loop { post, files, disk, committed, outputs, clock, silent: BTreeSet::new() };
    let mut told = Vec::new();
    loop {
        turning.perform();
        let due = turning.due();
        told.clear();
        let mut first = None;
        tokio::select! {
            biased;
            count = inputs.recv_many(&mut told, POST_INPUTS_PER_ROUND_MAX) => {
                if count == 0 {
                    return Ok(());
                }
            }
            answer = commits.recv() => turning.committed(answer),
            // None comes any more when the bus has ended.
            message = heard.transports.next() => match message {
                Some(message) => turning.hear(&message),
                None => return Ok(()),
            },
            message = heard.letters.next() => match message {
                Some(message) => first = Some(message),
                None => return Ok(()),
            },
            message = heard.stages.next() => match message {
                Some(message) => turning.hear(&message),
                None => return Ok(()),
            },
            message = heard.healths.next() => match message {
                Some(message) => turning.hear(&message),
                None => return Ok(()),
            },
            () = sleep_until(due) => {}
            () = bus.closed() => return Ok(()),
        }
        for Told::Input(input) in told.drain(..) {
            turning.handle(*input);
        }
        while let Ok(answer) = commits.try_recv() {
            turning.committed(Some(answer));
        }
        turning.hear_all(&mut heard, first);
    }
}

async fn sleep_until(due: Option<std::time::Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due.into()).await,
        None => std::future::pending().await,
    }
}

fn now(clock: &Clock) -> kith_post::Now {
    let now = clock.now();
    kith_post::Now { monotonic_ms: now.monotonic_ms, unix_ms: now.unix_ms }
}

/// The system's randomness. It has some from the first moment on, or this process would not run.
fn fill(bytes: &mut [u8]) {
    let mut at = 0;
    while let Some(rest) = bytes.get_mut(at..).filter(|rest| !rest.is_empty()) {
        at += getrandom(rest, GetRandomFlags::empty()).unwrap_or(0);
    }
}

impl Loop {
    fn handle(&mut self, input: Input) {
        self.post.handle(now(&self.clock), input);
    }

    fn committed(&mut self, answer: Option<(u64, Result<Receipt, Failure>)>) {
        let Some((ticket, result)) = answer else { return };
        if let Err(failure) = &result {
            tracing::warn!(%failure, "what is for others can't be stored: it waits");
        }
        self.handle(Input::Committed { ticket, result });
    }

    /// Takes in all that services have said: of links first.
    fn hear_all(&mut self, heard: &mut Heard, first: Option<Message>) {
        let mut letters = first;
        for _ in 0..POST_LETTERS_PER_ROUND_MAX {
            while let Some(Some(message)) = heard.transports.next().now_or_never() {
                self.hear(&message);
            }
            while let Some(Some(message)) = heard.stages.next().now_or_never() {
                self.hear(&message);
            }
            let next = letters.take().or_else(|| heard.letters.next().now_or_never().flatten());
            let Some(message) = next else { return };
            self.hear(&message);
        }
    }

    fn hear(&mut self, message: &Message) {
        if self.is_listening(message) == Some(true) {
            self.handle(Input::Started);
        }
        if let Some(input) = read(message) {
            self.handle(input);
        }
    }

    /// Whether a service says for the first time how it is: by then it has subscribed to what it
    /// wants to hear, which it may not have when it began to run.
    fn is_listening(&mut self, message: &Message) -> Option<bool> {
        let (protocol, payload) = (message.protocol(), message.payload());
        if message.topic() == HEALTH.name() {
            let health = HEALTH.read(protocol, payload).ok()?;
            return Some(self.silent.remove(&health.service));
        }
        if message.topic() == STATE.name() {
            let state = STATE.read(protocol, payload).ok()?;
            match state.state {
                Stage::Starting | Stage::Running => self.silent.insert(state.name),
                _ => self.silent.remove(&state.name),
            };
        }
        Some(false)
    }

    /// Does all that the post wants done.
    fn perform(&mut self) {
        loop {
            let Some(output) = self.post.poll_output(now(&self.clock)) else { return };
            match output {
                Output::Commit { ticket, batch } => self.commit(ticket, batch),
                Output::KeepKey(key) => {
                    if let Err(error) = self.files.keep_key(&key) {
                        tracing::error!(%error, "the identity key can't be written");
                    }
                }
                // Nobody to tell: the daemon ends.
                other => drop(self.outputs.send(other)),
            }
        }
    }

    fn commit(&mut self, ticket: u64, batch: kith_store::Batch) {
        if self.disk.is_none() {
            match self.files.open() {
                Ok(disk) => self.disk = Some(disk),
                Err(error) => {
                    let failure = Failure::InputOutput { text: error.to_string() };
                    let _ = self.committed.send((ticket, Err(failure)));
                    return;
                }
            }
        }
        let committed = self.committed.clone();
        if let Some(disk) = &self.disk {
            disk.commit(batch, move |result| {
                // Nobody to tell: the daemon ends.
                let _ = committed.send((ticket, result));
            });
        }
    }

    fn due(&self) -> Option<std::time::Instant> {
        self.post.poll_timeout().map(|due_ms| self.clock.instant(due_ms))
    }
}

/// What a service has said, if it is for the post.
fn read(message: &Message) -> Option<Input> {
    let (protocol, payload) = (message.protocol(), message.payload());
    let topic = message.topic();
    Some(if topic == RECEIVED.name() {
        Input::Received(RECEIVED.read(protocol, payload).ok()?)
    } else if topic == SENT.name() {
        Input::Sent(SENT.read(protocol, payload).ok()?)
    } else if topic == FAILED.name() {
        Input::Failed(FAILED.read(protocol, payload).ok()?)
    } else if topic == CONNECTION.name() {
        Input::Connection(CONNECTION.read(protocol, payload).ok()?)
    } else if topic == DISCONNECTED.name() {
        Input::Disconnected(DISCONNECTED.read(protocol, payload).ok()?)
    } else if topic == ENDPOINT.name() {
        Input::Endpoint(ENDPOINT.read(protocol, payload).ok()?)
    } else if topic == NODE_INFO.name() {
        Input::NodeInfo(NODE_INFO.read(protocol, payload).ok()?)
    } else if topic == SIGHTING.name() {
        Input::Sighting(SIGHTING.read(protocol, payload).ok()?)
    } else if topic == STATE.name() {
        let state = STATE.read(protocol, payload).ok()?;
        match state.state {
            Stage::Running => Input::Started,
            Stage::Starting => return None,
            _ => Input::Gone { service: state.name },
        }
    } else {
        return None;
    })
}
