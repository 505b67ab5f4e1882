//! A service that runs in a test, and what a test can do to it.

use super::fail;
use super::hub::Hub;
use crate::ServiceError;
use crate::limits::HEARTBEAT_MS;
use kith_client::Code;
use kith_core::ClientId;
use kith_wire::Refusal;
use std::rc::Rc;
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio::time::sleep;

/// A service that runs; made by [`TestBus::start`](super::TestBus::start).
#[derive(Debug)]
pub struct Running {
    name: String,
    hub: Rc<Hub>,
    client: ClientId,
    task: JoinHandle<Result<(), ServiceError>>,
}

impl Running {
    pub(super) fn new(
        name: String,
        hub: Rc<Hub>,
        client: ClientId,
        task: JoinHandle<Result<(), ServiceError>>,
    ) -> Self {
        Self { name, hub, client, task }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether it has not ended.
    #[must_use]
    pub fn is_running(&self) -> bool {
        !self.task.is_finished()
    }

    /// Waits until it has ended by itself, and says how.
    ///
    /// # Errors
    /// What it ended with.
    ///
    /// # Panics
    /// If it did.
    pub async fn ended(self) -> Result<(), ServiceError> {
        match self.task.await {
            Ok(ended) => ended,
            Err(error) => match error.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                Err(error) => fail(&error.to_string()),
            },
        }
    }

    /// Asks it to end, as the daemon does, and waits until it has.
    ///
    /// # Errors
    /// What it ended with.
    ///
    /// # Panics
    /// If it did.
    pub async fn stop(self) -> Result<(), ServiceError> {
        self.hub.close(self.client);
        self.ended().await
    }

    /// Asks it for a sign of life, as the daemon does, and waits for up to 10 s. A service that has
    /// ended has none.
    pub async fn is_alive(&self) -> bool {
        let within = Duration::from_millis(HEARTBEAT_MS);
        if !self.hub.ask_heartbeat(self.client, within) {
            return false;
        }
        loop {
            if let Some(is_alive) = self.hub.is_alive(self.client) {
                return is_alive;
            }
            if !self.is_running() {
                return false;
            }
            sleep(Duration::from_millis(1)).await;
        }
    }

    /// Sends it nothing for now, as where the machine is busy: what it should get waits, and it
    /// lags when that is more than
    /// [`TestBus::queue_messages_max`](super::TestBus::queue_messages_max).
    pub fn hold(&self) {
        self.hub.hold(self.client, true);
    }

    /// Sends it what waits, and all that follows.
    pub fn release(&self) {
        self.hub.hold(self.client, false);
    }

    /// Refuses the next message that it publishes. Replies are let through.
    pub fn refuse_next(&self, code: Code, text: &str) {
        self.hub.refuse_next(self.client, Refusal::new(code, text));
    }
}
