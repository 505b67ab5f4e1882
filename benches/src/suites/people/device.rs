//! A daemon of its own with links to others, and what an administrator asks of it.

use crate::peer::Peer;
use crate::process::{Running, directory};
use anyhow::{Context, bail};
use kith_busd::key;
use kith_client::{Client, Publish, Reconnect, Subscribe, Subscription};
use serde_json::{Value, json};
use std::fs::{self, DirBuilder};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Addresses of this machine alone, so that nobody else is met; and no limit on how many letters a
/// link may bring.
const CONFIGURATION: &str = "[services.quic]\npublishes_per_second_max = 10000000\n\
     [services.quic.settings]\nlisten = [\"127.0.0.1:0\"]\nloopback = true\n";
/// How long anything may take.
const WAIT_MAX: Duration = Duration::from_secs(20);
const POLL: Duration = Duration::from_millis(2);

/// One daemon.
pub(super) struct Device<'plan> {
    peer: &'plan dyn Peer,
    base: &'plan Path,
    tag: String,
    pub(super) running: Running,
    administrator: Client,
}

impl<'plan> Device<'plan> {
    /// Starts it with these services, and waits until others can reach it.
    pub(super) async fn start(
        peer: &'plan dyn Peer,
        base: &'plan Path,
        tag: &str,
        services: &[&str],
    ) -> anyhow::Result<Self> {
        let place = directory(peer, base, tag);
        if place.exists() {
            fs::remove_dir_all(&place)?;
        }
        let configuration = place.join("config/kith");
        DirBuilder::new().recursive(true).mode(0o700).create(&configuration)?;
        fs::write(configuration.join("config.toml"), CONFIGURATION)?;
        let running = Running::start_again(peer, base, tag)?;
        let administrator = administrator(&running, &place).await?;
        let device = Self { peer, base, tag: tag.to_owned(), running, administrator };
        for service in services {
            device.ask("services.enable", json!({"name": service})).await?;
        }
        device.ask("people.init", json!({"name": tag, "device_name": tag})).await?;
        let is_reachable =
            |me: &Value| me["endpoints"].as_array().is_some_and(|all| !all.is_empty());
        if services.contains(&"quic") {
            device.wait("people.me", is_reachable).await?;
        }
        Ok(device)
    }

    /// Ends it as a crash would, and starts it again.
    pub(super) async fn crash(&mut self) -> anyhow::Result<()> {
        self.running.kill();
        self.running = Running::start_again(self.peer, self.base, &self.tag)?;
        self.administrator = administrator(&self.running, &self.place()).await?;
        Ok(())
    }

    fn place(&self) -> PathBuf {
        directory(self.peer, self.base, &self.tag)
    }

    /// A question, or something to do.
    pub(super) async fn ask(&self, topic: &str, payload: Value) -> anyhow::Result<Value> {
        let answer = self.administrator.request(topic, payload.to_string()).await;
        let answer = answer.with_context(|| format!("{topic} of {}", self.tag))?;
        Ok(serde_json::from_slice(answer.payload())?)
    }

    /// Asks until the answer is as it should be.
    pub(super) async fn wait(
        &self,
        topic: &str,
        is_it: impl Fn(&Value) -> bool,
    ) -> anyhow::Result<Value> {
        let began = Instant::now();
        loop {
            let answer = self.ask(topic, Value::Null).await?;
            if is_it(&answer) {
                return Ok(answer);
            }
            if WAIT_MAX < began.elapsed() {
                bail!("{topic} of {} stays {answer}", self.tag);
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// Another program on its bus.
    pub(super) async fn program(&self) -> anyhow::Result<Client> {
        let path = self.running.endpoint.unix_path()?;
        Ok(Client::builder().path(path).connect().await?)
    }

    /// A program that hears what friends say on a topic.
    pub(super) async fn listener(&self, topic: &str) -> anyhow::Result<(Client, Subscription)> {
        let client = self.program().await?;
        let pattern = format!("raw/friends.{topic}");
        let subscription = client.subscribe_with(Subscribe::new(pattern)).await?;
        Ok((client, subscription))
    }
}

/// Becomes friends: the second joins by an invite of the first. They call each other by their tags.
pub(super) async fn befriend(one: &Device<'_>, other: &Device<'_>) -> anyhow::Result<()> {
    let invite = one.ask("people.invite", json!({"petname": other.tag})).await?;
    let join = json!({"link": invite["link"], "petname": one.tag});
    other.ask("people.join", join).await?;
    Ok(())
}

/// A message to somebody.
pub(super) fn message<'a>(to: &'a str, topic: &'a str, payload: &'a [u8]) -> Publish<'a> {
    Publish::bytes(topic, "raw", payload).to(to)
}

async fn administrator(running: &Running, place: &Path) -> anyhow::Result<Client> {
    let token = key::read(&place.join("state"))?;
    let builder = Client::builder().path(running.endpoint.unix_path()?).token(token);
    Ok(builder.reconnect(Reconnect::Never).connect().await?)
}
