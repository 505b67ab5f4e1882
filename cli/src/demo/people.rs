//! Who plays in the second half: ann with a laptop and a phone, bob, and carol, whom nobody knows.
//!
//! Each device is a daemon of its own, with its own folder, keys and store; what they say to each
//! other goes over QUIC on 127.0.0.1, and nothing listens anywhere else. All of them are asked in
//! JSON lines, by a client that shows the administration key as `kith` does.
//!
//! Deliberately absent: mDNS, which would find them too, but not on every machine.

use super::daemon_process::DaemonProcess;
use super::line_client::{Heard, LineClient};
use super::report::Report;
use anyhow::{Context, Result, bail, ensure};
use kith_busd::key;
use serde_json::{Value, json};
use std::path::Path;

/// Nothing leaves this machine.
const CONFIGURATION: &str = "\
[services.quic.settings]
listen = [\"127.0.0.1:0\"]
loopback = true
";
/// Each device, what its person is called, and what it is called itself.
const DEVICES: [(&str, Option<&str>, &str); 4] = [
    ("laptop", Some("ann"), "laptop"),
    ("phone", None, "phone"),
    ("bob", Some("bob"), "computer"),
    ("carol", Some("carol"), "computer"),
];

/// A daemon, and a program that speaks to it.
pub(super) struct Device {
    pub(super) name: &'static str,
    pub(super) client: LineClient,
    /// Whose it is, as an id.
    pub(super) identity: String,
    /// Where it can be reached.
    pub(super) endpoints: Value,
}

/// Everybody.
pub(super) struct People {
    pub(super) laptop: Device,
    pub(super) phone: Device,
    pub(super) bob: Device,
    pub(super) carol: Device,
}

/// Starts the four daemons. They are in `daemons` as soon as they run, so that they are ended.
pub(super) async fn start(
    report: &mut Report,
    folder: &Path,
    daemons: &mut Vec<DaemonProcess>,
) -> Result<People> {
    for (name, ..) in DEVICES {
        let folder = folder.join(name);
        std::fs::create_dir(&folder).context("can't make a folder")?;
        daemons.push(DaemonProcess::start(&folder, CONFIGURATION)?);
    }
    let mut devices = Vec::new();
    for (daemon, (name, person, device_name)) in daemons.iter_mut().zip(DEVICES) {
        daemon.ready().await?;
        let device = Device::begin(daemon, &folder.join(name), name, person, device_name).await?;
        let id = daemon.id().context("a daemon has ended")?;
        let at = device.endpoints.pointer("/0").and_then(Value::as_str).unwrap_or_default();
        report.tell(&format!("{name}: process {id}, reached at {at}; {}", device.identity));
        devices.push(device);
    }
    for device in &mut devices {
        let known = device.inquire("people.list", &Value::Null).await?;
        ensure!(known == json!([]), "{} knows somebody already: {known}", device.name);
    }
    let mut identities: Vec<_> = devices.iter().map(|device| device.identity.clone()).collect();
    identities.sort_unstable();
    identities.dedup();
    ensure!(identities.len() == DEVICES.len(), "two of them have one identity");
    let Ok([laptop, phone, bob, carol]) = <[Device; 4]>::try_from(devices) else {
        bail!("not all of them are there");
    };
    report.seen("four daemons, four identities, and nobody knows anybody");
    Ok(People { laptop, phone, bob, carol })
}

impl Device {
    async fn begin(
        daemon: &DaemonProcess,
        folder: &Path,
        name: &'static str,
        person: Option<&str>,
        device_name: &str,
    ) -> Result<Self> {
        let token = key::read(&folder.join("state")).context("can't read its key")?;
        let connect = async || {
            let mut client = LineClient::connect(daemon.socket()).await?;
            let hello = json!({ "name": name, "token": token.reveal() });
            client.ask(&line("hello", &hello)?).await?;
            anyhow::Ok(client)
        };
        let me = reachable(&mut connect().await?, person, device_name).await?;
        let identity = me.get("identity").and_then(Value::as_str).context("no identity")?;
        let endpoints = me.get("endpoints").cloned().unwrap_or_default();
        Ok(Self { name, client: connect().await?, identity: identity.to_owned(), endpoints })
    }

    /// Asks the daemon about people, or has it change something.
    pub(super) async fn inquire(&mut self, topic: &str, payload: &Value) -> Result<Value> {
        inquire(&mut self.client, topic, payload).await
    }

    /// Does what has to succeed, and shows both lines.
    pub(super) async fn does(
        &mut self,
        report: &mut Report,
        op: &str,
        fields: &Value,
    ) -> Result<Heard> {
        let answer = self.tries(report, op, fields).await?;
        ensure!(answer.is_ok(), "{} was refused", self.name);
        Ok(answer)
    }

    /// Does what may be refused, and shows both lines.
    pub(super) async fn tries(
        &mut self,
        report: &mut Report,
        op: &str,
        fields: &Value,
    ) -> Result<Heard> {
        let sent = self.client.send(&line(op, fields)?).await?;
        report.sent(self.name, &sent);
        let answer = self.client.answer().await?;
        report.received(self.name, &answer.line);
        Ok(answer)
    }

    /// Subscribes; the subscription's number.
    pub(super) async fn subscribe(&mut self, pattern: &str) -> Result<u64> {
        let answer = self.client.ask(&line("sub", &json!({ "pattern": pattern }))?).await?;
        answer.number().context("no number")
    }

    /// Ends a subscription, and drops what it heard and nobody has looked at.
    pub(super) async fn unsubscribe(&mut self, subscription: u64) -> Result<()> {
        self.client.ask(&line("unsub", &json!({ "sub": subscription }))?).await?;
        self.client.forget(subscription);
        Ok(())
    }

    /// Waits for the next message, and shows it.
    pub(super) async fn hears(&mut self, report: &mut Report) -> Result<Heard> {
        let heard = self.client.message().await?;
        report.received(self.name, &heard.line);
        Ok(heard)
    }

    /// Waits until a change of this kind is announced, to a subscription to `people.changed`.
    pub(super) async fn learns(&mut self, change: &str) -> Result<()> {
        loop {
            let heard = self.client.message().await?;
            if heard.payload().get("change") == Some(&json!(change)) {
                return Ok(());
            }
        }
    }

    /// Publishes for this program itself, and sees that it is the next thing that it hears: then
    /// nothing else has come before.
    pub(super) async fn hears_nothing_else(&mut self) -> Result<()> {
        let marker = json!({ "topic": "talk.marker", "payload": "marker" });
        self.client.ask(&line("pub", &marker)?).await?;
        let heard = self.client.message().await?;
        let is_it = heard.text("topic") == "talk.marker" && heard.text("sender") == "local";
        ensure!(is_it, "{} heard something else: {}", self.name, heard.line);
        Ok(())
    }
}

/// An operation as a line, with the client's next number.
pub(super) fn line(op: &str, fields: &Value) -> Result<String> {
    let fields = fields.as_object().context("an operation has fields")?;
    let rest = serde_json::to_string(fields)?;
    let rest = rest.strip_prefix('{').unwrap_or_default();
    Ok(format!(r#"{{"op":"{op}","id":N,{rest}"#))
}

async fn inquire(client: &mut LineClient, topic: &str, payload: &Value) -> Result<Value> {
    let asked = json!({ "topic": topic, "payload": payload, "timeout_ms": 10_000 });
    client.send(&line("req", &asked)?).await?;
    let answer = client.answer().await?;
    ensure!(answer.text("op") == "reply", "`{topic}` was refused: {}", answer.line);
    Ok(answer.payload().clone())
}

/// Lets `quic` run, and waits until the daemon knows where it can be reached. What it says of
/// itself then.
async fn reachable(
    client: &mut LineClient,
    person: Option<&str>,
    device_name: &str,
) -> Result<Value> {
    for pattern in ["self.transports.myNodeInfo", "self.services.state"] {
        client.ask(&line("sub", &json!({ "pattern": pattern }))?).await?;
    }
    inquire(client, "people.init", &json!({ "name": person, "device_name": device_name })).await?;
    inquire(client, "services.enable", &json!({ "name": "quic" })).await?;
    loop {
        let heard = client.message().await?;
        let state = heard.payload().get("state").and_then(Value::as_str);
        ensure!(!matches!(state, Some("failed" | "refused")), "quic does not run: {}", heard.line);
        let me = inquire(client, "people.me", &Value::Null).await?;
        let endpoints = me.get("endpoints").and_then(Value::as_array);
        if endpoints.is_some_and(|endpoints| !endpoints.is_empty()) {
            return Ok(me);
        }
    }
}
