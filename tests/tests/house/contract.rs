//! `docs/contract.md` says what the code does: topics, who publishes them, fields, examples.
//!
//! It is what somebody writes a service from in another language. All that stands in it behind the
//! mark is made from the table of `kith-contract` and from its test vectors, so nothing there can
//! be out of step with what the daemon checks; what stands before it is written by hand. Where the
//! two differ, the test says how to write the page anew.

use std::collections::BTreeMap;
use std::fmt::Write;

use anyhow::Context;
use kith_contract::limits::{
    FIGURE_NAME_BYTES_MAX, FIGURES_MAX, NAME_CHARS_MAX, NUMBER_MAX, VALUES_MAX,
};
use kith_contract::{Entry, Field, Kind, Presence, Publisher, Role, entries, entry};
use serde_json::Value;
use serde_json::value::RawValue;

use super::tree::{read, root};
use super::{Violation, keep};

const DOCUMENT: &str = "docs/contract.md";
const VECTORS: &str = "contract/vectors/payloads.json";
const MARK: &str = "<!-- From here on this page is made from the code: see tests/tests/house/";

/// The page from the mark on.
fn page(examples: &BTreeMap<String, String>) -> anyhow::Result<String> {
    let mut page = format!("{MARK}contract.rs -->\n\n## Roles\n\n| role | whoever has it |\n");
    page.push_str("| --- | --- |\n");
    for role in Role::ALL {
        writeln!(page, "| `{role}` | {} |", role.about())?;
    }
    page.push_str("\n## All topics\n\n| topic | who publishes |\n| --- | --- |\n");
    for entry in entries() {
        let topic = topic(entry);
        let anchor = topic.to_lowercase().replace(['.', '<', '>'], "");
        writeln!(page, "| [`{topic}`](#{anchor}) | {} |", publishers(entry))?;
    }
    let mut first = "";
    for entry in entries() {
        let token = entry.topic().split('.').next().unwrap_or_default();
        if token != first && !page.contains(&format!("\n## {token}\n")) {
            section(&mut page, token, examples)?;
        }
        first = token;
    }
    Ok(page)
}

/// All topics that begin with `token`.
fn section(
    page: &mut String,
    token: &str,
    examples: &BTreeMap<String, String>,
) -> anyhow::Result<()> {
    writeln!(page, "\n## {token}")?;
    for entry in entries().filter(|entry| entry.topic().split('.').next() == Some(token)) {
        writeln!(page, "\n### `{}`\n\n{}\n", topic(entry), entry.about())?;
        writeln!(page, "Published by: {}.\n", publishers(entry))?;
        if entry.fields().is_empty() {
            page.push_str("No fields.\n\n");
        } else {
            page.push_str("| field | is | meaning |\n| --- | --- | --- |\n");
            rows(page, "", entry.fields())?;
            page.push('\n');
        }
        let (topic, example) = examples
            .iter()
            .find(|(topic, _)| entry.is_for(topic))
            .with_context(|| format!("{VECTORS} has none of {}", entry.topic()))?;
        if entry.ends_with_name() {
            writeln!(page, "On `{topic}`:\n")?;
        }
        writeln!(page, "```json\n{example}\n```")?;
    }
    Ok(())
}

fn topic(entry: &Entry) -> String {
    let prefix = entry.topic();
    match prefix.trim_end_matches('.').rsplit('.').next() {
        Some("send") if entry.ends_with_name() => format!("{prefix}<transport>"),
        _ if entry.ends_with_name() => format!("{prefix}<service>"),
        _ => prefix.to_owned(),
    }
}

fn publishers(entry: &Entry) -> String {
    let publisher = |publisher: &Publisher| match publisher {
        Publisher::Role(role) => format!("role `{role}`"),
        other => other.to_string(),
    };
    entry.publishers().iter().map(publisher).collect::<Vec<_>>().join(", ")
}

fn rows(page: &mut String, path: &str, fields: &[Field]) -> anyhow::Result<()> {
    for field in fields {
        let presence = match field.presence() {
            Presence::Speaker => ", **of who publishes**",
            Presence::Optional => ", may be left out",
            Presence::Nullable => " or null",
            _ => "",
        };
        let mut meaning = field.about();
        if let Kind::Word(words) = field.kind() {
            for word in words {
                write!(meaning, "<br>`{}`: {}", word.name(), word.about())?;
            }
        }
        let name = format!("{path}{}", field.name());
        writeln!(page, "| `{name}` | {}{presence} | {meaning} |", short(&field.kind()))?;
        match field.kind() {
            Kind::Map(fields) => rows(page, &format!("{name}."), fields)?,
            Kind::List { of: Kind::Map(fields), .. } => rows(page, &format!("{name}[]."), fields)?,
            _ => {}
        }
    }
    Ok(())
}

