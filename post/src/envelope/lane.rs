//! Lanes: streams of messages between two devices that don't wait for each other.
//!
//! There is one for each priority, so that a letter of many megabytes does not hold up an urgent
//! one, and `realtime` for what is worthless late. Each has its own Olm session: then the messages
//! of a session come in order, and few keys of skipped ones have to be kept.

use kith_wire::Priority;

/// One of the lanes between two devices.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Lane {
    /// Worthless late: neither stored nor sent again.
    Realtime,
    /// Messages of high priority.
    High,
    /// What most messages have.
    Normal,
    /// Waits for the others.
    Bulk,
}

/// As the contract with the transports has it.
impl From<Lane> for kith_contract::envelope::Lane {
    fn from(lane: Lane) -> Self {
        match lane {
            Lane::Realtime => Self::Realtime,
            Lane::High => Self::High,
            Lane::Normal => Self::Normal,
            Lane::Bulk => Self::Bulk,
        }
    }
}

impl Lane {
    /// All lanes, the first overtakes.
    pub const ALL: [Self; 4] = [Self::Realtime, Self::High, Self::Normal, Self::Bulk];

    /// The lane of a message.
    #[must_use]
    pub const fn of(priority: Priority, is_realtime: bool) -> Self {
        match (is_realtime, priority) {
            (true, _) => Self::Realtime,
            (false, Priority::High) => Self::High,
            (false, Priority::Normal) => Self::Normal,
            (false, Priority::Bulk) => Self::Bulk,
        }
    }

    /// The number in records and parcels: 0 to 3.
    #[must_use]
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// The lane with this number, if there is one.
    #[must_use]
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|lane| lane.number() == number)
    }

    /// The word for people.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Realtime => "realtime",
            Self::High => "high",
            Self::Normal => "normal",
            Self::Bulk => "bulk",
        }
    }
}
