//! Tests of the configuration as a whole: the documented defaults, and which source goes first.

use std::fs;
use std::os::unix::ffi::OsStringExt;

use super::quantity::{format_bytes, format_milliseconds};
use super::settings::{KEYS, Key, TOP, Value};
use super::*;

/// A desktop after a login, without a file.
fn desktop() -> Environment {
    Environment {
        xdg_runtime_dir: Some("/run/user/1000".into()),
        home: Some("/nonexistent".into()),
        ..Environment::default()
    }
}

fn resolve(
    arguments: &Arguments,
    environment: &Environment,
    text: &str,
) -> Result<Configuration, ConfigurationError> {
    let settings = Settings::parse(text).unwrap();
    Configuration::resolve(arguments, environment, settings, None)
}

#[test]
fn the_documented_defaults_are_the_defaults() {
    assert_eq!(Settings::parse(DEFAULT), Ok(Settings::default()));
    assert_eq!(Settings::parse(""), Ok(Settings::default()));
}

/// The lines of the default file from the empty line before `key` to the line that sets it.
fn documented(key: &Key) -> Option<Vec<&'static str>> {
    let table = format!("[{}]\n", key.table);
    let section = if key.table == TOP { DEFAULT } else { DEFAULT.split_once(&table)?.1 };
    let section = section.split("\n[").next()?;
    let lines: Vec<_> = section.lines().collect();
    let sets = |line: &&str| {
        let line = line.trim_start_matches("# ");
        line.strip_prefix(key.name).is_some_and(|rest| rest.starts_with(" = "))
    };
    let at = lines.iter().position(sets)?;
    let start = lines[..at].iter().rposition(|line| line.is_empty())? + 1;
    Some(lines[start..=at].to_vec())
}

#[test]
fn every_key_is_documented_with_its_range() {
    for key in KEYS {
        let name = key.path();
        let lines = documented(key).unwrap_or_else(|| panic!("{name} is not in default.toml"));
        assert!(lines.len() >= 2, "{name} has no word about it");
        let range = match &key.value {
            Value::Bytes(range, _) => Some((range, format_bytes as fn(u64) -> String)),
            Value::Count(range, _) | Value::Attempts(range, _) => {
                Some((range, u64_to_string as fn(u64) -> String))
            }
            Value::Milliseconds(range, _) => Some((range, format_milliseconds as _)),
            _ => None,
        };
        if let Some((range, format)) = range {
            let line = format!("# Range: {} to {}", format(*range.start()), format(*range.end()));
            assert!(lines.contains(&line.as_str()), "{name}: no line `{line}`");
        }
    }
}

fn u64_to_string(number: u64) -> String {
    number.to_string()
}

#[test]
fn the_examples_in_the_default_file_are_right() {
    let text: String = DEFAULT
        .lines()
        .map(|line| {
            let is_example = line.starts_with("# path = ") || line.starts_with("# address = ");
            let line = if is_example { line.trim_start_matches("# ") } else { line };
            format!("{line}\n")
        })
        .collect();
    let settings = Settings::parse(&text).unwrap();
    assert_eq!(settings.socket, Some("/run/user/1000/kith/bus.sock".into()));
    assert_eq!(settings.state, Some("/home/me/.local/state/kith".into()));
    let path = Some("/run/user/1000/kith/metrics.sock".into());
    let address = Some("127.0.0.1:9464".parse().unwrap());
    assert_eq!(settings.metrics, Metrics { enabled: true, path, address });
    let address = Some("unix:path=/run/user/1000/bus".to_owned());
    assert_eq!(settings.dbus, Dbus { enabled: true, address });
}

#[test]
fn every_key_can_be_set_and_both_ends_of_its_range_are_allowed() {
    // The two that are tied to each other are moved together.
    for end in ["start", "end"] {
        let mut text = String::new();
        for key in KEYS {
            let number = |range: &std::ops::RangeInclusive<u64>| {
                if end == "start" { *range.start() } else { *range.end() }
            };
            let value = match &key.value {
                Value::Socket | Value::State | Value::MetricsPath => format!("\"/{end}\""),
                Value::MetricsEnabled | Value::DbusEnabled => "false".to_owned(),
                Value::DbusAddress => format!("\"unix:path=/{end}\""),
                Value::MetricsAddress => "\"[::1]:0\"".to_owned(),
                Value::Store => "\"sled\"".to_owned(),
                Value::Level => "\"trace\"".to_owned(),
                Value::Bytes(range, _) => format!("\"{}\"", format_bytes(number(range))),
                Value::Count(range, _) | Value::Attempts(range, _) => number(range).to_string(),
                Value::Milliseconds(range, _) => {
                    format!("\"{}\"", format_milliseconds(number(range)))
                }
            };
            text.push_str(&format!("{} = {value}\n", key.path()));
        }
        let mut settings = Settings::parse(&text).unwrap();
        assert_eq!((settings.log_level, settings.store), (LogLevel::Trace, StoreKind::Sled));
        assert_eq!(settings.socket, Some(format!("/{end}").into()));
        assert_eq!(settings.state, settings.socket);
        assert_eq!((settings.metrics.enabled, &settings.metrics.path), (false, &settings.state));
        assert_eq!(settings.metrics.address, Some("[::1]:0".parse().unwrap()));
        let address = Some(format!("unix:path=/{end}"));
        assert_eq!(settings.dbus, Dbus { enabled: false, address });
        for key in KEYS {
            let (range, found) = match &key.value {
                Value::Bytes(range, field) | Value::Count(range, field) => {
                    (range, *field(&mut settings.limits) as u64)
                }
                Value::Attempts(range, field) => (range, (*field(&mut settings.limits)).into()),
                Value::Milliseconds(range, field) => (range, *field(&mut settings.limits)),
                _ => continue,
            };
            let expected = if end == "start" { range.start() } else { range.end() };
            assert_eq!(found, *expected, "{}", key.path());
        }
    }
}

