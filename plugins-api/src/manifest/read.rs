//! From the text of a file to a manifest, or to all that is wrong with it.
//!
//! TOML is read into a tree with positions and then walked key by key, so that every fault is found
//! in one go and placed exactly. A key that means nothing is an error: a misspelt `subscribes` that
//! is quietly passed over would be found out much later.

use super::problem::Problem;
use super::{Manifest, check_text};
use crate::limits::{ABOUT_BYTES_MAX, MANIFEST_BYTES_MAX, VERSION_BYTES_MAX};
use kith_contract::{Rights, Role};
use std::ops::Range;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// All keys that there are.
const KEYS: [&str; 8] =
    ["name", "version", "about", "roles", "publishes", "subscribes", "network", "disk"];

type Value<'a> = Spanned<DeValue<'a>>;

pub(super) fn manifest(text: &str) -> Result<Manifest, Vec<Problem>> {
    if text.len() > MANIFEST_BYTES_MAX {
        let what = format!("the file has {} bytes; {MANIFEST_BYTES_MAX} are enough", text.len());
        return Err(vec![Problem::at(text, &(0..0), what)]);
    }
    let document = DeTable::parse(text).map_err(|error| {
        vec![Problem::at(text, &error.span().unwrap_or_default(), error.message().to_owned())]
    })?;
    let mut reader = Reader::default();
    for (key, value) in document.get_ref() {
        reader.key(key.get_ref(), key.span(), value);
    }
    reader.finish(text)
}

#[derive(Default)]
struct Reader {
    manifest: Manifest,
    name: Option<Range<usize>>,
    has_version: bool,
    patterns: Vec<(Range<usize>, Pattern)>,
    faults: Vec<(Range<usize>, String)>,
}

/// A pattern of one of the two lists.
enum Pattern {
    Published(String),
    Subscribed(String),
}

impl Reader {
    fn key(&mut self, key: &str, span: Range<usize>, value: &Value<'_>) {
        match key {
            "name" => {
                self.name = Some(value.span());
                self.manifest.name = self.text(key, value);
            }
            "version" => {
                self.has_version = true;
                self.manifest.version = self.line(key, value, VERSION_BYTES_MAX);
            }
            "about" => self.manifest.about = self.line(key, value, ABOUT_BYTES_MAX),
            "roles" => self.roles(value),
            "publishes" => {
                for (span, pattern) in self.list(key, value) {
                    self.manifest.publishes.push(pattern.clone());
                    self.patterns.push((span, Pattern::Published(pattern)));
                }
            }
            "subscribes" => {
                for (span, pattern) in self.list(key, value) {
                    self.manifest.subscribes.push(pattern.clone());
                    self.patterns.push((span, Pattern::Subscribed(pattern)));
                }
            }
            "network" => self.manifest.network = self.truth(key, value),
            "disk" => self.manifest.disk = self.truth(key, value),
            unknown => {
                let what = format!("unknown key `{}`{}", unknown.escape_debug(), meant(unknown));
                self.faults.push((span, what));
            }
        }
    }

    fn roles(&mut self, value: &Value<'_>) {
        for (span, name) in self.list("roles", value) {
            match Role::from_name(&name) {
                Some(role) if self.manifest.roles.contains(&role) => {
                    self.faults.push((span, format!("the role \"{name}\" is asked for twice")));
                }
                Some(role) => self.manifest.roles.push(role),
                None => {
                    let known = Role::ALL.map(|role| format!("\"{}\"", role.name())).join(", ");
                    let name = name.escape_debug();
                    let what = format!("\"{name}\" is no role: there are {known}");
                    self.faults.push((span, what));
                }
            }
        }
    }

    fn list(&mut self, key: &str, value: &Value<'_>) -> Vec<(Range<usize>, String)> {
        let should = "a list of texts, such as [\"a.b\", \"c.>\"]";
        let DeValue::Array(array) = value.get_ref() else {
            self.wrong(key, value, should);
            return Vec::new();
        };
        let mut texts = Vec::new();
        for one in array {
            match one.get_ref().as_str() {
                Some(text) => texts.push((one.span(), text.to_owned())),
                None => self.wrong(key, one, should),
            }
        }
        texts
    }

    fn line(&mut self, key: &str, value: &Value<'_>, bytes_max: usize) -> String {
        let text = self.text(key, value);
        if let Err(what) = check_text(key, &text, bytes_max) {
            self.faults.push((value.span(), what));
        }
        text
    }

    fn text(&mut self, key: &str, value: &Value<'_>) -> String {
        let Some(text) = value.get_ref().as_str() else {
            self.wrong(key, value, "a text in quotes");
            return String::new();
        };
        text.to_owned()
    }

    fn truth(&mut self, key: &str, value: &Value<'_>) -> bool {
        value.get_ref().as_bool().unwrap_or_else(|| {
            self.wrong(key, value, "true or false");
            false
        })
    }

    fn wrong(&mut self, key: &str, value: &Value<'_>, should: &str) {
        let is = match value.get_ref() {
            DeValue::String(_) => "a text",
            DeValue::Integer(_) | DeValue::Float(_) => "a number",
            DeValue::Boolean(_) => "true or false",
            DeValue::Datetime(_) => "a date or time",
            DeValue::Array(_) => "a list",
            DeValue::Table(_) => "a table",
        };
        self.faults.push((value.span(), format!("`{key}` has to be {should}, but this is {is}")));
    }

    /// Asks for the rights one by one, so that each refusal has its place.
    fn finish(mut self, text: &str) -> Result<Manifest, Vec<Problem>> {
        let manifest = self.manifest;
        // What is wrong with a name is said once.
        let any = "any";
        let end = text.trim_end().len();
        match self.name {
            None => self.faults.push((end..end, missing("name", "\"weather\""))),
            Some(span) => {
                if let Err(error) = Rights::new(&manifest.name, &[], &[], &[])
                    && !self.faults.iter().any(|(fault, _)| *fault == span)
                {
                    self.faults.push((span, error.to_string()));
                }
            }
        }
        if !self.has_version {
            self.faults.push((end..end, missing("version", "\"1.0.0\"")));
        }
        for (span, pattern) in self.patterns {
            let rights = match pattern {
                Pattern::Published(one) => Rights::new(any, &manifest.roles, &[one], &[]),
                Pattern::Subscribed(one) => Rights::new(any, &manifest.roles, &[], &[one]),
            };
            if let Err(error) = rights {
                self.faults.push((span, error.to_string()));
            }
        }
        if self.faults.is_empty() {
            // What only shows when everything is there, such as too many patterns.
            let Manifest { name, roles, publishes, subscribes, .. } = &manifest;
            if let Err(error) = Rights::new(name, roles, publishes, subscribes) {
                self.faults.push((0..0, error.to_string()));
            }
        }
        if self.faults.is_empty() {
            return Ok(manifest);
        }
        self.faults.sort_by_key(|(span, _)| span.start);
        Err(self.faults.iter().map(|(span, what)| Problem::at(text, span, what.clone())).collect())
    }
}

fn missing(key: &str, example: &str) -> String {
    format!("`{key}` is missing: add `{key} = {example}`")
}

/// What an unknown key was probably meant to be: one that begins alike, or the whole list.
fn meant(unknown: &str) -> String {
    let alike =
        |known: &str| known.chars().zip(unknown.chars()).take_while(|(a, b)| a == b).count();
    match KEYS.iter().max_by_key(|known| alike(known)) {
        Some(known) if alike(known) >= 3 => format!(": did you mean `{known}`?"),
        _ => format!(": known here are {}", KEYS.map(|key| format!("`{key}`")).join(", ")),
    }
}
