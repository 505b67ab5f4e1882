//! The stable codes of what goes wrong.
//!
//! One table for everything that crosses a door, so that a program can act on a code and a person
//! can look it up. Numbers and names are never reused; a new code goes to the end.
//!
//! Deliberately absent: texts. A text is written where the error is understood, with its data.

macro_rules! codes {
    ($($(#[$doc:meta])* $variant:ident = $number:literal, $name:literal;)*) => {
        /// What went wrong, as a program can act on it. See `docs/protocol.md`, "Codes".
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Code {
            $($(#[$doc])* $variant = $number,)*
        }

        impl Code {
            const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The number that binary frames carry.
            #[must_use]
            pub const fn number(self) -> u16 {
                self as u16
            }

            /// The name that JSON lines carry and people see.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }
        }
    };
}

codes! {
    /// The framing is broken.
    BadFrame = 1, "bad-frame";
    /// The line is not a JSON object.
    BadJson = 2, "bad-json";
    /// A field is missing, unknown, given twice or of the wrong kind.
    BadField = 3, "bad-field";
    /// No such operation.
    BadOp = 4, "bad-op";
    /// Not a topic.
    BadTopic = 5, "bad-topic";
    /// Not a pattern.
    BadPattern = 6, "bad-pattern";
    /// An `ms` payload that is not one JSON value on one line, or base64 that isn't.
    BadPayload = 7, "bad-payload";
    /// Not a protocol name.
    BadProtocol = 8, "bad-protocol";
    /// A header's key or value is wrong, or all together are too big.
    BadHeader = 9, "bad-header";
    /// Not a UUID version 7 (message), or not a UUID (client).
    BadId = 10, "bad-id";
    /// Not a group name.
    BadGroup = 11, "bad-group";
    /// Payload, line or frame over the limit.
    TooLarge = 12, "too-large";
    /// Only the daemon and its services publish there.
    ReservedTopic = 13, "reserved-topic";
    /// The number is in use for another subscription of this connection.
    DuplicateSubscription = 14, "duplicate-subscription";
    /// No such subscription on this connection.
    UnknownSubscription = 15, "unknown-subscription";
    /// Nobody subscribes to what was requested.
    NoResponders = 16, "no-responders";
    /// No reply came in time.
    Timeout = 17, "timeout";
    /// Nobody waits for this reply, or not any more.
    UnknownRequest = 18, "unknown-request";
    /// Every subscriber's queue is full, or too much waits to be sent elsewhere.
    Busy = 19, "busy";
    /// The connection, or the bus, has as many subscriptions as it may.
    QuotaSubscriptions = 20, "quota-subscriptions";
    /// The connection waits for as many replies as it may.
    QuotaRequests = 21, "quota-requests";
    /// The bus, or this connection, keeps as many values as it may, or bytes of them.
    QuotaRetained = 22, "quota-retained";
    /// The bus has as many connections as it may.
    QuotaClients = 23, "quota-clients";
    /// The daemon does not speak this version of the protocol.
    UnsupportedVersion = 24, "unsupported-version";
    /// The daemon can't do that (yet), and says what.
    NotAvailable = 25, "not-available";
    /// The connection's user is not the daemon's.
    NotAllowed = 26, "not-allowed";
    /// The daemon stops.
    ShuttingDown = 27, "shutting-down";
    /// The number is in use for another request that waits.
    DuplicateRequest = 28, "duplicate-request";
    /// The connection sent nothing but errors.
    TooManyErrors = 29, "too-many-errors";
    /// What waits for this connection, or of it, is as much as there is memory for.
    QuotaMemory = 30, "quota-memory";
    /// The token is unknown, or was used before.
    BadToken = 31, "bad-token";
    /// It takes a grant that this connection has not.
    NotGranted = 32, "not-granted";
    /// The service publishes more in a second than it may.
    QuotaRate = 33, "quota-rate";
    /// The store can't take the message: it is full, read-only, failing, or not keeping up.
    NotStored = 34, "not-stored";
    /// As much is stored as may be.
    QuotaStored = 35, "quota-stored";
    /// It was to be stored, and no durable subscription matches.
    NoConsumers = 36, "no-consumers";
    /// No message with this id waits for the consumer.
    UnknownMessage = 37, "unknown-message";
    /// The consumer of this name has another pattern.
    DurableConflict = 38, "durable-conflict";
    /// Not a consumer's name.
    BadConsumer = 39, "bad-consumer";
    /// Nobody is known by this name, or has such a device.
    UnknownRecipient = 40, "unknown-recipient";
    /// The message did not get to whom it was for, and won't.
    NotDelivered = 41, "not-delivered";
}

impl Code {
    /// All codes, by number.
    pub fn all() -> impl Iterator<Item = Self> {
        Self::ALL.iter().copied()
    }

    /// The code with this number, if there is one.
    #[must_use]
    pub fn from_number(number: u16) -> Option<Self> {
        Self::all().find(|code| code.number() == number)
    }

    /// The code with this name, if there is one.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::all().find(|code| code.name() == name)
    }
}

impl std::fmt::Display for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_names_lead_back_to_their_code() {
        for code in Code::all() {
            assert_eq!(Code::from_number(code.number()), Some(code));
            assert_eq!(Code::from_name(code.name()), Some(code));
        }
        assert_eq!(Code::from_number(0), None);
        assert_eq!(Code::from_name("nothing"), None);
    }
}
