//! `kith init`: names for this device and its person, services that connect it, recovery words.
//!
//! On a terminal each is asked for, with an answer that will do; elsewhere what the command line
//! says is done and nothing else. It can be run again at any time, and asks for what is so now.

use super::{administer, ask, me, recovery};
use crate::arguments::{Everywhere, InitArguments};
use crate::command::services::switch_on;
use crate::command::{print_result, prompt};
use crate::failure::Failure;
use crate::inquiry;
use crate::show::people::{self, Me};
use crate::show::services::Service;
use crate::terminal::Terminal;
use kith_client::Client;
use serde_json::{Map, Value};

/// The services that are offered, and what each does for people.
const OFFERED: [(&str, &str); 2] = [
    (
        "quic",
        "`quic` connects this device with others, over the local network and the\n\
         internet. It opens a UDP port; whoever tries that sees that Kith runs here,\n\
         and nothing else.",
    ),
    (
        "mdns",
        "`mdns` finds your devices and friends on the local network, and is found by\n\
         them. Others there see that Kith runs here, and a tag that is another one\n\
         each day.",
    ),
];

pub(super) async fn run(arguments: &InitArguments, everywhere: &Everywhere) -> Result<u8, Failure> {
    let is_asking = prompt::is_possible() && !arguments.answer.json;
    let visit = administer(&arguments.answer, everywhere).await?;
    let paint = Terminal::look(everywhere.color).paint;
    let work = async |client: &Client| {
        let before = me(client).await?;
        let names = names(arguments, &before, is_asking).await?;
        ask(client, "people.init", &names).await?;
        services(client, arguments, is_asking).await?;
        let has_key = matches!(before.key.as_str(), "here" | "unlocked");
        let question = "Write down the words that bring back your identity, now?";
        if is_asking && has_key && prompt::yes(question, true).await? {
            recovery::rehearse(client).await?;
        }
        ask(client, "people.me", &Value::Null).await
    };
    let answer = visit.work(work).await?;
    super::tell(&answer, &arguments.answer, || {
        let now: Me = inquiry::read(&answer)?;
        let next = "next: `kith invite` makes a link for a friend; `kith join` uses one\n";
        Ok(people::me(&now, paint) + if is_asking { next } else { "" })
    })
}

/// What people.init is asked.
async fn names(arguments: &InitArguments, before: &Me, is_asking: bool) -> Result<Value, Failure> {
    let InitArguments { name, device_name, .. } = arguments;
    let (mut name, mut device_name) = (name.clone(), device_name.clone());
    // Only whoever has the key can change the card, in which both names are.
    if is_asking && matches!(before.key.as_str(), "here" | "unlocked") {
        let user = std::env::var("USER").unwrap_or_default();
        let known = if before.name.is_empty() { &user } else { &before.name };
        if name.is_none() {
            prompt::say("Friends see what you call yourself, and what your devices are called.\n");
            name = Some(prompt::line("What do you call yourself?", known).await?);
        }
        if device_name.is_none() {
            let known = &before.device_name;
            device_name = Some(prompt::line("What is this device called?", known).await?);
        }
    }
    let mut asked = Map::new();
    let changed = |new: Option<String>, old: &str| new.filter(|new| !new.is_empty() && new != old);
    if let Some(name) = changed(name, &before.name) {
        asked.insert("name".to_owned(), name.into());
    }
    if let Some(name) = changed(device_name, &before.device_name) {
        asked.insert("device_name".to_owned(), name.into());
    }
    Ok(asked.into())
}

/// Enables what was named, or what is agreed to.
async fn services(
    client: &Client,
    arguments: &InitArguments,
    is_asking: bool,
) -> Result<(), Failure> {
    for name in &arguments.services {
        let said = switch_on(client, name).await?;
        if !arguments.answer.json {
            print_result(said.as_bytes())?;
        }
    }
    if arguments.no_services || !arguments.services.is_empty() || !is_asking {
        return Ok(());
    }
    let all: Vec<Service> = inquiry::read_rows(&inquiry::services(client).await?)?;
    for (name, about) in OFFERED {
        let is_off = |one: &Service| one.name == name && one.state == "disabled";
        if !all.iter().any(is_off) {
            continue;
        }
        prompt::say(&format!("{about}\n"));
        if prompt::yes(&format!("Enable `{name}`?"), true).await? {
            print_result(switch_on(client, name).await?.as_bytes())?;
        }
    }
    Ok(())
}
