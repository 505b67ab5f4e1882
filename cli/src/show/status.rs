//! What `status` prints: the daemon, its counters and its clients, as the daemon reports them.
//!
//! What the daemon leaves out, because it is older or newer, counts as zero; what it adds is in
//! `--json`, which passes its answers on as they are.

mod people;

use crate::show::harmless::harmless;
use crate::show::paint::{Paint, Style};
use crate::show::table::{Row, Side, table};
use crate::show::{columns, quantity};
use crate::top::facts::Stats;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::borrow::Cow;

/// What the daemon said, word for word.
#[derive(Serialize)]
pub(crate) struct Answers<'a> {
    /// Where it listens.
    pub(crate) socket: &'a str,
    /// `bus.ready`, if it is kept.
    pub(crate) ready: Option<&'a RawValue>,
    /// `bus.stats`.
    pub(crate) stats: &'a RawValue,
    /// All of `bus.clients`.
    pub(crate) clients: &'a [Box<RawValue>],
    /// `people.status`, of a daemon that knows people.
    pub(crate) people: Option<&'a RawValue>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Ready {
    version: String,
    pid: u64,
    started_at: u64,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Client {
    client: u64,
    name: Option<String>,
    pid: Option<u32>,
    framing: Option<String>,
    subscriptions: u64,
    queued_messages: u64,
    queued_bytes: u64,
    published: u64,
    delivered: u64,
    dropped: u64,
    lagging: bool,
    service: Option<String>,
    confined: Option<String>,
}

/// The tables. `now_ms` is for how long the daemon has been up.
///
/// # Errors
/// If an answer is not of the shape that the protocol says.
pub(crate) fn tables(
    answers: &Answers<'_>,
    now_ms: u64,
    paint: Paint,
) -> Result<String, serde_json::Error> {
    let ready =
        answers.ready.map(|ready| serde_json::from_str::<Ready>(ready.get())).transpose()?;
    let stats: Stats = serde_json::from_str(answers.stats.get())?;
    let clients = answers.clients.iter().map(|row| serde_json::from_str(row.get()));
    let clients = clients.collect::<Result<Vec<Client>, _>>()?;
    let head = head(answers.socket, ready.as_ref(), now_ms, paint);
    let mut text = format!("{head}\n{}\n{}", counters(&stats, paint), rows(&clients, paint));
    if let Some(people) = answers.people {
        text.push('\n');
        text.push_str(&people::section(&serde_json::from_str(people.get())?, paint));
    }
    Ok(text)
}

fn head(socket: &str, ready: Option<&Ready>, now_ms: u64, paint: Paint) -> String {
    let daemon = match ready {
        Some(Ready { version, pid, started_at }) => {
            let up = quantity::age(now_ms.saturating_sub(*started_at));
            format!("Kith {}, process {pid}, up {up}", harmless(version))
        }
        None => "Kith".to_owned(),
    };
    format!("{}\n{}\n", paint.paint(Style::Heading, &daemon), harmless(socket))
}

fn counters(stats: &Stats, paint: Paint) -> String {
    let sized = |messages, bytes| match messages {
        0 => "0".to_owned(),
        _ => format!("{} ({})", quantity::count(messages), quantity::bytes(bytes)),
    };
    let all = &stats.counters;
    let waiting = quantity::bytes(stats.waiting_bytes);
    let kept = sized(stats.retained_messages, stats.retained_bytes);
    let queued = sized(stats.queued_messages, stats.queued_bytes);
    let rows = [
        ("published", all.published, "clients", quantity::count(stats.clients)),
        ("delivered", all.delivered, "subscriptions", quantity::count(stats.subscriptions)),
        ("dropped", all.dropped, "queued", queued),
        ("expired", stats.expired, "kept values", kept),
        ("requests", stats.requests, "waiting", quantity::count(stats.requests_waiting)),
        ("replies", stats.replies, "nobody there", quantity::count(stats.no_responders)),
        ("refused", stats.refused, "cut off", quantity::count(stats.cut_off)),
        ("not let in", stats.refused_connections, "memory waiting", waiting),
    ];
    let mut text = String::new();
    for (name, number, other, value) in rows {
        let shown = columns::right(&quantity::count(number), 14);
        let is_loss = name == "dropped" && number > 0;
        let shown = if is_loss { paint.paint(Style::Loss, &shown) } else { shown };
        let name = paint.paint(Style::Faint, &columns::left(name, 10));
        let other = paint.paint(Style::Faint, &columns::left(other, 15));
        text.push_str(&format!("  {name}{shown}    {other}{value}\n"));
    }
    text
}

