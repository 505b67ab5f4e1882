//! Descriptors that are not what they should be, too many of them, or none where one should be.
//!
//! After each the daemon has as many files open as before.

use super::Scene;
use crate::door::{
    BinaryFrames, Connection, Descriptors, Event, JsonLines, Operation, Publication,
    SEALED_BYTES_MIN, Subscription, frame, sealed_frame,
};
use crate::process::Daemon;
use kith_sealed::{DESCRIPTORS_PER_CALL_MAX, SealedMemory, send};
use kith_wire::Code;
use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, ftruncate, memfd_create};
use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit};
use std::fs::File;
use std::io::{self, IoSlice, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

fn publication() -> Publication {
    Publication::bytes("bt", "neighbour", "")
}

/// A memfd with so many bytes of data, this size and these seals.
fn memfd(data: usize, size: u64, seals: SealFlags) -> OwnedFd {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    let mut file = File::from(memfd_create("test", flags).unwrap());
    file.write_all(&vec![b'x'; data]).unwrap();
    ftruncate(&file, size).unwrap();
    fcntl_add_seals(&file, seals).unwrap();
    file.into()
}

fn sealed() -> SealedMemory {
    SealedMemory::create(&[b'x'; SEALED_BYTES_MIN]).unwrap()
}

fn refusal(number: Option<u32>, code: Code, fatal: bool) -> Option<Event> {
    Some(Event::Err { number, code, fatal })
}

#[test]
fn what_is_no_sealed_memory_of_this_size_is_refused_and_closed() {
    let mut scene = Scene::new("");
    let mut client = Descriptors::new(scene.daemon.dial());
    let before = scene.daemon.open_files();
    let all = SealFlags::SHRINK | SealFlags::GROW | SealFlags::WRITE | SealFlags::SEAL;
    let (size, large) = (SEALED_BYTES_MIN, SEALED_BYTES_MIN as u64);
    let (pipe, _writer) = io::pipe().unwrap();
    let (socket, _other) = std::os::unix::net::UnixStream::pair().unwrap();
    let cases: [(OwnedFd, usize); 10] = [
        (memfd(size, large, SealFlags::empty()), size),
        (memfd(size, large, all - SealFlags::WRITE), size),
        (memfd(size, large, all - SealFlags::SHRINK), size),
        (memfd(size, large + 1, all), size),
        (memfd(size, large, all), size + 1),
        (memfd(10, 10, all), 10),
        (memfd(10, large, all), size),
        (pipe.into(), size),
        (socket.into(), size),
        (tempfile::tempfile().unwrap().into(), size),
    ];
    for (descriptor, said) in &cases {
        client.say(&sealed_frame(5, &publication(), *said), &[descriptor.as_fd()]);
        assert_eq!(client.receive(), refusal(Some(5), Code::BadPayload, false));
        scene.talk();
    }
    // The daemon's own connection, sent to it, is no memory either; and the right one is taken.
    let twin = scene.daemon.dial();
    client.say(&sealed_frame(6, &publication(), size), &[twin.as_fd()]);
    assert_eq!(client.receive(), refusal(Some(6), Code::BadPayload, false));
    drop(twin);
    client.say(&sealed_frame(7, &publication(), size), &[sealed().as_fd()]);
    assert!(matches!(client.receive(), Some(Event::Ok { number: 7, .. })));
    scene.daemon.wait_for_open_files(before);
    drop(client);
    scene.end(8 << 10);
}

#[test]
fn a_frame_without_its_descriptor_ends_the_connection() {
    let scene = Scene::new("");
    let before = scene.daemon.open_files();
    let mut asked = Descriptors::new(scene.daemon.dial());
    asked.say(&sealed_frame(5, &publication(), SEALED_BYTES_MIN), &[]);
    assert_eq!(asked.receive(), refusal(Some(5), Code::BadFrame, true));
    assert_eq!(asked.receive(), None);
    // One that came too early does not count for a frame that can't have one.
    let mut early = Descriptors::new(scene.daemon.dial());
    early.say(&frame(0x08, 0, [0, 0], 6, &[]), &[sealed().as_fd()]);
    assert!(matches!(early.receive(), Some(Event::Ok { number: 6, .. })));
    early.send(Some(7), &Operation::Ping);
    assert!(matches!(early.receive(), Some(Event::Ok { number: 7, .. })));
    early.say(&sealed_frame(8, &publication(), SEALED_BYTES_MIN), &[]);
    assert!(matches!(early.receive(), Some(Event::Ok { number: 8, .. })));
    early.say(&sealed_frame(9, &publication(), SEALED_BYTES_MIN), &[]);
    assert_eq!(early.receive(), refusal(Some(9), Code::BadFrame, true));
    scene.daemon.wait_for_open_files(before);
    scene.end(4 << 10);
}

#[test]
fn who_has_not_asked_has_its_descriptors_closed() {
    let mut scene = Scene::new("");
    let before = scene.daemon.open_files();
    let memory = sealed();
    let many = vec![memory.as_fd(); DESCRIPTORS_PER_CALL_MAX];
    let stream = scene.daemon.dial();
    let ping = b"{\"op\":\"ping\",\"id\":1}\n";
    send(&stream, &[IoSlice::new(ping)], &many).unwrap();
    let mut lines = JsonLines::new(stream);
    assert_eq!(lines.line().as_deref(), Some("{\"op\":\"ok\",\"id\":1}"));
    scene.talk();
    assert_eq!(scene.daemon.open_files(), before + 1);
    let stream = scene.daemon.dial();
    let frame = sealed_frame(5, &publication(), SEALED_BYTES_MIN);
    let bytes = [b"KTH\x01", frame.as_slice()].concat();
    send(&stream, &[IoSlice::new(&bytes)], &many).unwrap();
    let mut frames = BinaryFrames::silent(stream);
    assert_eq!(frames.receive(), refusal(Some(5), Code::BadFrame, true));
    assert_eq!(frames.receive(), None);
    drop((lines, frames));
    scene.daemon.wait_for_open_files(before);
    scene.end(4 << 10);
}

#[test]
fn more_descriptors_than_may_wait_end_the_connection() {
    let mut scene = Scene::new("");
    let before = scene.daemon.open_files();
    let memory = sealed();
    let many = vec![memory.as_fd(); DESCRIPTORS_PER_CALL_MAX];
    let mut client = Descriptors::new(scene.daemon.dial());
    client.say(&frame(0x08, 0, [0, 0], 6, &[]), &many);
    assert!(matches!(client.receive(), Some(Event::Ok { number: 6, .. })));
    assert_eq!(scene.daemon.open_files(), before + 1 + DESCRIPTORS_PER_CALL_MAX);
    scene.talk();
    client.say(&frame(0x08, 0, [0, 0], 7, &[]), &many[..1]);
    let answers = [client.receive(), client.receive()];
    assert!(answers.contains(&refusal(None, Code::QuotaMemory, true)), "{answers:?}");
    scene.daemon.wait_for_open_files(before);
    scene.end(4 << 10);
}

#[test]
fn a_crowd_that_hoards_descriptors_leaves_others_theirs() {
    // 32 for the daemon, 8 for services between devices, 40 clients, 253 for one call, and 20 that
    // may wait.
    let files = 32 + 8 + 40 + 253 + 20;
    let daemon = Daemon::with_open_files_max(files, "limits.clients_max = 40\n");
    let mut scene = Scene::on(daemon);
    let before = scene.daemon.open_files();
    let memory = sealed();
    let hoards = |count| vec![memory.as_fd(); count];
    let mut hogs: Vec<Descriptors> = Vec::new();
    for share in [10, 5, 2, 1] {
        let mut hog = Descriptors::new(scene.daemon.dial());
        hog.say(&frame(0x08, 0, [0, 0], 6, &[]), &hoards(share));
        assert!(matches!(hog.receive(), Some(Event::Ok { number: 6, .. })));
        hogs.push(hog);
    }
    let mut greedy = Descriptors::new(scene.daemon.dial());
    greedy.say(&frame(0x08, 0, [0, 0], 6, &[]), &hoards(DESCRIPTORS_PER_CALL_MAX));
    let answers = [greedy.receive(), greedy.receive()];
    assert!(answers.contains(&refusal(None, Code::QuotaMemory, true)), "{answers:?}");
    scene.talk();
    // Whoever comes now gets copies, and all of them.
    let mut taker = Descriptors::new(scene.daemon.dial());
    taker.send(Some(1), &Operation::Subscribe(Subscription::to("bt/self.neighbour")));
    assert!(matches!(taker.receive(), Some(Event::Ok { number: 1, .. })));
    let mut publisher = Descriptors::new(scene.daemon.dial());
    for _ in 0..50 {
        publisher.say(&sealed_frame(5, &publication(), memory.len()), &hoards(1));
        assert!(matches!(publisher.receive(), Some(Event::Ok { number: 5, .. })));
    }
    for _ in 0..50 {
        assert!(matches!(taker.receive(), Some(Event::Message { delivery, .. })
            if delivery.payload.len() == memory.len()));
    }
    drop((hogs, greedy, taker, publisher));
    scene.daemon.wait_for_open_files(before);
    scene.end(32 << 10);
}

#[test]
fn descriptors_that_the_system_cut_off_end_the_connection_that_sent_them() {
    let mut scene = Scene::new("");
    let before = scene.daemon.open_files();
    let mut client = Descriptors::new(scene.daemon.dial());
    let id = Pid::from_raw(scene.daemon.process().id().cast_signed());
    // The hard limit is that of this process.
    let maximum = getrlimit(Resource::Nofile).maximum;
    let current = Some(before as u64 + 3);
    let usual = prlimit(id, Resource::Nofile, Rlimit { current, maximum }).unwrap();
    let memory = sealed();
    let many: Vec<BorrowedFd<'_>> = vec![memory.as_fd(); 20];
    client.say(&sealed_frame(5, &publication(), memory.len()).repeat(20), &many);
    assert_eq!(client.receive(), refusal(None, Code::QuotaMemory, true));
    scene.talk();
    prlimit(id, Resource::Nofile, usual).unwrap();
    drop(client);
    scene.daemon.wait_for_open_files(before);
    scene.end(4 << 10);
}

#[test]
fn who_goes_with_descriptors_on_their_way_leaves_none() {
    let mut scene = Scene::new("");
    let before = scene.daemon.open_files();
    let memory = sealed();
    let many = vec![memory.as_fd(); 50];
    let whole = sealed_frame(0, &publication(), memory.len()).repeat(50);
    for bytes in [&whole[..], &whole[..whole.len() / 2], &whole[..1]] {
        let mut deaf = Descriptors::new(scene.daemon.dial());
        deaf.send(Some(1), &Operation::Subscribe(Subscription::to("bt/self.neighbour")));
        assert!(matches!(deaf.receive(), Some(Event::Ok { number: 1, .. })));
        for _ in 0..4 {
            let mut publisher = Descriptors::new(scene.daemon.dial());
            publisher.say(bytes, &many);
        }
        scene.talk();
        drop(deaf);
    }
    scene.daemon.wait_for_open_files(before);
    scene.end(8 << 10);
}

#[test]
fn large_json_in_descriptors_is_checked_in_turns() {
    let mut scene = Scene::new("");
    let json = format!("\"{}\"", "x".repeat(16 * SEALED_BYTES_MIN - 2));
    let memory = SealedMemory::create(json.as_bytes()).unwrap();
    let many = vec![memory.as_fd(); 100];
    let frames = sealed_frame(0, &Publication::json("neighbours", ""), memory.len()).repeat(100);
    let mut client = Descriptors::new(scene.daemon.dial());
    client.say(&frames, &many);
    client.send(Some(5), &Operation::Ping);
    // A hundred megabytes to be checked, and in between everybody else's messages.
    scene.talk();
    assert!(matches!(client.receive(), Some(Event::Ok { number: 5, .. })));
    drop(client);
    scene.end(16 << 10);
}
