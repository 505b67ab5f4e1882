//! Finding and reaching the daemon, and what to say where there is none.

use crate::exit_code;
use crate::failure::{Failure, with_sources};
use kith_client::{Client, ConnectError, Reconnect};
use std::path::{Path, PathBuf};

/// What the library says, in the words of a command line.
const NO_PATH: &str = "no path to the daemon's socket: set KITH_SOCKET or XDG_RUNTIME_DIR, or \
                       give --socket PATH";

/// Where the daemon listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Address {
    path: PathBuf,
    /// Whether `--socket` said so: then a daemon needs to be told too.
    is_given: bool,
}

impl Address {
    /// What `--socket` says, or else the environment.
    pub(crate) fn find(given: Option<PathBuf>) -> Result<Self, Failure> {
        let is_given = given.is_some();
        let path = given.map_or_else(kith_client::socket_path, Ok);
        let path = path.map_err(|error| match error {
            ConnectError::NoPath => Failure::new(exit_code::CONFIGURATION, NO_PATH),
            error => Failure::new(exit_code::CONFIGURATION, error.to_string()),
        })?;
        // What commands are run with may have another working directory.
        let path = std::path::absolute(&path).unwrap_or(path);
        Ok(Self { path, is_given })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Connects under a name that `kith status` shows.
    pub(crate) async fn connect(
        &self,
        name: &str,
        reconnect: Reconnect,
    ) -> Result<Client, Failure> {
        let builder = Client::builder().path(&self.path).name(name).reconnect(reconnect);
        builder.connect().await.map_err(|error| self.failure(&error))
    }

    pub(crate) fn failure(&self, error: &ConnectError) -> Failure {
        match error {
            ConnectError::NotListening { path, .. } => {
                let text = format!("no daemon listens at {}", path.display());
                Failure::new(exit_code::UNAVAILABLE, text)
                    .hint(format!("start one: {}", self.start_command()))
            }
            ConnectError::Io { .. } => Failure::new(exit_code::INPUT_OUTPUT, with_sources(error)),
            ConnectError::Refused { .. } => Failure::new(exit_code::FAILED, with_sources(error)),
            error => Failure::new(exit_code::UNAVAILABLE, with_sources(error)),
        }
    }

    fn start_command(&self) -> String {
        if self.is_given {
            format!("kith daemon --socket {} &", quoted(&self.path.display().to_string()))
        } else {
            "kith daemon &".to_owned()
        }
    }
}

/// `text` as one word of a shell.
pub(crate) fn quoted(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-+,:@%".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::show::paint::Paint;
    use std::io;

    #[test]
    fn where_no_daemon_listens_the_way_out_is_told() {
        let shown = |is_given| {
            let path = PathBuf::from("/run/my bus.sock");
            let source = io::ErrorKind::NotFound.into();
            let error = ConnectError::NotListening { path: path.clone(), source };
            let failure = Address { path, is_given }.failure(&error);
            assert_eq!(failure.exit_code(), 69);
            failure.shown(Paint::plain())
        };
        let head = "kith: no daemon listens at /run/my bus.sock\n  start one: kith daemon";
        assert_eq!(shown(false), format!("{head} &\n"));
        assert_eq!(shown(true), format!("{head} --socket '/run/my bus.sock' &\n"));
    }

    #[test]
    fn words_are_quoted_for_a_shell() {
        for (text, word) in [("/a-b.c", "/a-b.c"), ("", "''"), ("a b", "'a b'"), ("'", r"''\'''")] {
            assert_eq!(quoted(text), word);
        }
    }
}
