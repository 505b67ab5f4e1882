//! Services that tests are about.

use kith_plugins_api::{Bus, Manifest, Service, ServiceError, async_trait};
use std::pin::Pin;

type Running = Pin<Box<dyn Future<Output = Result<(), ServiceError>> + Send>>;
type Run = Box<dyn FnOnce(Bus) -> Running + Send>;

/// A service that does what a test says.
pub(crate) struct Does {
    manifest: Manifest,
    run: Run,
}

impl Does {
    pub(crate) fn new<F>(manifest: Manifest, run: impl FnOnce(Bus) -> F + Send + 'static) -> Self
    where
        F: Future<Output = Result<(), ServiceError>> + Send + 'static,
    {
        Self { manifest, run: Box::new(move |bus| Box::pin(run(bus))) }
    }
}

#[async_trait]
impl Service for Does {
    fn manifest(&self) -> Manifest {
        self.manifest.clone()
    }

    async fn run(self: Box<Self>, bus: Bus) -> Result<(), ServiceError> {
        (self.run)(bus).await
    }
}

/// That of a service `it` which may publish `it.>` and subscribe to `self.ask.>`.
pub(crate) fn manifest() -> Manifest {
    Manifest::new("it", "1.0.0").publishes("it.>").subscribes("self.ask.>")
}

/// Publishes each number that it is told, doubled, and answers who wants an answer.
pub(crate) fn doubling() -> Does {
    Does::new(manifest(), async |bus: Bus| {
        let mut asked = bus.subscribe("self.ask.double").await?;
        while let Some((number, message)) = asked.next_json::<u64>().await {
            bus.publish("it.doubled", &(number * 2)).await?;
            if message.reply_to().is_some() {
                bus.reply(&message, &(number * 2)).await?;
            }
        }
        Ok(())
    })
}
