//! The daemon's configuration: any text as its file, and any values in its environment.
//!
//! What is taken keeps the ranges that the documentation names: they are read from the comments of
//! the default file, so that the page which people see is the one that is tested. What is refused
//! says where, in the order of the file, and by the name of the key; and nothing of the file comes
//! to a terminal as a control character.

use crate::input::Input;
use kith_busd::arguments::Arguments;
use kith_busd::configuration::{
    Configuration, ConfigurationError, DEFAULT, Environment, Fault, Metrics, Problem, Settings,
};
use kith_core::Limits;
use kith_wire::limits::line_bytes_max;
use std::ffi::OsString;
use std::ops::RangeInclusive;
use std::os::unix::ffi::OsStringExt;
use std::path::Path;
use std::sync::OnceLock;

/// Runs the target. The file comes first; behind a zero byte, which no file has, the variables.
pub fn target(bytes: &[u8]) {
    let mut parts = bytes.splitn(2, |byte| *byte == 0);
    let (file, variables) = (parts.next().unwrap_or_default(), parts.next());
    if let Ok(text) = str::from_utf8(file) {
        match Settings::parse(text) {
            Ok(settings) => taken(&settings),
            Err(problems) => refused(text, problems),
        }
    }
    if let Some(variables) = variables {
        environment(Input::new(variables));
    }
}

fn taken(settings: &Settings) {
    let Settings { socket, state, limits, metrics, .. } = settings;
    for (name, range) in ranges() {
        let value = value_of(limits, name);
        assert!(range.contains(&value), "{name} is {value}, outside of {range:?}");
    }
    assert!(line_bytes_max(limits.payload_bytes_max) <= limits.queue_bytes_max);
    assert!(socket.as_ref().is_none_or(|path| is_socket(path) && path.is_absolute()));
    assert!(state.as_ref().is_none_or(|path| path.is_absolute()));
    let Metrics { path, address, .. } = metrics;
    assert!(path.as_ref().is_none_or(|path| is_socket(path) && path.is_absolute()));
    assert!(address.is_none_or(|address| address.ip().is_loopback()));
}

fn is_socket(path: &Path) -> bool {
    path.as_os_str().len() <= 107
}

fn value_of(limits: &Limits, name: &str) -> u64 {
    let bytes_or_count = match name {
        "payload_bytes_max" => limits.payload_bytes_max,
        "queue_bytes_max" => limits.queue_bytes_max,
        "queue_messages_max" => limits.queue_messages_max,
        "waiting_bytes_total_max" => limits.waiting_bytes_total_max,
        "subscriptions_max" => limits.subscriptions_max,
        "subscriptions_total_max" => limits.subscriptions_total_max,
        "requests_max" => limits.requests_max,
        "retained_messages_max" => limits.retained_messages_max,
        "retained_bytes_max" => limits.retained_bytes_max,
        "clients_max" => limits.clients_max,
        "consumers_max" => limits.consumers_max,
        "stored_messages_max" => limits.stored_messages_max,
        "stored_bytes_max" => limits.stored_bytes_max,
        "lease" => return limits.lease_ms,
        "deliveries_max" => return limits.deliveries_max.into(),
        "history_messages_max" => limits.history_messages_max,
        "history_bytes_max" => limits.history_bytes_max,
        "interval" => return limits.stats_interval_ms,
        other => panic!("`{other}` has a range, and is not looked at here"),
    };
    bytes_or_count as u64
}

/// The keys whose range is documented, with it: `# Range: 64 KiB to 1 GiB`, then the key.
fn ranges() -> &'static [(String, RangeInclusive<u64>)] {
    static RANGES: OnceLock<Vec<(String, RangeInclusive<u64>)>> = OnceLock::new();
    RANGES.get_or_init(|| {
        let mut range = None;
        let mut found = Vec::new();
        for line in DEFAULT.lines() {
            if let Some(text) = line.strip_prefix("# Range: ") {
                let (least, most) = text.split_once(" to ").unwrap();
                range = Some(quantity(least)..=quantity(most));
            } else if let Some((name, _)) = line.split_once(" = ").filter(|_| range.is_some()) {
                found.extend(range.take().map(|range| (name.to_owned(), range)));
            }
        }
        assert_eq!(found.len(), 18, "{found:?}");
        found
    })
}

