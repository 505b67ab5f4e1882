//! The services that can be built in: one explicit list.
//!
//! Each is a crate of its own behind a cargo feature. One that was not built is listed too, with
//! the feature that would build it; so whoever looks for it knows that it exists.

use kith_plugins_api::Service;
use std::fmt;
use std::sync::Arc;

/// Makes a service, for each of its starts.
pub(crate) type Make = Arc<dyn Fn() -> Box<dyn Service> + Send + Sync>;

/// A service that is built in, or could be.
#[derive(Clone)]
pub(crate) struct BuiltIn {
    /// Its name, as in its manifest.
    pub(crate) name: String,
    /// The cargo feature that builds it; none, for one that a program embedding the daemon brings.
    pub(crate) feature: Option<&'static str>,
    /// Nothing, where it was not built.
    pub(crate) make: Option<Make>,
}

impl fmt::Debug for BuiltIn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BuiltIn").field("name", &self.name).finish_non_exhaustive()
    }
}

macro_rules! built_in {
    ($($name:literal if $feature:literal: $service:path;)*) => {
        /// All of them, in the order of their names.
        pub(crate) fn all() -> Vec<BuiltIn> {
            vec![$({
                #[cfg(feature = $feature)]
                let make: Option<Make> = Some(Arc::new(|| Box::new(<$service>::default())));
                #[cfg(not(feature = $feature))]
                let make: Option<Make> = None;
                BuiltIn { name: $name.to_owned(), feature: Some($feature), make }
            },)*]
        }
    };
}

built_in! {
    "echo" if "service-echo": kith_service_echo::Echo;
    "hello" if "service-hello": kith_service_hello::Hello;
    "mdns" if "service-mdns": kith_service_mdns::Mdns;
    "pipes" if "service-pipes": kith_service_pipes::Pipes;
    "quic" if "service-quic": kith_service_quic::Quic;
    "signals" if "service-signals": kith_service_signals::Signals;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_has_the_name_of_its_manifest_and_of_its_feature() {
        for BuiltIn { name, feature, make } in all() {
            assert_eq!(feature.unwrap(), format!("service-{name}"));
            let Some(make) = make else { continue };
            let manifest = make().manifest();
            assert_eq!(manifest.name, name);
            manifest.check().unwrap();
        }
    }
}
