//! `kith services test`: the conformance kit, for a person and for a script.
//!
//! The kit works on a thread of its own; what it finds is printed as it is found. Ctrl-C has it end
//! the program first, and then ends this one.

use crate::arguments::{Everywhere, TestArguments};
use crate::exit_code;
use crate::failure::Failure;
use crate::output::print;
use crate::show::kit::{Look, outcome, summary};
use crate::stop::Stop;
use crate::terminal::Terminal;
use kith_kit::{Program, Report, choose};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

pub(super) async fn run(arguments: &TestArguments, everywhere: &Everywhere) -> Result<u8, Failure> {
    if everywhere.socket.is_some() {
        let text = "--socket means nothing here: the program gets a bus of its own";
        return Err(Failure::new(exit_code::USAGE, text));
    }
    let scenarios = choose(&arguments.only);
    let scenarios = scenarios.map_err(|error| Failure::new(exit_code::USAGE, error.to_string()))?;
    let program = Program::find(&arguments.command, arguments.manifest.as_deref());
    let program = program.map_err(|error| Failure::new(exit_code::UNTRIED, error.to_string()))?;
    let program = program.with_settings(&arguments.settings);
    let terminal = Terminal::look(everywhere.color);
    let look = Look { paint: terminal.paint, signs: terminal.is_read_by_a_person };
    let mut stop = Stop::new()?;
    let cancelled = Arc::new(AtomicBool::new(false));
    let (is_cancelled, is_json) = (Arc::clone(&cancelled), arguments.json);
    let mut playing = tokio::task::spawn_blocking(move || {
        kith_kit::run(&program, &scenarios, &is_cancelled, |found| {
            // Where nobody reads it, what it ends with still counts.
            let _ = if is_json { Ok(()) } else { print(outcome(found, look).as_bytes()) };
        })
    });
    let played = tokio::select! {
        played = &mut playing => played,
        code = stop.wait() => {
            cancelled.store(true, Ordering::Relaxed);
            let _ = playing.await;
            return Err(Failure::quiet(code));
        }
    };
    let report = match played {
        Ok(Ok(report)) => report,
        Ok(Err(error)) => return Err(untried(&error)),
        Err(error) => return Err(untried(&error)),
    };
    tell(&report, is_json, look)
}

fn untried(error: &dyn std::error::Error) -> Failure {
    Failure::new(exit_code::UNTRIED, error.to_string())
}

fn tell(report: &Report, is_json: bool, look: Look) -> Result<u8, Failure> {
    let text = if is_json {
        let line = serde_json::to_string(report);
        line.map_err(|error| untried(&error))? + "\n"
    } else {
        summary(report, look)
    };
    print(text.as_bytes()).map_err(|error| Failure::from_output(&error))?;
    if report.failed == 0 { Ok(exit_code::OK) } else { Err(Failure::quiet(exit_code::FAILED)) }
}
