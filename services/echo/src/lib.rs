//! A service that answers requests: with what it was sent, with a sum, and with how much it did.
//!
//! It is for trying whether a bus works, and for measuring what a request costs; and it shows how a
//! service is built that answers questions. What is answered is decided in `answers.rs`, which
//! knows no bus; here are the messages.
//!
//! Every question gets an answer, also one that makes no sense: whoever asks should not have to
//! wait for a time-out to find out about a typing error.

pub mod answers;

use answers::{Answers, Question};
use kith_plugins_api::{
    Bus, Health, Manifest, Message, PostError, Publish, Service, ServiceError, async_trait,
};
use serde::Deserialize;

/// The service.
#[derive(Debug, Default)]
pub struct Echo;

/// `[services.echo.settings]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    /// The topic on which it answers: `echo`, or one below it, such as `echo.lab`.
    #[serde(default = "topic")]
    topic: String,
}

fn topic() -> String {
    "echo".to_owned()
}

#[async_trait]
impl Service for Echo {
    fn manifest(&self) -> Manifest {
        Manifest::new("echo", env!("CARGO_PKG_VERSION"))
            .about("Answers on echo with what it was sent, on echo.sum, and on echo.count")
            .subscribes("*/self.echo")
            .subscribes("*/self.echo.>")
    }

    async fn run(self: Box<Self>, bus: Bus) -> Result<(), ServiceError> {
        let Settings { topic } = bus.settings()?;
        if topic != "echo" && !topic.starts_with("echo.") {
            let why = format!("settings.topic is \"{topic}\": it has to be echo or echo.SOMETHING");
            return Err(ServiceError::fatal(why));
        }
        let mut same = bus.subscribe(&format!("*/self.{topic}")).await?;
        let mut other = bus.subscribe(&format!("self.{topic}.*")).await?;
        let mut answers = Answers::default();
        bus.report(Health::ok()).await?;
        loop {
            // Which is looked at first is written down, so that a test can be played again.
            let message = tokio::select! {
                biased;
                message = same.next() => message,
                message = other.next() => message,
            };
            let Some(message) = message else { return Ok(()) };
            let question = Question::new(&topic, message.topic());
            let answer = answers.answer(question, message.payload());
            reply(&bus, &message, question, &answer).await?;
        }
    }
}

/// Replies, if a reply is wanted. What was echoed keeps its protocol.
async fn reply(
    bus: &Bus,
    message: &Message,
    question: Question,
    answer: &[u8],
) -> Result<(), PostError> {
    let Some(topic) = message.reply_to() else { return Ok(()) };
    let protocol = if question == Question::Same { message.protocol() } else { "ms" };
    bus.post_message(Publish::bytes(topic, protocol, answer)).await
}
