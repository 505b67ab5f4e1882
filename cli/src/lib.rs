//! The `kith` command: the bus from a shell.
//!
//! A thin program around `kith-client`: what it adds is words. It has to explain itself to
//! somebody who has never seen it, never do harm to a terminal, and be of use in a script: JSON
//! lines, exit codes that mean something, an end when the reader has gone.
//!
//! - `arguments`: the command line; `command`: what each command does;
//! - `payload`, `show`: from text to payload and from message to line, without I/O;
//! - `connection`, `administrator`, `inquiry`, `listen`, `input`, `output`, `execute`,
//!   `workers`, `stop`, `terminal`: the parts that commands share;
//! - `top`: the bus as it works, on the whole terminal;
//! - `demo`: the tour, which is also the shortest test of everything; `bench`: measuring;
//! - `install`: what goes where beside the programs;
//! - `failure`, `exit_code`, `limits`; `fuzzing` lets `fuzz/` at what takes text from outside.
//!
//! Deliberately absent: anything that a program in another language could not do over the socket.

mod administrator;
mod arguments;
mod bench;
mod command;
mod connection;
mod demo;
mod execute;
mod exit_code;
mod failure;
#[doc(hidden)]
pub mod fuzzing;
mod input;
mod inquiry;
mod install;
mod limits;
mod listen;
mod output;
mod payload;
mod show;
mod stop;
mod terminal;
mod top;
mod workers;

use arguments::CommandLine;
use clap::Parser;
use std::ffi::OsString;
use std::io::Write;
use std::process::ExitCode;

/// Runs `kith` with these arguments, the program's name first, and says what the process should end
/// with.
///
/// Has to be called before this process starts threads: the daemon may be passed a socket by its
/// environment.
#[must_use]
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let line = match CommandLine::try_parse_from(arguments) {
        Ok(line) => line,
        Err(error) => {
            // Help goes to standard output, an error to standard error. If that fails, there is
            // nowhere left to say so.
            let _ = error.print();
            return ExitCode::from(exit_code::of_usage(&error));
        }
    };
    let notice_paint = terminal::Terminal::look(line.everywhere.color).notice_paint;
    match command::run(line) {
        Ok(code) => code,
        Err(failure) => {
            let _ = std::io::stderr().lock().write_all(failure.shown(notice_paint).as_bytes());
            ExitCode::from(failure.exit_code())
        }
    }
}
