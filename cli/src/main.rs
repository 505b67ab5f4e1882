//! `kith`: the one thing done here is handing the command line over.
//!
//! Nothing may happen before it: `kith daemon` has to run before any thread is started.

use std::process::ExitCode;

fn main() -> ExitCode {
    kith_cli::run(std::env::args_os())
}
