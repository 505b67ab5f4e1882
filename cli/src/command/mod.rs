//! What each command does: from its arguments to its exit code.
//!
//! Commands that talk to the daemon share one shape: everything that can be wrong without it is
//! found first, then they connect, work until they are done or stopped, and say goodbye.

mod bench;
mod completions;
mod confirm;
mod consumers;
mod grants;
mod install;
mod manual;
mod people;
mod printing;
mod prompt;
mod publish;
mod reply;
mod request;
mod services;
pub(crate) mod status;
mod store;
mod subscribe;
mod tap;
mod top;

use crate::administrator;
use crate::arguments::{Command, CommandLine, Everywhere, StateArguments};
use crate::connection::Address;
use crate::demo;
use crate::exit_code;
use crate::failure::{Failure, notice};
use crate::limits::LEAVE_MS;
use crate::output::{Output, print};
use crate::stop::Stop;
use crate::terminal::Terminal;
use kith_client::{Client, Reconnect};
use kith_wire::{Scope, Topic};
use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;
use tokio::time::timeout;

/// Runs the command.
pub(crate) fn run(line: CommandLine) -> Result<ExitCode, Failure> {
    let CommandLine { everywhere, command } = line;
    let uses_no_bus = matches!(
        command,
        Command::Completions(_)
            | Command::Install(_)
            | Command::Man(_)
            | Command::Demo(_)
            | Command::Store(_)
    );
    if uses_no_bus && everywhere.socket.is_some() {
        return Err(Failure::new(exit_code::USAGE, "--socket means nothing to this command"));
    }
    let code = match command {
        Command::Daemon(arguments) => return Ok(kith_busd::run(&arguments)),
        Command::Completions(arguments) => completions::run(&arguments)?,
        Command::Install(arguments) => install::install(&arguments, &everywhere)?,
        Command::Uninstall(arguments) => install::uninstall(&arguments, &everywhere)?,
        Command::Man(arguments) => manual::run(&arguments)?,
        Command::Demo(arguments) => wait_for(demo::run(&arguments, everywhere.color))?,
        Command::Bench(arguments) => wait_for(bench::run(&arguments, &everywhere))?,
        Command::Pub(arguments) => publish::run(&arguments, &everywhere)?,
        Command::Sub(arguments) => wait_for(subscribe::run(&arguments, &everywhere))?,
        Command::Req(arguments) => request::run(&arguments, &everywhere)?,
        Command::Reply(arguments) => reply::run(&arguments, &everywhere)?,
        Command::Tap(arguments) => wait_for(tap::run(&arguments, &everywhere))?,
        Command::Status(arguments) => wait_for(status::run(&arguments, &everywhere))?,
        command @ (Command::Init(_)
        | Command::Id(_)
        | Command::Card(_)
        | Command::Invite(_)
        | Command::Join(_)
        | Command::Friends(_)
        | Command::Devices(_)
        | Command::Lock(_)
        | Command::Unlock(_)
        | Command::Recovery(_)
        | Command::Recover(_)) => wait_for(people::run(&command, &everywhere))?,
        Command::Services(arguments) => services::run(&arguments, &everywhere)?,
        Command::Store(arguments) => store::run(&arguments, &everywhere)?,
        Command::Consumers(arguments) => wait_for(consumers::run(&arguments, &everywhere))?,
        Command::Grants(arguments) => wait_for(grants::run(&arguments, &everywhere))?,
        Command::Top(arguments) => wait_for(top::run(&arguments, &everywhere))?,
    };
    Ok(ExitCode::from(code))
}

/// Says so where a topic begins with a scope, as only patterns do: it is a topic, but hardly the
/// one that was meant.
fn warn_of_scope(topic: &Topic<'_>, everywhere: &Everywhere) {
    let Some((first, meant)) = topic.as_str().split_once('.') else { return };
    if Scope::from_name(first).is_some() {
        let text = format!(
            "a topic has no scope: only `self.{topic}` hears this; did you mean `{meant}`?"
        );
        let paint = Terminal::look(everywhere.color).notice_paint;
        // It is published all the same; where nobody can read this, nobody needs it.
        let _ = std::io::stderr().lock().write_all(notice(&text, paint).as_bytes());
    }
}

/// Runs something that waits, on this thread.
fn wait_for<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::system("can't start the runtime", &error))?;
    runtime.block_on(work)
}

/// A connection for as long as one question takes.
struct Visit {
    client: Client,
    stop: Stop,
}

impl Visit {
    async fn start(everywhere: &Everywhere, name: &str) -> Result<Self, Failure> {
        let stop = Stop::new()?;
        let address = Address::find(everywhere.socket.clone())?;
        let client = address.connect(name, Reconnect::Never).await?;
        Ok(Self { client, stop })
    }

    /// The same, as the one who administers the daemon.
    async fn administer(
        everywhere: &Everywhere,
        place: &StateArguments,
        name: &str,
    ) -> Result<Self, Failure> {
        let stop = Stop::new()?;
        let address = Address::find(everywhere.socket.clone())?;
        let client = administrator::connect(&address, place, name).await?;
        Ok(Self { client, stop })
    }

    /// Does the work, unless it is stopped, and says goodbye in any case.
    async fn work<T>(
        mut self,
        work: impl AsyncFnOnce(&Client) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let result = self.stop.unless(work(&self.client)).await;
        // A goodbye that is not answered changes nothing about what was done.
        let _ = self.client.close().await;
        result
    }
}

/// A connection for as long as somebody wants to listen, over restarts of the daemon too.
struct Stay {
    address: Address,
    client: Client,
    stop: Stop,
    output: Output,
    terminal: Terminal,
}

impl Stay {
    async fn start(everywhere: &Everywhere, name: &str) -> Result<Self, Failure> {
        let stop = Stop::new()?;
        let terminal = Terminal::look(everywhere.color);
        let address = Address::find(everywhere.socket.clone())?;
        let client = address.connect(name, Reconnect::BackOff).await?;
        let output = Output::start(terminal.notice_paint)?;
        Ok(Self { address, client, stop, output, terminal })
    }

    /// Does the work, then says goodbye and waits until everything is printed.
    async fn work(
        mut self,
        work: impl AsyncFnOnce(&mut Self) -> Result<u8, Failure>,
    ) -> Result<u8, Failure> {
        let result = work(&mut self).await;
        let Self { client, mut stop, output, .. } = self;
        let leave = async {
            let _ = client.close().await;
            output.finish().await
        };
        // Whoever reads our output may take for ever; a (second) signal ends that too.
        let leave = stop.unless(leave);
        match result {
            Ok(code) => leave.await.map(|()| code),
            Err(failure) if failure.is_quiet() => {
                let _ = timeout(Duration::from_millis(LEAVE_MS), leave).await;
                Err(failure)
            }
            Err(failure) => {
                let _ = leave.await;
                Err(failure)
            }
        }
    }
}

/// Prints the result of a command that ends with it.
fn print_result(bytes: &[u8]) -> Result<u8, Failure> {
    print(bytes).map_err(|error| Failure::from_output(&error))?;
    Ok(exit_code::OK)
}
