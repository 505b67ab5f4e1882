//! `kith-bench-dbus-echo`: the service that Kith's door on the session bus is measured beside.
//!
//! It takes what `Publish` of `org.kithbus.Bus1` takes, and sends back to the caller the signal
//! that Kith would send, with the same entries. That is all: no subscriptions, no queues, no other
//! process. It is written as a program with zbus is written, with its object server, so the two
//! hops through the session bus and the reading and writing of both messages are what it costs.
//!
//! Deliberately absent: more threads, which the daemon's door doesn't have either.

use anyhow::Context;
use kith_benches::dbus::{ECHO_NAME, PATH};
use rustix::process::{Signal, set_parent_process_death_signal};
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};
use zbus::message::Header;
use zbus::names::BusName;
use zbus::object_server::SignalEmitter;
use zbus::{Variant, connection, fdo, interface};

#[derive(Default)]
struct Echo {
    count: AtomicU64,
}

#[interface(name = "org.kithbus.Bus1")]
impl Echo {
    async fn publish(
        &self,
        topic: &str,
        to: &str,
        payload: Variant<'_>,
        options: HashMap<&str, Variant<'_>>,
        #[zbus(header)] header: Header<'_>,
        #[zbus(signal_emitter)] emitter: SignalEmitter<'_>,
    ) -> fdo::Result<String> {
        if !options.is_empty() || !matches!(to, "" | "local") {
            return Err(fdo::Error::InvalidArgs("not what is measured".to_owned()));
        }
        // As long as a UUID.
        let count = self.count.fetch_add(1, Ordering::Relaxed);
        let msg_id = format!("01900000-0000-7000-8000-{count:012x}");
        let sent_at = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let sent_at = u64::try_from(sent_at.as_millis()).unwrap_or(u64::MAX);
        let message = HashMap::from([
            ("msg_id", Variant::from(msg_id.as_str())),
            ("sender", Variant::from("local")),
            ("scope", Variant::from("self")),
            ("protocol", Variant::from("ms")),
            ("topic", Variant::from(topic)),
            ("sent_at", Variant::from(sent_at)),
            ("payload", payload),
        ]);
        let caller = header.sender().context("a caller without a name");
        let caller = caller.map_err(|error| fdo::Error::Failed(error.to_string()))?;
        let emitter = emitter.set_destination(BusName::from(caller.to_owned()));
        Self::message(&emitter, 1, message).await?;
        Ok(msg_id)
    }

    #[zbus(signal)]
    async fn message(
        emitter: &SignalEmitter<'_>,
        subscription: u32,
        message: HashMap<&str, Variant<'_>>,
    ) -> zbus::Result<()>;
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    // Else it would go on for ever where the harness is killed.
    set_parent_process_death_signal(Some(Signal::TERM)).context("following the parent")?;
    let builder = connection::Builder::session().name(ECHO_NAME).serve_at(PATH, Echo::default());
    let _connection = builder.build().await.context("joining the session bus")?;
    std::future::pending().await
}
