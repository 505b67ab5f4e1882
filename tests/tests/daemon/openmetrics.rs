//! A strict reader of OpenMetrics text, version 1.0.0, as far as the daemon writes it.
//!
//! It takes less than the specification allows (counters, gauges and infos; no timestamps, no
//! exemplars), and nothing that it forbids: what passes here is read by every parser.

use std::collections::{BTreeMap, BTreeSet};

/// The samples of one name.
#[derive(Debug)]
pub(super) struct Family {
    pub(super) name: String,
    pub(super) kind: String,
    unit: Option<String>,
    has_help: bool,
    /// Labels and value of each.
    pub(super) samples: Vec<(BTreeMap<String, String>, f64)>,
}

impl Family {
    /// How its samples are called.
    pub(super) fn sample_name(&self) -> String {
        let suffix = match self.kind.as_str() {
            "counter" => "_total",
            "info" => "_info",
            _ => "",
        };
        format!("{}{suffix}", self.name)
    }
}

/// Reads a whole text.
pub(super) fn check(text: &str) -> Result<Vec<Family>, String> {
    let body = text.strip_suffix("# EOF\n").ok_or("it does not end with # EOF")?;
    let mut families: Vec<Family> = Vec::new();
    for line in body.split_terminator('\n') {
        let read = match line.strip_prefix("# ") {
            Some(rest) => metadata(rest, &mut families),
            None => sample(line, families.last_mut()),
        };
        read.map_err(|error| format!("{line:?}: {error}"))?;
    }
    let mut names = BTreeSet::new();
    for family in &families {
        let Family { name, unit, samples, has_help, .. } = family;
        // The names of samples must not meet those of other families either.
        if !names.insert(name.clone())
            || family.sample_name() != *name && !names.insert(family.sample_name())
        {
            return Err(format!("{name} is there twice"));
        }
        if unit.as_ref().is_some_and(|unit| !name.ends_with(&format!("_{unit}"))) {
            return Err(format!("{name} does not end with its unit"));
        }
        if !has_help || samples.is_empty() {
            return Err(format!("{name} has no help or no samples"));
        }
    }
    Ok(families)
}

fn metadata(rest: &str, families: &mut Vec<Family>) -> Result<(), String> {
    let (keyword, rest) = rest.split_once(' ').ok_or("a word is missing")?;
    let (name, value) = rest.split_once(' ').ok_or("a value is missing")?;
    if keyword == "TYPE" {
        let is_name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        let is_reserved = ["_total", "_info", "_created"].iter().any(|end| name.ends_with(end));
        if !name.chars().all(is_name) || is_reserved {
            return Err("not a name of a family".to_owned());
        }
        if !["counter", "gauge", "info"].contains(&value) {
            return Err("not a type".to_owned());
        }
        let (name, kind) = (name.to_owned(), value.to_owned());
        families.push(Family { name, kind, unit: None, has_help: false, samples: Vec::new() });
        return Ok(());
    }
    let family = families.last_mut().filter(|family| family.name == name);
    let family = family.filter(|family| family.samples.is_empty());
    let family = family.ok_or("it is of no family that has just begun")?;
    let is_first = match keyword {
        "UNIT" => family.unit.replace(value.to_owned()).is_none(),
        "HELP" => {
            unescape(value)?;
            !std::mem::replace(&mut family.has_help, true)
        }
        _ => return Err("not a keyword".to_owned()),
    };
    if is_first { Ok(()) } else { Err("it is there twice".to_owned()) }
}

fn sample(line: &str, family: Option<&mut Family>) -> Result<(), String> {
    let family = family.ok_or("it is of no family")?;
    let rest = line.strip_prefix(&family.sample_name()).ok_or("another name than the family's")?;
    let (labels, rest) = match rest.strip_prefix('{') {
        Some(rest) => labels(rest)?,
        None => (BTreeMap::new(), rest),
    };
    let number = rest.strip_prefix(' ').ok_or("no space before the value")?;
    if !number.chars().all(|c| c.is_ascii_digit() || c == '.') {
        return Err("not a number as the daemon writes them".to_owned());
    }
    let value: f64 = number.parse().map_err(|_| "not a number")?;
    if family.samples.iter().any(|(others, _)| *others == labels) {
        return Err("there twice".to_owned());
    }
    family.samples.push((labels, value));
    Ok(())
}

/// The labels behind a `{`, and what follows their `}`.
fn labels(mut rest: &str) -> Result<(BTreeMap<String, String>, &str), String> {
    let mut labels = BTreeMap::new();
    loop {
        let (name, after) = rest.split_once("=\"").ok_or("no value of a label")?;
        if !name.chars().all(|c| c.is_ascii_lowercase() || c == '_') {
            return Err(format!("{name:?} is no label"));
        }
        let mut is_escaped = false;
        let is_end = |c: char| {
            let is_end = c == '"' && !is_escaped;
            is_escaped = c == '\\' && !is_escaped;
            is_end
        };
        let end = after.find(is_end).ok_or("no end of a label's value")?;
        if labels.insert(name.to_owned(), unescape(&after[..end])?).is_some() {
            return Err("a label twice".to_owned());
        }
        let after = &after[end + 1..];
        match (after.strip_prefix(','), after.strip_prefix('}')) {
            (Some(more), _) => rest = more,
            (None, Some(after)) => return Ok((labels, after)),
            (None, None) => return Err("neither , nor }".to_owned()),
        }
    }
}

fn unescape(text: &str) -> Result<String, String> {
    let mut out = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        out.push(match (c, c == '\\') {
            (_, true) => match chars.next() {
                Some('n') => '\n',
                Some(c @ ('\\' | '"')) => c,
                other => return Err(format!("no such escape: {other:?}")),
            },
            ('"', _) => return Err("a bare quotation mark".to_owned()),
            (c, _) => c,
        });
    }
    Ok(out)
}

#[test]
fn what_is_wrong_is_seen() {
    let head = "# TYPE a counter\n# HELP a h\n";
    for (text, is_right) in [
        ("a_total 1\n# EOF\n", true),
        ("a_total{b=\"\\\\\\\"\\n,}\",c=\"\"} 1.5\n# EOF\n", true),
        ("a_total 1\n", false),
        ("a_total 1\n# EOF\n\n", false),
        ("a_total 1\n\n# EOF\n", false),
        ("a 1\n# EOF\n", false),
        ("# EOF\n", false),
        ("a_total 1\na_total 2\n# EOF\n", false),
        ("a_total{b=\"\"\"} 1\n# EOF\n", false),
        ("a_total{b=\"\\x\"} 1\n# EOF\n", false),
        ("a_total{b=\"\"}1\n# EOF\n", false),
        ("a_total NaN\n# EOF\n", false),
        ("a_total 1\n# HELP a h\n# EOF\n", false),
        ("a_total 1\n# TYPE a gauge\n# HELP a h\na 1\n# EOF\n", false),
        ("# UNIT a bytes\na_total 1\n# EOF\n", false),
    ] {
        assert_eq!(check(&format!("{head}{text}")).is_ok(), is_right, "{text:?}");
    }
}
