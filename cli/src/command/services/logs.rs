//! `kith services logs`: what a service has said, and what it says.
//!
//! To follow, it listens before it asks for the last lines. What came meanwhile is among those, and
//! is not printed twice.

use crate::arguments::{Everywhere, LogsArguments};
use crate::command::{Stay, Visit, print_result};
use crate::exit_code;
use crate::failure::Failure;
use crate::inquiry::{self, Row};
use crate::show::harmless::harmless;
use crate::show::line::{self, Setting};
use crate::show::paint::Style;
use crate::terminal::Terminal;
use jiff::tz::TimeZone;
use kith_client::{Client, Incoming, Message};
use serde::Deserialize;
use serde_json::json;

/// A line that a service said.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(default)]
struct Line {
    /// Only in what comes live.
    #[serde(rename = "name")]
    service: String,
    at: u64,
    text: String,
}

impl Line {
    fn shown(&self, setting: &Setting) -> String {
        let time = line::time_of_day(self.at, &setting.zone);
        let time = setting.paint.paint(Style::Faint, &time);
        format!("{time} {}\n", harmless(&self.text))
    }
}

pub(super) async fn run(arguments: &LogsArguments, everywhere: &Everywhere) -> Result<u8, Failure> {
    if arguments.follow {
        return follow(arguments, everywhere).await;
    }
    let visit = Visit::start(everywhere, "kith services logs").await?;
    let work = async |client: &Client| last(client, arguments).await;
    let answer = visit.work(work).await?;
    let paint = Terminal::look(everywhere.color).paint;
    let setting = Setting { zone: TimeZone::system(), paint };
    print_result(&text(&inquiry::read::<Vec<Row>>(&answer)?, arguments.json, &setting)?)
}

async fn last(client: &Client, arguments: &LogsArguments) -> Result<Message, Failure> {
    let asked = json!({ "name": arguments.name, "lines": arguments.lines });
    inquiry::ask(client, "services.logs", &asked).await
}

fn text(rows: &[Row], is_json: bool, setting: &Setting) -> Result<Vec<u8>, Failure> {
    if is_json {
        return Ok(super::as_lines(rows).into_bytes());
    }
    let lines: Vec<Line> = inquiry::read_rows(rows)?;
    Ok(lines.iter().map(|line| line.shown(setting)).collect::<String>().into_bytes())
}

async fn follow(arguments: &LogsArguments, everywhere: &Everywhere) -> Result<u8, Failure> {
    let stay = Stay::start(everywhere, "kith services logs").await?;
    let work = async |stay: &mut Stay| {
        let setting = Setting { zone: TimeZone::system(), paint: stay.terminal.paint };
        let mut live = stay.client.subscribe("self.services.log").await?;
        let answer = stay.stop.unless(last(&stay.client, arguments)).await?;
        let rows: Vec<Row> = inquiry::read(&answer)?;
        let printed: Vec<Line> = inquiry::read_rows(&rows)?;
        let mut printed: Vec<_> = printed.into_iter().map(|line| (line.at, line.text)).collect();
        stay.output.write(text(&rows, arguments.json, &setting)?).await?;
        loop {
            let incoming = tokio::select! {
                incoming = live.next() => incoming,
                code = stay.stop.wait() => return Err(Failure::quiet(code)),
            };
            let message = match incoming {
                Some(Incoming::Message(message)) => message,
                Some(Incoming::Lag { count }) => {
                    stay.output.notice(&line::lag(count)).await?;
                    continue;
                }
                Some(Incoming::Gap) => {
                    stay.output.notice(line::GAP).await?;
                    continue;
                }
                None => return live.ended().map_or(Ok(exit_code::OK), |error| Err(error.into())),
            };
            let line: Line = inquiry::read(&message)?;
            let known = |(at, text): &(u64, String)| *at == line.at && *text == line.text;
            if line.service != arguments.name {
                continue;
            }
            if let Some(place) = printed.iter().position(known) {
                printed.swap_remove(place);
                continue;
            }
            let out = if arguments.json {
                format!("{}\n", json!({ "at": line.at, "text": line.text }))
            } else {
                line.shown(&setting)
            };
            stay.stop.unless(stay.output.write(out.into_bytes())).await?;
        }
    };
    stay.work(work).await
}
