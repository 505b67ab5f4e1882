//! What the tests of services share: tokens, rights, and clients that show one.

use crate::broker::{Framing, Notice};
use crate::tests::{Bus, Who};
use kith_contract::{Rights, Role};
use kith_wire::{Operation, Token};
use std::num::NonZeroU32;

/// The token that [`service`] shows.
pub(super) const TOKEN: &str = "0123456789abcdef";

pub(super) fn token(text: &str) -> Token {
    Token::new(text).unwrap()
}

/// What a manifest with these words gives.
pub(super) fn rights(
    name: &str,
    roles: &[Role],
    publishes: &[&str],
    subscribes: &[&str],
) -> Rights {
    let owned = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect::<Vec<_>>();
    Rights::new(name, roles, &owned(publishes), &owned(subscribes)).unwrap()
}

/// Has a client greet with a token, as operation 1.
pub(super) fn shows(bus: &mut Bus, who: Who, text: &str) {
    let token = Some(token(text));
    bus.say(who, 1, Operation::Hello { name: None, client: None, descriptors: false, token });
}

/// A client that is a service; it has heard the answer to its greeting.
pub(super) fn service(
    bus: &mut Bus,
    framing: Framing,
    name: &str,
    roles: &[Role],
    publishes: &[&str],
    subscribes: &[&str],
    per_second: Option<NonZeroU32>,
) -> Who {
    let rights = rights(name, roles, publishes, subscribes);
    bus.broker.expect_service(token(TOKEN), rights, per_second);
    let who = bus.join(framing);
    shows(bus, who, TOKEN);
    assert_eq!(bus.hears(who), ["welcome 1"]);
    who
}

/// All that the shell is told.
pub(super) fn notices(bus: &mut Bus) -> Vec<Notice> {
    std::iter::from_fn(|| bus.broker.poll_notice()).collect()
}
