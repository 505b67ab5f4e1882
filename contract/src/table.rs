//! The table of reserved topics: who may publish each, and what is in it.
//!
//! Reserved topics that are not in the table (`rooms.*` so far, and all on which the daemon
//! answers requests) are the daemon's own; nobody else publishes there.

use crate::check::{self, PROTOCOL};
use crate::error::{PayloadError, Trouble};
use crate::kind::{Field, Presence, joined};
use crate::payloads::{bus, delivery, directory, envelope, people, services, transports};
use crate::role::{Publisher, Role, is_name};
use crate::topic::{Topic, TopicOf};
use crate::value::Value;
use crate::{cbor, json};

/// A row of the table: a reserved topic, or those that begin alike and end with a name.
#[derive(Debug)]
pub struct Entry {
    topic: &'static str,
    publishers: &'static [Publisher],
    about: &'static [&'static str],
    fields: &'static [Field],
    /// Reads what has passed the check as its type, and gives back what that would write.
    #[cfg(test)]
    pub(crate) again: fn(Value<'_>) -> Option<(Vec<u8>, String)>,
}

/// A payload in both forms.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Views {
    /// For protocol `kith`.
    pub cbor: Vec<u8>,
    /// For protocol `ms`: one line.
    pub json: String,
    /// The service that the payload says it is from, where it says so.
    pub speaker: Option<String>,
}

/// A payload that was checked.
#[derive(Debug)]
pub struct Checked<'a> {
    value: Value<'a>,
    speaker: Option<String>,
}

impl Checked<'_> {
    /// It for protocol `kith`.
    #[must_use]
    pub fn cbor(&self) -> Vec<u8> {
        cbor::written(&self.value)
    }

    /// It for protocol `ms`: one line.
    #[must_use]
    pub fn json(&self) -> String {
        json::written(&self.value)
    }

    /// The service that it says it is from, where it says so.
    #[must_use]
    pub fn speaker(&self) -> Option<&str> {
        self.speaker.as_deref()
    }
}

impl Entry {
    /// The topic; of several that end with a name what they have in common, with its dot.
    #[must_use]
    pub const fn topic(&self) -> &'static str {
        self.topic
    }

    /// Whether a name follows [`topic`](Self::topic).
    #[must_use]
    pub fn ends_with_name(&self) -> bool {
        self.topic.ends_with('.')
    }

    /// Who may publish it.
    #[must_use]
    pub const fn publishers(&self) -> &'static [Publisher] {
        self.publishers
    }

    /// What it says, in a line or a few.
    #[must_use]
    pub fn about(&self) -> String {
        joined(self.about)
    }

    /// The fields of its payload, in the order of the JSON view.
    #[must_use]
    pub const fn fields(&self) -> &'static [Field] {
        self.fields
    }

    /// Whether `topic` is this one, or one of these.
    #[must_use]
    pub fn is_for(&self, topic: &str) -> bool {
        if self.ends_with_name() {
            topic.strip_prefix(self.topic).is_some_and(is_name)
        } else {
            topic == self.topic
        }
    }

    /// Checks a payload that somebody publishes, and gives it back in both forms.
    ///
    /// A field that the topic doesn't have is refused here: whoever misspells one should know. CBOR
    /// has to be deterministic, so that there is one form of it.
    ///
    /// # Errors
    /// Says which field is not as it has to be.
    pub fn check(&self, protocol: &str, payload: &[u8]) -> Result<Views, PayloadError> {
        let checked = self.look(protocol, payload)?;
        let cbor = match protocol {
            // It has been found to be what we would write.
            PROTOCOL => payload.to_vec(),
            _ => checked.cbor(),
        };
        Ok(Views { cbor, json: checked.json(), speaker: checked.speaker().map(str::to_owned) })
    }

    /// Checks a payload alike, and leaves it to the caller in which form it is wanted: a letter of
    /// a megabyte is not written once more for nobody.
    ///
    /// # Errors
    /// Says which field is not as it has to be.
    pub fn look<'a>(&self, protocol: &str, payload: &'a [u8]) -> Result<Checked<'a>, PayloadError> {
        let shown = if self.ends_with_name() { "NAME" } else { "" };
        let error = |trouble| PayloadError::new(format!("{}{shown}", self.topic), trouble);
        let value = self.checked(protocol, payload).map_err(error)?;
        let speaker = self.speaker(&value);
        Ok(Checked { value, speaker })
    }

    pub(crate) fn checked<'a>(
        &self,
        protocol: &str,
        payload: &'a [u8],
    ) -> Result<Value<'a>, Trouble> {
        let value = check::read(self.fields, protocol, payload, true)?;
        debug_assert!(
            protocol != PROTOCOL || cbor::written(&value) == payload,
            "deterministic CBOR has one form"
        );
        Ok(value)
    }

    fn speaker(&self, value: &Value<'_>) -> Option<String> {
        let field = self.fields.iter().find(|field| field.presence == Presence::Speaker)?;
        let Value::Map(given) = value else { return None };
        match given.iter().find(|(name, _)| name == field.name) {
            Some((_, Value::Text(speaker))) => Some(speaker.clone().into_owned()),
            _ => None,
        }
    }
}