#[test]
fn every_default_is_in_its_range() {
    let mut limits = Limits::default();
    for key in KEYS {
        let (range, found) = match &key.value {
            Value::Bytes(range, field) | Value::Count(range, field) => {
                (range, *field(&mut limits) as u64)
            }
            Value::Attempts(range, field) => (range, (*field(&mut limits)).into()),
            Value::Milliseconds(range, field) => (range, *field(&mut limits)),
            _ => continue,
        };
        assert!(range.contains(&found), "{}: {found}", key.path());
    }
    assert_eq!(limits.clone().sane(), limits);
}

#[test]
fn a_bare_number_of_bytes_and_other_bases_are_read() {
    let settings = Settings::parse(
        "[limits]\npayload_bytes_max = 1_048_576\nqueue_messages_max = 0x100\nclients_max = 0o10",
    );
    let limits = settings.unwrap().limits;
    assert_eq!(limits.payload_bytes_max, 1 << 20);
    assert_eq!(limits.queue_messages_max, 256);
    assert_eq!(limits.clients_max, 8);
}

#[test]
fn command_line_goes_before_environment_before_file_before_default() {
    let file = "socket.path = '/file'\nstate.path = '/file-state'\nlog.level = 'error'";
    let mut arguments = Arguments::default();
    let mut environment = desktop();
    let triple = |arguments: &Arguments, environment: &Environment, text: &str| {
        let found = resolve(arguments, environment, text).unwrap();
        let path = |path: &Path| path.to_str().unwrap().to_owned();
        (path(&found.socket), path(&found.state), found.log_level)
    };
    let default = ("/run/user/1000/kith/bus.sock", "/nonexistent/.local/state/kith");
    let expected = (default.0.to_owned(), default.1.to_owned(), LogLevel::Info);
    assert_eq!(triple(&arguments, &environment, ""), expected);

    let expected = ("/file".to_owned(), "/file-state".to_owned(), LogLevel::Error);
    assert_eq!(triple(&arguments, &environment, file), expected);

    environment.kith_socket = Some("/variable".into());
    environment.kith_log = Some("debug".into());
    let expected = ("/variable".to_owned(), "/file-state".to_owned(), LogLevel::Debug);
    assert_eq!(triple(&arguments, &environment, file), expected);

    arguments.socket = Some("/line".into());
    arguments.state = Some("/line-state".into());
    arguments.log = Some(LogLevel::Warn);
    let expected = ("/line".to_owned(), "/line-state".to_owned(), LogLevel::Warn);
    assert_eq!(triple(&arguments, &environment, file), expected);
}

