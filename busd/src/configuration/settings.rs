//! What a configuration file says: the one table of keys, and the reader that holds a file to it.
//!
//! TOML is read into a tree with positions and then walked along [`KEYS`], instead of being
//! deserialised into a struct. So every fault of the file is found in one go and placed exactly,
//! in our words; and the list of known keys, the ranges, the hints and the test of the documented
//! defaults come from one place. A key that means nothing is an error: a misspelt limit that is
//! quietly ignored is found out too late.
//!
//! Deliberately absent: includes, variables, and a file for each drop-in. One file, read once.

use std::net::SocketAddr;
use std::ops::{Range, RangeInclusive};
use std::path::{Path, PathBuf};

use kith_core::Limits;
use kith_wire::limits::line_bytes_max;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::address::parse_loopback;
use super::fault::{Fault, Hint, PathError, Problem};
use super::level::LogLevel;
use super::quantity::{format_bytes, format_milliseconds, parse_bytes, parse_milliseconds};
use super::services::{self, Services};
use super::similar::nearest;
use super::store::StoreKind;
use crate::limits;

/// What a file says, with the defaults where it says nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// `socket.path`. What stands in for it depends on the environment.
    pub socket: Option<PathBuf>,
    /// `store`: where durable messages and kept values are.
    pub store: StoreKind,
    /// `state.path`. What stands in for it depends on the environment.
    pub state: Option<PathBuf>,
    /// `log.level`.
    pub log_level: LogLevel,
    /// `limits.*` and `stats.interval`.
    pub limits: Limits,
    /// `metrics.*`.
    pub metrics: Metrics,
    /// `dbus.*`.
    pub dbus: Dbus,
    /// `services.*`.
    pub services: Services,
}

/// Whether and where the daemon is on a session bus.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dbus {
    /// `dbus.enabled`: whether it is on one at all.
    pub enabled: bool,
    /// `dbus.address`: on this one. What stands in for it depends on the environment.
    pub address: Option<String>,
}

impl Default for Dbus {
    fn default() -> Self {
        Self { enabled: true, address: None }
    }
}

/// Whether and where the daemon's counters are served to monitoring systems.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metrics {
    /// `metrics.enabled`: whether they are served at all.
    pub enabled: bool,
    /// `metrics.path`: the Unix socket. What stands in for it depends on where the bus is.
    pub path: Option<PathBuf>,
    /// `metrics.address`: also on this address, which no other machine can reach.
    pub address: Option<SocketAddr>,
}

impl Default for Metrics {
    fn default() -> Self {
        Self { enabled: true, path: None, address: None }
    }
}

/// A key that a file may have.
pub(super) struct Key {
    /// Empty for one before the first table.
    pub(super) table: &'static str,
    pub(super) name: &'static str,
    pub(super) value: Value,
}

/// What a key's value has to be, and where it goes.
pub(super) enum Value {
    Store,
    Socket,
    State,
    Level,
    MetricsEnabled,
    MetricsPath,
    MetricsAddress,
    DbusEnabled,
    DbusAddress,
    Bytes(RangeInclusive<u64>, fn(&mut Limits) -> &mut usize),
    Count(RangeInclusive<u64>, fn(&mut Limits) -> &mut usize),
    Attempts(RangeInclusive<u64>, fn(&mut Limits) -> &mut u32),
    Milliseconds(RangeInclusive<u64>, fn(&mut Limits) -> &mut u64),
}

use Value::{Attempts, Bytes, Count, Milliseconds};

