//! The host: it owns all services, on the broker's thread.
//!
//! Whatever happens comes in here one by one: what the broker tells, what instances report, what
//! people ask, and time. Each service's supervisor says what to do; this does it. Nothing in here
//! awaits; the loop around it (`mod.rs`) does.

use super::entry::{Entry, Running, Source, Watch};
use super::inside::Thread;
use super::instance::{Event, Instance, Reporter, What};
use super::process::{Process, Program};
use super::record::{Granted, Record};
use super::registry::BuiltIn;
use super::supervisor::{Action, Failure, State};
use crate::configuration::{Configured, Services};
use crate::door::bring;
use crate::hub::Hub;
use crate::key;
use crate::limits::{
    HEARTBEAT_MS, HEARTBEAT_TIMEOUT_MS, SERVICE_LEAVES_MS_MAX, SERVICE_UNASKED_MAX,
};
use crate::saved::Saved;
use kith_core::{ClientId, Usage};
use kith_plugins_api::{Clock, Start};
use kith_wire::{Code, Refusal};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::num::NonZeroU32;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use tokio::sync::mpsc;

/// What the host is told at the start.
#[derive(Clone, Debug, Default)]
pub(crate) struct Setup {
    /// Services that are built in, or could be.
    pub(crate) built_in: Vec<BuiltIn>,
    /// What the configuration says.
    pub(crate) configured: Services,
    /// Where relative paths in it begin.
    pub(crate) base: Option<PathBuf>,
    /// Where services keep what is theirs, and the host what was enabled.
    pub(crate) state: PathBuf,
    /// Where programs reach the bus.
    pub(crate) socket: PathBuf,
}

/// All services.
pub(super) struct Host {
    hub: Rc<Hub>,
    setup: Setup,
    pub(super) entries: BTreeMap<String, Entry>,
    record: Record,
    saved: Saved,
    events: mpsc::Sender<Event>,
    starts: u64,
    /// When it is looked next which services were sent something.
    sweep_at_ms: Option<u64>,
}

impl Host {
    pub(super) fn new(hub: Rc<Hub>, setup: Setup, events: mpsc::Sender<Event>) -> Self {
        let saved = Saved::new(&setup.state, "services.toml");
        let record = saved.load(Record::parse);
        let entries = BTreeMap::new();
        Self { hub, setup, entries, record, saved, events, starts: 0, sweep_at_ms: None }
    }

    fn now_ms(&self) -> u64 {
        self.hub.now().monotonic_ms
    }

    /// Takes what the configuration says from now on; at the start, too. What is enabled and has
    /// changed starts anew.
    pub(super) fn configure(&mut self, configured: Services) {
        let now_ms = self.now_ms();
        let mut wanted: BTreeMap<String, (Source, Configured)> = BTreeMap::new();
        for built_in in &self.setup.built_in {
            let of_it = configured.get(&built_in.name).cloned().unwrap_or_default();
            wanted.insert(built_in.name.clone(), (Source::BuiltIn(built_in.clone()), of_it));
        }
        for (name, of_it) in configured {
            if !of_it.command.is_empty() {
                wanted.insert(name, (Source::External, of_it));
            } else if !wanted.contains_key(&name) {
                tracing::warn!(
                    service = name,
                    "the configuration has no command for it, and none of this name is built in"
                );
            }
        }
        let gone: Vec<String> =
            self.entries.keys().filter(|name| !wanted.contains_key(*name)).cloned().collect();
        for name in gone {
            self.act(&name, |entry, now_ms| {
                entry.is_enabled = false;
                entry.supervisor.stop(now_ms, Some("it is not configured any more".to_owned()))
            });
        }
        for (name, (source, of_it)) in wanted {
            let is_new = !self.entries.contains_key(&name);
            let entry = self.entries.entry(name.clone());
            let entry = entry.or_insert_with(|| Entry::new(source.clone(), of_it.clone(), now_ms));
            let is_changed = entry.configured != of_it;
            (entry.source, entry.configured) = (source, of_it);
            entry.read_manifest(&name, self.setup.base.as_deref());
            if is_new || is_changed {
                entry.is_enabled = self.record.granted(&name).is_some();
                if entry.is_enabled {
                    self.act(&name, |entry, now_ms| entry.supervisor.restart(now_ms));
                }
            }
        }
    }

