//! What a service is, and how one is run.
//!
//! [`run`] is the whole life of a service on a bus that stands already. The daemon's host and
//! [`process::main`](crate::process::main) both use it, so that a service ends alike in both.

use crate::{Bus, Manifest, ServiceError};
use async_trait::async_trait;
use kith_client::{Code, Loss};

/// A service: something that talks with the world through the bus alone.
///
/// ```
/// use kith_plugins_api::{Bus, Manifest, Service, ServiceError, async_trait};
///
/// struct Shout;
///
/// #[async_trait]
/// impl Service for Shout {
///     fn manifest(&self) -> Manifest {
///         Manifest::new("shout", "1.0.0").publishes("shout.out").subscribes("self.shout.in")
///     }
///
///     async fn run(self: Box<Self>, bus: Bus) -> Result<(), ServiceError> {
///         let mut heard = bus.subscribe("self.shout.in").await?;
///         while let Some((text, _)) = heard.next_json::<String>().await {
///             bus.post("shout.out", &text.to_uppercase()).await?;
///         }
///         Ok(())
///     }
/// }
/// ```
#[async_trait]
pub trait Service: Send + 'static {
    /// Its name, its version, and what it wants to do. The daemon grants this and nothing more.
    fn manifest(&self) -> Manifest;

    /// Runs until the bus ends.
    ///
    /// # Errors
    /// An error means "start me again, after a while", and [`ServiceError::fatal`] means "do not".
    /// Once the bus has ended any error is a good end: a sleep or a publish was cut short.
    async fn run(self: Box<Self>, bus: Bus) -> Result<(), ServiceError>;
}

/// Runs a service to its end, and says goodbye for it.
///
/// # Errors
/// What the service returned, unless it ended because its bus did; and why the daemon cut it off,
/// if it did.
pub async fn run(service: Box<dyn Service>, bus: Bus) -> Result<(), ServiceError> {
    let ended = service.run(bus.clone()).await;
    // If the bus is there until now, it ends because we say goodbye.
    match (ended, bus.goodbye().await) {
        (Err(error), _) if error.is_fatal() => Err(error),
        (_, Some(Loss::Refused { code, text })) if code != Some(Code::ShuttingDown) => {
            Err(ServiceError::restart(format!("cut off: {text}")))
        }
        (Err(error), None | Some(Loss::Closed)) => Err(error),
        _ => Ok(()),
    }
}