/// Every key that there is.
pub(super) static KEYS: &[Key] = &[
    key(TOP, "store", Value::Store),
    key("socket", "path", Value::Socket),
    key("state", "path", Value::State),
    key("log", "level", Value::Level),
    limit("payload_bytes_max", Bytes(limits::PAYLOAD_BYTES, |to| &mut to.payload_bytes_max)),
    limit("queue_bytes_max", Bytes(limits::QUEUE_BYTES, |to| &mut to.queue_bytes_max)),
    limit("queue_messages_max", Count(limits::QUEUE_MESSAGES, |to| &mut to.queue_messages_max)),
    limit(
        "waiting_bytes_total_max",
        Bytes(limits::WAITING_BYTES_TOTAL, |to| &mut to.waiting_bytes_total_max),
    ),
    limit("subscriptions_max", Count(limits::SUBSCRIPTIONS, |to| &mut to.subscriptions_max)),
    limit(
        "subscriptions_total_max",
        Count(limits::SUBSCRIPTIONS_TOTAL, |to| &mut to.subscriptions_total_max),
    ),
    limit("requests_max", Count(limits::REQUESTS, |to| &mut to.requests_max)),
    limit(
        "retained_messages_max",
        Count(limits::RETAINED_MESSAGES, |to| &mut to.retained_messages_max),
    ),
    limit("retained_bytes_max", Bytes(limits::RETAINED_BYTES, |to| &mut to.retained_bytes_max)),
    limit("clients_max", Count(limits::CLIENTS, |to| &mut to.clients_max)),
    limit("consumers_max", Count(limits::CONSUMERS, |to| &mut to.consumers_max)),
    limit("stored_messages_max", Count(limits::STORED_MESSAGES, |to| &mut to.stored_messages_max)),
    limit("stored_bytes_max", Bytes(limits::STORED_BYTES, |to| &mut to.stored_bytes_max)),
    limit("lease", Milliseconds(limits::LEASE, |to| &mut to.lease_ms)),
    limit("deliveries_max", Attempts(limits::DELIVERIES, |to| &mut to.deliveries_max)),
    limit(
        "history_messages_max",
        Count(limits::HISTORY_MESSAGES, |to| &mut to.history_messages_max),
    ),
    limit("history_bytes_max", Bytes(limits::HISTORY_BYTES, |to| &mut to.history_bytes_max)),
    key("stats", "interval", Milliseconds(limits::STATS_INTERVAL, |to| &mut to.stats_interval_ms)),
    key("metrics", "enabled", Value::MetricsEnabled),
    key("metrics", "path", Value::MetricsPath),
    key("metrics", "address", Value::MetricsAddress),
    key("dbus", "enabled", Value::DbusEnabled),
    key("dbus", "address", Value::DbusAddress),
];

/// What stands before the first table.
pub(super) const TOP: &str = "";
/// The table in which each service has its own.
const SERVICES: &str = "services";

const fn key(table: &'static str, name: &'static str, value: Value) -> Key {
    Key { table, name, value }
}

const fn limit(name: &'static str, value: Value) -> Key {
    Key { table: "limits", name, value }
}

impl Key {
    /// The key with its table, as sentences have it.
    pub(super) fn path(&self) -> String {
        match self.table {
            TOP => self.name.to_owned(),
            table => format!("{table}.{}", self.name),
        }
    }
}

impl Settings {
    /// Reads the text of a file.
    ///
    /// # Errors
    /// Everything that is wrong with it, in the order of the file.
    pub fn parse(text: &str) -> Result<Self, Vec<Problem>> {
        let document = DeTable::parse(text).map_err(|error| {
            let span = error.span().unwrap_or_default();
            vec![Problem::new(text, &span, Fault::Syntax(error.message().to_owned()))]
        })?;
        let mut reader = Reader::default();
        reader.document(document.get_ref());
        reader.check_queue();
        let Reader { settings, mut faults, .. } = reader;
        if faults.is_empty() {
            return Ok(settings);
        }
        faults.sort_by_key(|(span, _)| span.start);
        Err(faults.into_iter().map(|(span, fault)| Problem::new(text, &span, fault)).collect())
    }
}

/// Walks a document and collects what it says and what is wrong.
#[derive(Default)]
struct Reader {
    settings: Settings,
    /// Where the file says how much a queue may hold.
    queue: Option<Range<usize>>,
    /// Where the file says how large a payload may be.
    payload: Option<Range<usize>>,
    faults: Vec<(Range<usize>, Fault)>,
}

impl Reader {
    fn document(&mut self, document: &DeTable<'_>) {
        for (name, value) in document {
            let (written, span) = (name.get_ref().as_ref(), name.span());
            if let Some(key) = KEYS.iter().find(|key| key.table == TOP && key.name == written) {
                self.value(key, value);
                continue;
            }
            let known = KEYS.iter().find(|key| key.table == written && key.table != TOP);
            match (known, value.get_ref()) {
                (None, value) if written == SERVICES => self.services(value, span),
                (Some(known), DeValue::Table(table)) => self.table(known.table, table),
                (Some(known), other) => {
                    let found = kind(other);
                    let expected = "a table, with its keys below it";
                    let key = known.table.to_owned();
                    self.fault(value.span(), Fault::Type { key, expected, found });
                }
                (None, DeValue::Table(_)) => {
                    let (name, hint) = (written.escape_debug().to_string(), table_hint(written));
                    self.fault(span, Fault::UnknownTable { name, hint });
                }
                (None, _) => {
                    let (name, hint) = (written.escape_debug().to_string(), key_hint("", written));
                    self.fault(span, Fault::UnknownKey { name, hint });
                }
            }
        }
    }

    fn services(&mut self, value: &DeValue<'_>, span: Range<usize>) {
        match value {
            DeValue::Table(table) => {
                self.settings.services = services::read(table, &mut self.faults);
            }
            other => {
                let (key, expected) = (SERVICES.to_owned(), "a table, with a table for each below");
                self.fault(span, Fault::Type { key, expected, found: kind(other) });
            }
        }
    }