    /// Grants a service what it asks for, and starts it.
    pub(super) fn enable(&mut self, name: &str) -> Result<(), Refusal> {
        let base = self.setup.base.clone();
        let entry = self.entry(name)?;
        if let Source::BuiltIn(BuiltIn { make: None, feature, .. }) = &entry.source {
            let feature = feature.unwrap_or_default();
            let text =
                format!("`{name}` was not built: build the daemon with `--features {feature}`");
            return Err(Refusal::new(Code::NotAvailable, text));
        }
        entry.read_manifest(name, base.as_deref());
        let refused = |text: String| Refusal::new(Code::BadField, text);
        let manifest = entry.manifest.as_ref().map_err(|text| refused(text.clone()))?;
        manifest.check().map_err(|error| refused(error.to_string()))?;
        let granted = Granted::all_of(manifest);
        entry.is_enabled = true;
        let mut record = self.record.clone();
        record.enable(name, granted);
        self.keep(record)?;
        tracing::info!(service = name, "enabled");
        self.act(name, |entry, now_ms| entry.supervisor.start(now_ms));
        Ok(())
    }

    /// Takes back what a service was granted, and stops it.
    pub(super) fn disable(&mut self, name: &str) -> Result<(), Refusal> {
        self.entry(name)?.is_enabled = false;
        let mut record = self.record.clone();
        record.disable(name);
        self.keep(record)?;
        tracing::info!(service = name, "disabled");
        self.act(name, |entry, now_ms| {
            entry.refused = None;
            entry.supervisor.stop(now_ms, None)
        });
        Ok(())
    }

    /// Starts a service anew, with a clean slate.
    pub(super) fn restart(&mut self, name: &str) -> Result<(), Refusal> {
        if !self.entry(name)?.is_enabled {
            let text = format!("`{name}` is not enabled: `kith services enable {name}`");
            return Err(Refusal::new(Code::NotAvailable, text));
        }
        self.act(name, |entry, now_ms| entry.supervisor.restart(now_ms));
        Ok(())
    }

    pub(super) fn entry(&mut self, name: &str) -> Result<&mut Entry, Refusal> {
        self.entries.get_mut(name).ok_or_else(|| {
            let text = "there is no service of this name: `kith services` lists them";
            Refusal::new(Code::NotAvailable, text)
        })
    }

    fn keep(&mut self, record: Record) -> Result<(), Refusal> {
        let text = record.text().map_err(io::Error::other);
        if let Err(error) = text.and_then(|text| self.saved.store(&text)) {
            let text = format!("what is enabled can't be kept: {error}");
            return Err(Refusal::new(Code::NotAvailable, text));
        }
        self.record = record;
        Ok(())
    }

    /// All rows, or that of one service.
    pub(super) fn rows(&self, name: Option<&str>) -> Vec<Value> {
        let now = self.hub.now();
        let to_unix_ms = |ms: u64| now.unix_ms.saturating_add(ms).saturating_sub(now.monotonic_ms);
        let wanted = self.entries.iter().filter(|(one, _)| name.is_none_or(|name| name == *one));
        wanted.map(|(name, entry)| entry.row(name, self.usage(entry), to_unix_ms)).collect()
    }

    fn usage(&self, entry: &Entry) -> Option<Usage> {
        self.hub.broker().usage(entry.client()?)
    }

    /// Has a supervisor decide, does what it says, and tells who listens if that changed anything.
    pub(super) fn act(
        &mut self,
        name: &str,
        decide: impl FnOnce(&mut Entry, u64) -> Option<Action>,
    ) {
        let now_ms = self.now_ms();
        let Some(entry) = self.entries.get_mut(name) else { return };
        let before = (entry.state(), entry.reason().map(str::to_owned));
        let mut action = decide(entry, now_ms);
        while let Some(next) = action.take() {
            action = self.perform(name, next);
        }
        let Some(entry) = self.entries.get(name) else { return };
        let after = (entry.state(), entry.reason().map(str::to_owned));
        if before != after {
            self.tell(name, after.0, after.1.as_deref());
        }
    }

    fn tell(&self, name: &str, state: &'static str, reason: Option<&str>) {
        match (state, reason) {
            ("failed" | "refused", _) => tracing::error!(service = name, reason, "{state}"),
            ("waiting", _) => tracing::warn!(service = name, reason, "failed, and starts again"),
            _ => tracing::info!(service = name, reason, "{state}"),
        }
        let mut payload = json!({"name": name, "state": state});
        if let (Some(reason), Value::Object(fields)) = (reason, &mut payload) {
            // As much as the contract allows.
            let reason: String = reason.chars().filter(|c| !c.is_control()).take(250).collect();
            fields.insert("reason".to_owned(), reason.into());
        }
        let (mut broker, now) = (self.hub.broker(), self.hub.now());
        broker.announce_contract(now, "services.state", || payload.to_string());
        drop(broker);
        self.hub.perform();
    }