#[test]
fn the_store_of_the_environment_goes_before_that_of_the_file() {
    let found = |environment: &Environment, text: &str| {
        resolve(&Arguments::default(), environment, text).map(|found| found.store)
    };
    assert_eq!(found(&desktop(), "").unwrap(), StoreKind::Sqlite);
    assert_eq!(found(&desktop(), "store = 'none'").unwrap(), StoreKind::None);
    let environment = Environment { kith_store: Some("sled".into()), ..desktop() };
    assert_eq!(found(&environment, "store = 'none'").unwrap(), StoreKind::Sled);
    let environment = Environment { kith_store: Some("disk".into()), ..desktop() };
    let error = found(&environment, "").unwrap_err().to_string();
    assert_eq!(error, r#"KITH_STORE is "disk", but has to be "sqlite", "sled" or "none""#);
}

#[test]
fn empty_variables_are_none() {
    let empty = || Some("".into());
    let environment =
        Environment { kith_socket: empty(), kith_log: empty(), kith_store: empty(), ..desktop() };
    let found = resolve(&Arguments::default(), &environment, "").unwrap();
    let expected = resolve(&Arguments::default(), &desktop(), "").unwrap();
    assert_eq!(found, expected);
}

#[test]
fn what_the_environment_lacks_is_said() {
    let error = |environment: &Environment, text: &str| {
        resolve(&Arguments::default(), environment, text).unwrap_err().to_string()
    };
    let none = Environment::default();
    let text = error(&none, "");
    assert!(text.contains("XDG_RUNTIME_DIR") && text.contains("--socket PATH"), "{text}");
    let text = error(&none, "socket.path = '/s'");
    assert!(text.contains("XDG_STATE_HOME") && text.contains("--state DIR"), "{text}");
    let loud = Environment { kith_log: Some("loud".into()), ..desktop() };
    let expected = "KITH_LOG is \"loud\", but has to be error, warn, info, debug or trace";
    assert_eq!(error(&loud, ""), expected);
    let strange = std::ffi::OsString::from_vec(vec![0xFF, 0x1B]);
    let strange = Environment { kith_log: Some(strange), ..desktop() };
    assert!(error(&strange, "").starts_with("KITH_LOG is \"\u{FFFD}\\u{1b}\""));
}

#[test]
fn a_long_path_of_the_socket_is_refused_wherever_it_comes_from() {
    let path = |bytes: usize| format!("/{}", "x".repeat(bytes - 1));
    let with = |bytes| Arguments { socket: Some(path(bytes).into()), ..Arguments::default() };
    assert!(resolve(&with(107), &desktop(), "").is_ok());
    let error = resolve(&with(108), &desktop(), "").unwrap_err();
    let reason = "the path has 108 bytes, and a socket's may have 107: choose a shorter one";
    assert!(error.to_string().contains(reason), "{error}");

    let deep = Environment { xdg_runtime_dir: Some(path(100).into()), ..desktop() };
    let error = resolve(&Arguments::default(), &deep, "").unwrap_err();
    assert!(matches!(error, ConfigurationError::Socket { .. }), "{error}");

    let problems = Settings::parse(&format!("socket.path = '{}'", path(108))).unwrap_err();
    let expected = Fault::Path { key: "socket.path".to_owned(), source: PathError::Length(108) };
    assert_eq!(problems[0].fault, expected);
}

#[test]
fn a_named_file_has_to_be_there_and_the_usual_one_may_be_absent() {
    let home = tempfile::tempdir().unwrap();
    let environment = Environment { home: Some(home.path().into()), ..desktop() };
    let load = |arguments: &Arguments| Configuration::load(arguments, &environment);
    assert_eq!(load(&Arguments::default()).unwrap().file, None);

    let usual = home.path().join(".config/kith/config.toml");
    fs::create_dir_all(usual.parent().unwrap()).unwrap();
    fs::write(&usual, "log.level = 'trace'").unwrap();
    let found = load(&Arguments::default()).unwrap();
    assert_eq!((found.file, found.log_level), (Some(usual.clone()), LogLevel::Trace));

    let named = home.path().join("named.toml");
    let arguments = Arguments { config: Some(named.clone()), ..Arguments::default() };
    let error = load(&arguments).unwrap_err();
    assert!(matches!(&error, ConfigurationError::Read { file, .. } if *file == named), "{error}");
    assert_eq!(error.exit_code(), 78);
    fs::write(&named, "").unwrap();
    assert_eq!(load(&arguments).unwrap().log_level, LogLevel::Info);

    // A usual file that is there and can't be read is not absent.
    fs::remove_file(&usual).unwrap();
    fs::create_dir(&usual).unwrap();
    assert!(matches!(load(&Arguments::default()), Err(ConfigurationError::Read { .. })));
}

#[test]
fn what_is_no_configuration_file_is_refused() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("c");
    let arguments = Arguments { config: Some(file.clone()), ..Arguments::default() };
    let error = |bytes: &[u8]| {
        fs::write(&file, bytes).unwrap();
        Configuration::load(&arguments, &desktop()).unwrap_err().to_string()
    };
    let largest = usize::try_from(CONFIGURATION_BYTES_MAX).unwrap();
    assert!(error(&vec![b'#'; largest + 1]).contains("is it a configuration file?"));
    let text = error(b"[log]\nlevel = '\xFF'\n");
    assert!(text.starts_with(&format!("{}:2:10: not UTF-8", file.display())), "{text}");

    fs::write(&file, vec![b'#'; largest]).unwrap();
    assert!(Configuration::load(&arguments, &desktop()).is_ok());
}

#[test]
fn nothing_that_a_file_may_hold_panics() {
    // Every prefix of the defaults, and the same with one byte changed.
    let bytes = DEFAULT.as_bytes();
    let step = 7;
    for end in (0..bytes.len()).step_by(step) {
        let mut changed = bytes.to_vec();
        changed[end] = b'"';
        for text in [&bytes[..end], &changed] {
            if let Err(problems) = parse(text) {
                let error = ConfigurationError::Invalid { file: "f".into(), problems };
                assert!(error.to_string().starts_with("f:"));
            }
        }
    }
    let _ = parse(&b"[".repeat(10_000));
    let _ = parse(format!("a = {}", "[".repeat(10_000)).as_bytes());
}
