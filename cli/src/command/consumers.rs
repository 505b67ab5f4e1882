//! `kith consumers`: what waits for durable subscriptions, and throwing it away.
//!
//! What is thrown away has been promised to somebody, so a person is asked first, with how much it
//! is; a script says `--yes`.

use super::confirm::confirm;
use super::{Visit, print_result};
use crate::arguments::{
    ConsumersArguments, ConsumersCommand, Everywhere, PurgeArguments, RemoveArguments,
};
use crate::exit_code;
use crate::failure::Failure;
use crate::inquiry;
use crate::listen::now_ms;
use crate::show::consumers::{Consumer, Consumers, Loss, overview, question};
use crate::show::quantity;
use crate::terminal::Terminal;
use kith_client::{Client, Message};
use serde::Deserialize;
use serde_json::{Value, json};

pub(super) async fn run(
    arguments: &ConsumersArguments,
    everywhere: &Everywhere,
) -> Result<u8, Failure> {
    match &arguments.command {
        None => list(arguments.json, everywhere).await,
        Some(ConsumersCommand::Purge(asked)) => purge(asked, everywhere).await,
        Some(ConsumersCommand::Remove(asked)) => remove(asked, everywhere).await,
    }
}

async fn list(json: bool, everywhere: &Everywhere) -> Result<u8, Failure> {
    let visit = Visit::start(everywhere, "kith consumers").await?;
    let answer = visit.work(async |client: &Client| inquiry::consumers(client).await).await?;
    if json {
        return print_answer(&answer);
    }
    let all: Consumers = inquiry::read(&answer)?;
    let paint = Terminal::look(everywhere.color).paint;
    print_result(overview(&all, now_ms(), paint).as_bytes())
}

async fn purge(arguments: &PurgeArguments, everywhere: &Everywhere) -> Result<u8, Failure> {
    let PurgeArguments { consumer, dead } = arguments;
    let what = if *dead { Loss::Dead } else { Loss::Waiting };
    let asked = json!({ "name": consumer.name, "dead": dead });
    throw_away(consumer, what, "bus.consumers.purge", &asked, everywhere).await
}

async fn remove(arguments: &RemoveArguments, everywhere: &Everywhere) -> Result<u8, Failure> {
    let asked = json!({ "name": arguments.name });
    throw_away(arguments, Loss::All, "bus.consumers.remove", &asked, everywhere).await
}

async fn throw_away(
    arguments: &RemoveArguments,
    what: Loss,
    topic: &str,
    payload: &Value,
    everywhere: &Everywhere,
) -> Result<u8, Failure> {
    let visit = Visit::start(everywhere, "kith consumers").await?;
    let work = async |client: &Client| {
        let all: Consumers = inquiry::read(&inquiry::consumers(client).await?)?;
        let consumer = find(&all.consumers, &arguments.name)?;
        if what == Loss::All && consumer.connections > 0 {
            return Err(used(consumer));
        }
        if !arguments.yes && !confirm(question(consumer, what), unasked(&arguments.name)).await? {
            return Err(Failure::new(exit_code::FAILED, "nothing was thrown away"));
        }
        inquiry::ask(client, topic, payload).await
    };
    let answer = visit.work(work).await?;
    if arguments.json { print_answer(&answer) } else { tell(&answer, &arguments.name, what) }
}

fn find<'a>(consumers: &'a [Consumer], name: &str) -> Result<&'a Consumer, Failure> {
    consumers.iter().find(|consumer| consumer.name == name).ok_or_else(|| {
        let failure = Failure::new(exit_code::FAILED, format!("there is no consumer `{name}`"));
        failure.hint("which there are: kith consumers")
    })
}

/// One that somebody uses is not removed below their feet; the daemon would say so too.
fn used(consumer: &Consumer) -> Failure {
    let connections = quantity::counted(consumer.connections, "connection");
    let text = format!("`{}` is used by {connections}", consumer.name);
    Failure::new(exit_code::FAILED, text).hint("end them first")
}

fn unasked(name: &str) -> Failure {
    let text = format!("what waits for `{name}` would be lost");
    let failure = Failure::new(exit_code::USAGE, text);
    failure.hint("see how much that is: kith consumers").hint("do it all the same: --yes")
}

/// Says how much it was.
fn tell(answer: &Message, name: &str, what: Loss) -> Result<u8, Failure> {
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Gone {
        purged: u64,
        removed: u64,
    }
    let Gone { purged, removed } = inquiry::read(answer)?;
    let text = match what {
        Loss::Waiting => format!("{} for {name} thrown away\n", quantity::messages(purged)),
        Loss::Dead => {
            format!("{} of {name} thrown away\n", quantity::counted(purged, "dead letter"))
        }
        Loss::All => format!("{name} removed, with {}\n", quantity::messages(removed)),
    };
    print_result(text.as_bytes())
}

fn print_answer(answer: &Message) -> Result<u8, Failure> {
    let mut line = answer.payload().to_vec();
    line.push(b'\n');
    print_result(&line)
}
