//! `kith req`: a question, and its answer.

use super::{Visit, print_result, wait_for, warn_of_scope};
use crate::arguments::{Everywhere, RequestArguments};
use crate::exit_code;
use crate::failure::Failure;
use crate::input::Source;
use crate::listen::delivery;
use crate::payload::Format;
use crate::show::{form, json, preview};
use crate::terminal::Terminal;
use kith_client::{Client, Message, Request, RequestError};

pub(super) fn run(arguments: &RequestArguments, everywhere: &Everywhere) -> Result<u8, Failure> {
    if !arguments.json {
        warn_of_scope(&arguments.topic, everywhere);
    }
    let given = &arguments.payload.format;
    let format = Format::new(given.text, given.protocol.clone());
    let payload = match Source::given(&arguments.payload) {
        Some(source) => format.payload(source.read()?)?,
        None => format.nothing(),
    };
    wait_for(ask(arguments, &format, payload, everywhere))
}

async fn ask(
    arguments: &RequestArguments,
    format: &Format,
    payload: Vec<u8>,
    everywhere: &Everywhere,
) -> Result<u8, Failure> {
    let visit = Visit::start(everywhere, "kith req").await?;
    let topic = arguments.topic.as_str();
    let mut request = Request::bytes(topic, format.protocol(), payload).timeout(arguments.timeout);
    if let Some(to) = &arguments.to {
        request = request.to(to.clone());
    }
    if let Some(priority) = arguments.extras.priority {
        request = request.priority(priority.into());
    }
    for (key, value) in &arguments.extras.header {
        request = request.header(key, value);
    }
    let work = async |client: &Client| {
        let asked = client.request_with(request).await;
        asked.map_err(|error| failure(error, topic, arguments))
    };
    let reply = visit.work(work).await?;
    print_result(&shown(&reply, arguments, Terminal::look(everywhere.color).is_read_by_a_person)?)
}

/// What is printed of a reply.
fn shown(
    reply: &Message,
    arguments: &RequestArguments,
    is_read_by_a_person: bool,
) -> Result<Vec<u8>, Failure> {
    let delivery = delivery(reply)?;
    let mut out = Vec::new();
    if arguments.json {
        json::message(&mut out, &delivery, &[]);
    } else if arguments.raw || !is_read_by_a_person {
        form::raw(&mut out, &delivery, None);
    } else {
        let payload = preview::whole(&delivery.protocol, delivery.payload);
        out.extend_from_slice(payload.as_bytes());
        out.push(b'\n');
    }
    Ok(out)
}

fn failure(error: RequestError, topic: &str, arguments: &RequestArguments) -> Failure {
    match error {
        RequestError::NoResponders => {
            let text = format!("nobody is there to answer: nobody subscribes to `{topic}`");
            Failure::new(exit_code::NOBODY, text)
        }
        RequestError::Timeout => {
            let seconds = arguments.timeout.as_secs_f64();
            let text = format!("no reply to `{topic}` came in {seconds} s");
            Failure::new(exit_code::TRY_AGAIN, text).hint("--timeout waits longer")
        }
        error => error.into(),
    }
}
