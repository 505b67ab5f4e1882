//! `[services.NAME]`: programs that the daemon runs, and settings of services.
//!
//! Here stands what the daemon can't know: the command, and what its user wants of it. What a
//! service is and asks for is in its manifest; whether it runs, `kith services` decides.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::PathBuf;

use kith_contract::is_name;
use serde_json::{Map, Number, Value};
use toml::Spanned;
use toml::de::{DeInteger, DeTable, DeValue};

use super::fault::{Fault, Hint};
use super::settings::kind;
use super::similar::nearest;
use crate::limits::{COMMAND_WORDS_MAX, SERVICE_RATE, SERVICE_RATE_DEFAULT, SERVICES_MAX};

/// What the file says of a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Configured {
    /// `command`: the program and its arguments; none, where the service is built in.
    pub command: Vec<String>,
    /// `manifest`: its file, where it is not the one beside the program.
    pub manifest: Option<PathBuf>,
    /// `publishes_per_second_max`: how many messages it may publish in a second.
    pub publishes_per_second_max: u32,
    /// `settings`: for the service itself, an object.
    pub settings: Value,
}

impl Default for Configured {
    fn default() -> Self {
        Self {
            command: Vec::new(),
            manifest: None,
            publishes_per_second_max: SERVICE_RATE_DEFAULT,
            settings: Value::Object(Map::new()),
        }
    }
}

/// All of them, by name.
pub type Services = BTreeMap<String, Configured>;

/// What is wrong, and where.
type Faults = Vec<(Range<usize>, Fault)>;

const KEYS: [&str; 4] = ["command", "manifest", "publishes_per_second_max", "settings"];

/// Reads all tables below `[services]`.
pub(super) fn read(table: &DeTable<'_>, faults: &mut Faults) -> Services {
    let mut services = Services::new();
    for (name, value) in table {
        let written = name.get_ref().as_ref();
        let key = format!("services.{}", written.escape_debug());
        if !is_name(written) {
            faults.push((name.span(), Fault::ServiceName { key }));
            continue;
        }
        if SERVICES_MAX <= services.len() {
            faults.push((name.span(), Fault::TooManyServices));
            break;
        }
        let Some(table) = value.get_ref().as_table() else {
            let (expected, found) = ("a table, with its keys below it", kind(value.get_ref()));
            faults.push((value.span(), Fault::Type { key, expected, found }));
            continue;
        };
        services.insert(written.to_owned(), service(&key, table, faults));
    }
    services
}

fn service(path: &str, table: &DeTable<'_>, faults: &mut Faults) -> Configured {
    let mut configured = Configured::default();
    for (name, value) in table {
        let written = name.get_ref().as_ref();
        let key = format!("{path}.{}", written.escape_debug());
        let is_known = KEYS.contains(&written);
        if !is_known {
            let hint = match nearest(written, KEYS.iter().copied()) {
                Some(near) => Hint::Similar(format!("`{near}`")),
                None => Hint::Known(KEYS.map(|key| format!("`{key}`")).join(", ")),
            };
            faults.push((name.span(), Fault::UnknownKey { name: key, hint }));
            continue;
        }
        if let Err(fault) = set(&mut configured, written, key, value.get_ref()) {
            faults.push((value.span(), fault));
        }
    }
    configured
}

fn set(to: &mut Configured, name: &str, key: String, value: &DeValue<'_>) -> Result<(), Fault> {
    let wrong = |key, expected| Fault::Type { key, expected, found: kind(value) };
    match name {
        "command" => to.command = command(key, value)?,
        "manifest" => {
            let path = value.as_str().filter(|path| !path.is_empty() && !path.contains('\0'));
            to.manifest = Some(path.ok_or_else(|| wrong(key, "a path in quotes"))?.into());
        }
        "publishes_per_second_max" => {
            let DeValue::Integer(number) = value else {
                return Err(wrong(key, "a whole number, such as 1000"));
            };
            let (min, max) = (*SERVICE_RATE.start(), *SERVICE_RATE.end());
            let found = u64::from_str_radix(number.as_str(), number.radix()).ok();
            let fitting = found.and_then(|found| u32::try_from(found).ok());
            let fitting = fitting.filter(|found| SERVICE_RATE.contains(found));
            to.publishes_per_second_max = fitting.ok_or_else(|| Fault::Range {
                key,
                value: number.to_string(),
                min: min.to_string(),
                max: max.to_string(),
            })?;
        }
        _ => {
            let table = value.as_table().ok_or_else(|| wrong(key, "a table"))?;
            to.settings = object(table);
        }
    }
    Ok(())
}

