//! `kith sub`: messages as they come, for a person, a program, or a command that is run for each.

use super::{Stay, printing};
use crate::arguments::{Everywhere, SubscribeArguments};
use crate::execute::Hook;
use crate::exit_code;
use crate::failure::Failure;
use crate::listen::{self, Listening, Until};
use crate::show::form::Form;
use crate::show::line::Setting;
use crate::workers::Workers;
use jiff::tz::TimeZone;
use kith_client::{Message, Since, Subscribe};

pub(super) async fn run(
    arguments: &SubscribeArguments,
    everywhere: &Everywhere,
) -> Result<u8, Failure> {
    if arguments.durable.is_some() && arguments.patterns.len() > 1 {
        let text = "a consumer has one pattern: give each pattern a name of its own";
        return Err(Failure::new(exit_code::USAGE, text));
    }
    let stay = Stay::start(everywhere, "kith sub").await?;
    let work = async |stay: &mut Stay| {
        let listening =
            Listening::start(&stay.client, &arguments.patterns, |asked| ask(asked, arguments))
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

fn ask(asked: Subscribe<'static>, arguments: &SubscribeArguments) -> Subscribe<'static> {
    let asked = listen::in_group(asked, arguments.group.as_deref());
    let asked = if arguments.retained { asked.retained() } else { asked };
    let asked = match &arguments.durable {
        Some(name) => asked.durable(name.clone()),
        None => asked,
    };
    let since = if arguments.from_start { Some(Since::Start) } else { arguments.since };
    match since {
        Some(since) => asked.since(since),
        None => asked,
    }
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
            match ended {
                Ok(()) => Ok(message.attempt().is_some().then_some(message)),
                Err(error) => Err(format!("{} {}: {error}", message.topic(), message.id())),
            }
        })
    };
    workers.run(begin).await
}