/// All rows of the table, in the order of the document.
pub fn entries() -> impl Iterator<Item = &'static Entry> {
    ENTRIES.iter()
}

/// The row of a topic.
#[must_use]
pub fn entry(topic: &str) -> Option<&'static Entry> {
    ENTRIES.iter().find(|entry| entry.is_for(topic))
}

/// Whether every client on this machine may publish here: topics that aren't reserved, and the few
/// reserved ones that are open to all.
#[must_use]
pub fn anyone_may_publish(topic: &str) -> bool {
    let is_open =
        || entry(topic).is_some_and(|entry| entry.publishers.contains(&Publisher::Anyone));
    !kith_wire::is_reserved(topic) || is_open()
}

/// Declares the topics and their table.
macro_rules! topics {
    ($(
        $(#[doc = $about:literal])+
        $constant:ident: $topic:ident<$module:ident::$payload:ident> = $name:literal
            by $($publisher:expr),+;
    )+) => {
        $(
            $(#[doc = $about])+
            pub const $constant: $topic<$module::$payload> = $topic::new($name);
        )+

        static ENTRIES: &[Entry] = &[$(Entry {
            topic: $name,
            publishers: &[$($publisher),+],
            about: &[$($about),+],
            fields: <$module::$payload as crate::payload::Payload>::FIELDS,
            #[cfg(test)]
            again: |value| {
                let payload = <$module::$payload as crate::payload::Payload>::from_fields(value)?;
                Some(($constant.cbor(&payload), $constant.json(&payload)))
            },
        }),+];
    };
}

const TRANSPORT: Publisher = Publisher::Role(Role::Transport);
const DIRECTORY: Publisher = Publisher::Role(Role::Directory);
const DISCOVERY: Publisher = Publisher::Role(Role::Discovery);
const BUFFER: Publisher = Publisher::Role(Role::Buffer);

topics! {
    /// The daemon has started. Retained.
    BUS_READY: Topic<bus::Ready> = "bus.ready" by Publisher::Daemon;
    /// A client came or went.
    BUS_CLIENT: Topic<bus::Client> = "bus.client" by Publisher::Daemon;
    /// Messages for a client were dropped, because its queue was full.
    BUS_LAG: Topic<bus::Lag> = "bus.lag" by Publisher::Daemon;
    /// The daemon's counters, since its start and of now.
    BUS_STATS: Topic<bus::Stats> = "bus.stats" by Publisher::Daemon;
    /// Where a transport can be reached. It replaces what this transport said before.
    ENDPOINT: Topic<transports::Endpoint> = "transports.endpoint" by TRANSPORT;
    /// Our own signed NodeInfo, for whoever makes us known: when it changes, and every 5 minutes.
    MY_NODE_INFO: Topic<transports::MyNodeInfo> = "transports.myNodeInfo" by Publisher::Daemon;
    /// A NodeInfo is wanted, of a device or of all devices of a person. Whoever finds one answers
    /// on `transports.nodeInfo`.
    REQUEST_NODE_INFO: Topic<transports::RequestNodeInfo> = "transports.requestNodeInfo"
        by Publisher::Daemon, TRANSPORT;
    /// A signed NodeInfo was found. It is believed by its signature and its number alone, so
    /// anyone may bring one.
    NODE_INFO: Topic<transports::NodeInfo> = "transports.nodeInfo" by Publisher::Anyone;
    /// Look something up under a key.
    DIRECTORY_GET: Topic<directory::Get> = "directory.get" by Publisher::Anyone;
    /// What a directory has under a key: a hint, until a signed card confirms it.
    DIRECTORY_GET_REPLY: Topic<directory::GetReply> = "directory.getReply" by DIRECTORY;
    /// A finished record to make public, signed by the daemon: an item of BEP 44 or one like it.
    DIRECTORY_PUT: Topic<directory::Put> = "directory.put" by Publisher::Daemon;
    /// Reach this device. A transport that can does, and says so on `transports.connection`.
    DIAL: Topic<transports::Dial> = "transports.dial" by Publisher::Daemon;
    /// A link to a device is up, or its figures have changed.
    CONNECTION: Topic<transports::Connection> = "transports.connection" by TRANSPORT;
    /// A link is down.
    DISCONNECTED: Topic<transports::Disconnected> = "transports.disconnected" by TRANSPORT;
    /// Close the links to this device: it belongs to nobody whom the user wants to hear.
    HANG_UP: Topic<transports::HangUp> = "transports.hangUp" by Publisher::Daemon;
    /// What to show on a network, so that friends recognise this device and others learn nothing.
    BEACON: Topic<transports::Beacon> = "transports.beacon" by Publisher::Daemon;
    /// Some device was seen on a network. Whether it is a friend's, the daemon finds out.
    SIGHTING: Topic<transports::Sighting> = "transports.sighting" by DISCOVERY;
    /// Carry these sealed bytes to this device. The topic ends with the transport's name.
    SEND: TopicOf<envelope::Send> = "envelope.send." by Publisher::Daemon, BUFFER;
    /// The transport has handed the bytes over to the device's link. No proof that they arrived:
    /// that is the recipient's own signed acknowledgement.
    SENT: Topic<envelope::Sent> = "envelope.sent" by TRANSPORT;
    /// The transport could not carry the bytes.
    FAILED: Topic<envelope::Failed> = "envelope.failed" by TRANSPORT;
    /// A relay has stored the bytes.
    RELAYED: Topic<envelope::Relayed> = "envelope.relayed" by TRANSPORT;
    /// Sealed bytes came in. Nothing in them is believed before the daemon has opened them.
    RECEIVED: Topic<envelope::Received> = "envelope.received" by TRANSPORT;
    /// Keep these sealed bytes until they are delivered or expire.
    KEEP: Topic<envelope::Keep> = "envelope.keep" by Publisher::Daemon;
    /// The buffer that was asked has the bytes on its disk (after fsync), or won't keep them.
    KEPT: Topic<envelope::Kept> = "envelope.kept" by BUFFER;
    /// Forget this envelope: it was delivered, or it has expired.
    DROP: Topic<envelope::Drop> = "envelope.drop" by Publisher::Daemon;
    /// The sender takes this envelope back: delete it where you put it.
    RECALL: Topic<envelope::Recall> = "envelope.recall" by Publisher::Daemon;
    /// What was still there of an envelope that was recalled, and is deleted now.
    RECALLED: Topic<envelope::Recalled> = "envelope.recalled" by TRANSPORT, BUFFER;
    /// A message has reached another state on its way to one device of a recipient.
    DELIVERY_UPDATE: Topic<delivery::Update> = "delivery.update" by Publisher::Daemon;
    /// Something has changed about people or devices.
    PEOPLE_CHANGED: Topic<people::Changed> = "people.changed" by Publisher::Daemon;
    /// How a service is, said by itself.
    HEALTH: Topic<services::Health> = "services.health" by Publisher::EachService;
    /// A service has started, stopped, failed, or was enabled or disabled.
    STATE: Topic<services::State> = "services.state" by Publisher::Daemon;
    /// A line that a service wrote to its output.
    LOG: Topic<services::Log> = "services.log" by Publisher::Daemon;
    /// Are you there? A request; the service answers it with anything. The topic ends with the
    /// service's name.
    HEARTBEAT: TopicOf<services::Heartbeat> = "services.heartbeat." by Publisher::Daemon;
}