/// A kind in few words; the page explains them above the mark.
fn short(kind: &Kind) -> String {
    match kind {
        Kind::Number { min: 0, max: NUMBER_MAX } => "number".to_owned(),
        Kind::Number { min, max } => format!("number, {min} to {max}"),
        Kind::Text { bytes_max } => format!("text, ≤ {bytes_max}"),
        Kind::Name => "name".to_owned(),
        Kind::Id => "message id".to_owned(),
        Kind::Word(_) => "word".to_owned(),
        Kind::List { of, max } => format!("list of ≤ {max}: {}", short(of)),
        Kind::Map(_) => "map".to_owned(),
        Kind::Figures => "figures".to_owned(),
        other => other.to_string(),
    }
}

/// The first vector of each topic, as JSON.
fn examples(vectors: &str) -> anyhow::Result<BTreeMap<String, String>> {
    let rows: Vec<BTreeMap<&str, &RawValue>> = serde_json::from_str(vectors)?;
    let mut examples = BTreeMap::new();
    for row in rows {
        let topic: String =
            serde_json::from_str(row.get("topic").context("a topic is missing")?.get())?;
        let json = row.get("json").context("an example is missing")?.get();
        anyhow::ensure!(entry(&topic).is_some(), "no topic `{topic}`");
        examples.entry(topic).or_insert_with(|| json.to_owned());
    }
    Ok(examples)
}

/// The first line in which the page is not what it should be.
fn check(document: &str, page: &str) -> Option<Violation> {
    let Some((before, written)) = document.find(MARK).map(|at| document.split_at(at)) else {
        return Some(Violation::new(DOCUMENT, 1, format!("`{MARK}…` is missing")));
    };
    let mut pairs = written.lines().zip(page.lines());
    let same = pairs.by_ref().take_while(|(written, wanted)| written == wanted).count();
    let wanted = page.lines().nth(same);
    (written != page).then(|| {
        let what = format!(
            "should be `{}`. To write the page anew: KITH_WRITE_DOCS=1 cargo test -p kith-tests \
             house::contract",
            wanted.unwrap_or_default()
        );
        Violation::new(DOCUMENT, before.lines().count() + same + 1, what)
    })
}

#[test]
fn the_documented_contract_is_the_contract() -> anyhow::Result<()> {
    let page = page(&examples(&read(VECTORS)?)?)?;
    let document = read(DOCUMENT)?;
    let found = check(&document, &page);
    if let (Some(_), Some(_)) = (&found, std::env::var_os("KITH_WRITE_DOCS")) {
        let before = document.find(MARK).and_then(|at| document.get(..at)).unwrap_or(&document);
        std::fs::write(root().join(DOCUMENT), format!("{before}{page}"))?;
    }
    keep("docs/contract.md in step", found);
    Ok(())
}

#[test]
fn what_is_written_by_hand_holds_too() -> anyhow::Result<()> {
    let document = read(DOCUMENT)?;
    let by_hand = document.split(MARK).next().unwrap_or_default();
    for words in [
        format!("0 to 2^53 - 1 ({NUMBER_MAX})"),
        format!("1 to {NAME_CHARS_MAX} of"),
        format!("at most {FIGURES_MAX} whole numbers"),
        format!("names of 1 to {FIGURE_NAME_BYTES_MAX} bytes"),
        format!("at most {},{:03} values", VALUES_MAX / 1000, VALUES_MAX % 1000),
    ] {
        assert!(by_hand.contains(&words), "{DOCUMENT} does not say: {words}");
    }
    let lines = by_hand.lines().filter(|line| line.starts_with("{\"op\":\"pub\""));
    let lines: Vec<Value> = lines.map(serde_json::from_str).collect::<Result<_, _>>()?;
    let [json, cbor] = lines.as_slice() else { anyhow::bail!("two examples, not {lines:?}") };
    let entry = json["topic"].as_str().and_then(entry).context("the topic of an example")?;
    let views = entry.check("ms", json["payload"].to_string().as_bytes())?;
    let base64 = data_encoding::BASE64.encode(&views.cbor);
    assert_eq!(
        cbor["payload_b64"], base64,
        "{DOCUMENT}: the two examples are the same in two forms"
    );
    Ok(())
}

#[test]
fn a_page_that_is_out_of_step_is_seen() {
    let page = format!("{MARK}contract.rs -->\n\nas it is\n");
    assert_eq!(check(&format!("By hand.\n\n{page}"), &page), None);
    let line = |document: &str| check(document, &page).map(|found| found.line);
    assert_eq!(line(&format!("By hand.\n\n{}", page.replace("as it is", "as it was"))), Some(5));
    assert_eq!(line(&format!("By hand.\n\n{page}more\n")), Some(6));
    assert_eq!(line("By hand.\n"), Some(1));
}
