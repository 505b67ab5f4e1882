//! The commands about people and devices: what the daemon is asked, and what a person is.
//!
//! Each is one visit as the one who administers the daemon. What can't be undone, or gives
//! something away, is asked first; a script says so with an option. Whatever is secret comes from
//! standard input or is typed where nobody sees it, and goes out by standard output only where that
//! was asked for.

mod devices;
mod friends;
mod init;
mod invite;
mod join;
mod key;
mod recovery;

use super::{Visit, print_result, prompt};
use crate::arguments::{AnswerArguments, Command, Everywhere, IdArguments};
use crate::exit_code;
use crate::failure::Failure;
use crate::inquiry;
use crate::limits::ANSWER_MS;
use crate::listen::now_ms;
use crate::show::people;
use crate::show::people::{Device, Me, Person};
use crate::terminal::Terminal;
use jiff::tz::TimeZone;
use kith_client::{Client, Message};
use serde_json::{Value, json};

/// Runs the command, if it is one about people.
pub(super) async fn run(command: &Command, everywhere: &Everywhere) -> Result<u8, Failure> {
    match command {
        Command::Init(asked) => init::run(asked, everywhere).await,
        Command::Id(asked) => id(asked, everywhere).await,
        Command::Card(asked) => card(asked, everywhere).await,
        Command::Invite(asked) => invite::run(asked, everywhere).await,
        Command::Join(asked) => join::run(asked, everywhere).await,
        Command::Friends(asked) => friends::run(asked, everywhere).await,
        Command::Devices(asked) => devices::run(asked, everywhere).await,
        Command::Lock(asked) => key::lock(asked, everywhere).await,
        Command::Unlock(asked) => key::unlock(asked, everywhere).await,
        Command::Recovery(asked) => recovery::show(asked, everywhere).await,
        Command::Recover(asked) => recovery::recover(asked, everywhere).await,
        _ => Ok(exit_code::OK),
    }
}

/// A visit of one who may change something.
async fn administer(answer: &AnswerArguments, everywhere: &Everywhere) -> Result<Visit, Failure> {
    Visit::administer(everywhere, &answer.state, "kith").await
}

/// Asks, and waits as long as the daemon itself may take.
async fn ask(client: &Client, topic: &str, asked: &Value) -> Result<Message, Failure> {
    inquiry::people(client, topic, asked, ANSWER_MS).await
}

async fn me(client: &Client) -> Result<Me, Failure> {
    inquiry::read(&ask(client, "people.me", &Value::Null).await?)
}

/// Everybody who is known.
pub(super) async fn everybody(client: &Client) -> Result<Vec<Person>, Failure> {
    inquiry::read(&ask(client, "people.list", &Value::Null).await?)
}

/// The user's own devices.
pub(super) async fn own_devices(client: &Client) -> Result<Vec<Device>, Failure> {
    inquiry::read(&ask(client, "people.devices", &Value::Null).await?)
}

/// Prints the answer as it came, or else what is to be said.
fn tell(
    answer: &Message,
    arguments: &AnswerArguments,
    say: impl FnOnce() -> Result<String, Failure>,
) -> Result<u8, Failure> {
    if arguments.json {
        let mut line = answer.payload().to_vec();
        line.push(b'\n');
        return print_result(&line);
    }
    print_result(say()?.as_bytes())
}

/// Whether it is all right to do something: that is asked, unless the command line says so already.
async fn agreed(is_given: bool, question: &str, unasked: Failure) -> Result<(), Failure> {
    if is_given {
        return Ok(());
    }
    if !prompt::is_possible() {
        return Err(unasked);
    }
    if prompt::yes(question, false).await? {
        Ok(())
    } else {
        Err(Failure::new(exit_code::FAILED, "nothing was changed"))
    }
}

async fn id(arguments: &IdArguments, everywhere: &Everywhere) -> Result<u8, Failure> {
    let visit = Visit::start(everywhere, "kith id").await?;
    let asking = async |client: &Client| ask(client, "people.me", &Value::Null).await;
    let answer = visit.work(asking).await?;
    tell(&answer, &arguments.answer, || {
        let me: Me = inquiry::read(&answer)?;
        let terminal = Terminal::look(everywhere.color);
        // A script wants the identity and nothing else.
        let all = || people::me(&me, terminal.paint);
        Ok(if terminal.is_read_by_a_person { all() } else { me.identity.clone() + "\n" })
    })
}

async fn card(arguments: &IdArguments, everywhere: &Everywhere) -> Result<u8, Failure> {
    let visit = Visit::start(everywhere, "kith card").await?;
    let asking = async |client: &Client| ask(client, "people.card", &Value::Null).await;
    let answer = visit.work(asking).await?;
    tell(&answer, &arguments.answer, || {
        let card = inquiry::read(&answer)?;
        let paint = Terminal::look(everywhere.color).paint;
        Ok(people::card(&card, now_ms(), &TimeZone::system(), paint))
    })
}

/// The one who is called so, by the user or by identity.
async fn find(client: &Client, who: &str) -> Result<Person, Failure> {
    let is_meant = |person: &Person| {
        let identity = person.identity.as_str();
        person.petname.as_deref() == Some(who)
            || identity == who
            || identity.strip_prefix("did:key:") == Some(who)
    };
    let everybody = everybody(client).await?;
    everybody.into_iter().find(is_meant).ok_or_else(|| {
        let text = format!("nobody is called `{who}`");
        Failure::new(exit_code::NO_SUCH_PERSON, text).hint("who there is: kith friends --all")
    })
}

/// What is asked about one person.
fn about(person: &Person) -> Value {
    json!({ "person": person.identity })
}
