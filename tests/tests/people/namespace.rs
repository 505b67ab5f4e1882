//! Networks of a test's own: namespaces, and what goes over their wires.
//!
//! A namespace belongs to a process that only holds it, and ends with it; so do its interfaces.
//! Programs are started in it by `nsenter`. Nothing of the machine's own network is touched.
//!
//! The kernel talks too: it looks whether its IPv6 addresses are taken, asks for routers, and joins
//! groups. Interfaces have IPv4 alone here, so that "no packet" means just that.

use crate::process::{PATIENCE, Place, Process};
use kith_tests::{require, require_that};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

/// Whether a test may make networks here, and has what it takes.
pub(crate) fn can_make() -> bool {
    require("unshare")
        && require("nsenter")
        && require("ip")
        && require("tcpdump")
        && require_that(
            Place::bare("unshare").args(["--net", "true"]).status().is_ok_and(|it| it.success()),
            "right to make network namespaces",
        )
}

/// A namespace.
pub(crate) struct Namespace {
    holder: Process,
}

impl Namespace {
    /// One with nothing but its loopback.
    pub(crate) fn new() -> Self {
        let mut command = Place::bare("unshare");
        // It says that it is there, and stays until its input ends.
        let holder = Process::start(command.args(["--net", "sh", "-c", "echo here; exec cat"]));
        holder.wait_for_stdout(|text| text.contains("here"));
        let namespace = Self { holder };
        for family in ["all", "default"] {
            let silent = format!("/proc/sys/net/ipv6/conf/{family}/disable_ipv6");
            namespace.run(&[
                "sh",
                "-c",
                &format!("if [ -e {silent} ]; then echo 1 > {silent}; fi"),
            ]);
        }
        namespace.run(&["ip", "link", "set", "lo", "up"]);
        namespace
    }

    fn id(&self) -> String {
        self.holder.id().to_string()
    }

    /// A program that is to run in it.
    pub(crate) fn command(&self, program: &str) -> Command {
        let mut command = Place::bare("nsenter");
        command.args(["--net", "--target", &self.id(), "--", program]);
        command
    }

    /// A command that runs in it to its end.
    #[track_caller]
    pub(crate) fn run(&self, words: &[&str]) {
        let ended = Process::run(self.command(words[0]).args(&words[1..]));
        assert!(ended.status.success(), "{words:?}: {}", ended.stderr);
    }

    /// Lays a wire to another namespace, with this name and address at each end.
    pub(crate) fn wire(&self, name: &str, address: &str, other: &Self, others: (&str, &str)) {
        let (their_name, their_address) = others;
        let wire = ["ip", "link", "add", "name", name, "type", "veth", "peer", "name", their_name];
        self.run(&[&wire[..], &["netns", &other.id()]].concat());
        for (namespace, name, address) in
            [(self, name, address), (other, their_name, their_address)]
        {
            namespace.run(&["ip", "addr", "add", address, "dev", name]);
            namespace.run(&["ip", "link", "set", name, "up"]);
        }
    }

    /// Sends what is for elsewhere this way.
    pub(crate) fn route(&self, by: &str) {
        self.run(&["ip", "route", "add", "default", "via", by]);
    }

    /// Writes down all that goes over an interface, both ways, until it is told to stop.
    pub(crate) fn capture(&self, interface: &str, folder: &Path) -> Capture {
        let file = folder.join(format!("{interface}.pcap"));
        let mut command = self.command("tcpdump");
        command.args(["-i", interface, "-n", "-U", "--immediate-mode", "-Z", "root", "-w"]);
        let process = Process::start(command.arg(&file));
        process.wait_for_stderr(|text| text.contains("listening on"));
        Capture { process, file }
    }
}

/// What goes over a wire, as it is written down.
pub(crate) struct Capture {
    process: Process,
    file: PathBuf,
}

impl Capture {
    /// The bytes of all packets, and of what is between them in the file.
    pub(crate) fn stop(mut self) -> Vec<u8> {
        self.process.signal(rustix::process::Signal::INT);
        let ended = self.process.wait();
        assert!(ended.status.success(), "{ended:?}");
        assert!(ended.stderr.contains("0 packets dropped by kernel"), "{}", ended.stderr);
        fs::read(&self.file).unwrap()
    }

    /// Waits until packets were written down: as many bytes of them at least.
    pub(crate) fn wait_for_bytes(&self, bytes: usize) {
        let began = Instant::now();
        while fs::metadata(&self.file).map_or(0, |file| file.len()) < bytes as u64 {
            assert!(began.elapsed() < PATIENCE, "nobody sends anything");
            std::thread::yield_now();
        }
    }
}

/// The packets in such a file: each with its Ethernet header.
pub(crate) fn packets(capture: &[u8]) -> Vec<&[u8]> {
    const FILE_HEAD: usize = 24;
    const HEAD: usize = 16;
    let mut rest = capture.get(FILE_HEAD..).expect("a capture has a head");
    let mut packets = Vec::new();
    while rest.len() >= HEAD {
        let length = u32::from_le_bytes(rest[8..12].try_into().unwrap());
        let (packet, after) = rest[HEAD..].split_at(usize::try_from(length).unwrap());
        packets.push(packet);
        rest = after;
    }
    packets
}

/// The destination port of a UDP packet over IPv4; nothing of any other.
pub(crate) fn udp_port(packet: &[u8]) -> Option<u16> {
    let is_ip = packet.get(12..14)? == [8, 0];
    let head = usize::from(packet.get(14)? & 0xf) * 4;
    let is_udp = *packet.get(14 + 9)? == 17;
    let port = packet.get(14 + head + 2..14 + head + 4)?;
    (is_ip && is_udp).then(|| u16::from_be_bytes([port[0], port[1]]))
}
