//! Everything about one service, and what it asks for, in words.

use super::{Service, note};
use crate::show::columns;
use crate::show::harmless::harmless;
use crate::show::paint::{Paint, Style};
use crate::show::quantity;
use kith_contract::Role;
use serde_json::Value;

/// Columns of what stands before each fact.
const NAME_COLUMNS: usize = 12;

/// A fact in as many lines as it takes.
fn fact(name: &str, lines: &[String], paint: Paint) -> String {
    let mut text = String::new();
    for (nth, line) in lines.iter().enumerate() {
        let name = columns::left(if nth == 0 { name } else { "" }, NAME_COLUMNS);
        text.push_str(&format!("  {}{line}\n", paint.paint(Style::Faint, &name)));
    }
    text
}

/// What it asks for, as `enable` shows it.
pub(crate) fn asks_for(service: &Service, paint: Paint) -> String {
    let mut text = String::new();
    let roles: Vec<String> = service.roles.iter().map(|name| role(name)).collect();
    text.push_str(&fact("roles", &roles, paint));
    text.push_str(&fact("publishes", &plain(&service.publishes), paint));
    text.push_str(&fact("subscribes", &plain(&service.subscribes), paint));
    let touches = match (service.network, service.disk) {
        (false, false) => "neither the network nor other files than its own, it says",
        (true, false) => "the network, it says",
        (false, true) => "files outside its own directory, it says",
        (true, true) => "the network, and files outside its own directory, it says",
    };
    text.push_str(&fact("touches", &[touches.to_owned()], paint));
    text
}

fn plain(texts: &[String]) -> Vec<String> {
    texts.iter().map(|text| harmless(text).into_owned()).collect()
}

/// A role and what it means.
fn role(name: &str) -> String {
    match Role::from_name(name) {
        Some(role) => format!("{name}: {}", role.about()),
        None => harmless(name).into_owned(),
    }
}

/// Everything that is known of it.
pub(crate) fn everything(service: &Service, now_ms: u64, paint: Paint) -> String {
    let name = harmless(&service.name);
    let head = match &service.version {
        None => name.into_owned(),
        Some(version) => format!("{name} {}", harmless(version)),
    };
    let mut text = format!("{}\n", paint.paint(Style::Heading, &head));
    if let Some(about) = service.about.as_ref().filter(|about| !about.is_empty()) {
        text.push_str(&format!("{}\n", harmless(about)));
    }
    text.push('\n');
    text.push_str(&fact("state", &[state(service, now_ms)], paint));
    text.push_str(&fact("kind", &[kind(service)], paint));
    text.push_str(&asks_for(service, paint));
    if service.client.is_some() || service.published + service.delivered > 0 {
        let counted = format!(
            "{} in, {} out, {} refused, {} lost",
            quantity::count(service.delivered),
            quantity::count(service.published),
            quantity::count(service.refused),
            quantity::count(service.lost)
        );
        text.push_str(&fact("messages", &[counted], paint));
    }
    text.push_str(&fact("restarts", &[quantity::count(service.restarts)], paint));
    text.push_str(&fact("health", &health(service), paint));
    if let Some(note) = note(service, now_ms, paint) {
        text.push('\n');
        text.push_str(&note);
    }
    text
}

fn state(service: &Service, now_ms: u64) -> String {
    let mut state = harmless(&service.state).into_owned();
    if let Some(since) = service.since {
        state.push_str(&format!(", for {}", quantity::age(now_ms.saturating_sub(since))));
    }
    if service.enabled && service.state == "disabled" {
        state.push_str(", enabled");
    }
    state
}

fn kind(service: &Service) -> String {
    let mut kind = harmless(&service.kind).into_owned();
    if let Some(feature) = &service.feature {
        kind.push_str(&format!(", cargo's feature {}", harmless(feature)));
    }
    if let Some(pid) = service.pid {
        kind.push_str(&format!(", process {pid}"));
    }
    if let Some(client) = service.client {
        kind.push_str(&format!(", client {client}"));
    }
    kind
}

/// What it says of itself: a line for the state, and one for each figure.
fn health(service: &Service) -> Vec<String> {
    let Some(health) = &service.health else { return Vec::new() };
    let mut first = harmless(&health.state).into_owned();
    if let Some(said) = &health.text {
        first.push_str(&format!(": {}", harmless(said)));
    }
    let mut lines = vec![first];
    for (name, value) in &health.figures {
        let value = match value {
            Value::Number(number) => {
                number.as_u64().map_or_else(|| number.to_string(), quantity::count)
            }
            other => other.to_string(),
        };
        lines.push(format!("{}  {}", harmless(name), harmless(&value)));
    }
    lines
}
