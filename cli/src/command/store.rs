//! `kith store`: verifying and printing what is on the disk, while no daemon runs on it.
//!
//! Nothing here talks to a daemon: it has its store for itself, and one that runs is named, with
//! how to stop it.

use super::print_result;
use crate::arguments::{
    CheckArguments, Everywhere, ExportArguments, StateArguments, StoreArguments, StoreCommand,
};
use crate::exit_code;
use crate::failure::Failure;
use crate::show::store::{as_json, sentences};
use crate::terminal::Terminal;
use kith_busd::arguments::Arguments;
use kith_busd::configuration::{Configuration, Environment, StoreKind};
use kith_busd::store::{self, OfflineError};
use std::io::{self, BufWriter, Write};
use std::ops::ControlFlow;
use std::path::PathBuf;

pub(super) fn run(arguments: &StoreArguments, everywhere: &Everywhere) -> Result<u8, Failure> {
    match &arguments.command {
        StoreCommand::Check(asked) => check(asked, everywhere),
        StoreCommand::Export(asked) => export(asked),
    }
}

fn check(arguments: &CheckArguments, everywhere: &Everywhere) -> Result<u8, Failure> {
    let (state, kind) = place(&arguments.state)?;
    let checked = store::check(&state, kind, arguments.repair, &mut |_| {})
        .map_err(|error| refused(&error))?;
    let text = if arguments.json {
        as_json(&checked)
    } else {
        sentences(&checked, Terminal::look(everywhere.color).paint)
    };
    print_result(text.as_bytes())?;
    if checked.is_well() { Ok(exit_code::OK) } else { Err(Failure::quiet(exit_code::FAILED)) }
}

fn export(arguments: &ExportArguments) -> Result<u8, Failure> {
    let (state, kind) = place(&arguments.state)?;
    let mut out = BufWriter::new(io::stdout().lock());
    let mut written = Ok(());
    let mut each = |line: &[u8]| match out.write_all(line) {
        Ok(()) => ControlFlow::Continue(()),
        Err(error) => {
            written = Err(error);
            ControlFlow::Break(())
        }
    };
    store::export(&state, kind, &mut each).map_err(|error| refused(&error))?;
    written.and_then(|()| out.flush()).map_err(|error| Failure::from_output(&error))?;
    Ok(exit_code::OK)
}

/// Where the daemon has its store, as it finds that itself.
fn place(arguments: &StateArguments) -> Result<(PathBuf, StoreKind), Failure> {
    let StateArguments { state, config } = arguments.clone();
    let arguments = Arguments { state, config, ..Arguments::default() };
    let found = Configuration::load_store(&arguments, &Environment::read());
    found.map_err(|error| Failure::new(exit_code::CONFIGURATION, error.to_string()))
}

fn refused(error: &OfflineError) -> Failure {
    let text = error.to_string();
    match error {
        OfflineError::Running { holder, .. } => {
            let failure = Failure::new(exit_code::UNAVAILABLE, text)
                .hint("stop it first: systemctl --user stop kith.service kith.socket");
            match holder {
                Some(process) => failure.hint(format!("or, without systemd: kill {process}")),
                None => failure,
            }
        }
        OfflineError::Absent { .. } | OfflineError::NoStore => {
            Failure::new(exit_code::NO_INPUT, text).hint("look elsewhere: --state DIR")
        }
        OfflineError::Damaged { .. } => {
            let failure = Failure::new(exit_code::FAILED, text);
            failure.hint("save what can be read: kith store check --repair")
        }
        _ => Failure::new(exit_code::INPUT_OUTPUT, text),
    }
}
