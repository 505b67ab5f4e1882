//! `services.*`: how services are.

use super::{TEXT, TIME};
use crate::kind::Kind;
use crate::limits::LINE_BYTES_MAX;
use crate::payload::{payload, words};
use std::collections::BTreeMap;

words! {
    /// How a service is, as it sees itself.
    pub enum Condition {
        /// It does all that it is there for.
        Ok = "ok",
        /// It does some of it, or slowly.
        Degraded = "degraded",
        /// It can't do what it is there for, but goes on trying.
        Failing = "failing",
    }

    /// Where a service is in its life, as the host sees it.
    pub enum Stage {
        /// It has been started, and has not said that it is there.
        Starting = "starting",
        /// It is there.
        Running = "running",
        /// It has ended, and will be started again after a while.
        Waiting = "waiting",
        /// It has failed too often to be started again by itself.
        Failed = "failed",
        /// It has been asked to end.
        Stopping = "stopping",
        /// It is not wanted.
        Disabled = "disabled",
        /// Its manifest asks for what it may not have, or has changed since it was enabled.
        Refused = "refused",
        /// This daemon was built without it.
        NotBuilt = "not-built",
    }
}

payload! {
    /// How a service is.
    pub struct Health {
        /// The service that says so: its own name.
        speaker service: String = Kind::Name,
        /// How it is.
        required state: Condition = Condition::KIND,
        /// The same for people, where there is something to say.
        optional text: Option<String> = TEXT,
        /// Figures of its own; units belong in the names: `peers`, `queued_bytes`.
        optional figures: Option<BTreeMap<String, i64>> = Kind::Figures,
    }

    /// A service is at another stage of its life.
    pub struct State {
        /// The service.
        required name: String = Kind::Name,
        /// Where it is now.
        required state: Stage = Stage::KIND,
        /// Why, where that is not clear by itself.
        optional reason: Option<String> = TEXT,
    }

    /// A line of a service's output.
    pub struct Log {
        /// The service.
        required name: String = Kind::Name,
        /// When it was read, in ms since the Unix epoch.
        required at: u64 = TIME,
        /// The line, without its end; what is no plain text is escaped.
        required text: String = Kind::Text { bytes_max: LINE_BYTES_MAX },
    }

    /// Nothing has to be said.
    pub struct Heartbeat {}
}
