//! The queue of one client: what it counts is what it holds, and it holds little more memory.

use super::*;
use crate::buffers::Block;
use crate::limits::{BUFFER_KEPT_BYTES_MAX, RUN_BYTES_MAX, SEGMENT_BYTES_MAX, SHARED_BYTES_MIN};
use proptest::prelude::*;

impl Outbox {
    /// What the segments say, counted again: bytes of answers, bytes of messages, messages.
    pub(crate) fn recount(&self) -> (usize, usize, usize) {
        let (mut answers, mut bytes, mut messages) = (0, 0, 0);
        for segment in self.lanes.iter().flatten().chain(&self.staged) {
            if segment.is_answer {
                answers += segment.weight();
            } else {
                bytes += segment.weight();
                messages += segment.messages as usize;
            }
        }
        (answers, bytes, messages)
    }

    /// Own bytes of all segments. Puts what they share into lists by address.
    pub(crate) fn recount_held(
        &self,
        blocks: &mut BTreeMap<usize, usize>,
        sealed: &mut BTreeMap<usize, usize>,
    ) -> usize {
        let mut descriptors = 0;
        let mut own_bytes = 0;
        for segment in self.lanes.iter().flatten().chain(&self.staged) {
            own_bytes += segment.own.len();
            if let Some((block, _)) = &segment.shared {
                blocks.insert(block.address(), block.bytes().len());
            }
            if let Some(one) = &segment.sealed {
                sealed.insert(one.address(), one.payload_bytes());
                descriptors += 1;
            }
        }
        assert_eq!(descriptors, self.descriptors());
        own_bytes
    }

    pub(crate) fn counted(&self) -> (usize, usize, usize) {
        (self.answer_bytes, self.message_bytes, self.messages)
    }

    /// What stands in each lane behind the first so many bytes of it, answers first, or nothing if
    /// a lane has fewer.
    pub(crate) fn behind(&self, known: [usize; 4]) -> Option<[Vec<u8>; 4]> {
        let mut behind: [Vec<u8>; 4] = Default::default();
        for ((lane, mut skip), bytes) in self.lanes.iter().zip(known).zip(&mut behind) {
            for segment in lane {
                if segment.len() <= skip {
                    skip -= segment.len();
                    continue;
                }
                for part in segment.parts() {
                    bytes.extend_from_slice(part.get(skip..).unwrap_or_default());
                    skip = skip.saturating_sub(part.len());
                }
            }
            if skip > 0 {
                return None;
            }
        }
        Some(behind)
    }

    /// What was dropped and has not been told yet: subscription, priority, how many.
    pub(crate) fn untold(&self) -> Vec<(u32, Priority, u64)> {
        self.lags.iter().map(|((number, lane), lost)| (*number, *lane, lost.count)).collect()
    }

    /// Memory that would be freed with it, if nobody else held its blocks.
    pub(crate) fn held_bytes(&self) -> usize {
        let block = |block: &(Block, Range<usize>)| block.0.capacity();
        let segments = self.lanes.iter().flatten().chain(&self.staged);
        let inside: usize =
            segments.map(|one| one.own.capacity() + one.shared.as_ref().map_or(0, block)).sum();
        let lists = self.lanes.iter().map(VecDeque::capacity).sum::<usize>();
        inside + (lists + self.staged.capacity()) * size_of::<Segment>()
    }
}

const PLAIN: Parcel = Parcel { priority: Priority::Normal, messages: 1, expires_at_ms: None };

fn push(outbox: &mut Outbox, buffers: &mut Buffers, parcel: Parcel, bytes: &[u8]) {
    let mut body = Body::borrowed(bytes);
    let share = Share { body: &mut body, part: 0..bytes.len(), taken_bytes: bytes.len() };
    outbox.push(buffers, parcel, b"head:", share);
}

/// Sends at most so many bytes.
fn send(outbox: &mut Outbox, buffers: &mut Buffers, bytes: usize, unix_ms: u64) -> Vec<u8> {
    outbox.stage(buffers, unix_ms);
    let mut sent: Vec<u8> = outbox.staged().flatten().copied().collect();
    sent.truncate(bytes);
    outbox.wrote(buffers, sent.len());
    sent
}

fn send_all(outbox: &mut Outbox, buffers: &mut Buffers) -> Vec<u8> {
    let mut all = Vec::new();
    while !outbox.is_empty() {
        all.extend(send(outbox, buffers, usize::MAX, 0));
    }
    all
}

/// Has the spare buffers be large ones, as after large messages that nobody waited for.
fn swell(buffers: &mut Buffers) {
    for bytes in [BUFFER_KEPT_BYTES_MAX, 2 * SEGMENT_BYTES_MAX] {
        for _ in 0..100 {
            buffers.give_back(Vec::with_capacity(bytes));
        }
    }
    let kept: Vec<Block> = (0..8)
        .filter_map(|_| {
            Body::borrowed(&vec![0; BUFFER_KEPT_BYTES_MAX]).share(buffers, 1 << 20, 1 << 20)
        })
        .collect();
    assert_eq!(kept.len(), 8);
}

