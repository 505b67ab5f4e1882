//! `kith-busd`: the daemon as a program of its own, for units and minimal machines.
//!
//! `kith daemon` is the same function. Nothing is decided here but how the command line is read
//! and that a wrong one ends with 64, as `sysexits.h` has it, where clap would say 2.

use std::process::ExitCode;

use clap::Parser;
use kith_busd::arguments::Arguments;
use kith_busd::exit_code;

/// One bus for you, your devices and your friends: the daemon.
#[derive(Parser)]
#[command(name = "kith-busd", version, after_help = AFTER_HELP)]
struct CommandLine {
    #[command(flatten)]
    arguments: Arguments,
}

const AFTER_HELP: &str = "\
Exit codes: 0 stopped as asked, 64 wrong command line, 69 another daemon runs, 71 the system
refused something, 74 a file could not be read or written, 78 wrong configuration.";

fn main() -> ExitCode {
    match CommandLine::try_parse() {
        Ok(line) => kith_busd::run(&line.arguments),
        Err(error) => {
            // Help goes to standard output, an error to standard error. If that fails, there is
            // nowhere left to say so.
            let _ = error.print();
            ExitCode::from(exit_code::of_usage(&error))
        }
    }
}
