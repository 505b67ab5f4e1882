//! `kith completions`: for the shell, made of the command line's own definition.

use super::print_result;
use crate::arguments::{CommandLine, CompletionsArguments};
use crate::failure::Failure;
use clap::CommandFactory;

pub(super) fn run(arguments: &CompletionsArguments) -> Result<u8, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut CommandLine::command(), "kith", &mut script);
    print_result(&script)
}
