//! `kith grants`: what was granted to programs.

use super::{Visit, print_result};
use crate::arguments::{
    Everywhere, GrantArguments, GrantsArguments, GrantsCommand, RevokeArguments,
};
use crate::exit_code;
use crate::failure::Failure;
use crate::inquiry::{self, Row};
use crate::listen::now_ms;
use crate::show::grants::{Grant, overview, sentence};
use crate::terminal::Terminal;
use jiff::tz::TimeZone;
use kith_client::Client;
use serde_json::json;

pub(super) async fn run(
    arguments: &GrantsArguments,
    everywhere: &Everywhere,
) -> Result<u8, Failure> {
    match &arguments.command {
        None => list(arguments.json, everywhere).await,
        Some(GrantsCommand::Add(asked)) => add(asked, everywhere).await,
        Some(GrantsCommand::Revoke(asked)) => revoke(asked, everywhere).await,
    }
}

async fn list(json: bool, everywhere: &Everywhere) -> Result<u8, Failure> {
    let visit = Visit::start(everywhere, "kith grants").await?;
    let rows = visit.work(async |client: &Client| inquiry::grants(client).await).await?;
    let text = if json {
        as_lines(&rows)
    } else {
        let grants: Vec<Grant> = inquiry::read_rows(&rows)?;
        let paint = Terminal::look(everywhere.color).paint;
        overview(&grants, now_ms(), &TimeZone::system(), paint)
    };
    print_result(text.as_bytes())
}

async fn add(arguments: &GrantArguments, everywhere: &Everywhere) -> Result<u8, Failure> {
    let visit = Visit::administer(everywhere, &arguments.state, "kith grants").await?;
    let lasts_ms = u64::try_from(arguments.lasts.as_millis()).unwrap_or(u64::MAX);
    let for_ms = (!arguments.until_revoked).then_some(lasts_ms);
    let asked = json!({
        "subject": arguments.subject, "right": arguments.right.name(), "for_ms": for_ms,
    });
    let work = async |client: &Client| inquiry::ask(client, "bus.grants.add", &asked).await;
    let answer = visit.work(work).await?;
    let text = if arguments.json {
        as_lines(&[inquiry::read(&answer)?])
    } else {
        sentence(&inquiry::read::<Grant>(&answer)?, now_ms(), &TimeZone::system())
    };
    print_result(text.as_bytes())
}

async fn revoke(arguments: &RevokeArguments, everywhere: &Everywhere) -> Result<u8, Failure> {
    let visit = Visit::administer(everywhere, &arguments.state, "kith grants").await?;
    let right = arguments.right.map(|right| right.name());
    let asked = json!({ "subject": arguments.subject, "right": right });
    let work = async |client: &Client| inquiry::ask(client, "bus.grants.revoke", &asked).await;
    let answer = visit.work(work).await?;
    let rows: Vec<Row> = inquiry::read(&answer)?;
    if rows.is_empty() {
        let right = right.map(|right| format!(" `{right}`")).unwrap_or_default();
        let text = format!("`{}` has no right{right} to take back", arguments.subject);
        return Err(Failure::new(exit_code::FAILED, text).hint("what is granted: kith grants"));
    }
    let text = if arguments.json {
        as_lines(&rows)
    } else {
        let taken = inquiry::read_rows::<Grant>(&rows)?;
        let line = |grant: &Grant| {
            let (subject, right) = (&grant.subject, &grant.right);
            format!("{subject} has the right `{right}` no more\n")
        };
        taken.iter().map(line).collect()
    };
    print_result(text.as_bytes())
}

fn as_lines(rows: &[Row]) -> String {
    rows.iter().map(|row| format!("{}\n", row.get())).collect()
}