    fn table(&mut self, table: &'static str, keys: &DeTable<'_>) {
        for (name, value) in keys {
            let written = name.get_ref().as_ref();
            match KEYS.iter().find(|key| key.table == table && key.name == written) {
                Some(key) => self.value(key, value),
                None => {
                    let hint = key_hint(table, written);
                    let span = name.span();
                    let name = format!("{table}.{}", written.escape_debug());
                    self.fault(span, Fault::UnknownKey { name, hint });
                }
            }
        }
    }

    fn value(&mut self, key: &Key, value: &Spanned<DeValue<'_>>) {
        if let Err(fault) = self.set(key, value.get_ref()) {
            self.fault(value.span(), fault);
        }
        match key.name {
            "queue_bytes_max" => self.queue = Some(value.span()),
            "payload_bytes_max" => self.payload = Some(value.span()),
            _ => {}
        }
    }

    fn set(&mut self, key: &Key, value: &DeValue<'_>) -> Result<(), Fault> {
        let settings = &mut self.settings;
        match &key.value {
            Value::Store => {
                let written = text(key, value, "a text, such as \"sqlite\"")?;
                let kind = StoreKind::from_name(written);
                settings.store = kind.ok_or_else(|| Fault::Store { key: key.path() })?;
            }
            Value::Socket => settings.socket = Some(socket_path(key, value)?),
            Value::State => settings.state = Some(path(key, value)?),
            Value::Level => {
                let level = text(key, value, "a text, such as \"info\"")?;
                let level = LogLevel::from_name(level);
                settings.log_level = level.ok_or_else(|| Fault::Level { key: key.path() })?;
            }
            Value::MetricsEnabled => {
                let enabled = value.as_bool();
                settings.metrics.enabled =
                    enabled.ok_or_else(|| wrong_type(key, value, "true or false"))?;
            }
            Value::MetricsPath => settings.metrics.path = Some(socket_path(key, value)?),
            Value::MetricsAddress => {
                let written = text(key, value, "an address in quotes, such as \"127.0.0.1:9464\"")?;
                let address = parse_loopback(written);
                settings.metrics.address =
                    Some(address.map_err(|source| Fault::Address { key: key.path(), source })?);
            }
            Value::DbusEnabled => {
                let enabled = value.as_bool();
                settings.dbus.enabled =
                    enabled.ok_or_else(|| wrong_type(key, value, "true or false"))?;
            }
            Value::DbusAddress => settings.dbus.address = Some(bus_address(key, value)?),
            Bytes(range, field) => {
                let bytes = bytes(key, value, range)?;
                *field(&mut settings.limits) = within(key, range, bytes, format_bytes)?;
            }
            Count(range, field) => {
                let number = whole_number(key, value, range, |number| number.to_string())?;
                *field(&mut settings.limits) =
                    within(key, range, number, |number| number.to_string())?;
            }
            Attempts(range, field) => {
                let number = whole_number(key, value, range, |number| number.to_string())?;
                *field(&mut settings.limits) =
                    within(key, range, number, |number| number.to_string())?;
            }
            Milliseconds(range, field) => {
                let written = text(key, value, "a duration, such as \"10s\"")?;
                let time = parse_milliseconds(written)
                    .map_err(|source| Fault::Quantity { key: key.path(), source })?;
                *field(&mut settings.limits) = within(key, range, time, format_milliseconds)?;
            }
        }
        Ok(())
    }

    /// Each of the two may be right by itself and wrong beside the other. Where something else is
    /// wrong, they may not be what was meant.
    fn check_queue(&mut self) {
        let (queue, payload) =
            (self.settings.limits.queue_bytes_max, self.settings.limits.payload_bytes_max);
        let message = line_bytes_max(payload);
        let span = self.queue.take().or_else(|| self.payload.take());
        if let Some(span) = span.filter(|_| queue < message && self.faults.is_empty()) {
            let format = |bytes: usize| format_bytes(bytes as u64);
            let message = format(message.next_multiple_of(1 << 20));
            let fault = Fault::Queue { payload: format(payload), message, queue: format(queue) };
            self.fault(span, fault);
        }
    }

    fn fault(&mut self, span: Range<usize>, fault: Fault) {
        self.faults.push((span, fault));
    }
}

/// Checks a path for the socket, wherever it comes from.
pub(super) fn check_socket_path(path: &Path) -> Result<(), PathError> {
    let bytes = path.as_os_str().len();
    if bytes > limits::SOCKET_PATH_BYTES_MAX {
        return Err(PathError::Length(bytes));
    }
    Ok(())
}

