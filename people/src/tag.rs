//! Tags: how friends recognise a device on a network where others learn nothing.
//!
//! A tag is made of a secret, the day and the device, and changes with the day (in UTC). Who has
//! the secret knows the tags beforehand and looks for them; to others they are random numbers that
//! are gone tomorrow. Clocks differ, so yesterday's and tomorrow's are looked for too.
//!
//! Deliberately absent: any proof. A tag can be repeated by whoever saw it; it says where to knock,
//! and who opens is seen there.

use hmac::Mac;

use crate::ids::DeviceId;
use crate::limits::DAY_MS;
use crate::secret::{TagSecret, code};

/// A tag.
pub type Tag = [u8; 16];

const PREFIX: &[u8] = b"kith/1 tag\0";

/// The number of the day: whole days since the Unix epoch.
#[must_use]
pub fn day_of(now_ms: u64) -> u32 {
    u32::try_from(now_ms / DAY_MS).unwrap_or(u32::MAX)
}

/// When the day that `now_ms` is in ends, in ms since the Unix epoch.
#[must_use]
pub fn end_of_day(now_ms: u64) -> u64 {
    (now_ms / DAY_MS).saturating_add(1).saturating_mul(DAY_MS)
}

/// The tag of a device on a day: the first 16 bytes of HMAC-SHA256 over `kith/1 tag`, a zero byte,
/// the day in 4 bytes, the highest first, and the device's sign key.
#[must_use]
pub fn tag(secret: &TagSecret, day: u32, device: DeviceId) -> Tag {
    let parts = [PREFIX, &day.to_be_bytes(), device.as_bytes()];
    let whole: [u8; 32] = code(secret.as_bytes(), &parts).finalize().into_bytes().into();
    let mut tag = Tag::default();
    tag.iter_mut().zip(whole).for_each(|(to, from)| *to = from);
    tag
}

/// The tags that a device may show now: today's, yesterday's and tomorrow's.
#[must_use]
pub fn tags_around(secret: &TagSecret, now_ms: u64, device: DeviceId) -> [Tag; 3] {
    let day = day_of(now_ms);
    [day, day.saturating_sub(1), day.saturating_add(1)].map(|day| tag(secret, day, device))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_change_with_day_device_and_secret() {
        let (secret, other) = (TagSecret::new([1; 32]), TagSecret::new([2; 32]));
        let (one, two) = (DeviceId::new([3; 32]), DeviceId::new([4; 32]));
        let today = tag(&secret, 20_000, one);
        assert_eq!(tag(&secret, 20_000, one), today);
        for another in
            [tag(&secret, 20_001, one), tag(&secret, 20_000, two), tag(&other, 20_000, one)]
        {
            assert_ne!(another, today);
        }
        let noon = 20_000 * DAY_MS + DAY_MS / 2;
        assert_eq!((day_of(noon), end_of_day(noon)), (20_000, 20_001 * DAY_MS));
        assert_eq!(day_of(end_of_day(noon)), 20_001);
        for shift in [0, DAY_MS, u64::MAX] {
            let around =
                tags_around(&secret, noon.saturating_sub(DAY_MS / 2).saturating_add(shift), one);
            assert_eq!(around.contains(&today), shift <= DAY_MS);
        }
    }
}
