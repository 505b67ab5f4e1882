//! The store beside the broker: what it asks for goes to the writer's thread, and the answers come
//! back as a task's turns.
//!
//! The broker says what to write and read, and in which order; here is only the way there and
//! back. So the broker's thread never waits for the disk, and whoever has nothing to do with what
//! is stored does not notice how slow it is.

use crate::configuration::{Configuration, StoreKind};
use crate::directory::{Make, Standard, prepare};
use crate::exit_code;
use crate::hub::Hub;
use crate::limits::STORE_ANSWERS_PER_TURN_MAX;
use kith_core::{Limits, Loaded, Now, StoreAsk};
use kith_store::{Failure, Page, Receipt};
use kith_store_disk::{Disk, Kind, OpenError, Opened};
use std::cell::{OnceCell, RefCell};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Instant;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// The folder of the store's files in the state's directory.
const FOLDER: &str = "store";

/// Where the store is, and of which kind.
#[derive(Clone, Debug)]
pub(crate) struct Setup {
    directory: PathBuf,
    kind: Kind,
}

/// The way to the store.
#[derive(Debug)]
pub(crate) struct Keeper {
    setup: Setup,
    disk: OnceCell<Disk>,
    /// What is asked while it is opened, if it is.
    asked: RefCell<Option<Vec<StoreAsk>>>,
    answers: UnboundedSender<Answer>,
}

/// What the store says.
#[derive(Debug)]
pub(crate) enum Answer {
    Opened(Result<Disk, StoreError>),
    Committed(u64, Result<Receipt, Failure>),
    Scanned(u64, Result<Page, Failure>),
}

/// What the store says, in its order.
pub(crate) type Answers = UnboundedReceiver<Answer>;

/// The way to a store, and what is in it.
pub(crate) struct Found {
    keeper: Keeper,
    answers: Answers,
    loaded: Loaded,
}

/// Why there is no store.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// Its folder can't be made.
    #[error("the store: {text}")]
    Folder {
        /// Why not.
        text: String,
    },
    /// It can't be opened.
    #[error("the store: {0}")]
    Open(#[from] OpenError),
    /// It can't be read.
    #[error("the store: {0}")]
    Read(#[from] Failure),
}

/// The folder of the store's files.
pub(crate) fn folder(state: &Path) -> PathBuf {
    state.join(FOLDER)
}

impl StoreError {
    /// What the process ends with.
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Self::Folder { .. } | Self::Read(_) => exit_code::INPUT_OUTPUT,
            Self::Open(OpenError::Busy { .. }) => exit_code::UNAVAILABLE,
            Self::Open(OpenError::NotBuiltIn { .. } | OpenError::Newer { .. }) => {
                exit_code::CONFIGURATION
            }
            Self::Open(_) => exit_code::INPUT_OUTPUT,
        }
    }
}

/// Opens the store of a configuration, if it has one.
pub(crate) fn open(configuration: &Configuration) -> Result<Option<Found>, StoreError> {
    let setup = Setup::new(configuration.store, &configuration.state);
    setup.map(|setup| setup.open(&configuration.limits)).transpose()
}

impl Setup {
    /// The store of a configuration, if it has one.
    pub(crate) fn new(kind: StoreKind, state: &Path) -> Option<Self> {
        let kind = match kind {
            StoreKind::Sqlite => Kind::Sqlite,
            StoreKind::Sled => Kind::Sled,
            StoreKind::None => return None,
        };
        Some(Self { directory: folder(state), kind })
    }

    /// Opens the store and reads what is in it. Where there is none yet, it is made when something
    /// has to be stored: a daemon that nobody has store anything makes no file for it.
    pub(crate) fn open(self, limits: &Limits) -> Result<Found, StoreError> {
        let (sender, answers) = unbounded_channel();
        let (disk, loaded) = if has_files(&self.directory) {
            let (disk, loaded) = self.read(limits)?;
            (OnceCell::from(disk), loaded)
        } else if self.kind.is_built_in() {
            (OnceCell::new(), Loaded::default())
        } else {
            return Err(OpenError::NotBuiltIn { kind: self.kind }.into());
        };
        let asked = RefCell::new(None);
        let keeper = Keeper { setup: self, disk, asked, answers: sender };
        Ok(Found { keeper, answers, loaded })
    }

    fn read(&self, limits: &Limits) -> Result<(Disk, Loaded), StoreError> {
        let began = Instant::now();
        let disk = self.disk()?;
        let loaded = Loaded::read(&mut |scan| disk.scan_now(scan), limits)?;
        if loaded.damaged() > 0 {
            tracing::error!(
                records = loaded.damaged(),
                "records of the store can't be read and are left out: stop the daemon and run \
                 `kith store check`"
            );
        }
        tracing::info!(
            kind = self.kind.name(),
            consumers = loaded.consumers(),
            messages = loaded.messages(),
            retained = loaded.retained(),
            took_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX),
            "store"
        );
        Ok((disk, loaded))
    }

    /// Opens it, or makes it.
    fn disk(&self) -> Result<Disk, StoreError> {
        prepare(&self.directory, Make::All, Standard::Own)
            .map_err(|error| StoreError::Folder { text: error.to_string() })?;
        let (disk, opened) = Disk::open(&self.directory, self.kind)?;
        say_how_it_opened(&opened);
        Ok(disk)
    }
}

