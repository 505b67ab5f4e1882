//! Connecting as the one who administers the daemon: whoever can read its administration key.
//!
//! The key is a file in the daemon's state directory, which is found as the daemon finds it. Where
//! it can't be read, or is another daemon's, that has to be told so that somebody who has never
//! heard of a key knows what to do.

use crate::arguments::StateArguments;
use crate::connection::{Address, quoted};
use crate::exit_code;
use crate::failure::{Failure, with_sources};
use kith_busd::arguments::Arguments;
use kith_busd::configuration::{Configuration, Environment};
use kith_busd::key;
use kith_client::{Client, Code, ConnectError, Reconnect};
use std::io;
use std::path::{Path, PathBuf};

/// Connects under a name that `kith status` shows, and shows the key.
pub(crate) async fn connect(
    address: &Address,
    place: &StateArguments,
    name: &str,
) -> Result<Client, Failure> {
    let state = state_directory(address, place)?;
    let token = match key::read(&state) {
        Ok(token) => token,
        Err(_) => {
            // Where there is no daemon at all, that is what has to be told; and one that has just
            // been started has its key when it answers.
            let client = address.connect(name, Reconnect::Never).await?;
            let _ = client.close().await;
            key::read(&state).map_err(|error| no_key(&state, &error))?
        }
    };
    let builder = Client::builder().path(address.path()).name(name).reconnect(Reconnect::Never);
    builder.token(token).connect().await.map_err(|error| match error {
        ConnectError::Refused { code: Some(Code::BadToken), .. } => wrong_key(&state, &error),
        error => address.failure(&error),
    })
}

/// Where the daemon keeps its state, as it finds that itself.
fn state_directory(address: &Address, place: &StateArguments) -> Result<PathBuf, Failure> {
    if let Some(state) = &place.state {
        return Ok(state.clone());
    }
    let arguments = Arguments {
        config: place.config.clone(),
        socket: Some(address.path().to_owned()),
        ..Arguments::default()
    };
    let found = Configuration::load(&arguments, &Environment::read());
    let found = found.map_err(|error| Failure::new(exit_code::CONFIGURATION, error.to_string()))?;
    Ok(found.state)
}

fn no_key(state: &Path, error: &io::Error) -> Failure {
    let text = format!("can't read the administration key {}: {error}", key::path(state).display());
    hinted(Failure::new(exit_code::NO_INPUT, text), state)
}

fn wrong_key(state: &Path, error: &ConnectError) -> Failure {
    let file = key::path(state);
    let text = format!("{} is not this daemon's key: {}", file.display(), with_sources(error));
    hinted(Failure::new(exit_code::FAILED, text), state)
}

fn hinted(failure: Failure, state: &Path) -> Failure {
    let state = quoted(&state.display().to_string());
    failure
        .hint("the daemon makes it when it starts; it has to be yours, and keep its state there")
        .hint(format!("start one that does: kith daemon --state {state} &"))
        .hint("or say where this one keeps it: --state DIR, or --config FILE")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::show::paint::Paint;

    #[test]
    fn what_to_do_about_a_missing_key_is_told() {
        let failure = no_key(Path::new("/s"), &io::ErrorKind::NotFound.into());
        assert_eq!(failure.exit_code(), 66);
        let shown = failure.shown(Paint::plain());
        let begin = "kith: can't read the administration key /s/administration.key: ";
        assert!(shown.starts_with(begin), "{shown}");
        assert!(shown.contains("  start one that does: kith daemon --state /s &\n"), "{shown}");
    }

    #[test]
    fn a_directory_that_is_named_is_taken_without_a_configuration() {
        let address = Address::find(Some("/run/bus.sock".into())).unwrap();
        let named = |state: Option<&str>, config: Option<&str>| {
            let (state, config) = (state.map(PathBuf::from), config.map(PathBuf::from));
            state_directory(&address, &StateArguments { state, config })
        };
        assert_eq!(named(Some("s"), Some("/no/such/file")), Ok("s".into()));
        assert_eq!(named(None, Some("/no/such/file")).unwrap_err().exit_code(), 78);
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("kith.toml");
        std::fs::write(&file, "[state]\npath = '/my/state'\n").unwrap();
        let file = file.display().to_string();
        assert_eq!(named(None, Some(&file)), Ok("/my/state".into()));
    }
}
