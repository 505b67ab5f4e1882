//! A service that does what its settings say: for the tests of whoever runs services.
//!
//! It tries what it is told to and says what came of it, or does what a service should not. Inside
//! the daemon and as a program of its own it is the same; `tests/services/probe.py` does the same
//! in Python. So one table of cases holds for all three.
//!
//! Deliberately absent: anything that a service would be for.

use kith_plugins_api::{
    Bus, Code, Manifest, Publish, PublishError, Request, RequestError, Service, ServiceError,
    SubscribeError, async_trait,
};
use serde::Deserialize;
use serde_json::Value;
use std::future::pending;
use std::sync::mpsc;

/// The service. Its name is `probe`.
#[derive(Debug, Default)]
pub struct Probe;

/// What it is to do.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Settings {
    /// First, each of these: an operation, its topic or pattern, and the payload.
    tries: Vec<(String, String, Value)>,
    /// Then this.
    then: Then,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Then {
    /// Answer what is asked on `probe.ask`, and leave a file when the bus ends.
    #[default]
    Answer,
    Panic,
    Fail,
    Fatal,
    /// Wait for something that never comes.
    Hang,
    /// The same, without letting anything else run.
    Block,
    Flood,
}

#[async_trait]
impl Service for Probe {
    fn manifest(&self) -> Manifest {
        Manifest::new("probe", "1.0.0")
            .about("Does what its settings say")
            .publishes("probe.>")
            .subscribes("self.probe.>")
            .subscribes("self.bus.client")
    }

    async fn run(self: Box<Self>, bus: Bus) -> Result<(), ServiceError> {
        let Settings { tries, then } = bus.settings()?;
        let mut asked = bus.subscribe("self.probe.ask").await?;
        let mut outcomes = Vec::new();
        for (operation, topic, payload) in tries {
            outcomes.push(attempt(&bus, &operation, &topic, &payload).await);
        }
        bus.publish("probe.tried", &outcomes).await?;
        tracing::info!("it does what it was told to");
        match then {
            Then::Answer => {
                while let Some((value, question)) = asked.next_json::<Value>().await {
                    if question.reply_to().is_some() {
                        bus.reply(&question, &value).await?;
                    }
                }
                std::fs::write(bus.data_dir().join("ended"), "well\n")?;
                Ok(())
            }
            #[expect(clippy::panic, reason = "that is what it is told to do")]
            Then::Panic => panic!("as it was told to"),
            Then::Fail => Err(ServiceError::restart("as it was told to")),
            Then::Fatal => Err(ServiceError::fatal("as it was told to")),
            Then::Hang => pending().await,
            Then::Block => {
                let (_sender, never) = mpsc::channel::<()>();
                never.recv()?;
                Ok(())
            }
            Then::Flood => loop {
                bus.post("probe.flood", &"x").await?;
            },
        }
    }
}

/// What comes of an operation: a code, or `ok`.
async fn attempt(bus: &Bus, operation: &str, topic: &str, payload: &Value) -> String {
    let json = payload.to_string();
    let outcome = match operation {
        "pub" => bus.send(Publish::json(topic, json)).await.err().map(|error| match error {
            PublishError::Refused { code, .. } => named(code),
            other => other.to_string(),
        }),
        "sub" => bus.subscribe(topic).await.err().map(|error| match error {
            SubscribeError::Refused { code, .. } => named(code),
            other => other.to_string(),
        }),
        _ => bus.ask(Request::json(topic, json)).await.err().map(|error| match error {
            RequestError::Refused { code, .. } => named(code),
            RequestError::NoResponders => "no-responders".to_owned(),
            other => other.to_string(),
        }),
    };
    outcome.unwrap_or_else(|| "ok".to_owned())
}

fn named(code: Option<Code>) -> String {
    code.map_or("a code of its own", Code::name).to_owned()
}
