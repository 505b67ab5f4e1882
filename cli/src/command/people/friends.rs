//! `kith friends`: who is known, and what the user says of them.

use super::{about, administer, agreed, ask, find, tell};
use crate::arguments::{
    AnswerArguments, Everywhere, FriendAddArguments, FriendArguments, FriendRenameArguments,
    FriendsArguments, FriendsCommand,
};
use crate::command::{Visit, print_result, prompt};
use crate::exit_code;
use crate::failure::Failure;
use crate::inquiry::{self, Row};
use crate::listen::now_ms;
use crate::show::people::{self, Person, safety};
use crate::terminal::Terminal;
use kith_client::Client;
use serde_json::{Value, json};

pub(super) async fn run(
    arguments: &FriendsArguments,
    everywhere: &Everywhere,
) -> Result<u8, Failure> {
    match &arguments.command {
        None => list(arguments.all, &arguments.answer, everywhere).await,
        Some(FriendsCommand::List(asked)) => match &asked.person {
            None => list(asked.all, &asked.answer, everywhere).await,
            Some(who) => one(who, &asked.answer, everywhere).await,
        },
        Some(FriendsCommand::Add(asked)) => add(asked, everywhere).await,
        Some(FriendsCommand::Verify(asked)) => verify(asked, everywhere).await,
        Some(FriendsCommand::Rename(asked)) => rename(asked, everywhere).await,
        Some(FriendsCommand::Reject(asked)) => reject(asked, everywhere).await,
        Some(FriendsCommand::Remove(asked)) => remove(asked, everywhere).await,
    }
}

async fn list(
    all: bool,
    arguments: &AnswerArguments,
    everywhere: &Everywhere,
) -> Result<u8, Failure> {
    let visit = Visit::start(everywhere, "kith friends").await?;
    let asking = async |client: &Client| ask(client, "people.list", &Value::Null).await;
    let answer = visit.work(asking).await?;
    if arguments.json {
        let rows: Vec<Row> = inquiry::read(&answer)?;
        let lines: String = rows.iter().map(|row| format!("{}\n", row.get())).collect();
        return print_result(lines.as_bytes());
    }
    let everybody: Vec<Person> = inquiry::read(&answer)?;
    let shown: Vec<_> = everybody.iter().filter(|person| all || person.is_shown()).collect();
    let paint = Terminal::look(everywhere.color).paint;
    print_result(people::friends(&shown, paint).as_bytes())
}

async fn one(
    who: &str,
    arguments: &AnswerArguments,
    everywhere: &Everywhere,
) -> Result<u8, Failure> {
    let visit = Visit::start(everywhere, "kith friends").await?;
    let (person, row) = visit
        .work(async |client: &Client| {
            let person = find(client, who).await?;
            let rows: Vec<Value> = inquiry::read(&ask(client, "people.list", &Value::Null).await?)?;
            let row =
                rows.into_iter().find(|row| row.get("identity") == Some(&json!(person.identity)));
            Ok((person, row.unwrap_or_default()))
        })
        .await?;
    if arguments.json {
        return print_result(format!("{row}\n").as_bytes());
    }
    let paint = Terminal::look(everywhere.color).paint;
    print_result(people::person(&person, now_ms(), paint).as_bytes())
}

async fn add(arguments: &FriendAddArguments, everywhere: &Everywhere) -> Result<u8, Failure> {
    let visit = administer(&arguments.answer, everywhere).await?;
    let FriendAddArguments { person, called, at, .. } = arguments;
    let asked = json!({ "person": person, "petname": called, "at": at });
    let work = async |client: &Client| ask(client, "people.add", &asked).await;
    let answer = visit.work(work).await?;
    tell(&answer, &arguments.answer, || {
        let person: Person = inquiry::read(&answer)?;
        let who = person.called();
        let rest = if person.devices.is_empty() {
            "; nothing can be sent to them until a device of theirs has been met, which takes that \
             they add you too"
        } else {
            ""
        };
        Ok(format!("{who} is a friend{rest}\n"))
    })
}

async fn verify(arguments: &FriendArguments, everywhere: &Everywhere) -> Result<u8, Failure> {
    let visit = administer(&arguments.answer, everywhere).await?;
    let paint = Terminal::look(everywhere.color).notice_paint;
    let work = async |client: &Client| {
        let person = find(client, &arguments.person).await?;
        if !arguments.yes {
            prompt::say(&safety(&person, paint));
        }
        let unasked = Failure::new(exit_code::USAGE, "nobody is here to compare the numbers")
            .hint("if you have compared them: --yes");
        let question = format!("Does {} see the same number?", person.called());
        agreed(arguments.yes, &question, unasked).await?;
        ask(client, "people.verify", &about(&person)).await
    };
    let answer = visit.work(work).await?;
    said(&answer, &arguments.answer, |who| format!("{who} is verified\n"))
}

async fn rename(arguments: &FriendRenameArguments, everywhere: &Everywhere) -> Result<u8, Failure> {
    let visit = administer(&arguments.answer, everywhere).await?;
    let work = async |client: &Client| {
        let person = find(client, &arguments.person).await?;
        let asked = json!({ "person": person.identity, "to": arguments.to });
        ask(client, "people.rename", &asked).await
    };
    let answer = visit.work(work).await?;
    said(&answer, &arguments.answer, |who| format!("called {who} from now on\n"))
}

async fn reject(arguments: &FriendArguments, everywhere: &Everywhere) -> Result<u8, Failure> {
    let question = "Their messages will be thrown away unopened, and they are told nothing. Reject";
    let done = |who: &str| format!("{who} is rejected\n");
    end(arguments, everywhere, "people.reject", question, done).await
}

async fn remove(arguments: &FriendArguments, everywhere: &Everywhere) -> Result<u8, Failure> {
    let question = "They will be a stranger, and what waits for them is thrown away. Remove";
    let done = |_: &str| "removed; a stranger now\n".to_owned();
    end(arguments, everywhere, "people.remove", question, done).await
}

/// Ends a friendship in one way or the other.
async fn end(
    arguments: &FriendArguments,
    everywhere: &Everywhere,
    topic: &str,
    question: &str,
    done: impl FnOnce(&str) -> String,
) -> Result<u8, Failure> {
    let visit = administer(&arguments.answer, everywhere).await?;
    let work = async |client: &Client| {
        let person = match find(client, &arguments.person).await {
            Ok(person) => person,
            // Somebody who was never seen can be rejected too.
            Err(_) if arguments.person.parse::<kith_people::PersonId>().is_ok() => {
                Person { identity: arguments.person.clone(), ..Person::default() }
            }
            Err(failure) => return Err(failure),
        };
        let who = person.called();
        let unasked = Failure::new(exit_code::USAGE, format!("`{who}` would not be a friend"))
            .hint("do it all the same: --yes");
        agreed(arguments.yes, &format!("{question} {who}?"), unasked).await?;
        ask(client, topic, &about(&person)).await
    };
    let answer = visit.work(work).await?;
    said(&answer, &arguments.answer, done)
}

fn said(
    answer: &kith_client::Message,
    arguments: &AnswerArguments,
    say: impl FnOnce(&str) -> String,
) -> Result<u8, Failure> {
    tell(answer, arguments, || {
        let person: Person = inquiry::read(answer)?;
        Ok(say(&person.called()))
    })
}
