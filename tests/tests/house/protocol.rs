//! The protocol document says what the code does: codes, kinds of frame and option tags.
//!
//! `docs/protocol.md` is what somebody writes a client from in another language, so its tables
//! are compared with the enums of `kith-wire`, row by row in both directions. What the numbers
//! mean on the wire is pinned by the test vectors; this rule only sees to it that a number or a
//! name is not changed, added or dropped on one side alone.

use std::collections::BTreeSet;

use kith_wire::Code;
use kith_wire::binary::{Kind, Tag};

use super::markdown::tables;
use super::tree::read;
use super::{Violation, keep};

const DOCUMENT: &str = "docs/protocol.md";

/// Compares the tables whose first columns are `columns` (number, then name) with `coded`.
fn check(document: &str, columns: [&str; 2], coded: &[(u16, &str)]) -> Vec<Violation> {
    let mut found = Vec::new();
    let mut documented = BTreeSet::new();
    let tables = tables(document);
    let tables = tables.iter().filter(|table| table.begins_with(&columns));
    for (line, cells) in tables.flat_map(|table| &table.rows) {
        let [number, name, ..] = cells.as_slice() else { continue };
        let Some(value) = parse(number) else {
            found.push(Violation::new(DOCUMENT, *line, format!("`{number}` is not a number")));
            continue;
        };
        if !documented.insert(value) {
            let what = format!("{} {number} is in the table twice", columns[0]);
            found.push(Violation::new(DOCUMENT, *line, what));
        }
        match coded.iter().find(|(coded, _)| *coded == value) {
            Some((_, coded)) if coded == name => {}
            Some((_, coded)) => {
                let what =
                    format!("{} {number} is `{name}` here, `{coded}` in the code", columns[0]);
                found.push(Violation::new(DOCUMENT, *line, what));
            }
            None => {
                let what = format!("{} {number}, `{name}`, is not in the code", columns[0]);
                found.push(Violation::new(DOCUMENT, *line, what));
            }
        }
    }
    let mut seen = BTreeSet::new();
    for (value, name) in coded {
        if !documented.contains(value) {
            let what = format!("{} {value} (0x{value:02X}), `{name}`, is missing", columns[0]);
            found.push(Violation::new(DOCUMENT, 1, what));
        }
        if !seen.insert(value) {
            let what = format!("the code has {} {value} (0x{value:02X}) twice", columns[0]);
            found.push(Violation::new(DOCUMENT, 1, what));
        }
    }
    found
}

/// A number as the document writes it: decimal, or hexadecimal after `0x`.
fn parse(number: &str) -> Option<u16> {
    match number.strip_prefix("0x") {
        Some(digits) => u16::from_str_radix(digits, 16).ok(),
        None => number.parse().ok(),
    }
}

#[test]
fn documented_codes_are_the_codes() -> anyhow::Result<()> {
    let coded: Vec<_> = Code::all().map(|code| (code.number(), code.name())).collect();
    keep("codes in step", check(&read(DOCUMENT)?, ["number", "code"], &coded));
    Ok(())
}

#[test]
fn documented_kinds_are_the_kinds() -> anyhow::Result<()> {
    let coded: Vec<_> = Kind::all().map(|kind| (u16::from(kind.byte()), kind.name())).collect();
    keep("kinds of frame in step", check(&read(DOCUMENT)?, ["kind", "name"], &coded));
    Ok(())
}

#[test]
fn documented_tags_are_the_tags() -> anyhow::Result<()> {
    let coded: Vec<_> = Tag::all().map(|tag| (u16::from(tag.byte()), tag.name())).collect();
    keep("option tags in step", check(&read(DOCUMENT)?, ["tag", "option"], &coded));
    Ok(())
}

#[test]
fn steps_aside_are_seen() {
    let document = "| number | code | meaning |\n| --- | --- | --- |\n| 1 | `bad-frame` | |\n\
                    | 2 | `bad-jsn` | |\n| 0x10 | `bad-op` | |\n| 2 | `bad-json` | |\n\
                    | x | `y` | |\n\
                    \n| kind | name |\n| --- | --- |\n| 9 | `BYE` |\n";
    let coded = [(1, "bad-frame"), (2, "bad-json"), (3, "bad-field"), (1, "again")];
    let mut found = check(document, ["number", "code"], &coded);
    found.sort();
    let lines: Vec<_> = found.iter().map(|one| one.line).collect();
    assert_eq!(lines, [1, 1, 4, 5, 6, 7], "{found:#?}");
    assert_eq!(check(document, ["kind", "name"], &[(9, "BYE")]), []);
    assert_eq!(check("", ["kind", "name"], &[(9, "BYE")]).len(), 1);
}
