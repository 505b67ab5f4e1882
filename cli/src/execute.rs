//! Running a command for a message: `sh -c`, with the payload on its standard input.
//!
//! What the message says goes into the environment, never into the command's text: a topic can't
//! become a part of what the shell runs. `KITH_SOCKET` leads back to the bus that the message came
//! from, so that the command can use `kith` itself.

use crate::limits::COMMAND_OUTPUT_BYTES_MAX;
use kith_client::Message;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, ChildStdin, Command};

/// A command to be run for messages.
#[derive(Clone, Debug)]
pub(crate) struct Hook {
    command: Arc<str>,
    socket: Arc<PathBuf>,
}

/// Why a command didn't do what it should.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HookFailure {
    #[error("can't run `sh`: {0}")]
    Start(io::Error),
    #[error("can't talk to the command: {0}")]
    Talk(io::Error),
    #[error("the command ended with {0}")]
    Code(i32),
    #[error("the command was ended by signal {0}")]
    Signal(i32),
    #[error("the command printed more than {COMMAND_OUTPUT_BYTES_MAX} bytes")]
    TooLarge,
}

impl Hook {
    pub(crate) fn new(command: &str, socket: PathBuf) -> Self {
        Self { command: command.into(), socket: Arc::new(socket) }
    }

    /// Runs it; what it prints goes where our own output goes.
    pub(crate) async fn run(&self, message: &Message) -> Result<(), HookFailure> {
        let mut child = self.start(message, Stdio::inherit())?;
        let input = feed(child.stdin.take(), message.payload());
        let (fed, status) = tokio::join!(input, child.wait());
        fed.map_err(HookFailure::Talk)?;
        check(status.map_err(HookFailure::Talk)?)
    }

    /// Runs it, and returns what it prints.
    pub(crate) async fn capture(&self, message: &Message) -> Result<Vec<u8>, HookFailure> {
        let mut child = self.start(message, Stdio::piped())?;
        let input = feed(child.stdin.take(), message.payload());
        let output = read(child.stdout.take());
        let (fed, printed) = tokio::join!(input, output);
        // One that prints without end is killed when `child` is dropped.
        let printed = printed?;
        fed.map_err(HookFailure::Talk)?;
        check(child.wait().await.map_err(HookFailure::Talk)?)?;
        Ok(printed)
    }

    fn start(&self, message: &Message, output: Stdio) -> Result<Child, HookFailure> {
        let mut command = Command::new("sh");
        command.arg("-c").arg(&*self.command).kill_on_drop(true);
        command.stdin(Stdio::piped()).stdout(output);
        command.env("KITH_SOCKET", &*self.socket);
        command.env("KITH_TOPIC", message.topic());
        command.env("KITH_SCOPE", message.scope().name());
        command.env("KITH_SENDER", message.sender());
        command.env("KITH_MSG_ID", message.id().to_string());
        command.env("KITH_PROTOCOL", message.protocol());
        match message.petname() {
            Some(petname) => command.env("KITH_PETNAME", petname),
            None => command.env_remove("KITH_PETNAME"),
        };
        match message.attempt() {
            Some(attempt) => command.env("KITH_ATTEMPT", attempt.to_string()),
            None => command.env_remove("KITH_ATTEMPT"),
        };
        match message.reply_to() {
            Some(topic) => command.env("KITH_REPLY_TO", topic),
            None => command.env_remove("KITH_REPLY_TO"),
        };
        command.spawn().map_err(HookFailure::Start)
    }
}

async fn feed(input: Option<ChildStdin>, payload: &[u8]) -> io::Result<()> {
    let Some(mut input) = input else { return Ok(()) };
    match input.write_all(payload).await {
        // A command need not read what it doesn't want to know.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}

async fn read(output: Option<impl AsyncRead + Unpin>) -> Result<Vec<u8>, HookFailure> {
    let Some(output) = output else { return Ok(Vec::new()) };
    let mut printed = Vec::new();
    let limit = u64::try_from(COMMAND_OUTPUT_BYTES_MAX).unwrap_or(u64::MAX);
    let read = output.take(limit.saturating_add(1)).read_to_end(&mut printed).await;
    read.map_err(HookFailure::Talk)?;
    if printed.len() > COMMAND_OUTPUT_BYTES_MAX { Err(HookFailure::TooLarge) } else { Ok(printed) }
}

fn check(status: ExitStatus) -> Result<(), HookFailure> {
    match (status.code(), status.signal()) {
        (Some(0), _) => Ok(()),
        (Some(code), _) => Err(HookFailure::Code(code)),
        (None, signal) => Err(HookFailure::Signal(signal.unwrap_or_default())),
    }
}