    /// Does what a supervisor said. What comes of it at once may be the next thing to do.
    fn perform(&mut self, name: &str, action: Action) -> Option<Action> {
        match action {
            Action::Start => self.start(name),
            Action::Dismiss => {
                let entry = self.entries.get_mut(name)?;
                let running = entry.instance.as_ref()?;
                let mut broker = self.hub.broker();
                broker.forget_token(&running.token);
                if let Some(client) = running.client {
                    broker.dismiss(client, Code::ShuttingDown, "the service is to end");
                }
                drop(broker);
                self.hub.perform();
                None
            }
            Action::Terminate | Action::Kill => {
                let now_ms = self.now_ms();
                let entry = self.entries.get_mut(name)?;
                let how = entry.instance.as_mut()?.instance.act(action)?;
                entry.instance = None;
                entry.supervisor.refuse(now_ms, how.reason);
                None
            }
        }
    }

    fn start(&mut self, name: &str) -> Option<Action> {
        let started = self.try_start(name);
        let now_ms = self.now_ms();
        let entry = self.entries.get_mut(name)?;
        match started {
            Ok(running) => {
                entry.instance = Some(running);
                None
            }
            Err(Unstarted::Refused(reason)) => {
                entry.refused = Some(reason);
                entry.supervisor.refuse(now_ms, "refused".to_owned());
                None
            }
            Err(Unstarted::Failed(failure)) => entry.supervisor.ended(now_ms, failure, chance()),
        }
    }

    fn try_start(&mut self, name: &str) -> Result<Running, Unstarted> {
        let base = self.setup.base.clone();
        let entry =
            self.entries.get_mut(name).ok_or_else(|| Unstarted::Refused("gone".to_owned()))?;
        entry.read_manifest(name, base.as_deref());
        entry.refused = None;
        entry.health = None;
        let manifest = entry.manifest.clone().map_err(Unstarted::Refused)?;
        let rights = manifest.check().map_err(|error| Unstarted::Refused(error.to_string()))?;
        let granted = self.record.granted(name).cloned().unwrap_or_default();
        let missing = granted.missing(&manifest);
        if !missing.is_empty() {
            return Err(Unstarted::Refused(format!(
                "its manifest asks for more than was granted when it was enabled: {}; \
                 `kith services enable {name}` grants it",
                missing.join(", ")
            )));
        }
        let failed = |error: io::Error| Unstarted::Failed(Failure::new(error.to_string()));
        let token = key::draw().map_err(failed)?;
        let data_dir = own_folder(&self.setup.state, name)
            .map_err(|error| Unstarted::Failed(Failure::new(format!("its directory: {error}"))))?;
        self.starts += 1;
        let number = self.starts;
        let reporter = Reporter::new(name, number, self.events.clone());
        let per_second = NonZeroU32::new(entry.configured.publishes_per_second_max);
        self.hub.broker().expect_service(token.clone(), rights, per_second);
        let instance = match entry.make() {
            Some(make) => {
                let start = Start {
                    name: name.to_owned(),
                    token: Some(token.clone()),
                    data_dir,
                    settings: entry.configured.settings.clone(),
                    clock: Clock::system(),
                    seed: chance(),
                };
                inside(&self.hub, make(), start, reporter)
            }
            None => {
                let program = Program {
                    command: entry.configured.command.clone(),
                    base,
                    environment: vec![
                        ("KITH_SOCKET", self.setup.socket.clone().into()),
                        ("KITH_TOKEN", token.reveal().into()),
                        ("KITH_SERVICE", name.into()),
                        ("KITH_DATA_DIR", data_dir.clone().into()),
                        ("KITH_SETTINGS", entry.configured.settings.to_string().into()),
                    ],
                    folder: data_dir,
                };
                Process::start(&program, reporter).map(Instance::Process)
            }
        };
        let instance = instance.inspect_err(|_| self.hub.broker().forget_token(&token));
        let instance = instance.map_err(Unstarted::Failed)?;
        let since_ms = self.hub.now().unix_ms;
        let (client, usage, watch) = (None, Usage::default(), Watch::default());
        Ok(Running { number, instance, token, client, since_ms, usage, watch })
    }

