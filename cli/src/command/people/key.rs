//! `kith lock` and `kith unlock`: the identity key and its passphrase.

use super::{administer, ask, tell};
use crate::arguments::{Everywhere, KeyArguments};
use crate::command::prompt;
use crate::exit_code;
use crate::failure::Failure;
use crate::inquiry;
use crate::limits::ANSWER_MS;
use kith_client::Client;
use serde_json::json;

pub(super) async fn lock(arguments: &KeyArguments, everywhere: &Everywhere) -> Result<u8, Failure> {
    let passphrase = passphrase("A new passphrase", true).await?;
    let visit = administer(&arguments.answer, everywhere).await?;
    let asked = json!({ "passphrase": passphrase });
    let answer =
        visit.work(async |client: &Client| ask(client, "people.lock", &asked).await).await?;
    tell(&answer, &arguments.answer, || {
        Ok("your identity key is locked; messages go on without it\n".to_owned())
    })
}

pub(super) async fn unlock(
    arguments: &KeyArguments,
    everywhere: &Everywhere,
) -> Result<u8, Failure> {
    let passphrase = passphrase("Passphrase", false).await?;
    let visit = administer(&arguments.answer, everywhere).await?;
    let asked = json!({ "passphrase": passphrase });
    // A slow machine takes its time over a passphrase.
    let work = async |client: &Client| {
        inquiry::people(client, "people.unlock", &asked, 2 * ANSWER_MS).await
    };
    let answer = visit.work(work).await?;
    tell(&answer, &arguments.answer, || {
        Ok("your identity key is at hand, until it is locked or the daemon ends\n".to_owned())
    })
}

/// What is typed, or the first line of standard input.
async fn passphrase(question: &str, is_new: bool) -> Result<String, Failure> {
    let passphrase = if prompt::is_possible() {
        let typed = prompt::hidden(question).await?;
        if is_new && prompt::hidden("The same again").await? != typed {
            return Err(Failure::new(exit_code::FAILED, "these differ, so nothing was locked"));
        }
        typed
    } else {
        prompt::piped().await?.lines().next().unwrap_or_default().to_owned()
    };
    if passphrase.is_empty() {
        return Err(Failure::new(exit_code::BAD_DATA, "a passphrase has something in it"));
    }
    Ok(passphrase)
}
