//! Binary frames: any bytes as a stream of frames, read as the daemon reads and as a client does.
//!
//! Of what is taken, in either direction: what was read, written and read again is the same, and
//! so are the bytes from the second writing on; the other framing can say it too (but for what is
//! about descriptors), in the room that a line has, and means the same. Of what is refused: the
//! place is inside the frame, and whether the connection can go on is as the protocol says.

use crate::heard::Heard;
use crate::{lines, refused};
use kith_wire::binary::{Frame, LENGTH_BYTES, decode, deliver, encode, frame, receive, split};
use kith_wire::limits::{frame_bytes_max, line_bytes_max};
use kith_wire::{Delivery, Event, Operation, Request, check_ms, json};

/// Small, so that what is too large can be reached.
pub(crate) const PAYLOAD_BYTES: usize = 1_024;

/// Runs the target.
pub fn target(bytes: &[u8]) {
    let mut rest = bytes;
    loop {
        let whole = frame::whole_bytes(rest);
        match split(rest, frame_bytes_max(PAYLOAD_BYTES)) {
            Ok(Some(frame)) => {
                assert_eq!(whole, Some(frame.bytes.len()));
                let (now, later) = rest.split_at(frame.bytes.len());
                assert_eq!(now, frame.bytes);
                to_daemon(frame);
                from_daemon(frame);
                rest = later;
            }
            Ok(None) => {
                return assert!(whole.is_none_or(|whole| rest.len() < whole), "it is whole");
            }
            Err(refusal) => {
                refused::check(&refusal, LENGTH_BYTES);
                return assert!(refusal.fatal, "where the next frame begins is not known");
            }
        }
    }
}

fn to_daemon(frame: Frame<'_>) {
    match decode::request(frame, PAYLOAD_BYTES) {
        Ok(request) => {
            assert!(frame.bytes.len() <= LENGTH_BYTES + frame_bytes_max(PAYLOAD_BYTES));
            written_again(&request);
        }
        Err(refusal) => {
            refused::check(&refusal, frame.bytes.len());
            assert!(!refusal.fatal && refusal.at.is_some(), "{refusal:?}");
        }
    }
}

/// Holds that an operation survives both framings. Used by whoever has one.
pub(crate) fn written_again(request: &Request<'_>) {
    let mut bytes = Vec::new();
    encode::request(&mut bytes, request);
    let frame = split(&bytes, frame_bytes_max(PAYLOAD_BYTES)).unwrap().expect("a whole frame");
    assert_eq!(frame.bytes.len(), bytes.len());
    let again = decode::request(frame, PAYLOAD_BYTES).unwrap();
    assert_eq!(again, *request);
    let mut bytes_again = Vec::new();
    encode::request(&mut bytes_again, &again);
    assert_eq!(bytes_again, bytes);

    if speaks_of_descriptors(request) {
        return;
    }
    let line = lines::line(request);
    assert!(line.len() <= line_bytes_max(PAYLOAD_BYTES), "no line has room for it");
    assert_eq!(json::decode::request(line.as_bytes(), PAYLOAD_BYTES).unwrap(), *request, "{line}");
}

/// Whether it says what a line can't say.
fn speaks_of_descriptors(request: &Request<'_>) -> bool {
    matches!(
        request.operation,
        Operation::Hello { descriptors: true, .. } | Operation::PublishSealed { .. }
    )
}

fn from_daemon(frame: Frame<'_>) {
    let mut events = Vec::new();
    let received = receive::events(frame, |event| {
        events.push(event);
        Ok(())
    });
    events.iter().for_each(told_again);
    if let Err(refusal) = received {
        refused::check(&refusal, frame.bytes.len());
        assert!(refusal.fatal, "{refusal:?}");
    }
}

/// Holds that an event survives both framings.
pub(crate) fn told_again(event: &Event<'_>) {
    let mut bytes = Vec::new();
    deliver::event(&mut bytes, event);
    let frame = split(&bytes, usize::MAX).unwrap().expect("a whole frame");
    assert_eq!(frame.bytes.len(), bytes.len());
    let mut again = Vec::new();
    let each = |event| {
        again.push(event);
        Ok(())
    };
    receive::events(frame, each).unwrap();
    assert_eq!(again, std::slice::from_ref(event));
    let mut bytes_again = Vec::new();
    deliver::event(&mut bytes_again, &again[0]);
    assert_eq!(bytes_again, bytes);

    // A client believes the daemon that an `ms` payload is one, which a fuzzer need not know.
    if delivery_of(event).is_none_or(is_as_promised) {
        let mut line = Vec::new();
        json::deliver::event(&mut line, event);
        assert_eq!(Heard::of_line(&line), Heard::of_event(event));
    }
}

fn delivery_of<'a, 'b>(event: &'b Event<'a>) -> Option<&'b Delivery<'a>> {
    match event {
        Event::Message { delivery, .. } | Event::Reply { delivery, .. } => Some(delivery),
        _ => None,
    }
}

fn is_as_promised(delivery: &Delivery<'_>) -> bool {
    let Delivery { protocol, payload, .. } = delivery;
    !protocol.is_ms() || payload.is_empty() || check_ms(payload).is_ok()
}
