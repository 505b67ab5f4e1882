//! What services do while they run: they come, say lines, say how they are, answer heartbeats or do
//! not, and end.
//!
//! A service is asked whether it lives only after something was sent to it. So one that has nothing
//! to do is left alone, and one that hangs is found when that begins to matter.

use super::host::Host;
use super::instance::{Event, What};
use super::logs::Line;
use super::starting::chance;
use super::supervisor::{Failure, State};
use crate::limits::{
    HEARTBEAT_MS, HEARTBEAT_TIMEOUT_MS, SERVICE_LEAVES_MS_MAX, SERVICE_UNASKED_MAX,
};
use kith_core::{ClientId, Usage};
use kith_wire::Code;
use serde_json::{Value, json};
use tracing::Level;

impl Host {
    /// Takes what an instance reports.
    pub(super) fn hear(&mut self, event: Event) {
        let Event { service, instance, what } = event;
        let now = self.hub.now();
        let Some(entry) = self.entries.get_mut(&service) else { return };
        let is_present = entry.instance.as_ref().is_some_and(|running| running.number == instance);
        match what {
            What::Line(text) => {
                let lines = entry.log.add(now.unix_ms, &text);
                self.say(&service, lines);
            }
            What::Ended(how) if is_present => {
                let left_out = entry.log.left_out(now.unix_ms);
                if let Some(running) = entry.instance.take() {
                    let mut broker = self.hub.broker();
                    broker.forget_token(&running.token);
                    if let Some(client) = running.client {
                        broker.close(client);
                    }
                    drop(broker);
                    self.hub.perform();
                }
                self.say(&service, left_out);
                self.act(&service, |entry, now_ms| entry.supervisor.ended(now_ms, how, chance()));
                self.forget_if_gone(&service);
            }
            What::Ended(_) => {}
        }
    }

    /// Has lines of a service logged, and told to who listens.
    fn say(&self, service: &str, lines: Vec<Line>) {
        for Line { at_ms, text } in lines {
            match leveled(&text) {
                (Level::ERROR, said) => tracing::error!(service, "{said}"),
                (Level::WARN, said) => tracing::warn!(service, "{said}"),
                (Level::DEBUG, said) => tracing::debug!(service, "{said}"),
                (_, said) => tracing::info!(service, "{said}"),
            }
            let json = || json!({"name": service, "at": at_ms, "text": text}).to_string();
            self.hub.broker().announce_contract(self.hub.now(), "services.log", json);
        }
        self.hub.perform();
    }

    /// A service has come.
    pub(super) fn entered(&mut self, name: &str, client: ClientId) {
        self.hub.watch(client);
        if let Some(running) = self.entries.get_mut(name).and_then(|one| one.instance.as_mut()) {
            running.client = Some(client);
        }
    }

    /// The connection of a service has ended.
    pub(super) fn left(&mut self, name: &str, client: ClientId, usage: Usage) {
        let now_ms = self.now_ms();
        let Some(entry) = self.entries.get_mut(name) else { return };
        let Some(running) = entry.instance.as_mut().filter(|one| one.client == Some(client)) else {
            return;
        };
        running.client = None;
        entry.past.add(usage);
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
            // One that can't be ended is let go.
            self.forget_if_gone(name);
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
}

/// The level that a line says it has, and what it says beside that. Services in Rust write it
/// first, as many other programs do.
fn leveled(line: &str) -> (Level, &str) {
    let (first, rest) = line.trim_start().split_once(' ').unwrap_or_default();
    match first {
        "ERROR" => (Level::ERROR, rest),
        "WARN" => (Level::WARN, rest),
        "INFO" => (Level::INFO, rest),
        "DEBUG" => (Level::DEBUG, rest),
        _ => (Level::INFO, line),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_the_level_that_it_says_it_has() {
        assert_eq!(leveled(" INFO rolled 1"), (Level::INFO, "rolled 1"));
        assert_eq!(leveled("ERROR no device"), (Level::ERROR, "no device"));
        assert_eq!(leveled("WARN"), (Level::INFO, "WARN"));
        assert_eq!(leveled("  indented text"), (Level::INFO, "  indented text"));
        assert_eq!(leveled(""), (Level::INFO, ""));
    }
}
