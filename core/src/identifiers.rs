//! Message ids and reply tokens, from a seed.
//!
//! Within a millisecond ids count up by one (RFC 9562, section 6.2, "monotonic random": the random
//! part is drawn once and then increased), so the messages of a run have consecutive ids and a
//! frame needs to carry the first alone. The clock going back does not make ids go back.
//!
//! Deliberately absent: secrecy. Ids and tokens can be guessed by who has seen some of them;
//! programs of one user are not protected from each other, and nothing that crosses a network is
//! made here.

use kith_wire::MessageId;

/// Makes ids and tokens.
#[derive(Debug)]
pub(crate) struct Identifiers {
    state: u64,
    unix_ms: u64,
    next: MessageId,
    left: u64,
}

/// How many ids one millisecond (of one drawing) has room for, far from the variant bits.
const IDS_PER_DRAW: u64 = 1 << 32;

impl Identifiers {
    pub(crate) fn new(seed: u64) -> Self {
        let next = MessageId::from_parts(0, &[0; 10]);
        Self { state: seed, unix_ms: 0, next, left: 0 }
    }

    /// The first of `count` consecutive ids.
    pub(crate) fn message_ids(&mut self, unix_ms: u64, count: u32) -> MessageId {
        if self.unix_ms < unix_ms || self.left < u64::from(count) {
            self.draw(unix_ms);
        }
        self.left = self.left.saturating_sub(u64::from(count));
        let first = self.next;
        self.next = first.advance(count);
        first
    }

    /// A number that nobody was given before.
    pub(crate) fn token(&mut self) -> u128 {
        u128::from(self.random()) << 64 | u128::from(self.random())
    }

    /// Any number. SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number
    /// generators", 2014).
    pub(crate) fn random(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn draw(&mut self, unix_ms: u64) {
        // At most one millisecond ahead of what was handed out before, if a draw was used up.
        self.unix_ms =
            if self.unix_ms < unix_ms { unix_ms } else { self.unix_ms.saturating_add(1) };
        let [a, b, c, d, e, f, g, h] = self.random().to_be_bytes();
        let [i, j, ..] = self.random().to_be_bytes();
        // The first two bytes are the 12 bits after the time; of the other eight the highest bits
        // stay clear, so that counting up never reaches the variant.
        self.next = MessageId::from_parts(self.unix_ms, &[a, b, c & 0x1f, d, e, f, g, h, i, j]);
        self.left = IDS_PER_DRAW;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_rise_whatever_the_clock_does() {
        let mut identifiers = Identifiers::new(1);
        let mut last = MessageId::from_parts(0, &[0; 10]);
        for (step, unix_ms) in [5, 5, 9, 3, 3, 10, 10].into_iter().enumerate() {
            let count = 1 + u32::try_from(step).unwrap();
            let first = identifiers.message_ids(unix_ms, count);
            assert!(last < first);
            last = first.advance(count - 1);
            assert!(MessageId::from_bytes(*last.as_bytes()).is_ok());
        }
    }

    #[test]
    fn a_draw_that_is_used_up_is_followed_by_another() {
        let mut identifiers = Identifiers::new(1);
        let first = identifiers.message_ids(1, u32::MAX);
        let second = identifiers.message_ids(1, u32::MAX);
        assert!(first.advance(u32::MAX - 1) < second);
        assert!(MessageId::from_bytes(*second.advance(u32::MAX - 1).as_bytes()).is_ok());
    }

    #[test]
    fn the_same_seed_gives_the_same_ids() {
        let mut a = Identifiers::new(7);
        let mut b = Identifiers::new(7);
        assert_eq!(a.message_ids(1, 3), b.message_ids(1, 3));
        assert_eq!(a.token(), b.token());
    }
}
