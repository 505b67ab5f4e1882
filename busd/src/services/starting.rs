//! Starting a service: what has to be right before, and what it is given.
//!
//! Its manifest is read anew for each start, and held against what was granted when it was enabled.
//! Then the broker is told of a token that makes one connection this service, and something is
//! started that knows it.

use super::entry::{Running, Watch};
use super::host::Host;
use super::inside::{Thread, caught};
use super::instance::{Instance, Reporter};
use super::process::{Process, Program};
use super::record::Granted;
use super::supervisor::{Action, Failure};
use crate::door::bring;
use crate::hub::Hub;
use crate::key;
use kith_plugins_api::{Clock, Manifest, Service, Start};
use kith_wire::Token;
use serde_json::Value;
use std::ffi::OsString;
use std::fs;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io;
use std::num::NonZeroU32;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;

impl Host {
    /// Starts a service. What comes of it at once may be the next thing to do.
    pub(super) fn start(&mut self, name: &str) -> Option<Action> {
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

    /// What it asks for, if that was granted.
    fn check(&mut self, name: &str) -> Result<Manifest, Unstarted> {
        let base = self.setup.base.clone();
        let granted = self.record.granted(name).cloned().unwrap_or_default();
        let entry = self.entry(name).map_err(|refusal| Unstarted::Refused(refusal.text))?;
        entry.read_manifest(name, base.as_deref());
        entry.refused = None;
        entry.health = None;
        let manifest = entry.manifest.clone().map_err(Unstarted::Refused)?;
        let missing = granted.missing(&manifest);
        if missing.is_empty() {
            return Ok(manifest);
        }
        Err(Unstarted::Refused(format!(
            "its manifest asks for more than was granted when it was enabled: {}; \
             `kith services enable {name}` grants it",
            missing.join(", ")
        )))
    }

    fn try_start(&mut self, name: &str) -> Result<Running, Unstarted> {
        let manifest = self.check(name)?;
        let rights = manifest.check().map_err(|error| Unstarted::Refused(error.to_string()))?;
        let base = self.setup.base.clone();
        let failed = |error: io::Error| Unstarted::Failed(Failure::new(error.to_string()));
        let token = key::draw().map_err(failed)?;
        let data_dir = own_folder(&self.setup.state, name)
            .map_err(|error| Unstarted::Failed(Failure::new(format!("its directory: {error}"))))?;
        self.starts += 1;
        let number = self.starts;
        let reporter = Reporter::new(name, number, self.events.clone());
        let entry = self.entry(name).map_err(|refusal| Unstarted::Refused(refusal.text))?;
        let per_second = NonZeroU32::new(entry.configured.publishes_per_second_max);
        let (make, configured) = (entry.make().cloned(), entry.configured.clone());
        self.hub.broker().expect_service(token.clone(), rights, per_second);
        let instance = match make {
            Some(make) => {
                let (name, token) = (name.to_owned(), Some(token.clone()));
                let (clock, settings, seed) = (Clock::system(), configured.settings, chance());
                let start = Start { name, token, data_dir, settings, clock, seed };
                let made = caught(|| make()).map_err(Failure::new);
                made.and_then(|service| inside(&self.hub, service, start, reporter))
            }
            None => {
                let environment = self.environment(name, &token, &data_dir, &configured.settings);
                let (command, folder) = (configured.command, data_dir);
                let program = Program { command, base, folder, environment };
                Process::start(&program, reporter).map(Instance::Process)
            }
        };
        let instance = instance.inspect_err(|_| self.hub.broker().forget_token(&token));
        let instance = instance.map_err(Unstarted::Failed)?;
        let since_ms = self.hub.now().unix_ms;
        let (granted, client, watch) = (Granted::all_of(&manifest), None, Watch::default());
        Ok(Running { number, instance, granted, token, client, since_ms, watch })
    }

    /// What a program is told.
    fn environment(
        &self,
        name: &str,
        token: &Token,
        data_dir: &Path,
        settings: &Value,
    ) -> Vec<(&'static str, OsString)> {
        vec![
            ("KITH_SOCKET", self.setup.socket.clone().into()),
            ("KITH_TOKEN", token.reveal().into()),
            ("KITH_SERVICE", name.into()),
            ("KITH_DATA_DIR", data_dir.into()),
            ("KITH_SETTINGS", settings.to_string().into()),
        ]
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
    service: Box<dyn Service>,
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
pub(super) fn chance() -> u64 {
    RandomState::new().build_hasher().finish()
}
