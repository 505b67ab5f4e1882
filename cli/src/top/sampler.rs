//! Asks the daemon, in a task of its own, so that keys are obeyed while it takes its time.
//!
//! One question at a time; the screen asks the next when the answer is there. When the connection
//! breaks, each further question tries to connect anew; so whoever asks decides how often that is.

use super::facts::{Patterns, Ready, Sample};
use super::process::{self, Commands};
use super::rates::OWN_NAME;
use crate::connection::Address;
use crate::exit_code;
use crate::failure::Failure;
use crate::inquiry;
use crate::limits::PATTERNS_SHOWN_MAX;
use kith_client::{Client, Reconnect};
use std::time::Instant;
use tokio::sync::mpsc;

/// What is wanted.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Question {
    /// Everything that is counted.
    pub(crate) wants_sample: bool,
    /// What this client listens to.
    pub(crate) patterns_of: Option<u64>,
}

/// What was wanted.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) sample: Option<Sample>,
    pub(crate) patterns: Option<Patterns>,
}

/// A connection to ask over, and what is remembered from one question to the next.
pub(crate) struct Sampler {
    address: Address,
    connection: Option<Connection>,
    commands: Commands,
    begin: Instant,
}

/// A connection, and to which daemon it leads.
struct Connection {
    client: Client,
    ready: Option<Ready>,
}

impl Connection {
    async fn start(address: &Address) -> Result<Self, Failure> {
        let client = address.connect(OWN_NAME, Reconnect::Never).await?;
        let ready = inquiry::ready(&client).await?;
        let ready = ready.as_ref().map(inquiry::read).transpose()?;
        Ok(Self { client, ready })
    }
}

impl Sampler {
    /// Connects.
    pub(crate) async fn start(address: Address) -> Result<Self, Failure> {
        let connection = Some(Connection::start(&address).await?);
        let commands = Commands::default();
        Ok(Self { address, connection, commands, begin: Instant::now() })
    }

    /// Answers until nobody asks any more, then says goodbye.
    pub(crate) async fn run(
        mut self,
        mut questions: mpsc::Receiver<Question>,
        answers: mpsc::Sender<Result<Answer, Failure>>,
    ) {
        while let Some(question) = questions.recv().await {
            let answer = self.answer(question).await;
            if answers.send(answer).await.is_err() {
                break;
            }
        }
        self.close().await;
    }

    /// Says goodbye.
    pub(crate) async fn close(&mut self) {
        if let Some(Connection { client, .. }) = self.connection.take() {
            // A goodbye that is not answered changes nothing about what was seen.
            let _ = client.close().await;
        }
    }

    /// Answers one question. After a failure the next one connects anew.
    pub(crate) async fn answer(&mut self, question: Question) -> Result<Answer, Failure> {
        let answer = self.ask(question).await;
        if answer.is_err() {
            self.connection = None;
            self.commands.clear();
        }
        answer
    }

    async fn ask(&mut self, question: Question) -> Result<Answer, Failure> {
        let connection = match self.connection.take() {
            Some(connection) => connection,
            None => Connection::start(&self.address).await?,
        };
        let Connection { client, ready } = self.connection.insert(connection);
        let mut sample = None;
        if question.wants_sample {
            let stats = inquiry::stats(client).await?;
            let at = self.begin.elapsed();
            let clients = inquiry::read_rows(&inquiry::clients(client).await?)?;
            sample = Some(Sample {
                at_ms: u64::try_from(at.as_millis()).unwrap_or(u64::MAX),
                process: ready.as_ref().and_then(|ready| process::look(ready.pid)),
                ready: ready.clone(),
                stats: inquiry::read(&stats)?,
                commands: self.commands.of(&clients),
                clients,
            });
        }
        let patterns = match question.patterns_of {
            Some(of) => Some(patterns(client, of).await?),
            None => None,
        };
        Ok(Answer { sample, patterns })
    }
}

/// The patterns of a client. That they are refused, as an older daemon does, is an answer too.
async fn patterns(client: &Client, of: u64) -> Result<Patterns, Failure> {
    let found = match inquiry::subscriptions(client, of, PATTERNS_SHOWN_MAX).await {
        Ok(message) => Ok(inquiry::read(&message)?),
        Err(failure) if failure.exit_code() == exit_code::FAILED => Err(failure.text().to_owned()),
        Err(failure) => return Err(failure),
    };
    Ok(Patterns { client: of, found })
}
