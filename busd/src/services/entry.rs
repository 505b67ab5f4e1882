//! One service, as the host knows it: where it is from, what it asks for, how it is.

use super::inside::caught;
use super::instance::Instance;
use super::logs::Log;
use super::record::Granted;
use super::registry::{BuiltIn, Make};
use super::supervisor::{State, Supervisor};
use crate::configuration::Configured;
use crate::limits::MANIFEST_BYTES_MAX;
use kith_core::{ClientId, Usage};
use kith_plugins_api::Manifest;
use kith_wire::Token;
use rustix::fs::{Mode, OFlags, open};
use serde_json::{Value, json};
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// One service.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) source: Source,
    /// What the configuration says of it.
    pub(super) configured: Configured,
    /// As it was read last, or why it can't be.
    pub(super) manifest: Result<Manifest, String>,
    pub(super) is_enabled: bool,
    /// It is not configured any more, and leaves the list when it has ended.
    pub(super) is_gone: bool,
    /// Why it is not started although it is enabled, if that is for its manifest.
    pub(super) refused: Option<String>,
    pub(super) supervisor: Supervisor,
    pub(super) instance: Option<Running>,
    pub(super) log: Log,
    pub(super) health: Option<Value>,
    /// What its connections did that have ended.
    pub(super) past: Past,
}

/// What the connections of a service did that have ended.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Past {
    published: u64,
    delivered: u64,
    refused: u64,
    dropped: u64,
}

impl Past {
    /// Adds what another did.
    pub(super) fn add(&mut self, usage: Usage) {
        self.published += usage.published;
        self.delivered += usage.delivered;
        self.refused += usage.refused;
        self.dropped += usage.dropped;
    }
}

/// Where a service is from.
#[derive(Clone, Debug)]
pub(super) enum Source {
    BuiltIn(BuiltIn),
    External,
}

/// An instance that was started.
#[derive(Debug)]
pub(super) struct Running {
    /// Which start of all services it was.
    pub(super) number: u64,
    pub(super) instance: Instance,
    /// What its manifest asked for when it was started, which is what it may do.
    pub(super) granted: Granted,
    /// Unused until its connection has come.
    pub(super) token: Token,
    pub(super) client: Option<ClientId>,
    /// Since when it has run, in milliseconds since the epoch.
    pub(super) since_ms: u64,
    pub(super) watch: Watch,
}

/// What is known of its being alive.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Watch {
    /// How much had been delivered to it when it was asked last.
    pub(super) delivered: u64,
    pub(super) published: u64,
    /// It was asked and has not answered.
    pub(super) is_asked: bool,
    /// How often in a row it could not even be asked.
    pub(super) unasked: u32,
    /// Its connection has ended; so long it may take until it has.
    pub(super) ends_by_ms: Option<u64>,
}

impl Entry {
    pub(super) fn new(source: Source, configured: Configured, now_ms: u64) -> Self {
        Self {
            source,
            configured,
            manifest: Err("it has not been read".to_owned()),
            is_enabled: false,
            is_gone: false,
            refused: None,
            supervisor: Supervisor::new(now_ms),
            instance: None,
            log: Log::default(),
            health: None,
            past: Past::default(),
        }
    }

    /// What makes it, if it is built in.
    pub(super) fn make(&self) -> Option<&Make> {
        match &self.source {
            Source::BuiltIn(built_in) => built_in.make.as_ref(),
            Source::External => None,
        }
    }

    pub(super) fn is_built(&self) -> bool {
        matches!(self.source, Source::External) || self.make().is_some()
    }

    /// Reads what it asks for; `base` is where relative paths begin.
    pub(super) fn read_manifest(&mut self, name: &str, base: Option<&Path>) {
        self.manifest = match &self.source {
            Source::BuiltIn(BuiltIn { make: Some(make), .. }) => {
                // It runs here, where nobody else's code does.
                caught(|| make().manifest()).map_err(|text| format!("its manifest {text}"))
            }
            Source::BuiltIn(_) => Err("it was not built".to_owned()),
            Source::External => read_file(name, &self.configured, base),
        };
    }

    /// The connection, while there is one.
    pub(super) fn client(&self) -> Option<ClientId> {
        self.instance.as_ref()?.client
    }