fn socket_path(key: &Key, value: &DeValue<'_>) -> Result<PathBuf, Fault> {
    let path = path(key, value)?;
    check_socket_path(&path).map_err(|source| Fault::Path { key: key.path(), source })?;
    Ok(path)
}

fn bus_address(key: &Key, value: &DeValue<'_>) -> Result<String, Fault> {
    let written =
        text(key, value, "an address in quotes, such as \"unix:path=/run/user/1000/bus\"")?;
    match zbus::Address::try_from(written) {
        Ok(_) => Ok(written.to_owned()),
        Err(source) => Err(Fault::BusAddress { key: key.path(), reason: source.to_string() }),
    }
}

fn path(key: &Key, value: &DeValue<'_>) -> Result<PathBuf, Fault> {
    let path = text(key, value, "a path in quotes")?;
    let refuse = |source| Err(Fault::Path { key: key.path(), source });
    if path.contains('\0') {
        return refuse(PathError::ZeroByte);
    }
    if !path.starts_with('/') {
        return refuse(PathError::Relative);
    }
    Ok(PathBuf::from(path))
}

fn text<'a>(key: &Key, value: &'a DeValue<'_>, expected: &'static str) -> Result<&'a str, Fault> {
    value.as_str().ok_or_else(|| wrong_type(key, value, expected))
}

/// A number of bytes, bare or with a unit.
fn bytes(key: &Key, value: &DeValue<'_>, range: &RangeInclusive<u64>) -> Result<u64, Fault> {
    match value {
        DeValue::String(text) => {
            parse_bytes(text).map_err(|source| Fault::Quantity { key: key.path(), source })
        }
        DeValue::Integer(_) => whole_number(key, value, range, format_bytes),
        _ => Err(wrong_type(key, value, "a number of bytes, such as 1048576 or \"1 MiB\"")),
    }
}

fn whole_number(
    key: &Key,
    value: &DeValue<'_>,
    range: &RangeInclusive<u64>,
    format: fn(u64) -> String,
) -> Result<u64, Fault> {
    let DeValue::Integer(number) = value else {
        return Err(wrong_type(key, value, "a whole number, such as 65536"));
    };
    // What is negative, or over 64 bits, is outside each range.
    u64::from_str_radix(number.as_str(), number.radix())
        .map_err(|_| out_of_range(key, range, number.to_string(), format))
}

/// `number` as the field's type, if it is in `range`.
fn within<T: TryFrom<u64>>(
    key: &Key,
    range: &RangeInclusive<u64>,
    number: u64,
    format: fn(u64) -> String,
) -> Result<T, Fault> {
    let fitting = Some(number).filter(|number| range.contains(number));
    fitting
        .and_then(|number| T::try_from(number).ok())
        .ok_or_else(|| out_of_range(key, range, format(number), format))
}

fn out_of_range(
    key: &Key,
    range: &RangeInclusive<u64>,
    value: String,
    format: fn(u64) -> String,
) -> Fault {
    Fault::Range { key: key.path(), value, min: format(*range.start()), max: format(*range.end()) }
}

fn wrong_type(key: &Key, value: &DeValue<'_>, expected: &'static str) -> Fault {
    Fault::Type { key: key.path(), expected, found: kind(value) }
}

/// What a value is, in the words of somebody who does not know TOML by heart.
pub(super) fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a number with a fraction",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date or time",
        DeValue::Array(_) => "an array",
        DeValue::Table(_) => "a table",
    }
}

fn table_hint(written: &str) -> Hint {
    let names = tables();
    match nearest(written, names.iter().copied()) {
        Some(name) => Hint::Similar(format!("[{name}]")),
        None => {
            let names: Vec<_> = names.iter().map(|name| format!("[{name}]")).collect();
            Hint::Known(names.join(", "))
        }
    }
}

/// What a key in `table` was meant to be.
fn key_hint(table: &str, written: &str) -> Hint {
    let here = || KEYS.iter().filter(|key| key.table == table);
    if let Some(name) = nearest(written, here().map(|key| key.name)) {
        return Hint::Similar(format!("`{name}`"));
    }
    if let Some(key) = KEYS.iter().find(|key| key.name == written) {
        return Hint::Table(key.table);
    }
    if table == TOP {
        return table_hint(written);
    }
    let names: Vec<_> = here().map(|key| format!("`{}`", key.name)).collect();
    Hint::Known(names.join(", "))
}

/// The names of all tables, each once.
fn tables() -> Vec<&'static str> {
    let mut names: Vec<_> = KEYS.iter().map(|key| key.table).filter(|name| *name != TOP).collect();
    names.dedup();
    names.push(SERVICES);
    names
}
