//! `kith status`: what the daemon says about itself.

use super::{Visit, print_result};
use crate::arguments::{Everywhere, StatusArguments};
use crate::connection::Address;
use crate::failure::Failure;
use crate::inquiry;
use crate::limits::ANSWER_MS;
use crate::listen::now_ms;
use crate::show::status::{Answers, tables};
use crate::terminal::Terminal;
use kith_client::Client;
use serde_json::Value;

pub(super) async fn run(
    arguments: &StatusArguments,
    everywhere: &Everywhere,
) -> Result<u8, Failure> {
    let visit = Visit::start(everywhere, "kith status").await?;
    let work = async |client: &Client| {
        let ready = inquiry::ready(client).await?;
        let stats = inquiry::stats(client).await?;
        let clients = inquiry::clients(client).await?;
        // Some daemons know nobody, and some programs may not ask.
        let people = inquiry::people(client, "people.status", &Value::Null, ANSWER_MS).await.ok();
        Ok((ready, stats, clients, people))
    };
    let (ready, stats, clients, people) = visit.work(work).await?;
    let address = Address::find(everywhere.socket.clone())?;
    let answers = Answers {
        socket: &address.path().display().to_string(),
        ready: ready.as_ref().map(inquiry::read).transpose()?,
        stats: inquiry::read(&stats)?,
        clients: &clients,
        people: people.as_ref().map(inquiry::read).transpose()?,
    };
    let text = if arguments.json {
        serde_json::to_string(&answers).map(|line| line + "\n")
    } else {
        tables(&answers, now_ms(), Terminal::look(everywhere.color).paint)
    };
    print_result(text.map_err(|error| inquiry::unreadable(&error))?.as_bytes())
}
