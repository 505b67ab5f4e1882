//! What `kith services` prints: the services, how they are, and what to do where one is not well.
//!
//! A service's name has a form of its own; all else about it is its author's or the system's, and
//! the last to be trusted. What a daemon leaves out counts as nothing; what it adds is in `--json`.

mod about;

pub(crate) use about::{asks_for, everything};

use crate::show::harmless::harmless;
use crate::show::paint::{Paint, Style};
use crate::show::table::{Row, Side, table};
use crate::show::{columns, quantity};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Columns of what a service may do: more is in `kith services list NAME`.
const GRANTS_COLUMNS: usize = 56;
/// Patterns of each kind that are named there.
const PATTERNS_NAMED: usize = 2;

/// A row of `services.list`.
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(default)]
pub(crate) struct Service {
    pub(crate) name: String,
    pub(crate) state: String,
    pub(crate) kind: String,
    pub(crate) feature: Option<String>,
    /// Nothing, where its manifest can't be read.
    pub(crate) version: Option<String>,
    pub(crate) about: Option<String>,
    pub(crate) roles: Vec<String>,
    pub(crate) publishes: Vec<String>,
    pub(crate) subscribes: Vec<String>,
    pub(crate) network: bool,
    pub(crate) disk: bool,
    /// What was granted when it was enabled.
    pub(crate) granted: Option<Rights>,
    pub(crate) enabled: bool,
    pub(crate) restarts: u64,
    pub(crate) since: Option<u64>,
    pub(crate) pid: Option<u32>,
    pub(crate) client: Option<u64>,
    pub(crate) published: u64,
    pub(crate) delivered: u64,
    pub(crate) refused: u64,
    pub(crate) lost: u64,
    pub(crate) health: Option<Health>,
    pub(crate) reason: Option<String>,
    pub(crate) retry_at: Option<u64>,
}

/// What a service asks for, or was granted.
#[derive(Clone, Debug, Default, Deserialize, Serialize, PartialEq, Eq)]
#[serde(default)]
pub(crate) struct Rights {
    roles: Vec<String>,
    publishes: Vec<String>,
    subscribes: Vec<String>,
    network: bool,
    disk: bool,
}

impl Service {
    /// What it asks for now.
    pub(crate) fn asks(&self) -> Rights {
        Rights {
            roles: self.roles.clone(),
            publishes: self.publishes.clone(),
            subscribes: self.subscribes.clone(),
            network: self.network,
            disk: self.disk,
        }
    }

    /// Whether it was granted just what it asks for now.
    pub(crate) fn is_granted(&self) -> bool {
        self.enabled && self.granted.as_ref() == Some(&self.asks())
    }
}

/// What a service says of itself.
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(default)]
pub(crate) struct Health {
    state: String,
    text: Option<String>,
    figures: Map<String, Value>,
}

/// How much went to and from a service in a while.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Flow {
    into: u64,
    out: u64,
}

impl Flow {
    /// Thousandths of a message a second; nothing for one that began anew in between.
    pub(crate) fn between(before: &[Service], after: &Service, elapsed_ms: u64) -> Option<Self> {
        let before = before.iter().find(|one| one.name == after.name)?;
        if before.client.is_none() || before.client != after.client || elapsed_ms == 0 {
            return None;
        }
        let rate = |before: u64, after: u64| {
            after.saturating_sub(before).saturating_mul(1_000_000) / elapsed_ms
        };
        Some(Self {
            into: rate(before.delivered, after.delivered),
            out: rate(before.published, after.published),
        })
    }
}

/// The table, and below it what is to be said of those that don't run although they should.
/// `flows` has one for each service.
pub(crate) fn overview(
    services: &[Service],
    flows: &[Option<Flow>],
    now_ms: u64,
    paint: Paint,
) -> String {
    const HEADING: [(&str, Side); 10] = [
        ("NAME", Side::Left),
        ("STATE", Side::Left),
        ("ROLE", Side::Left),
        ("KIND", Side::Left),
        ("RESTARTS", Side::Right),
        ("IN/s", Side::Right),
        ("OUT/s", Side::Right),
        ("REFUSED", Side::Right),
        ("LOST", Side::Right),
        ("GRANTS", Side::Left),
    ];
    if services.is_empty() {
        return "there are no services: none is built in, and none is configured\n".to_owned();
    }
    let flows = flows.iter().copied().chain(std::iter::repeat(None));
    let rows = services.iter().zip(flows).map(|(service, flow)| Row {
        cells: cells(service, flow),
        style: state_style(&service.state),
        note: None,
    });
    let mut text = table(HEADING, rows.collect(), paint);
    let notes: String =
        services.iter().filter_map(|service| note(service, now_ms, paint)).collect();
    if !notes.is_empty() {
        text.push('\n');
        text.push_str(&notes);
    }
    let is_any_enabled = services.iter().any(|service| service.enabled);
    if !is_any_enabled && services.iter().any(|service| service.state == "disabled") {
        text.push_str("\nnone is enabled; to let one run: kith services enable NAME\n");
    }
    text
}

