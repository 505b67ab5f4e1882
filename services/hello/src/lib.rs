//! The smallest useful service: it greets whoever asks, and says how many it has greeted.
//!
//! It is here to be read and copied: a manifest, a stream of questions, an answer to each.
//! `docs/writing-a-service.md` builds one like it from nothing.

use kith_plugins_api::{Bus, Health, Manifest, Service, ServiceError, async_trait};

/// The service.
#[derive(Debug, Default)]
pub struct Hello;

#[async_trait]
impl Service for Hello {
    fn manifest(&self) -> Manifest {
        Manifest::new("hello", env!("CARGO_PKG_VERSION"))
            .about("Greets whoever sends a name to hello.greet")
            .subscribes("self.hello.greet")
            .publishes("hello.greeted")
    }

    async fn run(self: Box<Self>, bus: Bus) -> Result<(), ServiceError> {
        let mut names = bus.subscribe("self.hello.greet").await?;
        let mut greeted = 0;
        while let Some((name, question)) = names.next_json::<String>().await {
            greeted += 1;
            let greeting = format!("Hello, {name}!");
            if question.reply_to().is_some() {
                bus.reply(&question, &greeting).await?;
            }
            bus.post("hello.greeted", &name).await?;
            bus.report(Health::ok().figure("greeted", greeted)).await?;
        }
        Ok(())
    }
}
