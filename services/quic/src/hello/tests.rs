//! The codec of the control stream, with bytes alone.

use super::*;

fn hello() -> Hello {
    Hello { life: 7 << 40, record: vec![9; 300], card_hash: Some([3; 32]) }
}

fn parsed(bytes: &[u8]) -> Result<Frame, NoFrame> {
    let (length, rest) = bytes.split_first_chunk().unwrap();
    assert_eq!(frame_bytes(*length), Ok(rest.len()));
    Frame::parse(rest)
}

#[test]
fn frames_come_back() {
    let without = Hello { card_hash: None, ..hello() };
    let all = [
        Frame::Hello(hello()),
        Frame::Hello(without),
        Frame::Ping(1 << 63),
        Frame::Pong(0),
        Frame::Unknown,
    ];
    for frame in all {
        assert_eq!(parsed(&frame.written()), Ok(frame));
    }
}

#[test]
fn what_later_versions_add_is_passed_over() {
    let mut bytes = hello().written();
    bytes[0] = 0xa5;
    bytes.extend_from_slice(&[0x18, 0x63, 0x82, 0x01, 0x61, 0x78]);
    assert_eq!(Hello::parse(&bytes), Ok(hello()));
    assert_eq!(Frame::parse(&[200, 1, 2, 3]), Ok(Frame::Unknown));
}

#[test]
fn what_is_no_hello_is_found_out() {
    let good = hello().written();
    let with = |at: usize, byte: u8| {
        let mut bytes = good.clone();
        bytes[at] = byte;
        Hello::parse(&bytes)
    };
    assert_eq!(with(2, 2), Err(NoFrame::Version(2)));
    assert!(matches!(with(0, 0xa3), Err(NoFrame::Hello(_))), "something follows");
    assert!(matches!(with(3, 0), Err(NoFrame::Hello(_))), "a key twice");
    assert!(matches!(with(0, 0xbf), Err(NoFrame::Hello(_))), "of no length");
    for end in 0..good.len() {
        assert!(Hello::parse(&good[..end]).is_err());
    }
    let large = Hello { record: vec![0; NODE_INFO_BYTES_MAX + 1], ..hello() };
    assert!(matches!(Hello::parse(&large.written()), Err(NoFrame::Hello(_))));
    assert_eq!(Frame::parse(&[]), Err(NoFrame::Length(0)));
    assert_eq!(Frame::parse(&[1, 0]), Err(NoFrame::Ping));
}

#[test]
fn lengths_are_bounded() {
    assert_eq!(letter_bytes([0, 0x10, 0, 0]), Ok(1 << 20));
    assert_eq!(letter_bytes([0, 0x10, 0, 1]), Err(NoFrame::Length((1 << 20) + 1)));
    assert_eq!(letter_bytes([0; 4]), Err(NoFrame::Length(0)));
    assert_eq!(letter_bytes(*b"GET "), Err(NoFrame::Length(0x4745_5420)));
    assert_eq!(frame_bytes([0, 0, 0x10, 0]), Err(NoFrame::Length(4096)));
}

#[test]
fn lanes_and_goodbyes_have_their_numbers() {
    for lane in LANES {
        assert_eq!(lane_of(place_of(lane) + 1), Some(lane));
    }
    assert_eq!((lane_of(0), lane_of(5)), (None, None));
    assert_eq!(Goodbye::from_code(1), Some(Goodbye::Replaced));
    assert_eq!(Goodbye::from_code(6), None);
}
