//! `kith recovery` and `kith recover`: the identity key as words on paper, there and back.
//!
//! On a terminal the words are shown on a screen of their own, which is in no history afterwards;
//! then some of them are asked for, since words that were written down wrong are found out too late
//! otherwise.

use super::{administer, ask, tell};
use crate::arguments::{Everywhere, KeyArguments, RecoveryArguments};
use crate::command::{print_result, prompt};
use crate::exit_code;
use crate::failure::Failure;
use crate::inquiry;
use crate::limits::DRILL_WORDS;
use crate::show::words::{is_word_at, next_question, numbered, replaced, word_at};
use kith_client::Client;
use kith_people::{RecoveryError, drill_positions, recovered};
use rustix::rand::{GetRandomFlags, getrandom};
use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Deserialize)]
struct Words {
    words: String,
}

pub(super) async fn show(
    arguments: &RecoveryArguments,
    everywhere: &Everywhere,
) -> Result<u8, Failure> {
    let is_printed = arguments.print;
    if !is_printed && !prompt::is_possible() {
        let text = "whoever has the words is you: they are shown on a terminal alone";
        let failure = Failure::new(exit_code::USAGE, text);
        return Err(failure.hint("print them to standard output all the same: --print"));
    }
    let visit = administer(&arguments.answer, everywhere).await?;
    let work = async |client: &Client| {
        if is_printed {
            return Ok(Some(ask(client, "people.recovery", &Value::Null).await?));
        }
        if arguments.drill {
            drill(&words(client).await?).await?;
        } else {
            rehearse(client).await?;
        }
        Ok(None)
    };
    let Some(answer) = visit.work(work).await? else { return Ok(exit_code::OK) };
    tell(&answer, &arguments.answer, || {
        let Words { words } = inquiry::read(&answer)?;
        Ok(words + "\n")
    })
}

async fn words(client: &Client) -> Result<String, Failure> {
    let Words { words } = inquiry::read(&ask(client, "people.recovery", &Value::Null).await?)?;
    Ok(words)
}

/// Shows the words, and asks for some of them.
pub(super) async fn rehearse(client: &Client) -> Result<(), Failure> {
    let words = words(client).await?;
    let aside = prompt::Aside::new();
    prompt::say(
        "These 24 words are your identity. Whoever has them is you; if you lose all\n\
         your devices, they are all that brings it back. Write them on paper, in their\n\
         order, and keep that where nobody looks.\n\n",
    );
    prompt::say(&numbered(&words));
    prompt::line("\nEnter when they are written down; then some are asked for", "").await?;
    drop(aside);
    drill(&words).await
}

/// Asks for some of the words until they are right.
async fn drill(words: &str) -> Result<(), Failure> {
    let mut seed = [0; 32];
    getrandom(&mut seed, GetRandomFlags::empty())
        .map_err(|error| Failure::system("can't choose words", &error.into()))?;
    for number in drill_positions(seed, DRILL_WORDS) {
        let typed = prompt::line(&format!("Word {number}"), "").await?;
        if !is_word_at(words, number, &typed) {
            let text = format!("that is not word {number}: look at what you have written");
            return Err(Failure::new(exit_code::FAILED, text).hint("once more: kith recovery"));
        }
    }
    prompt::say("Right: you have them.\n");
    Ok(())
}

pub(super) async fn recover(
    arguments: &KeyArguments,
    everywhere: &Everywhere,
) -> Result<u8, Failure> {
    let words =
        if prompt::is_possible() { typed().await? } else { checked(&prompt::piped().await?)? };
    let visit = administer(&arguments.answer, everywhere).await?;
    let asked = json!({ "words": words });
    let work = async |client: &Client| ask(client, "people.recover", &asked).await;
    let answer = visit.work(work).await?;
    if arguments.answer.json {
        return tell(&answer, &arguments.answer, || Ok(String::new()));
    }
    #[derive(Deserialize)]
    struct Found {
        identity: String,
    }
    let Found { identity } = inquiry::read(&answer)?;
    let text = format!("this device has the identity {identity} again\n");
    print_result((text + "next: `kith init`, and friends: `kith friends add`\n").as_bytes())
}

/// The words, if they are right.
fn checked(words: &str) -> Result<String, Failure> {
    match recovered(words) {
        Ok(_) => Ok(words.split_whitespace().collect::<Vec<_>>().join(" ")),
        Err(RecoveryError::Word { position }) => {
            let word = word_at(words, position).unwrap_or_default();
            let text = format!("word {position}, `{word}`, is none of the list");
            Err(Failure::new(exit_code::BAD_DATA, text))
        }
        Err(error) => Err(Failure::new(exit_code::BAD_DATA, error.to_string())),
    }
}

/// Asks for the words, over as many lines as it takes; a word that is none is asked for again.
async fn typed() -> Result<String, Failure> {
    let aside = prompt::Aside::new();
    prompt::say("The 24 words of your identity, in their order, as many in a line as you like.\n");
    let mut words = String::new();
    while let Some(question) = next_question(&words) {
        words = format!("{words} {}", prompt::line(&question, "").await?);
    }
    while let Err(RecoveryError::Word { position }) = recovered(&words) {
        let word = word_at(&words, position).unwrap_or_default();
        let question = format!("word {position}, `{word}`, is none of the list; word {position}");
        let question = crate::show::harmless::harmless(&question).into_owned();
        words = replaced(&words, position, &prompt::line(&question, "").await?);
    }
    drop(aside);
    checked(&words)
}