fn command(key: String, value: &DeValue<'_>) -> Result<Vec<String>, Fault> {
    const EXPECTED: &str = "a list of texts: the program and its arguments, such as [\"./it.py\"]";
    let wrong = |key| Fault::Type { key, expected: EXPECTED, found: kind(value) };
    let Some(words) = value.as_array() else { return Err(wrong(key)) };
    let word = |word: &Spanned<DeValue<'_>>| {
        let text = word.get_ref().as_str()?;
        (!text.contains('\0')).then(|| text.to_owned())
    };
    let found: Option<Vec<String>> = words.iter().map(word).collect();
    let found = found.filter(|words| words.len() <= COMMAND_WORDS_MAX);
    let found = found.filter(|words| words.first().is_some_and(|program| !program.is_empty()));
    found.ok_or(Fault::Command { key, expected: EXPECTED })
}

/// Settings as JSON, which services in every language can read; a date is its text.
fn object(table: &DeTable<'_>) -> Value {
    let field = |(name, value): (&Spanned<_>, &Spanned<DeValue<'_>>)| {
        let name: &std::borrow::Cow<'_, str> = name.get_ref();
        (name.to_string(), json(value.get_ref()))
    };
    Value::Object(table.iter().map(field).collect())
}

fn json(value: &DeValue<'_>) -> Value {
    match value {
        DeValue::String(text) => Value::String(text.to_string()),
        DeValue::Integer(number) => integer(number),
        DeValue::Float(number) => {
            let parsed = number.as_str().parse().ok().and_then(Number::from_f64);
            // Infinity and what is no number have no form in JSON but their text.
            parsed.map_or_else(|| Value::String(number.to_string()), Value::Number)
        }
        DeValue::Boolean(is_so) => Value::Bool(*is_so),
        DeValue::Datetime(time) => Value::String(time.to_string()),
        DeValue::Array(all) => all.iter().map(|one| json(one.get_ref())).collect(),
        DeValue::Table(table) => object(table),
    }
}

fn integer(number: &DeInteger<'_>) -> Value {
    let (text, radix) = (number.as_str(), number.radix());
    if let Ok(found) = i64::from_str_radix(text, radix) {
        return Value::from(found);
    }
    u64::from_str_radix(text, radix).map_or_else(|_| Value::String(number.to_string()), Value::from)
}

#[cfg(test)]
mod tests {
    use super::super::settings::Settings;
    use super::*;
    use serde_json::json;

    #[test]
    fn a_service_is_a_command_and_settings_of_any_form() {
        let text = r#"
            [services.weather]
            command = ["./weather.py", "--city", "Oslo"]
            manifest = "else/where.toml"
            publishes_per_second_max = 10
            [services.weather.settings]
            city = "Oslo"
            deep = { list = [1, -2, 0x10, 1.5, inf, true, 1979-05-27] }
            [services.echo]
        "#;
        let services = Settings::parse(text).unwrap().services;
        let weather = &services["weather"];
        assert_eq!(weather.command, ["./weather.py", "--city", "Oslo"]);
        assert_eq!(weather.manifest, Some("else/where.toml".into()));
        assert_eq!(weather.publishes_per_second_max, 10);
        let list = json!([1, -2, 16, 1.5, "inf", true, "1979-05-27"]);
        assert_eq!(weather.settings, json!({"city": "Oslo", "deep": {"list": list}}));
        assert_eq!(services["echo"], Configured::default());
    }

    #[test]
    fn what_is_wrong_is_said_with_its_key() {
        let long = format!("services.a.command = [{}]", "'x',".repeat(COMMAND_WORDS_MAX + 1));
        for (text, said) in [
            ("services = 1", "`services` has to be a table"),
            ("services.Weather = {}", "`services.Weather`: a service's name"),
            ("services.a = 1", "`services.a` has to be a table"),
            ("services.a.comand = []", "unknown key `services.a.comand`: did you mean `command`?"),
            ("services.a.x = 1", "unknown key `services.a.x`: known here are `command`"),
            ("services.a.command = 'x'", "`services.a.command` has to be a list of texts"),
            ("services.a.command = []", "`services.a.command` has to be a list of texts"),
            ("services.a.command = ['']", "`services.a.command` has to be a list of texts"),
            ("services.a.command = ['x', 1]", "`services.a.command` has to be a list of texts"),
            (&long, "`services.a.command` has to be a list of texts"),
            ("services.a.manifest = 1", "`services.a.manifest` has to be a path"),
            ("services.a.manifest = ''", "`services.a.manifest` has to be a path"),
            ("services.a.settings = 1", "`services.a.settings` has to be a table"),
            (
                "services.a.publishes_per_second_max = 0",
                "`services.a.publishes_per_second_max` is 0, but has to be from 1 to 10000000",
            ),
            (
                "services.a.publishes_per_second_max = 'x'",
                "`services.a.publishes_per_second_max` has to be a whole number",
            ),
        ] {
            let problems = Settings::parse(text).unwrap_err();
            let found = problems[0].fault.to_string();
            assert!(found.starts_with(said), "{text}: {found}");
        }
    }
}