fn quantity(text: &str) -> u64 {
    let (number, unit) = text.split_once(' ').unwrap_or((text, ""));
    let factor = match unit {
        "" | "ms" | "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        "h" => 3_600_000,
        other => panic!("{other}"),
    };
    number.parse::<u64>().unwrap() * factor
}

fn refused(text: &str, problems: Vec<Problem>) {
    assert!(!problems.is_empty(), "refused without a reason");
    let lines: Vec<_> = text.split('\n').collect();
    let places: Vec<_> = problems.iter().map(|one| (one.line, one.column)).collect();
    assert!(places.is_sorted(), "not in the order of the file: {places:?}");
    for Problem { line, column, fault, .. } in &problems {
        let chars = lines.get(line - 1).expect("a line of the file").chars().count();
        assert!((1..=chars + 1).contains(column), "{line}:{column} of {chars}");
        names_the_key(fault);
    }
    let file = "config.toml".into();
    let report = ConfigurationError::Invalid { file, problems }.to_string();
    let harm = report.chars().find(|c| c.is_control() && *c != '\n' && *c != '\t');
    assert_eq!(harm, None, "{report:?}");
    assert!(report.starts_with("config.toml:"), "{report}");
}

fn names_the_key(fault: &Fault) {
    let said = fault.to_string();
    match fault {
        Fault::Type { key, .. }
        | Fault::Range { key, .. }
        | Fault::Quantity { key, .. }
        | Fault::Level { key }
        | Fault::Store { key }
        | Fault::Address { key, .. }
        | Fault::Path { key, .. } => {
            assert!(said.contains(&format!("`{key}`")), "{said}");
            let is_at_the_top = key == "store";
            let (table, name) = key.split_once('.').unwrap_or((key, ""));
            assert!(is_at_the_top || DEFAULT.contains(&format!("[{table}]")), "{said}");
            assert!(DEFAULT.contains(&format!("{name} = ")) || name.is_empty(), "{said}");
        }
        Fault::UnknownTable { name, .. } => assert!(said.contains(&format!("[{name}]")), "{said}"),
        Fault::UnknownKey { name, .. } => assert!(said.contains(&format!("`{name}`")), "{said}"),
        Fault::Queue { .. } => {
            assert!(said.contains("limits.payload_bytes_max") && said.contains("queue_bytes_max"));
        }
        _ => assert!(!said.is_empty()),
    }
}

/// Has a configuration made of the environment alone. Without `HOME` and `XDG_CONFIG_HOME` there is
/// no file to be read.
fn environment(mut input: Input<'_>) {
    let mut next = || Some(OsString::from_vec(input.counted().to_vec()));
    let mut environment = Environment {
        kith_socket: next(),
        kith_log: next(),
        xdg_runtime_dir: next(),
        xdg_state_home: next(),
        ..Environment::default()
    };
    match Configuration::load(&Arguments::default(), &environment) {
        Ok(Configuration { socket, state, limits, file, .. }) => {
            assert!(is_socket(&socket) && state.is_absolute());
            assert_eq!((limits, file), (Limits::default(), None));
        }
        Err(error) => {
            let said = error.to_string();
            let names = ["KITH_SOCKET", "KITH_LOG", "XDG_RUNTIME_DIR", "XDG_STATE_HOME"];
            assert!(names.iter().any(|name| said.contains(name)), "{said}");
        }
    }
    (environment.xdg_config_home, environment.home) = (next(), next());
    let file = environment.configuration_file();
    assert!(file.is_none_or(|file| file.is_absolute() && file.ends_with("kith/config.toml")));
}
