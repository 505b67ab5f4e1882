//! `docs/peers.md` says what the code does: prefixes, and the numbers that bound records.

use crate::Domain;
use crate::limits::{
    CARD_BYTES_MAX, CARD_RELAYS_MAX, CIRCLE_BYTES_MAX, CIRCLE_ENTRIES_MAX, DEVICES_MAX,
    ENDPOINT_BYTES_MAX, ENDPOINTS_BYTES_MAX, ENDPOINTS_MAX, EXTENSIONS_BYTES_MAX, INVITE_BYTES_MAX,
    INVITE_USES_MAX, LOCK_MEMORY_KIB_MAX, LOCK_MEMORY_KIB_MIN, LOCK_PASSES_MAX, NAME_BYTES_MAX,
    NODE_INFO_BYTES_MAX, NODE_RELAYS_MAX, PETNAME_BYTES_MAX, RELAY_BYTES_MAX, REVOKED_MAX,
    SECRET_BYTES_MAX,
};

const DOCUMENT: &str = include_str!("../../../docs/peers.md");

/// A number as the document writes it, with commas.
fn number(number: usize) -> String {
    let digits = number.to_string();
    match digits.len() {
        0..=3 => digits,
        length => format!("{},{}", &digits[..length - 3], &digits[length - 3..]),
    }
}

#[test]
fn every_prefix_is_in_the_table() {
    for domain in Domain::ALL {
        let row = format!("\n| `{}` | ", domain.prefix().trim_end_matches('\0'));
        assert_eq!(DOCUMENT.matches(&row).count(), 1, "{row}");
    }
}

#[test]
fn every_bound_is_said() {
    let relays =
        |count| format!("| relays | list of ≤ {count} addresses, each ≤ {RELAY_BYTES_MAX} |");
    let endpoints =
        format!("| endpoints | list of ≤ {ENDPOINTS_MAX}, each ≤ {ENDPOINT_BYTES_MAX};");
    let memory_max = number(LOCK_MEMORY_KIB_MAX.try_into().unwrap());
    let memory_min = number(LOCK_MEMORY_KIB_MIN.try_into().unwrap());
    let text = DOCUMENT.replace('\n', " ");
    for words in [
        format!("At most {} bytes; signed by the identity key", number(CARD_BYTES_MAX)),
        format!("| name | text, ≤ {NAME_BYTES_MAX};"),
        format!("| devices | list of 1 to {DEVICES_MAX} maps"),
        relays(CARD_RELAYS_MAX),
        relays(NODE_RELAYS_MAX),
        endpoints,
        format!("one record have {ENDPOINTS_BYTES_MAX} bytes together"),
        format!("| extensions | ≤ {} bytes", number(EXTENSIONS_BYTES_MAX)),
        format!("Of one person {REVOKED_MAX} are remembered"),
        format!("At most {NODE_INFO_BYTES_MAX} bytes, the bound of an item of BEP 44"),
        format!("At most {} bytes; signed by an own device", number(CIRCLE_BYTES_MAX)),
        format!("| entries | list of ≤ {} maps", number(CIRCLE_ENTRIES_MAX)),
        format!("| petname | text, 1 to {PETNAME_BYTES_MAX};"),
        format!("At most {} bytes; signed by the device that gives", number(INVITE_BYTES_MAX)),
        format!("| uses | 1 to {INVITE_USES_MAX} devices;"),
        format!("| memory in KiB, {memory_min} to {memory_max} |"),
        format!("| passes, 1 to {LOCK_PASSES_MAX} |"),
        format!("| the secret, 1 to {} bytes, sealed |", number(SECRET_BYTES_MAX)),
    ] {
        assert!(text.contains(&words), "docs/peers.md does not say: {words}");
    }
}
