//! `kith invite`: a link, and on a terminal a code for a camera.
//!
//! Standard output has the link and nothing else, so that a script can pass it on; what is said
//! about it goes to standard error.

use super::{administer, ask};
use crate::arguments::{Everywhere, InviteArguments};
use crate::command::{print_result, prompt};
use crate::failure::Failure;
use crate::inquiry;
use crate::listen::now_ms;
use crate::show::harmless::harmless;
use crate::show::invite::{Invited, invited};
use crate::show::qr::Code;
use crate::terminal::Terminal;
use jiff::tz::TimeZone;
use kith_client::Client;
use serde_json::{Value, json};

pub(super) async fn run(
    arguments: &InviteArguments,
    everywhere: &Everywhere,
) -> Result<u8, Failure> {
    let visit = administer(&arguments.answer, everywhere).await?;
    let asked = question(arguments);
    let work = async |client: &Client| ask(client, "people.invite", &asked).await;
    let answer = visit.work(work).await?;
    if arguments.answer.json {
        return super::tell(&answer, &arguments.answer, || Ok(String::new()));
    }
    let made: Invited = inquiry::read(&answer)?;
    let terminal = Terminal::look(everywhere.color);
    prompt::say(&invited(&made, now_ms(), &TimeZone::system()));
    if let Some(code) = Code::of(&made.link)
        && terminal.is_read_by_a_person
    {
        print_result(drawn(&code, &terminal).as_bytes())?;
    }
    print_result(format!("{}\n", harmless(&made.link)).as_bytes())
}

fn question(arguments: &InviteArguments) -> Value {
    json!({
        "kind": if arguments.device { "device" } else { "friend" },
        "expires_ms": u64::try_from(arguments.expires.as_millis()).unwrap_or(u64::MAX),
        "uses": arguments.uses,
        "petname": arguments.called,
    })
}

/// The code, where there is room to see all of it at once.
fn drawn(code: &Code, terminal: &Terminal) -> String {
    let (columns, lines) = (code.columns(), code.lines());
    let has_room = terminal.size().is_some_and(|(width, height)| {
        // The link and the prompt of the shell stand below.
        columns <= width && lines < height
    });
    if has_room {
        return code.lines_text(terminal.paint.is_colored());
    }
    format!("(a QR code for it needs {columns} columns and {} lines)\n", lines + 1)
}
