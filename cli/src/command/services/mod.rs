//! `kith services`: what runs beside the bus, and making it run or not.
//!
//! Looking is for everybody who can connect; all else is asked with the administration key shown.

mod change;
mod logs;
mod test;

pub(in crate::command) use change::switch_on;

use super::{Visit, print_result, wait_for};
use crate::arguments::{Everywhere, ServicesArguments, ServicesCommand};
use crate::exit_code;
use crate::failure::Failure;
use crate::inquiry::{self, Row};
use crate::limits::SERVICE_FLOW_MS;
use crate::listen::now_ms;
use crate::show::services::{Flow, Service, everything, overview};
use crate::terminal::Terminal;
use kith_client::Client;
use std::time::{Duration, Instant};
use tokio::time::sleep;

pub(super) fn run(arguments: &ServicesArguments, everywhere: &Everywhere) -> Result<u8, Failure> {
    match &arguments.command {
        None => wait_for(list(None, arguments.json, everywhere)),
        Some(ServicesCommand::List(asked)) => {
            wait_for(list(asked.name.as_deref(), asked.json, everywhere))
        }
        Some(ServicesCommand::Enable(asked)) => wait_for(change::enable(asked, everywhere)),
        Some(ServicesCommand::Disable(asked)) => wait_for(change::disable(asked, everywhere)),
        Some(ServicesCommand::Restart(asked)) => wait_for(change::restart(asked, everywhere)),
        Some(ServicesCommand::Logs(asked)) => wait_for(logs::run(asked, everywhere)),
        Some(ServicesCommand::Test(asked)) => wait_for(test::run(asked, everywhere)),
    }
}

async fn list(name: Option<&str>, json: bool, everywhere: &Everywhere) -> Result<u8, Failure> {
    let visit = Visit::start(everywhere, "kith services").await?;
    let paint = Terminal::look(everywhere.color).paint;
    let work = async |client: &Client| {
        let begin = Instant::now();
        let rows = inquiry::services(client).await?;
        let before: Vec<Service> = inquiry::read_rows(&rows)?;
        if let Some(name) = name {
            let place = find(&before, name)?;
            return Ok(match (before.get(place), rows.get(place)) {
                (_, Some(row)) if json => as_lines(std::slice::from_ref(row)),
                (Some(service), _) => everything(service, now_ms(), paint),
                _ => String::new(),
            });
        }
        if json {
            return Ok(as_lines(&rows));
        }
        if !before.iter().any(|service| service.client.is_some()) {
            return Ok(overview(&before, &[], now_ms(), paint));
        }
        // What was counted twice, this long apart, is what flows.
        sleep(Duration::from_millis(SERVICE_FLOW_MS)).await;
        let after: Vec<Service> = inquiry::read_rows(&inquiry::services(client).await?)?;
        let elapsed_ms = u64::try_from(begin.elapsed().as_millis()).unwrap_or(u64::MAX);
        let flow = |service| Flow::between(&before, service, elapsed_ms);
        let flows: Vec<_> = after.iter().map(flow).collect();
        Ok(overview(&after, &flows, now_ms(), paint))
    };
    print_result(visit.work(work).await?.as_bytes())
}

/// Where this one stands.
fn find(services: &[Service], name: &str) -> Result<usize, Failure> {
    if let Some(place) = services.iter().position(|service| service.name == name) {
        return Ok(place);
    }
    let failure = Failure::new(exit_code::FAILED, format!("there is no service `{name}`"));
    let names: Vec<_> = services.iter().map(|service| service.name.as_str()).collect();
    Err(if names.is_empty() {
        failure.hint("there are none at all: none is built in, and none is configured")
    } else {
        failure.hint(format!("there are {}", names.join(", ")))
    })
}

fn as_lines(rows: &[Row]) -> String {
    rows.iter().map(|row| format!("{}\n", row.get())).collect()
}
