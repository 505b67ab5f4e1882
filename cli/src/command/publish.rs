//! `kith pub`: one message, or one for each line of the input.
//!
//! Lines are pipelined: some hundred are on their way at once, in order. A line that is no payload
//! ends it before anything after it is sent; one that the daemon refuses may have others behind it
//! on the way already.

mod waiting;

use super::{Visit, print_result, wait_for, warn_of_scope};
use crate::arguments::{Everywhere, ExtraArguments, PublishArguments, StateChoice};
use crate::exit_code;
use crate::failure::Failure;
use crate::input::{Line, Source};
use crate::limits::LINES_ON_THEIR_WAY_MAX;
use crate::output::print;
use crate::payload::Format;
use crate::show::json;
use futures_util::FutureExt;
use kith_client::{Client, Publish, Published};
use std::collections::VecDeque;
use std::future::{pending, ready};
use std::pin::Pin;
use tokio::sync::mpsc::Receiver;
use tokio::task::unconstrained;
use waiting::Patience;

pub(super) fn run(arguments: &PublishArguments, everywhere: &Everywhere) -> Result<u8, Failure> {
    // A script reads topics from somewhere, and standard error not at all.
    if !arguments.json {
        warn_of_scope(&arguments.topic, everywhere);
    }
    let text = arguments.payload.format.text;
    let format = Format::new(text, arguments.payload.format.protocol.clone());
    if arguments.clear {
        return wait_for(one(arguments, &format, Vec::new(), everywhere));
    }
    let source = Source::given_or_input(&arguments.payload)?;
    if arguments.lines {
        let lines = source.read_lines(format.clone())?;
        return wait_for(many(arguments, &format, lines, everywhere));
    }
    let payload = format.payload(source.read()?)?;
    wait_for(one(arguments, &format, payload, everywhere))
}

async fn one(
    arguments: &PublishArguments,
    format: &Format,
    payload: Vec<u8>,
    everywhere: &Everywhere,
) -> Result<u8, Failure> {
    let visit = Visit::start(everywhere, "kith pub").await?;
    let message = message(arguments, format, payload);
    let patience = Patience::of(arguments)?;
    let work = async |client: &Client| {
        waiting::send(client, message, arguments, patience, everywhere).await
    };
    let published = visit.work(work).await?;
    if arguments.json {
        print_result(&published_line(&published, arguments))
    } else {
        Ok(exit_code::OK)
    }
}

async fn many(
    arguments: &PublishArguments,
    format: &Format,
    lines: Receiver<Result<Line, Failure>>,
    everywhere: &Everywhere,
) -> Result<u8, Failure> {
    let visit = Visit::start(everywhere, "kith pub").await?;
    let patience = Patience::of(arguments)?;
    let work =
        async |client: &Client| publish_lines(client, arguments, format, patience, lines).await;
    visit.work(work).await
}

async fn publish_lines(
    client: &Client,
    arguments: &PublishArguments,
    format: &Format,
    patience: Patience,
    mut lines: Receiver<Result<Line, Failure>>,
) -> Result<u8, Failure> {
    let mut pipeline = Pipeline::new();
    // What comes after the first line that fails is not sent; what was sent before is waited for.
    let mut failed = None;
    loop {
        let wants_more = failed.is_none() && pipeline.has_room();
        tokio::select! {
            Some(line) = lines.recv(), if wants_more => match line {
                Ok(Line { number, payload }) => {
                    let message = message(arguments, format, payload);
                    pipeline.push(async move {
                        let sent = patience.of_sending(client.send(message)).await;
                        sent.map_err(|failure| failure.about(&format!("line {number}")))
                    });
                }
                Err(failure) => failed = Some(failure),
            },
            published = pipeline.next(), if !pipeline.is_empty() => match published {
                Ok(published) if arguments.json => {
                    let line = published_line(&published, arguments);
                    print(&line).map_err(|error| Failure::from_output(&error))?;
                }
                Ok(_) => {}
                Err(failure) => failed = Some(failed.unwrap_or(failure)),
            },
            else => return failed.map_or(Ok(exit_code::OK), Err),
        }
    }
}

type Sent = Result<Published, Failure>;

/// Messages on their way to the daemon and back.
///
/// A message is asked for when its future is polled first. So each is polled at once, and outside
/// tokio's budget, which would let it be polled in vain: the order of the lines is that of the
/// messages.
struct Pipeline<'a> {
    sending: VecDeque<Pin<Box<dyn Future<Output = Sent> + 'a>>>,
}

impl<'a> Pipeline<'a> {
    fn new() -> Self {
        Self { sending: VecDeque::new() }
    }

    fn is_empty(&self) -> bool {
        self.sending.is_empty()
    }

    fn has_room(&self) -> bool {
        self.sending.len() < LINES_ON_THEIR_WAY_MAX
    }

    fn push(&mut self, send: impl Future<Output = Sent> + 'a) {
        let mut send = Box::pin(unconstrained(send));
        match send.as_mut().now_or_never() {
            None => self.sending.push_back(send),
            Some(sent) => self.sending.push_back(Box::pin(ready(sent))),
        }
    }

    /// What became of the oldest. Nothing is lost if the future is dropped.
    async fn next(&mut self) -> Sent {
        let sent = match self.sending.front_mut() {
            Some(oldest) => oldest.await,
            None => pending().await,
        };
        self.sending.pop_front();
        sent
    }
}

fn message(arguments: &PublishArguments, format: &Format, payload: Vec<u8>) -> Publish<'static> {
    let topic = arguments.topic.as_str().to_owned();
    let mut message = Publish::bytes(topic, format.protocol().to_owned(), payload);
    if arguments.retain || arguments.clear {
        message = message.retain();
    }
    if let Some(expire) = arguments.expire {
        message = message.expire_after(expire);
    }
    if let Some(topic) = &arguments.reply_to {
        message = message.reply_to(topic.as_str().to_owned());
    }
    if let Some(id) = arguments.id {
        message = message.id(id);
    }
    message = match arguments.until {
        None | Some(StateChoice::Accepted) => message,
        Some(StateChoice::Stored) => message.until_stored(),
        Some(StateChoice::Sent) => message.until_sent(),
        Some(StateChoice::Delivered) => message.until_delivered(),
    };
    if let Some(to) = &arguments.to {
        message = message.to(to.clone());
    }
    if arguments.realtime {
        message = message.realtime();
    }
    if arguments.echo {
        message = message.echo();
    }
    let ExtraArguments { priority, header } = &arguments.extras;
    if let Some(priority) = priority {
        message = message.priority((*priority).into());
    }
    header.iter().fold(message, |message, (key, value)| message.header(key, value))
}

fn published_line(published: &Published, arguments: &PublishArguments) -> Vec<u8> {
    let mut line = Vec::new();
    let state = match arguments.until {
        _ if published.stored => Some("stored"),
        Some(StateChoice::Sent) => Some("sent"),
        Some(StateChoice::Delivered) => Some("delivered"),
        _ => None,
    };
    json::published(&mut line, published.id, published.duplicate, state);
    line
}
