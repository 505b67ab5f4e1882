//! `kith services enable`, `disable` and `restart`: asking for it, and waiting until it is so.
//!
//! Changes are listened to before anything is asked, so that none is missed. Whoever waits is told
//! how it ended: 0 means that the service is now as it was asked to be.

use super::{as_lines, find};
use crate::arguments::{EnableArguments, Everywhere, ServiceArguments};
use crate::command::confirm::confirm;
use crate::command::{Visit, print_result};
use crate::exit_code;
use crate::failure::Failure;
use crate::inquiry::{self, Row};
use crate::limits::SERVICE_STATE_MS;
use crate::listen::now_ms;
use crate::show::paint::Paint;
use crate::show::services::{Service, asks_for, note};
use crate::terminal::Terminal;
use kith_client::{Client, Incoming, Subscription};
use serde::Deserialize;
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// What was asked for, and how one sees that it is so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Change {
    Enable,
    Disable,
    Restart,
}

impl Change {
    fn topic(self) -> &'static str {
        match self {
            Self::Enable => "services.enable",
            Self::Disable => "services.disable",
            Self::Restart => "services.restart",
        }
    }

    /// Whether a service in this state is as it was wanted; nothing while that is open.
    fn outcome(self, state: &str) -> Option<bool> {
        match (self, state) {
            (Self::Disable, "disabled" | "not-built") => Some(true),
            (Self::Disable, _) => None,
            (_, "running") => Some(true),
            (_, "failed" | "refused" | "disabled" | "not-built") => Some(false),
            _ => None,
        }
    }
}

pub(super) async fn enable(
    arguments: &EnableArguments,
    everywhere: &Everywhere,
) -> Result<u8, Failure> {
    let asked = &arguments.service;
    let visit = Visit::administer(everywhere, &asked.state, "kith services").await?;
    let work = async |client: &Client| {
        let services = inquiry::read_rows::<Service>(&inquiry::services(client).await?)?;
        let place = find(&services, &asked.name)?;
        let Some(service) = services.get(place) else { return Ok(None) };
        let is_possible = service.state != "not-built";
        let is_asked = is_possible && !service.is_granted() && !arguments.yes;
        if is_asked && !agree(service, everywhere).await? {
            return Ok(None);
        }
        // No more is granted than was shown, or could have been.
        let payload = json!({ "name": asked.name, "asked": service.asks() });
        change(client, Change::Enable, &asked.name, &payload).await.map(Some)
    };
    match visit.work(work).await? {
        Some(row) => tell(&row, Change::Enable, asked, everywhere),
        None => Err(Failure::new(exit_code::FAILED, "nothing was granted, nothing has changed")),
    }
}

/// Grants a service what it asks for, and starts it; what has become of it.
pub(in crate::command) async fn switch_on(client: &Client, name: &str) -> Result<String, Failure> {
    let services = inquiry::read_rows::<Service>(&inquiry::services(client).await?)?;
    let Some(service) = services.get(find(&services, name)?) else { return Ok(String::new()) };
    let payload = json!({ "name": name, "asked": service.asks() });
    let row = change(client, Change::Enable, name, &payload).await?;
    let service: Service =
        serde_json::from_str(row.get()).map_err(|error| inquiry::unreadable(&error))?;
    let said = said(&service, Paint::new(false));
    match Change::Enable.outcome(&service.state) {
        Some(true) => Ok(said),
        Some(false) => Err(Failure::new(exit_code::FAILED, said.trim_end())),
        None => Err(Failure::new(exit_code::TRY_AGAIN, said.trim_end())),
    }
}

pub(super) async fn disable(
    arguments: &ServiceArguments,
    everywhere: &Everywhere,
) -> Result<u8, Failure> {
    make(Change::Disable, arguments, everywhere).await
}

pub(super) async fn restart(
    arguments: &ServiceArguments,
    everywhere: &Everywhere,
) -> Result<u8, Failure> {
    make(Change::Restart, arguments, everywhere).await
}

async fn make(
    wanted: Change,
    arguments: &ServiceArguments,
    everywhere: &Everywhere,
) -> Result<u8, Failure> {
    let visit = Visit::administer(everywhere, &arguments.state, "kith services").await?;
    let work = async |client: &Client| {
        let services = inquiry::read_rows::<Service>(&inquiry::services(client).await?)?;
        find(&services, &arguments.name)?;
        change(client, wanted, &arguments.name, &json!({ "name": arguments.name })).await
    };
    let row = visit.work(work).await?;
    tell(&row, wanted, arguments, everywhere)
}

