//! A message through all layers and back: sealed, bare, and in pieces.

use super::samples::{binding, content, keys};
use super::world::{End, acquainted};
use crate::envelope::{
    Binding, Body, Content, ContentError, Lane, Letter, Parcel, Party, Reassembly, bare, cut, open,
    seal,
};

/// The parcel in which one end sends a content to the other.
fn sent(from: &mut End, to: &End, content: &Content) -> Parcel {
    let (lane, keys) = (content.lane(), to.keys());
    let content = content.encode().unwrap();
    let ratcheted = from.sessions.encrypt(&from.account, to.id, lane, &keys, &content).unwrap();
    Parcel { from: from.id, id: [1; 16], body: Body::Message { lane, ratcheted } }
}

/// What the other end makes of it.
fn received(
    at: &mut End,
    from: &End,
    parcel: Parcel,
    binding: &Binding,
) -> Result<Content, ContentError> {
    let Body::Message { lane, ratcheted } = parcel.body else { panic!("no message") };
    let curve = from.account.curve_key();
    let opened = at.sessions.decrypt(&mut at.account, parcel.from, lane, &curve, &ratcheted);
    Content::parse(&opened.unwrap().plaintext, &Binding { lane, ..*binding })
}

#[test]
fn a_message_comes_as_it_was_by_every_way() {
    let (mut a, mut b) = acquainted();
    for (priority, payload) in kith_wire::Priority::ALL.into_iter().zip([0, 500, 50_000]) {
        let payload = format!("\"{}\"", "x".repeat(payload)).into_bytes();
        let content = Content { priority, payload, ..content() };
        let parcel = sent(&mut a, &b, &content);
        let sealed = seal(keys(2).box_id(), &parcel, [9; 32]).unwrap();
        let mut reassembly = Reassembly::new();
        let pieces = cut(&sealed, 1, 140).unwrap();
        let whole: Vec<_> =
            pieces.filter_map(|piece| reassembly.take(0, &0, &piece).unwrap()).collect();
        assert_eq!(whole, [sealed]);
        assert_eq!(open(&keys(2), &whole[0]), Ok(Letter::Sealed(parcel.clone())));
        assert_eq!(open(&keys(2), &bare(&parcel)), Ok(Letter::Bare(parcel.clone())));
        assert_eq!(received(&mut b, &a, parcel, &binding()), Ok(content));
    }
}

#[test]
fn a_recipient_can_pass_a_content_on_to_nobody_in_its_senders_name() {
    let (mut a, mut b) = acquainted();
    let mut c = End::new(3);
    let parcel = sent(&mut a, &b, &content());
    let content = received(&mut b, &a, parcel, &binding()).unwrap();
    // b encrypts for c what a wrote to b, word by word.
    let parcel = sent(&mut b, &c, &content);
    let here = Party { device: c.id, ..binding().to };
    let of_b = Binding { from: binding().to, to: here, lane: Lane::Normal };
    assert_eq!(received(&mut c, &b, parcel, &of_b), Err(ContentError::OtherSender));
    // Nor can it say to a what a said.
    let parcel = sent(&mut b, &a, &content);
    let of_b = Binding { from: binding().to, to: binding().from, lane: Lane::Normal };
    assert_eq!(received(&mut a, &b, parcel, &of_b), Err(ContentError::OtherSender));
}
