//! A thermometer for every room, on the bus.
//!
//! Three commands, each a program of its own that knows nothing of the others but two topics:
//!
//! - `thermometer report ROOM` publishes each number that it reads as `temperature.ROOM`. The
//!   daemon keeps the last one, for whoever comes later, and publishes the will where the program
//!   is gone without a goodbye: a room without a value.
//! - `thermometer watch` prints what all rooms report, and answers who asks for the warmest one.
//! - `thermometer warmest` asks.
//!
//! What a daemon on the way may do to a program is all here: it can be absent, go away and come
//! back (the library connects again), drop messages for a program that is too slow, and have
//! nobody who answers.

use anyhow::{Context, bail};
use kith_client::{Client, Incoming, Message, Publish, RequestError, Subscribe};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::pin::pin;
use tokio::io::{AsyncBufReadExt, BufReader, stdin};

/// Below it each room has its topic; payloads are `{"celsius":NUMBER}`, or `null` for a room that
/// is not measured any more.
const TEMPERATURES: &str = "temperature";
/// Answers with `{"room":TEXT,"celsius":NUMBER}`, or `null`.
const WARMEST: &str = "thermometer.warmest";

const USAGE: &str = "usage: thermometer report ROOM | watch | warmest";

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let client = Client::builder().name("thermometer").connect().await?;
    let ended = match arguments.as_slice() {
        ["report", room] => report(&client, room).await,
        ["watch"] => watch(&client).await,
        ["warmest"] => warmest(&client).await,
        _ => bail!(USAGE),
    };
    // A goodbye in any case but a crash: so the will is published where it tells the truth.
    client.close().await?;
    ended
}

/// Publishes the numbers that come on standard input, one a line.
async fn report(client: &Client, room: &str) -> anyhow::Result<()> {
    let topic = format!("{TEMPERATURES}.{room}");
    client.set_will(Publish::json(&topic, "null").retain()).await?;
    let mut lines = BufReader::new(stdin()).lines();
    while let Some(line) = lines.next_line().await? {
        let celsius: f64 = line.trim().parse().with_context(|| format!("{line:?} is no number"))?;
        let payload = json!({ "celsius": celsius }).to_string();
        client.send(Publish::json(&topic, payload).retain()).await?;
    }
    Ok(())
}

/// Prints all temperatures and answers questions, until Ctrl-C.
async fn watch(client: &Client) -> anyhow::Result<()> {
    let pattern = format!("self.{TEMPERATURES}.*");
    // Rooms that reported before come first, as the daemon kept them.
    let mut temperatures = client.subscribe_with(Subscribe::new(pattern).retained()).await?;
    let mut questions = client.subscribe(format!("self.{WARMEST}")).await?;
    println!("watching");
    let mut rooms = BTreeMap::new();
    // One for all turns of the loop: what came between two of them would be missed.
    let mut stop = pin!(tokio::signal::ctrl_c());
    loop {
        tokio::select! {
            incoming = temperatures.next() => match incoming {
                Some(Incoming::Message(message)) => note(&mut rooms, &message),
                Some(Incoming::Lag { count }) => println!("{count} readings were lost here"),
                Some(Incoming::Gap) => println!("the bus was away and is back"),
                None => bail!("the bus is gone"),
            },
            incoming = questions.next() => match incoming {
                Some(Incoming::Message(question)) => {
                    // Who asked may have stopped waiting; that is no reason to stop watching.
                    if let Err(error) = client.reply(&question, answer(&rooms)).await {
                        println!("{error}");
                    }
                }
                Some(Incoming::Lag { .. } | Incoming::Gap) => {}
                None => bail!("the bus is gone"),
            },
            _ = &mut stop => return Ok(()),
        }
    }
}

/// Takes in and prints what one room reports.
fn note(rooms: &mut BTreeMap<String, f64>, message: &Message) {
    let Some((_, room)) = message.topic().split_once('.') else { return };
    let payload: Value = serde_json::from_slice(message.payload()).unwrap_or_default();
    if let Some(celsius) = payload.get("celsius").and_then(Value::as_f64) {
        let kept = if message.retained() { " (earlier)" } else { "" };
        println!("{room}: {celsius} °C{kept}");
        rooms.insert(room.to_owned(), celsius);
    } else {
        println!("{room}: not measured any more");
        rooms.remove(room);
    }
}

/// The warmest room, as a payload.
fn answer(rooms: &BTreeMap<String, f64>) -> String {
    let warmest = rooms.iter().max_by(|(_, one), (_, other)| one.total_cmp(other));
    let answer = warmest.map(|(room, celsius)| json!({ "room": room, "celsius": celsius }));
    answer.unwrap_or_default().to_string()
}

/// Asks whoever watches.
async fn warmest(client: &Client) -> anyhow::Result<()> {
    let answer = match client.request(WARMEST, "null").await {
        Ok(answer) => answer,
        Err(RequestError::NoResponders) => bail!("nobody watches: start `thermometer watch`"),
        Err(error) => return Err(error.into()),
    };
    let warmest: Value = serde_json::from_slice(answer.payload())?;
    let room = warmest.get("room").and_then(Value::as_str);
    let celsius = warmest.get("celsius").and_then(Value::as_f64);
    match (room, celsius) {
        (Some(room), Some(celsius)) => println!("{room}, at {celsius} °C"),
        _ => println!("no room has a thermometer"),
    }
    Ok(())
}