/// Shows what a service asks for, and asks whether it may have it.
async fn agree(service: &Service, everywhere: &Everywhere) -> Result<bool, Failure> {
    let text = format!("`{}` would be granted what it asks for", service.name);
    let unasked = Failure::new(exit_code::USAGE, text)
        .hint(format!("see what that is: kith services list {}", service.name))
        .hint("grant it: --yes");
    confirm(question(service, Terminal::look(everywhere.color).notice_paint), unasked).await
}

fn question(service: &Service, paint: Paint) -> String {
    let asked = asks_for(service, paint);
    format!("{} asks for this:\n{asked}Grant it, and start it?", service.name)
}

/// Asks for it, and waits until it is so or can't be; what the service is like then.
async fn change(
    client: &Client,
    wanted: Change,
    name: &str,
    payload: &Value,
) -> Result<Row, Failure> {
    let mut changes = client.subscribe("self.services.state").await?;
    let deadline = Instant::now() + Duration::from_millis(SERVICE_STATE_MS);
    let answer = inquiry::ask(client, wanted.topic(), payload).await?;
    let Service { state, .. } = inquiry::read(&answer)?;
    if wanted.outcome(&state).is_none() {
        // If time runs out, the list tells how far it has come.
        let _ = timeout_at(deadline, settled(&mut changes, wanted, name)).await;
    }
    let rows = inquiry::services(client).await?;
    let place = find(&inquiry::read_rows(&rows)?, name)?;
    rows.into_iter()
        .nth(place)
        .ok_or_else(|| Failure::new(exit_code::FAILED, format!("the service `{name}` is gone")))
}

/// Waits until it is decided. What is not of the form that is known decides nothing.
async fn settled(changes: &mut Subscription, wanted: Change, name: &str) {
    #[derive(Deserialize)]
    struct Changed {
        name: String,
        state: String,
    }
    while let Some(incoming) = changes.next().await {
        let Incoming::Message(message) = incoming else { continue };
        let Ok(changed) = inquiry::read::<Changed>(&message) else { continue };
        if changed.name == name && wanted.outcome(&changed.state).is_some() {
            return;
        }
    }
}

/// Says what has become of it.
fn tell(
    row: &Row,
    wanted: Change,
    arguments: &ServiceArguments,
    everywhere: &Everywhere,
) -> Result<u8, Failure> {
    let service: Service =
        serde_json::from_str(row.get()).map_err(|error| inquiry::unreadable(&error))?;
    let code = match wanted.outcome(&service.state) {
        Some(true) => exit_code::OK,
        Some(false) => exit_code::FAILED,
        None => exit_code::TRY_AGAIN,
    };
    let text = if arguments.json {
        as_lines(std::slice::from_ref(row))
    } else {
        said(&service, Terminal::look(everywhere.color).paint)
    };
    print_result(text.as_bytes())?;
    if code == exit_code::OK { Ok(code) } else { Err(Failure::quiet(code)) }
}

fn said(service: &Service, paint: Paint) -> String {
    let plain = || format!("{} is {}\n", service.name, service.state);
    note(service, now_ms(), paint).unwrap_or_else(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wanted_is_seen_by_the_state() {
        for (change, state, outcome) in [
            (Change::Enable, "starting", None),
            (Change::Enable, "running", Some(true)),
            (Change::Enable, "waiting", None),
            (Change::Restart, "stopping", None),
            (Change::Restart, "failed", Some(false)),
            (Change::Enable, "refused", Some(false)),
            (Change::Disable, "stopping", None),
            (Change::Disable, "disabled", Some(true)),
            (Change::Disable, "running", None),
        ] {
            assert_eq!(change.outcome(state), outcome, "{change:?} {state}");
        }
    }

    #[test]
    fn what_is_asked_for_is_shown_with_its_meaning() {
        let service: Service = serde_json::from_str(
            r#"{"name":"mesh","roles":["transport"],"publishes":["mesh.>"],"network":true}"#,
        )
        .unwrap();
        let shown = question(&service, Paint::plain());
        let about = kith_contract::Role::Transport.about();
        let expected = format!(
            "mesh asks for this:\n  roles       transport: {about}\n  publishes   mesh.>\n  \
             touches     the network, it says\nGrant it, and start it?"
        );
        assert_eq!(shown, expected);
    }
}
