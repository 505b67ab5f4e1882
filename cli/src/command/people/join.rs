//! `kith join`: a link is used.
//!
//! What kind of link it is says the link itself, before anybody is asked. That of a new device
//! would make the device one of the user's, which hears all that goes to `self`; who sends such a
//! link in place of a friend's must not get that unasked.

use super::{administer, agreed};
use crate::arguments::{Everywhere, JoinArguments};
use crate::command::prompt;
use crate::exit_code;
use crate::failure::Failure;
use crate::inquiry;
use crate::limits::JOIN_ANSWER_MS;
use crate::listen::now_ms;
use crate::show::invite::{Joined, joined};
use crate::show::people::short;
use crate::terminal::Terminal;
use kith_client::Client;
use kith_people::{Invite, InviteKind};
use serde_json::json;

pub(super) async fn run(arguments: &JoinArguments, everywhere: &Everywhere) -> Result<u8, Failure> {
    if arguments.link.is_some() {
        return Err(given_openly());
    }
    let text = if prompt::is_possible() {
        prompt::hidden("Paste the link (it is not shown)").await?
    } else {
        prompt::piped().await?
    };
    let link = text.trim();
    let bad = |text: String| Failure::new(exit_code::BAD_DATA, text);
    let invite = Invite::from_link(link)
        .map_err(|error| bad(error.to_string()).hint("the whole link is needed, in one line"))?;
    invite
        .check(now_ms())
        .map_err(|error| bad(error.to_string()).hint("ask for a new one: `kith invite` there"))?;
    agree(arguments, &invite).await?;
    let asked = json!({ "link": link, "petname": arguments.called });
    let visit = administer(&arguments.answer, everywhere).await?;
    let work = async |client: &Client| {
        let answer = inquiry::people(client, "people.join", &asked, JOIN_ANSWER_MS).await;
        answer.map_err(|failure| match failure.exit_code() {
            exit_code::TRY_AGAIN => unreachable(&invite),
            _ => failure,
        })
    };
    let answer = visit.work(work).await?;
    let paint = Terminal::look(everywhere.color).paint;
    super::tell(&answer, &arguments.answer, || {
        let with: Joined = inquiry::read(&answer)?;
        Ok(joined(&with, paint))
    })
}

fn given_openly() -> Failure {
    let text = "a link on the command line can be read by every program of this machine, and stays \
                in the history of the shell";
    Failure::new(exit_code::USAGE, text)
        .hint("run `kith join` alone, and paste it where it asks")
        .hint("or pipe it in: kith join < FILE")
        .hint("who may have seen this one could use it before you: ask for another")
}

/// A device is taken in only if that was meant.
async fn agree(arguments: &JoinArguments, invite: &Invite) -> Result<(), Failure> {
    let InviteKind::Device { name, .. } = &invite.kind else {
        if arguments.device {
            let text =
                "this link is a friend's, not a device's: without --device it makes a friend";
            return Err(Failure::new(exit_code::FAILED, text));
        }
        return Ok(());
    };
    let id = short(&invite.device().to_string());
    let text = format!("this link makes the device `{name}` ({id}) one of yours");
    let question = format!(
        "This link makes the device `{}` ({id}) one of yours: it gets all that is sent to you.\n\
         Is it a device of yours, and is the link from it?",
        crate::show::harmless::harmless(name)
    );
    let unasked = Failure::new(exit_code::USAGE, text)
        .hint("if the device is yours, and the link is from it: kith join --device")
        .hint("if a friend has sent it to you, it is not what they say it is");
    agreed(arguments.device, &question, unasked).await
}

fn unreachable(invite: &Invite) -> Failure {
    let at = invite.endpoints.join(", ");
    let text = format!("the device that invites did not answer, at {at}");
    Failure::new(exit_code::TRY_AGAIN, text)
        .hint("is it on, and does it run `quic`? See `kith services` there")
        .hint("a firewall there may close that port, or it is on another network than this one")
}