    /// Takes what an instance reports.
    pub(super) fn hear(&mut self, event: Event) {
        let Event { service, instance, what } = event;
        let now = self.hub.now();
        let Some(entry) = self.entries.get_mut(&service) else { return };
        let is_present = entry.instance.as_ref().is_some_and(|running| running.number == instance);
        match what {
            What::Line(text) => {
                let lines = entry.log.add(now.unix_ms, &text);
                for line in lines {
                    tracing::info!(service, "{}", line.text);
                    let json = || {
                        json!({"name": service, "at": line.at_ms, "text": line.text}).to_string()
                    };
                    self.hub.broker().announce_contract(now, "services.log", json);
                }
                self.hub.perform();
            }
            What::Ended(how) if is_present => {
                if let Some(running) = entry.instance.take() {
                    let mut broker = self.hub.broker();
                    broker.forget_token(&running.token);
                    if let Some(client) = running.client {
                        broker.close(client);
                    }
                    drop(broker);
                    self.hub.perform();
                }
                let is_gone = !self.is_wanted(&service);
                self.act(&service, |entry, now_ms| entry.supervisor.ended(now_ms, how, chance()));
                if is_gone {
                    self.entries.remove(&service);
                }
            }
            What::Ended(_) => {}
        }
    }

    /// Whether the configuration, or the daemon, still has it.
    fn is_wanted(&self, name: &str) -> bool {
        let Some(entry) = self.entries.get(name) else { return false };
        entry.reason() != Some("it is not configured any more")
    }

    /// A service has come.
    pub(super) fn entered(&mut self, name: &str, client: ClientId) {
        self.hub.watch(client);
        if let Some(running) = self.entries.get_mut(name).and_then(|one| one.instance.as_mut()) {
            running.client = Some(client);
        }
    }

    /// The connection of a service has ended.
    pub(super) fn left(&mut self, name: &str, client: ClientId) {
        let now_ms = self.now_ms();
        let Some(entry) = self.entries.get_mut(name) else { return };
        let Some(running) = entry.instance.as_mut().filter(|one| one.client == Some(client)) else {
            return;
        };
        running.client = None;
        // What it says of its end comes with that.
        running.watch.ends_by_ms = Some(now_ms + SERVICE_LEAVES_MS_MAX);
    }

    /// A service was cut off for what it said.
    pub(super) fn cut_off(&mut self, client: ClientId, code: Code) {
        let Some(name) = self.of(client) else { return };
        let rate = self.entries.get(&name).map(|entry| entry.configured.publishes_per_second_max);
        let reason = match (code, rate) {
            (Code::QuotaRate, Some(rate)) => {
                format!("floods the bus: more than {rate} messages a second, and goes on")
            }
            (code, _) => format!("was cut off: {code}"),
        };
        self.act(&name, |entry, now_ms| entry.supervisor.fail(now_ms, Failure::new(reason)));
    }

    /// The name of the service that a connection is.
    pub(super) fn of(&self, client: ClientId) -> Option<String> {
        let mut all = self.entries.iter();
        all.find(|(_, entry)| entry.client() == Some(client)).map(|(name, _)| name.clone())
    }

    /// A service has answered its heartbeat, or has not.
    pub(super) fn heartbeat(&mut self, client: ClientId, is_alive: bool) {
        let Some(name) = self.of(client) else { return };
        let running = self.entries.get_mut(&name).and_then(|entry| entry.instance.as_mut());
        if let Some(running) = running {
            running.watch.is_asked = false;
        }
        if !is_alive {
            let seconds = HEARTBEAT_TIMEOUT_MS / 1000;
            let reason = format!("hangs: it did not answer its heartbeat within {seconds} s");
            self.act(&name, |entry, now_ms| entry.supervisor.fail(now_ms, Failure::new(reason)));
        }
    }

    /// A service says how it is.
    pub(super) fn health(&mut self, client: ClientId, payload: &str) {
        let Some(name) = self.of(client) else { return };
        let said = serde_json::from_str(payload).ok();
        let Some(entry) = self.entries.get_mut(&name) else { return };
        entry.health = said.map(|mut said: Value| {
            if let Value::Object(fields) = &mut said {
                fields.remove("service");
            }
            said
        });
    }

