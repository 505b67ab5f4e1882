//! `kith sub`: messages as they come, for a person, a program, or a command that is run for each.

use super::{Stay, printing};
use crate::arguments::{Everywhere, SubscribeArguments};
use crate::execute::Hook;
use crate::failure::Failure;
use crate::listen::{self, Listening, Until};
use crate::show::form::Form;
use crate::show::line::Setting;
use crate::workers::Workers;
use jiff::tz::TimeZone;
use kith_client::Message;

pub(super) async fn run(
    arguments: &SubscribeArguments,
    everywhere: &Everywhere,
) -> Result<u8, Failure> {
    let stay = Stay::start(everywhere, "kith sub").await?;
    let work = async |stay: &mut Stay| {
        let listening = Listening::start(&stay.client, &arguments.patterns, |asked| {
            let asked = listen::in_group(asked, arguments.group.as_deref());
            if arguments.retained { asked.retained() } else { asked }
        })
        .await?;
        match &arguments.exec {
            Some(command) => execute(stay, listening, command, arguments).await,
            None => {
                let form = form(arguments, stay);
                printing::print(stay, listening, &arguments.until, &form).await
            }
        }
    };
    stay.work(work).await
}

fn form(arguments: &SubscribeArguments, stay: &Stay) -> Form {
    if arguments.json {
        Form::Json
    } else if arguments.raw {
        Form::Raw(arguments.separator.clone().map(|separator| separator.0))
    } else {
        Form::Lines(Setting { zone: TimeZone::system(), paint: stay.terminal.paint })
    }
}

async fn execute(
    stay: &mut Stay,
    listening: Listening,
    command: &str,
    arguments: &SubscribeArguments,
) -> Result<u8, Failure> {
    let hook = Hook::new(command, stay.address.path().to_owned());
    let workers = Workers {
        listening,
        until: Until::start(&arguments.until),
        jobs: arguments.jobs.jobs.into(),
        stop: &mut stay.stop,
        output: &mut stay.output,
    };
    let begin = |message: Message| {
        let hook = hook.clone();
        Some(async move {
            let ended = hook.run(&message).await;
            ended.map_err(|error| format!("{} {}: {error}", message.topic(), message.id()))
        })
    };
    workers.run(begin).await
}
