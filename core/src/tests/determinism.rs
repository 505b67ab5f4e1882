//! The same seed and the same inputs give the same bytes: what a simulator's seed replays.

use super::walk::{CLIENTS, Walk, step};
use crate::broker::Framing;
use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a_walk_that_is_repeated_is_the_same_to_the_byte(
        steps in prop::collection::vec(step(), 1..100),
        seed in any::<u64>(),
    ) {
        let framings: [Framing; CLIENTS] =
            [Framing::JsonLines, Framing::Binary, Framing::JsonLines, Framing::Binary];
        let transcript = || {
            let mut walk = Walk::new(framings, seed);
            for step in &steps {
                walk.take(step);
            }
            for who in 0..CLIENTS {
                walk.read_all(who);
            }
            (walk.bus.transcript(), walk.bus.broker.stats())
        };
        prop_assert_eq!(transcript(), transcript());
    }
}