    /// Services were sent something: they are asked soon whether they live.
    pub(super) fn stir(&mut self) {
        let at_ms = self.now_ms() + HEARTBEAT_MS;
        self.sweep_at_ms.get_or_insert(at_ms);
    }

    /// When time matters next.
    pub(super) fn poll_timeout(&self) -> Option<u64> {
        let of_each = self.entries.values().flat_map(|entry| {
            let leaves = entry.instance.as_ref().and_then(|running| running.watch.ends_by_ms);
            [entry.supervisor.poll_timeout(), leaves]
        });
        of_each.flatten().chain(self.sweep_at_ms).min()
    }

    /// Does what is due.
    pub(super) fn handle_timeout(&mut self) {
        let now_ms = self.now_ms();
        let names: Vec<String> = self.entries.keys().cloned().collect();
        for name in &names {
            self.act(name, |entry, now_ms| {
                let watch = entry.instance.as_mut().map(|running| &mut running.watch);
                if let Some(watch) = watch
                    && watch.ends_by_ms.is_some_and(|due_ms| due_ms <= now_ms)
                {
                    watch.ends_by_ms = None;
                    let failure = Failure::new("closed its connection and did not end");
                    return entry.supervisor.fail(now_ms, failure);
                }
                entry.supervisor.handle_timeout(now_ms)
            });
        }
        if self.sweep_at_ms.is_some_and(|due_ms| due_ms <= now_ms) {
            self.sweep_at_ms = None;
            self.hub.rest();
            names.iter().for_each(|name| self.sweep(name));
            self.hub.perform();
        }
    }

    /// Asks a service whether it lives, if it was sent something since it was asked last.
    fn sweep(&mut self, name: &str) {
        let now = self.hub.now();
        let Some(entry) = self.entries.get_mut(name) else { return };
        if *entry.supervisor.state() != State::Running {
            return;
        }
        let Some(running) = entry.instance.as_mut() else { return };
        let Some(client) = running.client else { return };
        let mut broker = self.hub.broker();
        let usage = broker.usage(client).unwrap_or_default();
        let watch = &mut running.watch;
        let has_spoken = usage.published != watch.published;
        let is_idle = usage.delivered == watch.delivered && usage.queued_messages == 0;
        watch.published = usage.published;
        if watch.is_asked || is_idle {
            return;
        }
        if broker.ask_heartbeat(now, client, HEARTBEAT_TIMEOUT_MS) {
            watch.is_asked = true;
            watch.unasked = 0;
            watch.delivered = broker.usage(client).unwrap_or_default().delivered;
            return;
        }
        drop(broker);
        // Its queue is full, or it has ended its subscription.
        watch.unasked = if has_spoken { 0 } else { watch.unasked + 1 };
        let is_stuck = SERVICE_UNASKED_MAX <= watch.unasked;
        self.hub.stir();
        if is_stuck {
            let failure = Failure::new("hangs: it does not take what is sent to it");
            self.act(name, |entry, now_ms| entry.supervisor.fail(now_ms, failure));
        }
    }

    /// Has all of them end, and keeps what is enabled.
    pub(super) fn stop_all(&mut self) {
        let names: Vec<String> = self.entries.keys().cloned().collect();
        for name in names {
            self.act(&name, |entry, now_ms| entry.supervisor.stop(now_ms, None));
        }
    }

    /// Whether any is still there.
    pub(super) fn has_instances(&self) -> bool {
        self.entries.values().any(|entry| entry.instance.is_some())
    }
}

/// Why a service was not started.
enum Unstarted {
    /// Somebody has to do something first.
    Refused(String),
    Failed(Failure),
}

/// Starts a service in this process.
fn inside(
    hub: &Rc<Hub>,
    service: Box<dyn kith_plugins_api::Service>,
    start: Start,
    reporter: Reporter,
) -> Result<Instance, Failure> {
    let stream = bring(hub).map_err(|refusal| Failure::new(refusal.text))?;
    let thread = Thread::start(service, stream, start, reporter);
    thread.map(Instance::Thread).map_err(|error| Failure::new(format!("no thread: {error}")))
}

/// A service's own directory.
fn own_folder(state: &Path, name: &str) -> io::Result<PathBuf> {
    let folder = state.join("services").join(name);
    fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder)?;
    fs::canonicalize(folder)
}

/// Any number: nothing that is secret hangs on it.
fn chance() -> u64 {
    use std::hash::{BuildHasher, Hasher, RandomState};
    RandomState::new().build_hasher().finish()
}
