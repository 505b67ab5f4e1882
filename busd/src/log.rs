//! What the daemon says, on standard error: one line an event, for people and for the journal.
//!
//! Standard error, because systemd, containers and terminals all know what to do with it; a log
//! file of our own would have to be found, rotated and protected. Under systemd the journal adds
//! the time, so ours is left out; colours are for terminals alone, unless `NO_COLOR` is set.
//!
//! What is in an event is its caller's business, and a payload never is. Writing to standard error
//! may block if nobody reads it, so what happens for each message is said at `trace` alone.
//!
//! How much is said can change while the daemon runs. It is one layer that is replaced as a whole,
//! so what is not said costs no more than before.
//!
//! Deliberately absent: filters for each module (`RUST_LOG`), which would be an interface made of
//! the names of our modules.

use std::io::{self, IsTerminal};
use std::os::fd::AsFd;

use tracing::Subscriber;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::fmt::{self, MakeWriter};
use tracing_subscriber::layer::{Layer, SubscriberExt as _};
use tracing_subscriber::{Registry, registry, reload};

use crate::configuration::{Environment, LogLevel};

/// Writes events of this process to standard error from now on. Does nothing where events already
/// go somewhere: a program that runs the daemon inside itself has made its own choice.
pub(crate) fn start(level: LogLevel, environment: &Environment) -> Log {
    let style = Style::choose(environment, io::stderr().is_terminal(), is_journal(environment));
    let (subscriber, lines) = subscriber(lines(level, style, io::stderr));
    let _ = tracing::subscriber::set_global_default(subscriber);
    Log { lines, style }
}

/// The log, of which the level can change.
pub(crate) struct Log {
    lines: reload::Handle<Lines, Registry>,
    style: Style,
}

impl Log {
    /// Says so much from now on.
    pub(crate) fn set_level(&self, level: LogLevel) {
        // It fails only where events go somewhere else.
        let _ = self.lines.reload(lines(level, self.style, io::stderr));
    }
}

/// What makes lines of events.
type Lines = Box<dyn Layer<Registry> + Send + Sync>;

/// How a line looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Style {
    colours: bool,
    time: bool,
}

impl Style {
    fn choose(environment: &Environment, is_terminal: bool, is_journal: bool) -> Self {
        let no_color = environment.no_color.as_ref().is_some_and(|value| !value.is_empty());
        Self { colours: is_terminal && !no_color, time: !is_journal }
    }
}

fn subscriber(lines: Lines) -> (impl Subscriber + Send + Sync, reload::Handle<Lines, Registry>) {
    let (layer, handle) = reload::Layer::new(lines);
    (registry().with(layer), handle)
}

fn lines<W>(level: LogLevel, style: Style, writer: W) -> Lines
where
    W: for<'writer> MakeWriter<'writer> + Send + Sync + 'static,
{
    let layer = fmt::layer()
        // Where an event comes from is for those who look for a bug.
        .with_target(level >= LogLevel::Debug)
        .with_ansi(style.colours)
        .with_writer(writer);
    let level = level_filter(level);
    if style.time {
        level.and_then(layer).boxed()
    } else {
        level.and_then(layer.without_time()).boxed()
    }
}

fn level_filter(level: LogLevel) -> LevelFilter {
    match level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    }
}

/// Whether standard error goes to the journal. The variable alone does not say so: it is inherited
/// by everything that is started below, also with its standard error somewhere else.
fn is_journal(environment: &Environment) -> bool {
    let Some(stream) = environment.journal_stream.as_ref().and_then(|value| value.to_str()) else {
        return false;
    };
    let Ok(found) = rustix::fs::fstat(io::stderr().as_fd()) else { return false };
    stream == format!("{}:{}", found.st_dev, found.st_ino)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    #[derive(Clone, Default)]
    struct Shared(Arc<Mutex<Vec<u8>>>);

    impl Write for Shared {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// What is written at this level in this style.
    fn written(level: LogLevel, colours: bool, time: bool) -> String {
        let shared = Shared::default();
        let writer = shared.clone();
        let lines = lines(level, Style { colours, time }, move || writer.clone());
        let (subscriber, _lines) = subscriber(lines);
        tracing::subscriber::with_default(subscriber, || {
            tracing::error!(client = 7, "broken");
            tracing::info!(name = "a\u{1b}[31mb\nc", "connected");
            tracing::debug!("more");
        });
        let bytes = shared.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn the_level_holds() {
        for (level, n_lines) in [
            (LogLevel::Error, 1),
            (LogLevel::Warn, 1),
            (LogLevel::Info, 2),
            (LogLevel::Debug, 3),
            (LogLevel::Trace, 3),
        ] {
            assert_eq!(written(level, false, false).lines().count(), n_lines, "{level:?}");
        }
    }

    #[test]
    fn the_level_can_change() {
        let shared = Shared::default();
        let style = Style { colours: false, time: false };
        let lines_at = |level| {
            let writer = shared.clone();
            lines(level, style, move || writer.clone())
        };
        let (subscriber, handle) = subscriber(lines_at(LogLevel::Warn));
        tracing::subscriber::with_default(subscriber, || {
            for (nth, level) in [LogLevel::Warn, LogLevel::Debug, LogLevel::Info].iter().enumerate()
            {
                handle.reload(lines_at(*level)).unwrap();
                tracing::info!("info {nth}");
                tracing::debug!("debug {nth}");
            }
        });
        let text = String::from_utf8(shared.0.lock().unwrap().clone()).unwrap();
        let said: Vec<_> = text.lines().collect();
        let target = "kith_busd::log::tests:";
        let [info, debug] = [format!(" INFO {target} info 1"), format!("DEBUG {target} debug 1")];
        assert_eq!(said, [info.as_str(), debug.as_str(), " INFO info 2"]);
    }

    #[test]
    fn a_line_has_what_its_place_needs() {
        assert_eq!(written(LogLevel::Warn, false, false), "ERROR broken client=7\n");
        let timed = written(LogLevel::Warn, false, true);
        assert!(timed.starts_with("20") && timed.ends_with("Z ERROR broken client=7\n"), "{timed}");
        assert!(written(LogLevel::Warn, true, false).contains("\u{1b}["));
    }

    #[test]
    fn what_a_client_chose_stays_on_one_line_and_changes_no_terminal() {
        let text = written(LogLevel::Info, false, false);
        assert!(!text.contains('\u{1b}') && text.lines().count() == 2, "{text:?}");
    }

    #[test]
    fn the_place_decides_the_style() {
        let mut environment = Environment::default();
        let style = |environment: &Environment, terminal, journal| {
            let style = Style::choose(environment, terminal, journal);
            (style.colours, style.time)
        };
        assert_eq!(style(&environment, true, false), (true, true));
        assert_eq!(style(&environment, false, false), (false, true));
        assert_eq!(style(&environment, false, true), (false, false));
        environment.no_color = Some("".into());
        assert_eq!(style(&environment, true, false), (true, true));
        environment.no_color = Some("1".into());
        assert_eq!(style(&environment, true, false), (false, true));
    }

    #[test]
    fn an_inherited_variable_alone_is_no_journal() {
        let found = rustix::fs::fstat(io::stderr().as_fd()).unwrap();
        let right = format!("{}:{}", found.st_dev, found.st_ino);
        for (stream, expected) in [(right.as_str(), true), ("1:2", false), ("", false)] {
            let journal_stream = Some(stream.into());
            let environment = Environment { journal_stream, ..Environment::default() };
            assert_eq!(is_journal(&environment), expected, "{stream:?}");
        }
        assert!(!is_journal(&Environment::default()));
    }
}