    /// The word for how it is.
    pub(super) fn state(&self) -> &'static str {
        if !self.is_built() {
            return "not-built";
        }
        if self.refused.is_some() && !self.supervisor.has_instance() {
            return "refused";
        }
        match self.supervisor.state() {
            State::Disabled => "disabled",
            State::Starting => "starting",
            State::Running => "running",
            State::Stopping => "stopping",
            State::Waiting { .. } => "waiting",
            State::Failed => "failed",
        }
    }

    /// Why it is so.
    pub(super) fn reason(&self) -> Option<&str> {
        self.refused.as_deref().or_else(|| self.supervisor.reason())
    }

    /// All of it, for `services.list`. `granted` is what was granted when it was enabled, `usage`
    /// that of its connection; `to_unix_ms` puts a monotonic time among those since the epoch.
    pub(super) fn row(
        &self,
        name: &str,
        granted: Option<&Granted>,
        usage: Option<Usage>,
        to_unix_ms: impl Fn(u64) -> u64,
    ) -> Value {
        let manifest = self.manifest.as_ref().ok();
        let running = self.instance.as_ref();
        let mut all = self.past;
        all.add(usage.unwrap_or_default());
        let retry_at = match self.supervisor.state() {
            State::Waiting { until_ms } => Some(to_unix_ms(*until_ms)),
            _ => None,
        };
        let feature = match &self.source {
            Source::BuiltIn(built_in) => built_in.feature,
            Source::External => None,
        };
        let kind = if matches!(self.source, Source::External) { "external" } else { "built-in" };
        let roles = |manifest: &Manifest| -> Vec<_> {
            manifest.roles.iter().map(|role| role.name()).collect()
        };
        json!({
            "name": name,
            "state": self.state(),
            "kind": kind,
            "feature": feature,
            "version": manifest.map(|manifest| manifest.version.as_str()),
            "about": manifest.map(|manifest| manifest.about.as_str()),
            "roles": manifest.map(roles).unwrap_or_default(),
            "publishes": manifest.map(|it| it.publishes.as_slice()).unwrap_or_default(),
            "subscribes": manifest.map(|it| it.subscribes.as_slice()).unwrap_or_default(),
            "network": manifest.is_some_and(|manifest| manifest.network),
            "disk": manifest.is_some_and(|manifest| manifest.disk),
            "granted": granted,
            "enabled": self.is_enabled,
            "restarts": self.supervisor.restarts(),
            "since": running.map(|running| running.since_ms),
            "pid": running.and_then(|running| running.instance.pid()),
            "client": self.client().map(ClientId::serial),
            "published": all.published,
            "delivered": all.delivered,
            "refused": all.refused,
            "lost": all.dropped,
            "health": self.health,
            "reason": self.reason().or_else(|| self.manifest.as_ref().err().map(String::as_str)),
            "retry_at": retry_at,
        })
    }
}

/// Opens a file to be read, and nothing else that a path may be: a pipe would have the daemon wait.
fn open_file(path: &Path) -> io::Result<File> {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = File::from(open(path, flags, Mode::empty())?);
    if !file.metadata()?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no file"));
    }
    Ok(file)
}

/// The manifest of a program: beside it, or where the configuration says.
fn read_file(name: &str, of: &Configured, base: Option<&Path>) -> Result<Manifest, String> {
    let base = base.unwrap_or_else(|| Path::new("/"));
    let beside = || {
        let program = Path::new(of.command.first()?);
        let is_named = program.components().count() > 1;
        is_named.then(|| program.with_extension("toml"))
    };
    let Some(file) = of.manifest.clone().or_else(beside) else {
        return Err(format!(
            "it has no manifest: say where it is, with `manifest = \"FILE\"` in [services.{name}]"
        ));
    };
    let file: PathBuf = base.join(file);
    let shown = file.display();
    let mut text = String::new();
    open_file(&file)
        .and_then(|file| file.take(MANIFEST_BYTES_MAX).read_to_string(&mut text))
        .map_err(|error| format!("its manifest {shown} can't be read: {error}"))?;
    let manifest = Manifest::from_toml(&shown.to_string(), &text);
    let manifest = manifest.map_err(|error| error.to_string())?;
    if manifest.name != name {
        return Err(format!(
            "{shown}: `name` is \"{}\", and in the configuration it is [services.{name}]: give \
             both the same name",
            manifest.name
        ));
    }
    Ok(manifest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[test]
    fn a_built_in_that_panics_has_no_manifest() {
        let make: Make = Arc::new(|| panic!("at once"));
        let built_in = BuiltIn { name: "x".to_owned(), feature: None, make: Some(make) };
        let mut entry = Entry::new(Source::BuiltIn(built_in), Configured::default(), 0);
        entry.read_manifest("x", None);
        assert_eq!(entry.manifest.unwrap_err(), "its manifest panicked: at once");
    }

    #[test]
    fn a_manifest_is_a_file_and_no_pipe() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("x.toml");
        rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, Mode::RUSR | Mode::WUSR).unwrap();
        let configured = Configured { manifest: Some(pipe), ..Configured::default() };
        let refused = read_file("x", &configured, None).unwrap_err();
        assert!(refused.ends_with("x.toml can't be read: it is no file"), "{refused}");
    }

    #[test]
    fn what_was_not_built_says_what_would_build_it() {
        let built_in = BuiltIn { name: "x".to_owned(), feature: Some("service-x"), make: None };
        let mut entry = Entry::new(Source::BuiltIn(built_in), Configured::default(), 0);
        entry.read_manifest("x", None);
        let row = entry.row("x", None, None, |ms| ms);
        assert_eq!((&row["state"], &row["feature"]), (&json!("not-built"), &json!("service-x")));
        assert_eq!(
            (&row["kind"], &row["reason"]),
            (&json!("built-in"), &json!("it was not built"))
        );
        assert_eq!(row["granted"], Value::Null);
    }

    #[test]
    fn what_was_granted_stands_beside_what_is_asked_for() {
        let mut entry = Entry::new(Source::External, Configured::default(), 0);
        entry.manifest = Ok(Manifest::new("x", "2").publishes("x.>").publishes("y.>").network());
        let granted = Granted::all_of(&Manifest::new("x", "1").publishes("x.>"));
        let row = entry.row("x", Some(&granted), None, |ms| ms);
        assert_eq!((&row["publishes"], &row["network"]), (&json!(["x.>", "y.>"]), &json!(true)));
        let wanted = json!({
            "roles": [], "publishes": ["x.>"], "subscribes": [], "network": false, "disk": false,
        });
        assert_eq!(row["granted"], wanted);
    }
}
