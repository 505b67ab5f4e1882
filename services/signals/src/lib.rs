//! A service that mirrors signals of D-Bus into topics, so that a program which knows only the bus
//! hears that the machine goes to sleep, or that a disk was put in.
//!
//! ```toml
//! [[services.signals.settings.mirror]]
//! bus = "system"
//! sender = "org.freedesktop.login1"
//! interface = "org.freedesktop.login1.Manager"
//! member = "PrepareForSleep"
//! topic = "dbus.sleep"
//! ```
//!
//! What is published is JSON: `{"member": …, "path": …, "sender": …, "arguments": […]}`, with the
//! values as the daemon's own door turns them into JSON. A signal with something in it for which
//! JSON has no word is logged and passed over. D-Bus does not tell one argument that is a structure
//! from its parts as arguments, and neither does this.
//!
//! Each mirror has a connection of its own, with one rule; so whatever signal comes there is one
//! that was asked for, and the message bus sorts out who its sender is. A message bus that is not
//! there is waited for. What is mirrored is decided in `rules.rs`, which knows no D-Bus.
//!
//! Deliberately absent: the other direction. Programs on D-Bus have the daemon's own door.

pub mod limits;
pub mod rules;

use futures_core::Stream;
use kith_plugins_api::{
    Bus, Closed, Health, Manifest, PostError, Publish, Service, ServiceError, async_trait,
};
use limits::{
    BODY_BYTES_MAX, CHANGES_MAX, QUEUED_MESSAGES_MAX, WAIT_MS_MAX, WAIT_MS_MIN, WHY_CHARS_MAX,
};
use rules::{Mirror, Report, Settings, Standing};
use std::future::poll_fn;
use std::num::NonZeroUsize;
use std::pin::Pin;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use zbus::message::Type;
use zbus::{Connection, Message, MessageStream, Variant, connection};

/// The service.
#[derive(Debug, Default)]
pub struct Signals;

/// A mirror has come up, or gone down for this reason.
type Change = (usize, Option<String>);

#[async_trait]
impl Service for Signals {
    fn manifest(&self) -> Manifest {
        Manifest::new("signals", env!("CARGO_PKG_VERSION"))
            .about("Mirrors signals of D-Bus, as its settings say")
            .publishes("dbus.>")
            .disk()
    }

    async fn run(self: Box<Self>, bus: Bus) -> Result<(), ServiceError> {
        let settings: Settings = bus.settings()?;
        settings.check().map_err(ServiceError::fatal)?;
        let mut standing = Standing::new(settings.mirror.len());
        let (tell, mut changes) = mpsc::channel(CHANGES_MAX);
        // They end with this, as a set of tasks does that is dropped.
        let mut mirrors = JoinSet::new();
        for (nth, mirror) in settings.mirror.into_iter().enumerate() {
            mirrors.spawn(stay(bus.clone(), nth, mirror, tell.clone()));
        }
        report(&bus, &standing).await?;
        while let Some((nth, down)) = bus.wait_for(changes.recv()).await? {
            if standing.set(nth, down) {
                report(&bus, &standing).await?;
            }
        }
        Ok(())
    }
}

async fn report(bus: &Bus, standing: &Standing) -> Result<(), PostError> {
    let health = match standing.report() {
        Report::Well => Health::ok(),
        Report::Some(why) => Health::degraded(why),
        Report::None(why) => Health::failing(why),
    };
    let up = i64::try_from(standing.up()).unwrap_or(i64::MAX);
    bus.report(health.figure("mirrors_up", up)).await
}