#[test]
fn what_waits_holds_little_more_memory_than_its_bytes() {
    let small = vec![b'x'; 60];
    let large = vec![b'x'; SHARED_BYTES_MIN];
    let expiring = Parcel { expires_at_ms: Some(100), ..PLAIN };
    let rounds: [&[(Parcel, &[u8])]; 4] = [
        &[(PLAIN, &large)],
        &[(PLAIN, &small), (PLAIN, &large)],
        &[(expiring, &small)],
        &[(PLAIN, &small), (expiring, &small)],
    ];
    for (case, round) in rounds.into_iter().enumerate() {
        let mut buffers = Buffers::default();
        let mut outbox = Outbox::default();
        for _ in 0..500 {
            swell(&mut buffers);
            for (parcel, bytes) in round {
                push(&mut outbox, &mut buffers, *parcel, bytes);
            }
        }
        let segments = 1_200 * size_of::<Segment>();
        let (held, counted) = (outbox.held_bytes(), outbox.message_bytes());
        assert!(held < 5 * counted + segments + 8 * SEGMENT_BYTES_MAX, "{case}: {held} {counted}");
    }
}

#[test]
fn what_was_staged_and_could_not_be_sent_holds_little_memory_too() {
    let mut buffers = Buffers::default();
    let mut outbox = Outbox::default();
    for _ in 0..100 {
        swell(&mut buffers);
        push(&mut outbox, &mut buffers, PLAIN, b"x");
        outbox.stage(&mut buffers, 0);
    }
    assert!(outbox.held_bytes() < 8 * SEGMENT_BYTES_MAX, "{}", outbox.held_bytes());
    assert_eq!(send_all(&mut outbox, &mut buffers).len(), 600);
}

#[test]
fn a_small_part_of_a_large_body_is_copied() {
    let mut buffers = Buffers::default();
    let mut outbox = Outbox::default();
    let bytes = vec![b'x'; RUN_BYTES_MAX];
    for _ in 0..100 {
        // E.g. one member's message of a run that a whole group shares.
        let mut body = Body::borrowed(&bytes);
        let part = 0..SHARED_BYTES_MIN;
        let share = Share { body: &mut body, taken_bytes: part.len(), part };
        outbox.push(&mut buffers, PLAIN, b"head:", share);
    }
    assert!(outbox.held_bytes() < 3 * outbox.message_bytes());
    // Who takes a good part of it in pieces shares it.
    let mut outbox = Outbox::default();
    let mut body = Body::borrowed(&bytes);
    for piece in 0..RUN_BYTES_MAX / SHARED_BYTES_MIN {
        let part = piece * SHARED_BYTES_MIN..(piece + 1) * SHARED_BYTES_MIN;
        let share = Share { body: &mut body, part, taken_bytes: RUN_BYTES_MAX };
        outbox.push(&mut buffers, PLAIN, b"head:", share);
    }
    assert!(outbox.lanes[2].iter().all(|segment| segment.shared.is_some()));
}

#[test]
fn a_body_that_was_encoded_into_a_large_buffer_does_not_keep_it() {
    let mut buffers = Buffers::default();
    for _ in 0..10 {
        let mut bytes = Vec::with_capacity(BUFFER_KEPT_BYTES_MAX);
        bytes.resize(SHARED_BYTES_MIN, b'x');
        let mut body = Body::owned(bytes);
        let block = body.share(&mut buffers, SHARED_BYTES_MIN, SHARED_BYTES_MIN).unwrap();
        assert!(block.capacity() < 2 * SHARED_BYTES_MIN);
        assert_eq!(body.bytes().len(), SHARED_BYTES_MIN);
    }
}

#[test]
fn after_a_burst_an_idle_client_keeps_nothing() {
    let mut buffers = Buffers::default();
    let mut outbox = Outbox::default();
    let expiring = Parcel { expires_at_ms: Some(100), ..PLAIN };
    for _ in 0..100_000 {
        push(&mut outbox, &mut buffers, expiring, b"x");
    }
    outbox.count_lag(1, Priority::High, Lost { count: 1, about_lag: 0 });
    assert!(outbox.take_any_lag().is_some());
    send_all(&mut outbox, &mut buffers);
    assert!(outbox.held_bytes() < 8 << 10, "{}", outbox.held_bytes());
    // The same where it emptied by expiry, or was settled.
    for _ in 0..100_000 {
        push(&mut outbox, &mut buffers, expiring, b"x");
    }
    outbox.settle();
    assert_eq!(outbox.stage(&mut buffers, 100), 100_000);
    assert!(outbox.is_empty());
    assert!(outbox.held_bytes() < 8 << 10, "{}", outbox.held_bytes());
}

