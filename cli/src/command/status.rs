//! `kith status`: what the daemon says about itself.

use super::{Visit, print_result};
use crate::arguments::{Everywhere, StatusArguments};
use crate::connection::Address;
use crate::failure::Failure;
use crate::inquiry;
use crate::listen::now_ms;
use crate::show::status::{Answers, tables};
use crate::terminal::Terminal;
use kith_client::Client;

pub(super) async fn run(
    arguments: &StatusArguments,
    everywhere: &Everywhere,
) -> Result<u8, Failure> {
    let visit = Visit::start(everywhere, "kith status").await?;
    let work = async |client: &Client| {
        let ready = inquiry::ready(client).await?;
        let stats = inquiry::stats(client).await?;
        Ok((ready, stats, inquiry::clients(client).await?))
    };
    let (ready, stats, clients) = visit.work(work).await?;
    let address = Address::find(everywhere.socket.clone())?;
    let answers = Answers {
        socket: &address.path().display().to_string(),
        ready: ready.as_ref().map(inquiry::read).transpose()?,
        stats: inquiry::read(&stats)?,
        clients: &clients,
    };
    let text = if arguments.json {
        serde_json::to_string(&answers).map(|line| line + "\n")
    } else {
        tables(&answers, now_ms(), Terminal::look(everywhere.color).paint)
    };
    print_result(text.map_err(|error| inquiry::unreadable(&error))?.as_bytes())
}
