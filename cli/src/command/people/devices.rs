//! `kith devices`: the user's own.

use super::{administer, agreed, ask, own_devices, tell};
use crate::arguments::{
    AnswerArguments, DeviceAddArguments, DeviceRemoveArguments, DevicesArguments, DevicesCommand,
    Everywhere,
};
use crate::command::{Visit, print_result};
use crate::exit_code;
use crate::failure::Failure;
use crate::inquiry::{self, Row};
use crate::listen::now_ms;
use crate::show::harmless::harmless;
use crate::show::people::{self, Device, Me};
use crate::terminal::Terminal;
use kith_client::Client;
use serde_json::{Map, Value, json};

pub(super) async fn run(
    arguments: &DevicesArguments,
    everywhere: &Everywhere,
) -> Result<u8, Failure> {
    match &arguments.command {
        None => list(&arguments.answer, everywhere).await,
        Some(DevicesCommand::Add(asked)) => add(asked, everywhere).await,
        Some(DevicesCommand::Remove(asked)) => remove(asked, everywhere).await,
    }
}

async fn list(arguments: &AnswerArguments, everywhere: &Everywhere) -> Result<u8, Failure> {
    let visit = Visit::start(everywhere, "kith devices").await?;
    let asking = async |client: &Client| ask(client, "people.devices", &Value::Null).await;
    let answer = visit.work(asking).await?;
    if arguments.json {
        let rows: Vec<Row> = inquiry::read(&answer)?;
        let lines: String = rows.iter().map(|row| format!("{}\n", row.get())).collect();
        return print_result(lines.as_bytes());
    }
    let devices: Vec<Device> = inquiry::read(&answer)?;
    let paint = Terminal::look(everywhere.color).paint;
    print_result(people::devices(&devices, now_ms(), paint).as_bytes())
}

async fn add(arguments: &DeviceAddArguments, everywhere: &Everywhere) -> Result<u8, Failure> {
    let visit = administer(&arguments.answer, everywhere).await?;
    let mut asked = Map::new();
    if let Some(name) = &arguments.name {
        asked.insert("device_name".to_owned(), name.as_str().into());
    }
    let asked = Value::from(asked);
    let work = async |client: &Client| ask(client, "people.init", &asked).await;
    let answer = visit.work(work).await?;
    tell(&answer, &arguments.answer, || {
        let me: Me = inquiry::read(&answer)?;
        Ok(format!("this device, {}, is in your card\n", harmless(&me.device_name)))
    })
}

async fn remove(arguments: &DeviceRemoveArguments, everywhere: &Everywhere) -> Result<u8, Failure> {
    let visit = administer(&arguments.answer, everywhere).await?;
    let wanted = arguments.device.as_str();
    let work = async |client: &Client| {
        let devices = own_devices(client).await?;
        let is_it = |one: &&Device| one.name == wanted || one.device == wanted;
        let Some(device) = devices.iter().find(is_it) else {
            let text = format!("you have no device `{wanted}`");
            let failure = Failure::new(exit_code::NO_SUCH_PERSON, text);
            return Err(failure.hint("which there are: kith devices"));
        };
        if device.is_this {
            let text = "this device can't take itself out: do it on another one of yours";
            return Err(Failure::new(exit_code::FAILED, text));
        }
        let name = harmless(&device.name);
        let question = format!(
            "{name} will not be yours any more, with you and with all your friends, and can come \
             back only as a new device. Remove it?"
        );
        let unasked = Failure::new(exit_code::USAGE, format!("`{wanted}` would not be yours"))
            .hint("do it all the same: --yes");
        agreed(arguments.yes, &question, unasked).await?;
        ask(client, "people.removeDevice", &json!({ "device": device.device })).await
    };
    let answer = visit.work(work).await?;
    let gone = format!("{} is none of your devices any more\n", harmless(wanted));
    tell(&answer, &arguments.answer, || Ok(gone))
}
