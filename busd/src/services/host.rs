//! The host: it owns all services, on the broker's thread.
//!
//! Whatever happens comes in here one by one: what the broker tells, what instances report, what
//! people ask, and time. Each service's supervisor says what to do; this does it. Nothing in here
//! awaits; the loop around it (`mod.rs`) does. How one is started is in `starting.rs`, and what
//! those do that run in `alive.rs`.

use super::entry::{Entry, Source};
use super::instance::Event;
use super::record::{Granted, Record};
use super::registry::BuiltIn;
use super::supervisor::Action;
use crate::configuration::{Configured, Services};
use crate::hub::Hub;
use crate::saved::Saved;
use kith_contract::limits::TEXT_BYTES_MAX;
use kith_core::Usage;
use kith_wire::{Code, Refusal};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
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
    pub(super) hub: Rc<Hub>,
    pub(super) setup: Setup,
    pub(super) entries: BTreeMap<String, Entry>,
    pub(super) record: Record,
    saved: Saved,
    pub(super) events: mpsc::Sender<Event>,
    pub(super) starts: u64,
    /// When it is looked next which services were sent something.
    pub(super) sweep_at_ms: Option<u64>,
    /// The daemon ends: nothing is started any more.
    is_stopping: bool,
}

impl Host {
    pub(super) fn new(hub: Rc<Hub>, setup: Setup, events: mpsc::Sender<Event>) -> Self {
        let saved = Saved::new(&setup.state, "services.toml");
        let record = saved.load(Record::parse);
        let entries = BTreeMap::new();
        Self {
            hub,
            setup,
            entries,
            record,
            saved,
            events,
            starts: 0,
            sweep_at_ms: None,
            is_stopping: false,
        }
    }

    pub(super) fn now_ms(&self) -> u64 {
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
                (entry.is_enabled, entry.is_gone) = (false, true);
                entry.supervisor.stop(now_ms, Some("it is not configured any more".to_owned()))
            });
            self.forget_if_gone(&name);
        }
        for (name, (source, of_it)) in wanted {
            let is_new = !self.entries.contains_key(&name);
            let entry = self.entries.entry(name.clone());
            let entry = entry.or_insert_with(|| Entry::new(source.clone(), of_it.clone(), now_ms));
            // One that had gone and has not ended yet begins anew then.
            let is_changed = entry.configured != of_it || entry.is_gone;
            entry.is_gone = false;
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

    /// Has one leave the list that is not configured any more, once it has ended.
    pub(super) fn forget_if_gone(&mut self, name: &str) {
        let is_over = |entry: &Entry| entry.is_gone && entry.instance.is_none();
        if self.entries.get(name).is_some_and(is_over) {
            self.entries.remove(name);
        }
    }

    /// Grants a service what it asks for, and starts it; anew, if it runs with other rights.
    /// `asked` is what somebody saw that it asks for, who agreed to no more.
    pub(super) fn enable(&mut self, name: &str, asked: Option<&Granted>) -> Result<(), Refusal> {
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
        if asked.is_some_and(|asked| *asked != granted) {
            return Err(refused(format!(
                "the manifest of `{name}` has changed meanwhile: look again at what it asks for, \
                 `kith services list {name}`"
            )));
        }
        // The rights of a connection are those with which it was started.
        let has_others = entry.instance.as_ref().is_some_and(|one| one.granted != granted);
        let mut record = self.record.clone();
        record.enable(name, granted);
        self.keep(record)?;
        self.entry(name)?.is_enabled = true;
        tracing::info!(service = name, "enabled");
        self.act(name, |entry, now_ms| match has_others {
            true => entry.supervisor.restart(now_ms),
            false => entry.supervisor.start(now_ms),
        });
        Ok(())
    }

    /// Takes back what a service was granted, and stops it.
    pub(super) fn disable(&mut self, name: &str) -> Result<(), Refusal> {
        self.entry(name)?;
        let mut record = self.record.clone();
        record.disable(name);
        self.keep(record)?;
        tracing::info!(service = name, "disabled");
        self.act(name, |entry, now_ms| {
            (entry.is_enabled, entry.refused) = (false, None);
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

    /// Whether anything may be changed.
    ///
    /// # Errors
    /// If the daemon stops.
    pub(super) fn check_running(&self) -> Result<(), Refusal> {
        if self.is_stopping {
            return Err(Refusal::new(Code::ShuttingDown, "the daemon is shutting down"));
        }
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

    /// Reads again what those ask for that do not run: their programs may have been replaced.
    pub(super) fn look(&mut self) {
        let base = self.setup.base.as_deref();
        for (name, entry) in &mut self.entries {
            if !entry.supervisor.has_instance() {
                entry.read_manifest(name, base);
            }
        }
    }

    /// All rows, or that of one service.
    pub(super) fn rows(&self, name: Option<&str>) -> Vec<Value> {
        let now = self.hub.now();
        let to_unix_ms = |ms: u64| now.unix_ms.saturating_add(ms).saturating_sub(now.monotonic_ms);
        let wanted = self.entries.iter().filter(|(one, _)| name.is_none_or(|name| name == *one));
        let row = |(name, entry): (&String, &Entry)| {
            entry.row(name, self.record.granted(name), self.usage(entry), to_unix_ms)
        };
        wanted.map(row).collect()
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
            // It is for the daemon's end, and starts with it again.
            ("disabled", None) if self.is_stopping => tracing::info!(service = name, "stopped"),
            ("disabled", _) if self.is_stopping => {
                tracing::error!(service = name, reason, "did not stop");
            }
            ("failed" | "refused", _) => tracing::error!(service = name, reason, "{state}"),
            ("waiting", _) => tracing::warn!(service = name, reason, "failed, and starts again"),
            _ => tracing::info!(service = name, reason, "{state}"),
        }
        let mut payload = json!({"name": name, "state": state});
        if let (Some(reason), Value::Object(fields)) = (reason, &mut payload) {
            fields.insert("reason".to_owned(), sentence(reason).into());
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

    /// Has all of them end, and keeps what is enabled.
    pub(super) fn stop_all(&mut self) {
        self.is_stopping = true;
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

/// As much of a reason as the contract has room for, on one line.
fn sentence(reason: &str) -> String {
    let mut text: String = reason.split_whitespace().collect::<Vec<_>>().join(" ");
    text.retain(|c| !c.is_control());
    text.truncate(text.floor_char_boundary(TEXT_BYTES_MAX));
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use kith_contract::STATE;
    use kith_contract::services::{Stage, State};

    #[test]
    fn any_reason_fits_the_contract() {
        for reason in ["", "a\n  b\tc\u{1b}[31m", &"😀".repeat(1_000), &"x".repeat(1_000)] {
            let state = State {
                name: "a".to_owned(),
                state: Stage::Failed,
                reason: Some(sentence(reason)),
            };
            let payload = STATE.json(&state);
            STATE.read("ms", payload.as_bytes()).unwrap();
        }
        assert_eq!(sentence("a\n  b\tc\u{1b}[31m"), "a b c[31m");
    }
}