fn cells(service: &Service, flow: Option<Flow>) -> [String; 10] {
    let rate = |thousandths: Option<u64>| thousandths.map_or_else(none, quantity::rate);
    let number = |number| match service.client {
        None if number == 0 => none(),
        _ => quantity::count(number),
    };
    let roles = service.roles.join(", ");
    let text = |text: &str, columns| columns::cut(&harmless(text), columns);
    [
        text(&service.name, 32),
        text(&service.state, 12),
        if roles.is_empty() { none() } else { text(&roles, 27) },
        text(&service.kind, 12),
        quantity::count(service.restarts),
        rate(flow.map(|flow| flow.into)),
        rate(flow.map(|flow| flow.out)),
        number(service.refused),
        number(service.lost),
        columns::cut(&grants(service), GRANTS_COLUMNS),
    ]
}

fn none() -> String {
    "-".to_owned()
}

/// What it may do, or would like to where nothing was granted, shortened:
/// `pub weather.>, +2; sub self.weather.ask`.
fn grants(service: &Service) -> String {
    let named = |word: &str, patterns: &[String]| {
        let named = patterns.iter().take(PATTERNS_NAMED).map(|one| harmless(one));
        let named = named.collect::<Vec<_>>().join(", ");
        match patterns.len().saturating_sub(PATTERNS_NAMED) {
            0 if patterns.is_empty() => None,
            0 => Some(format!("{word} {named}")),
            more => Some(format!("{word} {named}, +{more}")),
        }
    };
    let rights = service.granted.clone().unwrap_or_else(|| service.asks());
    let all = [named("pub", &rights.publishes), named("sub", &rights.subscribes)];
    let all: Vec<_> = all.into_iter().flatten().collect();
    if all.is_empty() { none() } else { all.join("; ") }
}

fn state_style(state: &str) -> Option<Style> {
    match state {
        "failed" | "refused" => Some(Style::Fault),
        "waiting" | "stopping" => Some(Style::Loss),
        "disabled" | "not-built" => Some(Style::Faint),
        _ => None,
    }
}

/// Why a service doesn't run, and what can be done.
pub(crate) fn note(service: &Service, now_ms: u64, paint: Paint) -> Option<String> {
    let name = &service.name;
    let reason = service.reason.as_deref().map(str::trim).filter(|reason| !reason.is_empty());
    // Of one that was not built the state says it all.
    let reason = reason.filter(|_| service.state != "not-built");
    let (what, ways) = match service.state.as_str() {
        "failed" => (
            "failed".to_owned(),
            vec![
                format!("what it said: kith services logs {name}"),
                format!("start it again: kith services restart {name}"),
            ],
        ),
        "refused" => {
            ("refused".to_owned(), vec![format!("what it asks for: kith services list {name}")])
        }
        "waiting" => {
            let left_ms = service.retry_at.unwrap_or_default().saturating_sub(now_ms);
            let what = format!("starts again in {}", quantity::span(left_ms));
            (what, vec![format!("what it said: kith services logs {name}")])
        }
        "disabled" if reason.is_some() => ("disabled".to_owned(), Vec::new()),
        "not-built" => {
            let feature = service.feature.as_deref()?;
            (format!("not built in; cargo's feature `{feature}` builds it"), Vec::new())
        }
        _ => return None,
    };
    let head = paint.paint(Style::Topic, &harmless(name));
    let mut text = format!("{head}: {}", harmless(&what));
    match reason {
        // One that names places in a file has lines, which are shown below each other.
        Some(reason) if reason.contains('\n') => {
            text.push('\n');
            for line in reason.lines() {
                text.push_str(&format!("    {}\n", harmless(line)));
            }
        }
        Some(reason) => text.push_str(&format!(": {}\n", harmless(reason))),
        None => text.push('\n'),
    }
    for way in ways {
        text.push_str(&format!("  {}\n", harmless(&way)));
    }
    Some(text)
}

#[cfg(test)]
mod tests;
