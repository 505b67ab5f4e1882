//! `kith bench`: measures, shows what was found, and fails if something is missing.

use super::Visit;
use crate::arguments::{BenchArguments, Everywhere};
use crate::bench::{Plan, measure};
use crate::connection::Address;
use crate::exit_code;
use crate::failure::{Failure, notice};
use crate::output::print;
use crate::show::bench::{imbalance, json, tables};
use crate::terminal::Terminal;
use std::io::{self, IsTerminal, Write};
use std::time::Duration;

pub(super) async fn run(
    arguments: &BenchArguments,
    everywhere: &Everywhere,
) -> Result<u8, Failure> {
    let terminal = Terminal::look(everywhere.color);
    let plan = plan(arguments);
    let visit = Visit::start(everywhere, "kith bench").await?;
    let address = Address::find(everywhere.socket.clone())?;
    let socket = address.path().display().to_string();
    let mut progress = Progress { is_shown: io::stderr().is_terminal() };
    let work = async |client: &_| measure(&plan, address, client, |what| progress.say(what)).await;
    let findings = visit.work(work).await;
    progress.clear();
    let findings = findings?;
    let text = if arguments.json {
        format!("{}\n", json(&socket, &findings))
    } else {
        tables(&socket, &findings, terminal.paint)
    };
    print(text.as_bytes()).map_err(|error| Failure::from_output(&error))?;
    let account = findings.account();
    if account.is_balanced() {
        return Ok(exit_code::OK);
    }
    let text = format!("of {}", imbalance(&account));
    let _ = io::stderr().lock().write_all(notice(&text, terminal.notice_paint).as_bytes());
    Ok(exit_code::FAILED)
}

fn plan(arguments: &BenchArguments) -> Plan {
    let BenchArguments { secs, payload, fan, quick, .. } = arguments;
    if *quick {
        return Plan { time: Duration::from_millis(200), payloads: vec![128], fan: *fan };
    }
    Plan { time: *secs, payloads: payload.clone(), fan: *fan }
}

/// What is being measured, in one line of a terminal that each next one replaces.
struct Progress {
    is_shown: bool,
}

impl Progress {
    fn say(&mut self, what: &str) {
        if self.is_shown {
            // Where nobody can be told, there is nobody to tell.
            let _ = io::stderr().lock().write_all(format!("\r\u{1b}[K{what} …").as_bytes());
        }
    }

    fn clear(&mut self) {
        if self.is_shown {
            let _ = io::stderr().lock().write_all(b"\r\x1b[K");
        }
    }
}
