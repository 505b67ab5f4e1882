//! The keys of the records of sessions, which are also how a change is noted down.

use super::lane::Lane;
use super::session::Tag;
use kith_people::DeviceId;

/// The first bytes of keys: a session; the openings of a device.
const SESSION_KEY: u8 = b's';
const OPENINGS_KEY: u8 = b'o';

/// What a record is about.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Record {
    Session(DeviceId, Lane, Tag),
    Openings(DeviceId),
}

impl Record {
    pub(super) fn key(self) -> Vec<u8> {
        let mut key = Vec::with_capacity(1 + 32 + 1 + 8);
        match self {
            Self::Session(device, lane, tag) => {
                key.push(SESSION_KEY);
                key.extend(device.as_bytes());
                key.push(lane.number());
                key.extend(tag);
            }
            Self::Openings(device) => {
                key.push(OPENINGS_KEY);
                key.extend(device.as_bytes());
            }
        }
        key
    }

    pub(super) fn from_key(key: &[u8]) -> Option<Self> {
        let (kind, rest) = key.split_first()?;
        let (device, rest) = rest.split_first_chunk()?;
        let device = DeviceId::new(*device);
        match (*kind, rest) {
            (OPENINGS_KEY, []) => Some(Self::Openings(device)),
            (SESSION_KEY, [lane, tag @ ..]) => {
                let lane = Lane::from_number(*lane).filter(|lane| *lane != Lane::Realtime)?;
                Some(Self::Session(device, lane, tag.try_into().ok()?))
            }
            _ => None,
        }
    }
}
