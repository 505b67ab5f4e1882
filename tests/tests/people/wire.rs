//! What can be seen on the wire: nothing while all is off, mDNS alone while that alone is on, and
//! never what somebody said.

use super::Device;
use super::device::{Kind, until_delivered};
use super::namespace::{Namespace, can_make, packets, udp_port};
use crate::door::Publication;
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use std::sync::Arc;

const MDNS_PORT: u16 = 5353;
/// The protocol by which a kernel says which multicast groups it listens to.
const IGMP: u8 = 2;

#[test]
fn with_all_services_off_no_packet_leaves_and_with_mdns_only_its_own() {
    if !can_make() {
        return;
    }
    let [own, outside] = [(); 2].map(|()| Arc::new(Namespace::new()));
    own.wire("wire", "10.79.0.1/24", &outside, ("wire", "10.79.0.2/24"));
    let mut anna = Device::alone(Kind::Elsewhere(Arc::clone(&own)), "");
    let capture = outside.capture("wire", anna.place().path());
    // Everything that can be done without a network.
    anna.ask("people.init", json!({"name": "Anna"}));
    let identity = anna.identity();
    let other = Device::new("Bob").identity();
    anna.ask("people.add", json!({"person": other, "at": ["10.79.0.2:4711"]}));
    anna.administrator.ask("people.invite", &json!({})).unwrap_err();
    anna.program().publish("talk", "1");
    for list in ["people.list", "people.status", "services.list"] {
        anna.ask(list, Value::Null);
    }
    anna.stop();
    anna.start_offline();
    assert_eq!(anna.identity(), identity);
    let seen = capture.stop();
    assert_eq!(packets(&seen).len(), 0, "{:?}", packets(&seen));

    let capture = outside.capture("wire", anna.place().path());
    anna.enable("mdns");
    capture.wait_for_bytes(200);
    let seen = capture.stop();
    for packet in packets(&seen) {
        let is_igmp = packet.get(14 + 9) == Some(&IGMP);
        assert!(udp_port(packet) == Some(MDNS_PORT) || is_igmp, "{packet:x?}");
    }
}

/// Words that stand in a message and nowhere else.
const CANARIES: [&str; 6] =
    ["canarypayload", "canarytopic", "canaryheader", "canaryprotocol", "canaryanna", "canarybob"];

/// All files below a folder, with their bytes.
fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => found.extend(files(&path)),
            false => found.push((path.display().to_string(), fs::read(&path).unwrap())),
        }
    }
    found
}

/// Fails if a canary is in these bytes, as text or in UTF-16, base64 or hexadecimal digits.
fn assert_silent(what: &str, bytes: &[u8]) {
    for canary in CANARIES {
        let hex = data_encoding::HEXLOWER.encode(canary.as_bytes());
        let wide: Vec<u8> = canary.bytes().flat_map(|byte| [byte, 0]).collect();
        // Whatever stands before it, one of three shifts is this in base64, but for its ends.
        let base64 = (0..3).map(|shift| {
            let shifted = [&b"   "[..shift], canary.as_bytes()].concat();
            let text = data_encoding::BASE64.encode(&shifted);
            text.as_bytes()[4..text.len() - 4].to_vec()
        });
        let forms = [canary.as_bytes().to_vec(), hex.into_bytes(), wide];
        for form in forms.into_iter().chain(base64) {
            let is_there = bytes.windows(form.len()).any(|window| window == form);
            assert!(!is_there, "`{canary}` is in {what}");
        }
    }
}

#[test]
fn what_friends_say_is_neither_on_the_wire_nor_in_the_files_of_quic() {
    if !can_make() {
        return;
    }
    let [one, other] = [(); 2].map(|()| Arc::new(Namespace::new()));
    one.wire("wire", "10.80.0.1/24", &other, ("wire", "10.80.0.2/24"));
    let mut anna = Device::of_kind(Kind::Elsewhere(Arc::clone(&one)), CANARIES[4]);
    let mut bob = Device::of_kind(Kind::Elsewhere(Arc::clone(&other)), CANARIES[5]);
    let capture = one.capture("wire", anna.place().path());
    for device in [&mut anna, &mut bob] {
        device.enable("mdns");
    }
    anna.befriend("canaryanna", &mut bob, "canarybob");
    let mut listener = bob.program();
    listener.subscribe(1, "canaryprotocol/friends.canarytopic");
    // From a few bytes to more than a packet, so that each bucket of sizes is there.
    let payloads = [1, 20, 200, 4_000].map(|times| CANARIES[0].repeat(times));
    for payload in &payloads {
        let publication = Publication {
            headers: vec![("note".to_owned(), CANARIES[2].to_owned())],
            ..Publication::bytes(CANARIES[3], CANARIES[1], payload.as_str())
        };
        anna.program().publish_it(until_delivered(publication.for_whom("canarybob")));
        assert_eq!(listener.message_on(1).text(), payload);
    }
    let seen = capture.stop();
    // It has seen them: the largest alone is so long.
    assert!(seen.len() > payloads[3].len(), "{} bytes", seen.len());
    assert_silent("the packets", &seen);
    for device in [&mut anna, &mut bob] {
        device.stop();
        let found = files(&device.place().state().join("services/quic"));
        assert!(!found.is_empty());
        for (path, bytes) in found {
            assert_silent(&path, &bytes);
        }
    }
}