/// Names, which are the clients' own, are the last to be trusted.
fn rows(clients: &[Client], paint: Paint) -> String {
    const HEADING: [(&str, Side); 9] = [
        ("ID", Side::Right),
        ("NAME", Side::Left),
        ("PROCESS", Side::Right),
        ("FRAMING", Side::Left),
        ("SUBS", Side::Right),
        ("QUEUED", Side::Right),
        ("PUBLISHED", Side::Right),
        ("DELIVERED", Side::Right),
        ("DROPPED", Side::Right),
    ];
    let row = |client: &Client| Row {
        cells: cells(client),
        style: client.lagging.then_some(Style::Loss),
        note: note(client),
    };
    table(HEADING, clients.iter().map(row).collect(), paint)
}

/// What is special about a client.
fn note(client: &Client) -> Option<String> {
    let mut notes = Vec::new();
    if client.lagging {
        notes.push("lagging".to_owned());
    }
    if client.service.is_some() {
        notes.push("service".to_owned());
    }
    if let Some(subject) = &client.confined {
        notes.push(format!("sandboxed ({})", columns::cut(&harmless(subject), 64)));
    }
    (!notes.is_empty()).then(|| notes.join(", "))
}

fn cells(client: &Client) -> [String; 9] {
    let queued = match client.queued_messages {
        0 => "0".to_owned(),
        n => format!("{} ({})", quantity::count(n), quantity::bytes(client.queued_bytes)),
    };
    let name = client.name.as_deref().map_or(Cow::Borrowed("-"), harmless);
    let framing = client.framing.as_deref().map_or(Cow::Borrowed("-"), harmless);
    [
        client.client.to_string(),
        columns::cut(&name, 32),
        client.pid.map_or_else(|| "-".to_owned(), |pid| pid.to_string()),
        columns::cut(&framing, 12),
        quantity::count(client.subscriptions),
        queued,
        quantity::count(client.published),
        quantity::count(client.delivered),
        quantity::count(client.dropped),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::show::tests::assert_harmless;

    fn shown(clients: &str) -> String {
        let raw = |text: &str| RawValue::from_string(text.to_owned()).unwrap();
        let ready = raw(r#"{"version":"0.1.0","pid":7,"started_at":1000,"protocol":1}"#);
        let stats = raw(r#"{"published":12345,"dropped":2,"queued_messages":3,"queued_bytes":99}"#);
        let clients: Vec<Box<RawValue>> = serde_json::from_str(clients).unwrap();
        let (ready, stats) = (Some(&*ready), &*stats);
        let answers =
            Answers { socket: "/run/bus.sock", ready, stats, clients: &clients, people: None };
        tables(&answers, 62_000, Paint::plain()).unwrap()
    }

    #[test]
    fn the_tables_are_aligned() {
        let clients = r#"[
            {"client":3,"name":"kith sub","pid":77,"framing":"binary","delivered":1000,
             "service":"weather","new":1},
            {"client":4,"name":null,"framing":null,"confined":"flatpak:org.example.App"},
            {"client":12,"name":null,"framing":"json","subscriptions":1,"lagging":true,
             "queued_messages":5,"queued_bytes":2048,"dropped":4588}]"#;
        let expected = "\
Kith 0.1.0, process 7, up 1 min 1 s
/run/bus.sock

  published         12,345    clients        0
  delivered              0    subscriptions  0
  dropped                2    queued         3 (99 B)
  expired                0    kept values    0
  requests               0    waiting        0
  replies                0    nobody there   0
  refused                0    cut off        0
  not let in             0    memory waiting 0 B

  ID  NAME      PROCESS  FRAMING  SUBS     QUEUED  PUBLISHED  DELIVERED  DROPPED
   3  kith sub       77  binary      0          0          0      1,000        0  service
   4  -               -  -           0          0          0          0        0  \
sandboxed (flatpak:org.example.App)
  12  -               -  json        1  5 (2 KiB)          0          0    4,588  lagging
";
        assert_eq!(shown(clients), expected);
    }

    #[test]
    fn names_are_harmless() {
        let clients = r#"[{"client":1,"name":"\u202e\u001b[2J","framing":"\u001b"}]"#;
        let text = shown(clients);
        assert!(text.contains("\\u202e\\u001b[2J"), "{text}");
        text.lines().for_each(assert_harmless);
    }

    #[test]
    fn answers_that_are_none_are_errors() {
        let raw = |text: &str| RawValue::from_string(text.to_owned()).unwrap();
        let (right, wrong) = (raw("{}"), raw("7"));
        let fits = |stats: &RawValue, client: &RawValue| {
            let clients = &[client.to_owned()];
            let answers = Answers { socket: "", ready: None, stats, clients, people: None };
            tables(&answers, 0, Paint::plain()).is_ok()
        };
        assert!(fits(&right, &right));
        assert!(!fits(&wrong, &right) && !fits(&right, &wrong));
    }
}
