//! Clients of the metrics that mean no good: the bus notices nothing, and they are not served
//! without end.

use super::Scene;
use crate::process::dial;
use std::fs;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;

/// As many as are served at a time.
const CROWD: usize = 4;
const GET: &[u8] = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n";

fn connect(scene: &Scene) -> UnixStream {
    dial(&scene.daemon.place().socket().with_file_name("metrics.sock"))
}

fn n_files(scene: &Scene) -> usize {
    fs::read_dir(format!("/proc/{}/fd", scene.daemon.process().id())).unwrap().count()
}

fn answer(stream: &mut UnixStream) -> String {
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn who_says_nothing_or_a_byte_at_a_time_is_cut_off_and_others_come_in() {
    let mut scene = Scene::new("");
    let before = n_files(&scene);
    let mut silent: Vec<_> = (0..CROWD / 2).map(|_| connect(&scene)).collect();
    let mut dribbling: Vec<_> = (0..CROWD / 2).map(|_| connect(&scene)).collect();
    for byte in GET.iter().take(20) {
        for stream in &mut dribbling {
            stream.write_all(&[*byte]).unwrap();
        }
        scene.talk();
    }
    // The next has to wait until one of them is cut off, and then is served.
    let mut patient = connect(&scene);
    patient.write_all(GET).unwrap();
    for stream in silent.iter_mut().chain(&mut dribbling) {
        assert!(answer(stream).starts_with("HTTP/1.1 408 "));
        scene.talk();
    }
    drop((silent, dribbling));
    assert!(answer(&mut patient).ends_with("# EOF\n"));
    drop(patient);
    let mut next = connect(&scene);
    next.write_all(GET).unwrap();
    assert!(answer(&mut next).ends_with("# EOF\n"));
    drop(next);
    while n_files(&scene) > before {
        scene.talk();
    }
    scene.end(4 << 10);
}

#[test]
fn who_never_ends_is_not_listened_to() {
    let mut scene = Scene::new("");
    for round in 0..3 * CROWD {
        let mut stream = connect(&scene);
        let line: &[u8] = if round % 2 == 0 { b"GET /metrics HTTP/1.1\r\nA: " } else { b"\n" };
        let _ = stream.write_all(line);
        // It ends when the daemon closes, long before a megabyte.
        let mut written = 0;
        while stream.write_all(&[b'x'; 4096]).is_ok() {
            written += 4096;
            assert!(written < 1 << 20, "the daemon reads on and on");
        }
        scene.talk();
    }
    scene.end(4 << 10);
}

#[test]
fn many_that_come_and_go_leave_nothing_behind() {
    let mut scene = Scene::new("");
    let before = n_files(&scene);
    let beginnings: [&[u8]; 4] = [b"", b"GET /met", GET, b"\0\n"];
    for round in 0..400 {
        let mut stream = connect(&scene);
        // It may have been answered and closed already.
        let _ = stream.write_all(beginnings[round % beginnings.len()]);
        drop(stream);
        if round % 50 == 0 {
            scene.talk();
        }
    }
    while n_files(&scene) > before {
        scene.talk();
    }
    scene.end(4 << 10);
}

#[test]
fn who_does_not_read_the_answer_keeps_nobody_else_from_theirs() {
    let mut scene = Scene::new("");
    let mut deaf: Vec<_> = (0..CROWD).map(|_| connect(&scene)).collect();
    for stream in &mut deaf {
        stream.write_all(GET).unwrap();
    }
    scene.talk();
    // The answers fit the sockets' buffers; who keeps the connection open is waited for a while.
    let mut last = connect(&scene);
    last.write_all(GET).unwrap();
    assert!(answer(&mut last).ends_with("# EOF\n"));
    drop((deaf, last));
    scene.end(4 << 10);
}