/// Whether there is a store: also one that can't be looked at, which is then said where it is
/// opened.
fn has_files(directory: &Path) -> bool {
    match std::fs::read_dir(directory) {
        Ok(mut entries) => entries.next().is_some(),
        Err(error) => error.kind() != ErrorKind::NotFound,
    }
}

fn say_how_it_opened(opened: &Opened) {
    if let Some(quarantine) = &opened.quarantined {
        tracing::error!("{quarantine}");
    }
}

impl Keeper {
    /// Hands on what the broker asks for. A store that was not there is made first, on a thread of
    /// its own: to make one takes several syncs.
    fn ask(&self, ask: StoreAsk) {
        if let Some(disk) = self.disk.get() {
            self.hand_on(disk, ask);
            return;
        }
        let mut asked = self.asked.borrow_mut();
        if let Some(asked) = asked.as_mut() {
            asked.push(ask);
            return;
        }
        let (setup, answers) = (self.setup.clone(), self.answers.clone());
        let open = move || {
            // Nobody to tell: the daemon ends.
            let _ = answers.send(Answer::Opened(setup.disk()));
        };
        *asked = Some(vec![ask]);
        let started = std::thread::Builder::new().name("store-opening".to_owned()).spawn(open);
        if let Err(error) = started {
            let text = format!("no thread to open the store: {error}");
            let _ = self.answers.send(Answer::Opened(Err(StoreError::Folder { text })));
        }
    }

    /// It is open, or can't be: then the next that is asked tries again.
    fn opened(&self, opened: Result<Disk, StoreError>) {
        let asked = self.asked.borrow_mut().take().unwrap_or_default();
        match opened {
            Ok(disk) => {
                let disk = self.disk.get_or_init(|| disk);
                asked.into_iter().for_each(|ask| self.hand_on(disk, ask));
            }
            Err(error) => {
                tracing::warn!(%error, "nothing can be stored");
                let failure = match error {
                    StoreError::Read(failure) | StoreError::Open(OpenError::Failure(failure)) => {
                        failure
                    }
                    other => Failure::InputOutput { text: other.to_string() },
                };
                asked.iter().for_each(|ask| self.refuse(ask, &failure));
            }
        }
    }

    fn refuse(&self, ask: &StoreAsk, failure: &Failure) {
        let answer = match ask {
            StoreAsk::Commit { ticket, .. } => Answer::Committed(*ticket, Err(failure.clone())),
            StoreAsk::Scan { ticket, .. } => Answer::Scanned(*ticket, Err(failure.clone())),
            _ => return,
        };
        let _ = self.answers.send(answer);
    }

    fn hand_on(&self, disk: &Disk, ask: StoreAsk) {
        let answers = self.answers.clone();
        match ask {
            StoreAsk::Commit { ticket, batch } => disk.commit(batch, move |answer| {
                let _ = answers.send(Answer::Committed(ticket, answer));
            }),
            StoreAsk::Scan { ticket, scan } => disk.scan(scan, move |answer| {
                let _ = answers.send(Answer::Scanned(ticket, answer));
            }),
            _ => {}
        }
    }
}

impl Hub {
    /// Hands on all that the broker asks of the store.
    pub(crate) fn ask_store(&self, now: Now) {
        let Some(keeper) = self.keeper.get() else { return };
        loop {
            let Some(ask) = self.broker().poll_store(now) else { return };
            keeper.ask(ask);
        }
    }

    /// The store is open, or can't be.
    fn opened(&self, opened: Result<Disk, StoreError>) {
        if let Some(keeper) = self.keeper.get() {
            keeper.opened(opened);
        }
    }

    /// Waits until all that was to be stored is, or could not be.
    pub(crate) async fn all_stored(&self) {
        loop {
            let stored = self.stored.notified();
            if self.keeper.get().is_none() || !self.broker().has_unstored() {
                return;
            }
            stored.await;
        }
    }

    /// Has a store from now on.
    pub(crate) fn keep_in(&self, found: Found) -> Answers {
        let Found { keeper, answers, loaded } = found;
        let left_out = self.broker().attach_store(self.now(), keeper.setup.kind.name(), loaded);
        if left_out > 0 {
            tracing::warn!(
                values = left_out,
                "kept values stay on the disk and are not served: `retained_messages_max` or \
                 `retained_bytes_max` leaves no room for them"
            );
        }
        // There is no other: this is done once, at the start.
        let _ = self.keeper.set(keeper);
        self.perform();
        answers
    }
}

/// Takes in what the store says. Runs for as long as the daemon.
pub(crate) async fn take_answers(hub: Rc<Hub>, answers: Option<Answers>) {
    let Some(mut answers) = answers else { return std::future::pending().await };
    let mut batch = Vec::new();
    while answers.recv_many(&mut batch, STORE_ANSWERS_PER_TURN_MAX).await > 0 {
        let now = hub.now();
        for answer in batch.drain(..) {
            match answer {
                Answer::Opened(opened) => hub.opened(opened),
                Answer::Committed(ticket, answer) => hub.broker().committed(now, ticket, answer),
                Answer::Scanned(ticket, answer) => hub.broker().scanned(now, ticket, answer),
            }
        }
        hub.perform_at(now);
        hub.stored.notify_waiters();
        // There may be more of it, and others come first.
        hub.next_round().await;
    }
}
