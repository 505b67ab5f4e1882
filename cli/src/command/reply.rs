//! `kith reply`: an answer to every request, always the same or a command's.
//!
//! Only requests are answered: a message that names no topic for answers is passed over and doesn't
//! count. A reply that comes too late is refused by the daemon, and told like any other failure.

use super::{Stay, wait_for};
use crate::arguments::{Everywhere, ReplyArguments};
use crate::execute::Hook;
use crate::failure::{Failure, with_sources};
use crate::input::Source;
use crate::listen::{self, Listening, Until};
use crate::payload::Format;
use crate::workers::{Outcome, Workers};
use kith_client::{Client, Message, Publish};
use std::sync::Arc;

pub(super) fn run(arguments: &ReplyArguments, everywhere: &Everywhere) -> Result<u8, Failure> {
    let given = &arguments.payload.format;
    let format = Format::new(given.text, given.protocol.clone());
    let fixed = match Source::given(&arguments.payload) {
        Some(source) => Some(format.payload(source.read()?)?),
        None => None,
    };
    wait_for(answer(arguments, format, fixed, everywhere))
}

/// Where answers come from.
enum Answer {
    Fixed(Vec<u8>),
    Printed(Hook),
}

/// What it takes to answer a request.
struct Responder {
    client: Client,
    format: Format,
    answer: Answer,
}

async fn answer(
    arguments: &ReplyArguments,
    format: Format,
    fixed: Option<Vec<u8>>,
    everywhere: &Everywhere,
) -> Result<u8, Failure> {
    let stay = Stay::start(everywhere, "kith reply").await?;
    let answer = match (&arguments.exec, fixed) {
        (Some(command), _) => Answer::Printed(Hook::new(command, stay.address.path().to_owned())),
        (None, fixed) => Answer::Fixed(fixed.unwrap_or_default()),
    };
    let responder = Arc::new(Responder { client: stay.client.clone(), format, answer });
    let work = async |stay: &mut Stay| {
        let patterns = std::slice::from_ref(&arguments.pattern);
        let workers = Workers {
            listening: Listening::start(&stay.client, patterns, |asked| {
                listen::in_group(asked, arguments.group.as_deref())
            })
            .await?,
            until: Until::start(&arguments.until),
            jobs: arguments.jobs.jobs.into(),
            stop: &mut stay.stop,
            output: &mut stay.output,
        };
        let begin = |message: Message| {
            let responder = Arc::clone(&responder);
            let is_request = message.reply_to().is_some();
            is_request.then_some(async move { responder.reply(&message).await })
        };
        workers.run(begin).await
    };
    stay.work(work).await
}

impl Responder {
    async fn reply(&self, message: &Message) -> Outcome {
        let told = |what: String| format!("{} {}: {what}", message.topic(), message.id());
        let Some(topic) = message.reply_to() else { return Ok(None) };
        let payload = match &self.answer {
            Answer::Fixed(payload) => payload.clone(),
            Answer::Printed(hook) => {
                let printed = hook.capture(message).await;
                let printed = printed.map_err(|error| told(error.to_string()))?;
                let payload = self.format.payload(printed);
                payload.map_err(|fault| told(format!("what the command printed: {fault}")))?
            }
        };
        let sent = self.client.send(Publish::bytes(topic, self.format.protocol(), payload)).await;
        sent.map(|_| None).map_err(|error| told(with_sources(&error)))
    }
}
