//! Clients of the metrics that mean no good, at the Unix socket and by TCP: the bus notices
//! nothing, and they are not served without end.

use super::Scene;
use crate::process::{PATIENCE, dial};
use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// As many as are served at a time, by each way.
const CROWD: usize = 4;
const GET: &[u8] = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n";
/// The numbers are gathered anew when they are so old.
const KEPT: Duration = Duration::from_millis(500);

/// A connection, by either way.
trait Stream: Read + Write + Send {}

impl<T: Read + Write + Send> Stream for T {}

#[derive(Clone, Copy)]
enum Way {
    Socket,
    Tcp,
}

const WAYS: [Way; 2] = [Way::Socket, Way::Tcp];

impl Way {
    fn connect(self, scene: &Scene) -> Box<dyn Stream> {
        match self {
            Self::Socket => {
                Box::new(dial(&scene.daemon.place().socket().with_file_name("metrics.sock")))
            }
            Self::Tcp => {
                let stream = TcpStream::connect(scene.daemon.metrics_address()).unwrap();
                stream.set_read_timeout(Some(PATIENCE)).unwrap();
                stream.set_write_timeout(Some(PATIENCE)).unwrap();
                Box::new(stream)
            }
        }
    }
}

/// A daemon whose metrics can be asked for by both ways.
fn scene() -> Scene {
    Scene::new("[metrics]\naddress = '127.0.0.1:0'\n")
}

/// So many connections by each way.
fn connect_by_each(scene: &Scene, count: usize) -> Vec<Box<dyn Stream>> {
    WAYS.into_iter().flat_map(|way| (0..count).map(move |_| way.connect(scene))).collect()
}

fn answer(stream: &mut impl Read) -> String {
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// Asks, and returns the answer.
fn ask(mut stream: Box<dyn Stream>) -> String {
    stream.write_all(GET).unwrap();
    answer(&mut stream)
}

#[test]
fn who_says_nothing_or_a_byte_at_a_time_is_cut_off_and_others_come_in() {
    let mut scene = scene();
    let before = scene.daemon.open_files();
    let silent = connect_by_each(&scene, CROWD / 2);
    let mut dribbling = connect_by_each(&scene, CROWD / 2);
    for byte in GET.iter().take(20) {
        for stream in &mut dribbling {
            stream.write_all(&[*byte]).unwrap();
        }
        scene.talk();
    }
    // The next has to wait until one of them is cut off, and then is served.
    let mut patient = connect_by_each(&scene, 1);
    for stream in &mut patient {
        stream.write_all(GET).unwrap();
    }
    for mut stream in silent.into_iter().chain(dribbling) {
        assert!(answer(&mut stream).starts_with("HTTP/1.1 408 "));
        scene.talk();
    }
    for mut stream in patient {
        assert!(answer(&mut stream).ends_with("# EOF\n"));
    }
    for way in WAYS {
        assert!(ask(way.connect(&scene)).ends_with("# EOF\n"));
    }
    scene.daemon.wait_for_open_files(before);
    scene.end(4 << 10);
}

#[test]
fn who_never_ends_is_not_listened_to() {
    /// What the kernel takes by itself before the daemon closes; by TCP that is a few megabytes.
    const WRITTEN_BYTES_MAX: usize = 16 << 20;
    let mut scene = scene();
    for way in WAYS {
        for round in 0..3 * CROWD {
            let mut stream = way.connect(&scene);
            let line: &[u8] = if round % 2 == 0 { b"GET /metrics HTTP/1.1\r\nA: " } else { b"\n" };
            let _ = stream.write_all(line);
            // It ends when the daemon closes.
            let mut written = 0;
            while stream.write_all(&[b'x'; 4096]).is_ok() {
                written += 4096;
                assert!(written < WRITTEN_BYTES_MAX, "the daemon reads on and on");
            }
            scene.talk();
        }
    }
    scene.end(4 << 10);
}

#[test]
fn many_that_ask_and_go_leave_nothing_behind() {
    let mut scene = scene();
    let before = scene.daemon.open_files();
    let beginnings: [&[u8]; 4] = [b"", b"GET /met", GET, b"\0\n"];
    for round in 0..200 {
        for way in WAYS {
            // It may have been answered and closed already.
            let _ = way.connect(&scene).write_all(beginnings[round % beginnings.len()]);
        }
        if round % 25 == 0 {
            scene.talk();
        }
    }
    scene.daemon.wait_for_open_files(before);
    scene.end(4 << 10);
}

#[test]
fn who_stays_after_the_answer_keeps_nobody_else_from_theirs() {
    let mut scene = scene();
    let mut staying = connect_by_each(&scene, CROWD);
    for stream in &mut staying {
        stream.write_all(GET).unwrap();
    }
    scene.talk();
    // Who keeps the connection open, whether it reads or not, is waited for a while and no more.
    for way in WAYS {
        assert!(ask(way.connect(&scene)).ends_with("# EOF\n"));
    }
    drop(staying);
    scene.end(4 << 10);
}

#[test]
fn who_asks_as_fast_as_it_can_gets_the_same_answer_again() {
    let mut scene = scene();
    let started = Instant::now();
    let loops = WAYS.map(|way| {
        let streams = (0..60).map(|_| way.connect(&scene)).collect::<Vec<_>>();
        std::thread::spawn(move || streams.into_iter().map(ask).collect::<Vec<_>>())
    });
    while loops.iter().any(|asking| !asking.is_finished()) {
        scene.talk();
    }
    let answers = loops.into_iter().flat_map(|asking| asking.join().unwrap());
    let answers: Vec<String> = answers.collect();
    let passed = started.elapsed();
    assert_eq!(answers.len(), 120);
    // Processor time is told in microseconds, so no two that are made are alike.
    let used = |text: &str| {
        let line = text.lines().find(|line| line.starts_with("process_cpu_seconds_total "));
        line.unwrap().to_owned()
    };
    let made = answers.iter().map(|answer| used(answer)).collect::<BTreeSet<_>>().len();
    let made_max = 2 + usize::try_from(passed.as_millis() / KEPT.as_millis()).unwrap();
    assert!(made <= made_max, "{made} in {passed:?}");
    scene.end(4 << 10);
}
