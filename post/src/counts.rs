//! What was refused of that which came from others, by cause.
//!
//! Nothing is dropped silently: each refusal is counted here under one cause, which `kith status`
//! shows. Whoever sent it is told nothing, but for what a friend's device can mend.

use std::collections::BTreeMap;

macro_rules! causes {
    ($($(#[doc = $about:literal])+ $cause:ident = $name:literal,)+) => {
        /// Why something that came from another device went no further.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum Cause {
            $($(#[doc = $about])+ $cause,)+
        }

        impl Cause {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$cause),+];

            /// The word that people and programs see.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$cause => $name,)+
                }
            }

            /// The same in a sentence.
            #[must_use]
            pub const fn about(self) -> &'static str {
                match self {
                    $(Self::$cause => concat!($($about),+),)+
                }
            }
        }
    };
}

causes! {
    /// A letter that this device can't open: sealed for another, damaged, or forged.
    Unopened = "unopened",
    /// What was in a letter is not as it has to be.
    Malformed = "malformed",
    /// Bytes without a seal that came by a link which has not proved whose it is.
    Unsealed = "unsealed",
    /// A device of which no card says whose it is.
    UnknownDevice = "unknown-device",
    /// A person whom the user has rejected.
    Rejected = "rejected",
    /// A device that a newer card of its person has dropped, or that never was theirs.
    Revoked = "revoked",
    /// A person who has signed two cards of one version.
    Frozen = "frozen",
    /// A message that its ratchet does not open: forged, damaged, or of a session that is gone.
    Undecrypted = "undecrypted",
    /// A message that names another sender or recipient than the session has.
    Misbound = "misbound",
    /// A topic that others may not publish on.
    Reserved = "reserved",
    /// A message of which the time was over.
    Expired = "expired",
    /// A message that is here already; it was acknowledged again.
    Duplicate = "duplicate",
    /// A stranger's message on a topic for which nobody asks as `public.…`.
    Unwanted = "unwanted",
    /// More than a stranger, or all strangers, may send in a while.
    TooMany = "too-many",
    /// Parts of a message that never became whole, or too many of them.
    Fragments = "fragments",
    /// An acknowledgement that its device did not sign, or of nothing that was sent there.
    FalseAck = "false-ack",
    /// A card or NodeInfo that is old, forged, or of somebody else.
    FalseRecord = "false-record",
    /// Someone who came with an invite that is not, or no longer, good.
    FalseInvite = "false-invite",
    /// What came while nothing could be stored; its sender tries again.
    NotStored = "not-stored",
}

/// How often, by cause.
#[derive(Clone, Debug, Default)]
pub(crate) struct Counts(BTreeMap<Cause, u64>);

impl Counts {
    pub(crate) fn add(&mut self, cause: Cause) {
        *self.0.entry(cause).or_default() += 1;
    }

    /// Those that were counted.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Cause, u64)> + '_ {
        self.0.iter().map(|(cause, count)| (*cause, *count))
    }
}