#[test]
fn what_was_settled_is_sent_in_its_order_before_the_next_answer() {
    let mut buffers = Buffers::default();
    let mut outbox = Outbox::default();
    let bulk = Parcel { priority: Priority::Bulk, ..PLAIN };
    let high = Parcel { priority: Priority::High, ..PLAIN };
    outbox.answer(&mut buffers, |out| out.extend_from_slice(b"a1 "));
    push(&mut outbox, &mut buffers, bulk, b"b1 ");
    push(&mut outbox, &mut buffers, PLAIN, b"n1 ");
    push(&mut outbox, &mut buffers, high, b"h1 ");
    outbox.settle();
    outbox.answer(&mut buffers, |out| out.extend_from_slice(b"a2 "));
    push(&mut outbox, &mut buffers, high, b"h2 ");
    outbox.answer(&mut buffers, |out| out.extend_from_slice(b"a3 "));
    assert_eq!(outbox.counted(), outbox.recount());
    let sent = String::from_utf8(send_all(&mut outbox, &mut buffers)).unwrap();
    assert_eq!(sent.replace("head:", ""), "a1 h1 n1 b1 a2 a3 h2 ");
    assert_eq!(outbox.counted(), (0, 0, 0));
}

#[derive(Clone, Debug)]
enum Step {
    Answer(usize),
    Push { priority: Priority, bytes: usize, expires_in_ms: Option<u64> },
    Lag(u32),
    Settle,
    Send(usize),
    Pass(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let size = prop_oneof![0..100_usize, 1_900..2_200_usize, 60_000..70_000_usize];
    let priority = prop::sample::select(Priority::ALL.to_vec());
    prop_oneof![
        2 => (1..400_usize).prop_map(Step::Answer),
        6 => (priority, size, prop::option::weighted(0.3, 1..20_u64)).prop_map(
            |(priority, bytes, expires_in_ms)| Step::Push { priority, bytes, expires_in_ms }
        ),
        1 => (1..4_u32).prop_map(Step::Lag),
        1 => Just(Step::Settle),
        3 => (0..100_000_usize).prop_map(Step::Send),
        1 => (0..10_u64).prop_map(Step::Pass),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_it_counts_is_what_it_holds_and_every_piece_is_sent_whole(
        steps in prop::collection::vec(step(), 1..60),
    ) {
        let mut buffers = Buffers::default();
        let mut outbox = Outbox::default();
        let (mut now, mut sent, mut pushed, mut expired) = (0, Vec::new(), 0_usize, 0);
        for step in steps {
            match step {
                Step::Answer(bytes) => {
                    outbox.answer(&mut buffers, |out| frame(out, bytes));
                    pushed += 1;
                }
                Step::Push { priority, bytes, expires_in_ms } => {
                    let mut whole = Vec::new();
                    frame(&mut whole, bytes);
                    let expires_at_ms = expires_in_ms.map(|ms| now + ms);
                    let mut body = Body::borrowed(&whole);
                    let share = Share { body: &mut body, part: 4..whole.len(), taken_bytes: bytes };
                    let parcel = Parcel { priority, messages: 1, expires_at_ms };
                    outbox.push(&mut buffers, parcel, &whole[..4], share);
                    pushed += 1;
                }
                Step::Lag(subscription) => {
                    let mut notice = Vec::new();
                    frame(&mut notice, 10);
                    outbox.count_lag(subscription, Priority::High, Lost::default());
                    if let Some(lag) = outbox.take_lag(subscription, Priority::High) {
                        outbox.push_lag(&mut buffers, lag.priority, &notice);
                        pushed += 1;
                    }
                }
                Step::Settle => outbox.settle(),
                Step::Send(bytes) => {
                    expired += outbox.stage(&mut buffers, now);
                    let staged: Vec<u8> = outbox.staged().flatten().copied().collect();
                    let bytes = bytes.min(staged.len());
                    sent.extend_from_slice(&staged[..bytes]);
                    outbox.wrote(&mut buffers, bytes);
                }
                Step::Pass(ms) => now += ms,
            }
            prop_assert_eq!(outbox.counted(), outbox.recount());
        }
        while !outbox.is_empty() {
            expired += outbox.stage(&mut buffers, now);
            let staged: Vec<u8> = outbox.staged().flatten().copied().collect();
            outbox.wrote(&mut buffers, staged.len());
            sent.extend(staged);
        }
        prop_assert_eq!(outbox.counted(), (0, 0, 0));
        let mut rest = &sent[..];
        let mut whole = 0;
        while let Some((length, after)) = rest.split_first_chunk::<4>() {
            rest = &after[u32::from_le_bytes(*length) as usize..];
            whole += 1;
        }
        prop_assert_eq!(whole + usize::try_from(expired).unwrap(), pushed);
    }
}

/// Appends a length, and so many bytes.
fn frame(out: &mut Vec<u8>, bytes: usize) {
    out.extend_from_slice(&u32::try_from(bytes).unwrap().to_le_bytes());
    out.resize(out.len() + bytes, b'x');
}
