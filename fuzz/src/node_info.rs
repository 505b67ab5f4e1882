//! A device's own record, from anybody.
//!
//! What is read fits an item of BEP 44, keeps the limits, has a prekey that the device has signed,
//! and is the same when it is written again. By itself it gets nobody a standing.

use crate::records::{NOW, are_addresses, device, read, reader, records};
use kith_people::{
    Book, Domain, NodeInfo, NodeInfoDraft, NodeRefusal, Standing, fitting_endpoints,
};

/// Runs the target.
pub fn target(bytes: &[u8]) {
    for record in records(bytes, |body| device().sign(Domain::NodeInfo, body)) {
        if let Some(info) = read(&record, NodeInfo::parse) {
            assert_eq!(info.bytes(), record);
            holds(&info);
            in_a_book(&info);
        }
    }
}

fn holds(info: &NodeInfo) {
    assert!(info.bytes().len() <= 996);
    are_addresses(&info.endpoints, 8, 128);
    are_addresses(&info.relays, 2, 100);
    let numbers = [info.seq, info.expires, info.prekey.expires];
    assert!(numbers.into_iter().all(|number| number < 1 << 53));
    assert_eq!(info.prekey.verify(info.sign_id()), Ok(()));
    assert_eq!(fitting_endpoints(&info.endpoints), info.endpoints);
    if (info.sign_id(), info.box_id()) == (device().sign_id(), device().box_id()) {
        let draft: &NodeInfoDraft = info;
        let again = draft.sign(&device()).expect("what was read can be signed");
        assert_eq!(again.bytes()[64..], info.bytes()[64..]);
    }
}

fn in_a_book(info: &NodeInfo) {
    let mut book = Book::new(reader());
    assert!(book.accept_node_info(NOW, info.clone()).unwrap().is_new);
    assert!(!book.accept_node_info(NOW, info.clone()).unwrap().is_new);
    let (person, device) = (info.identity, info.sign_id());
    assert_eq!(book.node(&person, &device), Some(info));
    assert_eq!(book.standing(&person, &device), Standing::NoCard);
    if device == self::device().sign_id() && 0 < info.seq {
        let mut old: NodeInfoDraft = (**info).clone();
        old.seq -= 1;
        let old = old.sign(&self::device()).expect("an older one is one too");
        assert_eq!(book.accept_node_info(NOW, old), Err(NodeRefusal::Old));
    }
}