/// Keeps a mirror up.
async fn stay(
    bus: Bus,
    nth: usize,
    mirror: Mirror,
    tell: mpsc::Sender<Change>,
) -> Result<(), Closed> {
    let mut wait_ms = WAIT_MS_MIN;
    loop {
        let why = match connect(&mirror).await {
            Ok(stream) => {
                wait_ms = WAIT_MS_MIN;
                let _ = tell.send((nth, None)).await;
                bus.wait_for(pass_on(&bus, &mirror, stream)).await?
            }
            Err(error) => error.to_string(),
        };
        let why = format!("{}: {why}", mirror.bus);
        let _ = tell.send((nth, Some(why.chars().take(WHY_CHARS_MAX).collect()))).await;
        bus.sleep(Duration::from_millis(wait_ms / 2 + bus.random() % (wait_ms / 2 + 1))).await?;
        wait_ms = (wait_ms * 2).min(WAIT_MS_MAX);
    }
}

async fn connect(mirror: &Mirror) -> zbus::Result<MessageStream> {
    let builder = match mirror.bus.as_str() {
        "session" => connection::Builder::session(),
        "system" => connection::Builder::system(),
        address => connection::Builder::address(address),
    };
    let builder = match NonZeroUsize::new(QUEUED_MESSAGES_MAX) {
        Some(queued_max) => builder.max_queued(queued_max),
        None => builder,
    };
    let stream = MessageStream::from(builder.build().await?);
    let rule = mirror.rule();
    let name = "org.freedesktop.DBus";
    Connection::from(&stream)
        .call_method(Some(name), "/org/freedesktop/DBus", Some(name), "AddMatch", &rule.as_str())
        .await?;
    Ok(stream)
}

/// Publishes what comes, until nothing comes any more. Why that is.
async fn pass_on(bus: &Bus, mirror: &Mirror, mut stream: MessageStream) -> String {
    loop {
        let message = match poll_fn(|cx| Pin::new(&mut stream).poll_next(cx)).await {
            Some(Ok(message)) => message,
            Some(Err(error)) => return error.to_string(),
            None => return "the message bus has ended".to_owned(),
        };
        let is_asked_for = {
            let header = message.header();
            message.message_type() == Type::Signal
                && header.interface().is_some_and(|one| one.as_str() == mirror.interface)
        };
        if !is_asked_for {
            continue;
        }
        match json(&message) {
            Ok(json) => {
                let posted = bus.post_message(Publish::json(mirror.topic.as_str(), json)).await;
                if let Err(error) = posted {
                    return error.to_string();
                }
            }
            Err(why) => tracing::warn!(topic = mirror.topic, why, "a signal is passed over"),
        }
    }
}

/// What is published of a signal.
fn json(signal: &Message) -> Result<String, String> {
    let body = signal.body();
    if body.len() > BODY_BYTES_MAX {
        return Err(format!("its body has {} bytes", body.len()));
    }
    let arguments = if body.is_empty() {
        "[]".to_owned()
    } else {
        let arguments: zbus::Structure<'_> =
            body.deserialize().map_err(|error| error.to_string())?;
        let arguments = Variant::Structure(arguments);
        kith_dbus_json::from_variant(&arguments).map_err(|error| error.to_string())?
    };
    let header = signal.header();
    let word = |word: Option<&str>| serde_json::json!(word).to_string();
    Ok(format!(
        r#"{{"member":{},"path":{},"sender":{},"arguments":{arguments}}}"#,
        word(header.member().map(|member| member.as_str())),
        word(header.path().map(|path| path.as_str())),
        word(header.sender().map(|sender| sender.as_str())),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arguments<B: serde::Serialize + zbus::wire::DynamicType>(body: &B) -> String {
        let signal = Message::signal("/light", "org.example.Light", "Changed").build(body);
        let json = json(&signal.unwrap()).unwrap();
        let value: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!((&value["member"], &value["path"]), (&"Changed".into(), &"/light".into()));
        value["arguments"].to_string()
    }

    #[test]
    fn any_number_of_arguments_is_a_list() {
        assert_eq!(arguments(&()), "[]");
        assert_eq!(arguments(&"one"), r#"["one"]"#);
        assert_eq!(arguments(&vec!["one", "two"]), r#"[["one","two"]]"#);
        assert_eq!(arguments(&("one", 2_u8)), r#"["one",2]"#);
    }
}
