//! The command line of the daemon, and the two questions that it answers without one running.
//!
//! `kith-busd` and `kith daemon` take the same arguments: both flatten [`Arguments`]. What stands
//! here goes before environment and file; whatever is left out is theirs to say. So there is no
//! default in this file, and no variable is read by clap.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use crate::configuration::{self, Checked, DEFAULT, Environment, LogLevel};
use crate::exit_code;

/// What the daemon is started with.
#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
pub struct Arguments {
    /// Read this configuration file [default: $XDG_CONFIG_HOME/kith/config.toml, if it exists]
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// Serve programs at this path [default: $KITH_SOCKET, or $XDG_RUNTIME_DIR/kith/bus.sock]
    #[arg(long, value_name = "PATH")]
    pub socket: Option<PathBuf>,

    /// Keep what has to survive in this directory [default: $XDG_STATE_HOME/kith]
    #[arg(long, value_name = "DIR")]
    pub state: Option<PathBuf>,

    /// Say so much on standard error [default: $KITH_LOG, or info]
    #[arg(long, value_name = "LEVEL", value_enum)]
    pub log: Option<LogLevel>,

    /// Check the configuration file, say what is wrong with it, and start nothing
    #[arg(long)]
    pub check_config: bool,

    /// Print a configuration file with every key, its meaning and its default
    #[arg(long, conflicts_with = "check_config")]
    pub print_config: bool,
}

/// What was asked for instead of a daemon.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// To be printed as it is, on standard output if all is well, else on standard error.
    pub text: String,
    /// What the process ends with.
    pub exit_code: u8,
}

impl Arguments {
    /// Answers `--print-config` and `--check-config`; without them, a daemon was asked for.
    #[must_use]
    pub fn answer(&self, environment: &Environment) -> Option<Answer> {
        if self.print_config {
            return Some(Answer { text: DEFAULT.to_owned(), exit_code: exit_code::OK });
        }
        if !self.check_config {
            return None;
        }
        let checked = configuration::check(self, environment);
        let text = match &checked {
            Ok(Checked::File(file)) => format!("ok: {}\n", file.display()),
            Ok(Checked::Absent(Some(usual))) => {
                format!("ok: there is no file {}, so the defaults hold\n", usual.display())
            }
            Ok(Checked::Absent(None)) => {
                "ok: neither XDG_CONFIG_HOME nor HOME is set, so the defaults hold\n".to_owned()
            }
            Err(error) => format!("{error}\n"),
        };
        let exit_code = checked.map_or_else(|error| error.exit_code(), |_| exit_code::OK);
        Some(Answer { text, exit_code })
    }
}

impl Answer {
    /// Prints the answer. A reader that has gone (`| head`) has got what it wanted.
    #[must_use]
    pub fn print(&self) -> ExitCode {
        let printed = if self.exit_code == exit_code::OK {
            let mut out = io::stdout().lock();
            out.write_all(self.text.as_bytes()).and_then(|()| out.flush())
        } else {
            io::stderr().lock().write_all(self.text.as_bytes())
        };
        match printed {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                ExitCode::from(exit_code::INPUT_OUTPUT)
            }
            _ => ExitCode::from(self.exit_code),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::{CommandFactory, Parser};

    #[derive(Parser)]
    struct CommandLine {
        #[command(flatten)]
        arguments: Arguments,
    }

    fn parse(line: &str) -> Result<Arguments, clap::Error> {
        CommandLine::try_parse_from(line.split(' ')).map(|line| line.arguments)
    }

    #[test]
    fn the_command_line_is_sound() {
        CommandLine::command().debug_assert();
    }

    #[test]
    fn arguments_are_read() {
        assert_eq!(parse("kith-busd").unwrap(), Arguments::default());
        let given = parse("kith-busd --config c --socket s --state d --log trace").unwrap();
        let expected = Arguments {
            config: Some("c".into()),
            socket: Some("s".into()),
            state: Some("d".into()),
            log: Some(LogLevel::Trace),
            ..Arguments::default()
        };
        assert_eq!(given, expected);
        assert_eq!(given.answer(&Environment::default()), None);
    }

    #[test]
    fn a_wrong_command_line_is_a_usage_error_and_help_is_none() {
        for line in ["--what", "--log loud", "--socket", "--check-config --print-config", "x"] {
            let error = parse(&format!("kith-busd {line}")).unwrap_err();
            assert_eq!(exit_code::of_usage(&error), exit_code::USAGE, "{line}");
        }
        let help = parse("kith-busd --help").unwrap_err();
        assert_eq!(exit_code::of_usage(&help), exit_code::OK);
    }

    #[test]
    fn what_is_printed_is_a_configuration_file() {
        let arguments = parse("kith-busd --print-config").unwrap();
        let answer = arguments.answer(&Environment::default()).unwrap();
        assert_eq!(answer, Answer { text: DEFAULT.to_owned(), exit_code: 0 });
    }

    #[test]
    fn a_file_is_checked() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("kith.toml");
        let arguments =
            Arguments { config: Some(file.clone()), check_config: true, ..Arguments::default() };
        let answer = |text: Option<&str>| {
            if let Some(text) = text {
                std::fs::write(&file, text).unwrap();
            }
            arguments.answer(&Environment::default()).unwrap()
        };
        let shown = file.display();
        let missing = answer(None);
        assert_eq!(missing.exit_code, 78);
        assert!(missing.text.starts_with(&format!("can't read the configuration file {shown}: ")));
        let right = answer(Some(DEFAULT));
        assert_eq!(right, Answer { text: format!("ok: {shown}\n"), exit_code: 0 });
        let wrong = answer(Some("[log]\nlevel = 'loud'\n"));
        assert_eq!(wrong.exit_code, 78);
        let text = format!(
            "{shown}:2:9: `log.level` has to be error, warn, info, debug or trace\n \
             2 | level = 'loud'\n   |         ^^^^^^\n"
        );
        assert_eq!(wrong.text, text);
    }

    #[test]
    fn no_file_at_the_usual_place_is_right_too() {
        let arguments = Arguments { check_config: true, ..Arguments::default() };
        let home = tempfile::tempdir().unwrap();
        let mut environment = Environment::default();
        let text = arguments.answer(&environment).unwrap().text;
        assert_eq!(text, "ok: neither XDG_CONFIG_HOME nor HOME is set, so the defaults hold\n");
        environment.home = Some(home.path().into());
        let text = arguments.answer(&environment).unwrap().text;
        let file = home.path().join(".config/kith/config.toml");
        let expected = format!("ok: there is no file {}, so the defaults hold\n", file.display());
        assert_eq!(text, expected);
    }
}
