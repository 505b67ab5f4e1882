//! Tests of getting the socket. Those that need a passed one run this binary again, with the
//! socket in the place in which systemd would leave it.

use super::*;
use std::io::{ErrorKind, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::{UnixDatagram, UnixStream as StdStream};
use std::process::{Command, Stdio};

/// A directory and the path of a socket in one of its own.
fn place() -> (tempfile::TempDir, PathBuf) {
    let base = tempfile::tempdir().unwrap();
    let path = base.path().join("kith/bus.sock");
    (base, path)
}

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().mode() & 0o7777
}

#[test]
fn a_socket_is_made_for_its_owner_alone_and_removed_at_the_end() {
    let (_base, path) = place();
    let listening = listen(&path).unwrap();
    assert_eq!((mode(path.parent().unwrap()), mode(&path)), (0o700, 0o600));
    assert!(!listening.is_passed());
    assert_eq!(listening.path(), Some(path.clone()));
    StdStream::connect(&path).unwrap();
    drop(listening);
    assert_eq!(StdStream::connect(&path).unwrap_err().kind(), ErrorKind::NotFound);
    listen(&path).unwrap();
}

#[tokio::test]
async fn connections_come_with_the_user_and_the_process_that_made_them() {
    let (_base, path) = place();
    let accepting = listen(&path).unwrap().start().unwrap();
    let mut client = StdStream::connect(&path).unwrap();
    client.write_all(b"hi").unwrap();
    let (stream, _) = accepting.listener().accept().await.unwrap();
    assert_eq!(peer_uid(&stream).unwrap(), rustix::process::geteuid().as_raw());
    assert_eq!(peer_pid(&stream), Some(std::process::id()));
    stream.readable().await.unwrap();
    let mut bytes = [0; 8];
    assert_eq!(stream.try_read(&mut bytes).unwrap(), 2);
    drop(accepting);
    assert!(!path.exists());
}

#[test]
fn a_live_daemon_is_left_alone() {
    let (_base, path) = place();
    let first = listen(&path).unwrap();
    let error = listen(&path).unwrap_err();
    assert!(matches!(error, ListenError::Held { holder: Some(_), .. }), "{error}");
    assert_eq!(error.exit_code(), exit_code::UNAVAILABLE);
    let expected = format!("another daemon serves {} (process ", path.display());
    assert!(error.to_string().starts_with(&expected), "{error}");

    // One that has lost its lock, or never had one.
    fs::remove_file(path.with_extension("sock.lock")).unwrap();
    let error = listen(&path).unwrap_err();
    assert!(matches!(error, ListenError::Live { .. }), "{error}");
    assert_eq!(error.exit_code(), exit_code::UNAVAILABLE);
    StdStream::connect(&path).unwrap();
    drop(first);
}

#[test]
fn a_live_daemon_that_accepts_nobody_is_live() {
    let (_base, path) = place();
    prepare(path.parent().unwrap(), Make::Last, Standard::Closed).unwrap();
    let flags = SocketFlags::CLOEXEC;
    let socket =
        rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None).unwrap();
    rustix::net::bind(&socket, &SocketAddrUnix::new(&path).unwrap()).unwrap();
    rustix::net::listen(&socket, 0).unwrap();
    // One more than the queue's length is let in.
    let _waiting = StdStream::connect(&path).unwrap();
    assert_eq!(probe(&path), Err(Errno::AGAIN));
    assert!(matches!(listen(&path), Err(ListenError::Live { .. })));
    assert!(path.exists());
}

#[test]
fn a_socket_that_nobody_listens_on_is_replaced() {
    let (_base, path) = place();
    prepare(path.parent().unwrap(), Make::Last, Standard::Closed).unwrap();
    drop(StdListener::bind(&path).unwrap());
    assert!(path.exists());
    let _listening = listen(&path).unwrap();
    StdStream::connect(&path).unwrap();
    assert_eq!(mode(&path), 0o600);
}

#[test]
fn whatever_else_is_there_stays() {
    let (_base, path) = place();
    prepare(path.parent().unwrap(), Make::Last, Standard::Closed).unwrap();
    let refused = |what: &str| {
        let error = listen(&path).unwrap_err();
        assert_eq!(error.exit_code(), exit_code::CONFIGURATION);
        assert!(error.to_string().starts_with(&format!("there is {what} at ")), "{error}");
        fs::symlink_metadata(&path).unwrap();
    };
    fs::write(&path, "kept").unwrap();
    refused("a file");
    assert_eq!(fs::read_to_string(&path).unwrap(), "kept");
    fs::remove_file(&path).unwrap();

    fs::create_dir(&path).unwrap();
    refused("a directory");
    fs::remove_dir(&path).unwrap();

    let elsewhere = path.with_file_name("elsewhere");
    drop(StdListener::bind(&elsewhere).unwrap());
    symlink(&elsewhere, &path).unwrap();
    refused("a symbolic link");
    assert!(elsewhere.exists());
    fs::remove_file(&path).unwrap();

    let _datagram = UnixDatagram::bind(&path).unwrap();
    refused("a socket of another type");
}

#[test]
fn only_the_file_that_was_made_is_removed() {
    let (_base, path) = place();
    let listening = listen(&path).unwrap();
    fs::remove_file(&path).unwrap();
    let other = StdListener::bind(&path).unwrap();
    drop(listening);
    StdStream::connect(&path).unwrap();
    drop(other);
}

#[test]
fn the_directory_is_judged() {
    let (base, path) = place();
    let own = path.parent().unwrap();
    fs::create_dir(own).unwrap();
    fs::set_permissions(own, fs::Permissions::from_mode(0o750)).unwrap();
    let error = listen(&path).unwrap_err();
    assert!(error.to_string().contains("has mode 0750"), "{error}");
    assert_eq!(error.exit_code(), exit_code::CONFIGURATION);
    assert_eq!(mode(own), 0o750);

    // One that is not named after us may be open to look at, or shared like /tmp.
    for (given, is_fine) in [(0o755, true), (0o1777, true), (0o777, false)] {
        fs::set_permissions(base.path(), fs::Permissions::from_mode(given)).unwrap();
        assert_eq!(listen(&base.path().join("s")).is_ok(), is_fine, "{given:o}");
    }
    let error = listen(Path::new("/nonexistent/run/bus.sock")).unwrap_err();
    assert_eq!(error.exit_code(), exit_code::SYSTEM);
}

#[test]
fn the_file_descriptor_limit_is_raised() {
    let raised = raise_file_descriptor_limit();
    let limit = getrlimit(Resource::Nofile);
    assert_eq!(limit.current, limit.maximum);
    assert_eq!(limit.current.unwrap_or(u64::MAX), raised);
}

/// Runs the test of this name in a process of its own, with `sockets` passed as systemd does it.
fn run_with(test: &str, sockets: [Option<OwnedFd>; 2]) {
    let n_sockets = sockets.iter().flatten().count();
    let [first, second] = sockets.map(|socket| socket.map_or_else(Stdio::null, Stdio::from));
    // systemd leaves them from number 3 on, and `exec` keeps the process id.
    let script =
        "exec 3<&0 4<&1 1>&2; export LISTEN_PID=$$; exec \"$0\" --exact \"$1\" --nocapture";
    let child = Command::new("sh")
        .args(["-c", script])
        .arg(std::env::current_exe().unwrap())
        .arg(format!("listen::tests::{test}"))
        .env("LISTEN_FDS", n_sockets.to_string())
        .env("KITH_TEST_PASSED", "1")
        .stdin(first)
        .stdout(second)
        .stderr(Stdio::piped())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&child.stderr);
    assert!(child.status.success() && text.contains("1 passed"), "{text}");
}

fn is_child() -> bool {
    std::env::var_os("KITH_TEST_PASSED").is_some()
}

#[test]
fn a_passed_socket_is_taken_and_stays() {
    let never = Path::new("/nonexistent/never");
    if is_child() {
        let listening = listen(never).unwrap();
        assert!(listening.is_passed());
        let path = listening.path().unwrap();
        StdStream::connect(&path).unwrap();
        drop(listening);
        assert!(path.exists());
        return;
    }
    let (_base, path) = place();
    fs::create_dir(path.parent().unwrap()).unwrap();
    let socket = StdListener::bind(&path).unwrap();
    run_with("a_passed_socket_is_taken_and_stays", [Some(socket.into()), None]);
}

#[test]
fn a_passed_thing_of_another_kind_is_refused() {
    if is_child() {
        let error = listen(Path::new("/nonexistent/never")).unwrap_err();
        assert!(matches!(error, ListenError::Passed(_)), "{error}");
        assert_eq!(error.exit_code(), exit_code::CONFIGURATION);
        return;
    }
    let test = "a_passed_thing_of_another_kind_is_refused";
    let (connected, _other) = StdStream::pair().unwrap();
    run_with(test, [Some(connected.into()), None]);
    let (datagram, _other) = UnixDatagram::pair().unwrap();
    run_with(test, [Some(datagram.into()), None]);
    let tcp = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    run_with(test, [Some(tcp.into()), None]);
    run_with(test, [Some(fs::File::open("/dev/null").unwrap().into()), None]);
}

#[test]
fn two_passed_sockets_are_one_too_many() {
    if is_child() {
        let error = listen(Path::new("/nonexistent/never")).unwrap_err();
        assert!(matches!(error, ListenError::PassedCount(2)), "{error}");
        return;
    }
    let base = tempfile::tempdir().unwrap();
    let socket = |name: &str| Some(StdListener::bind(base.path().join(name)).unwrap().into());
    run_with("two_passed_sockets_are_one_too_many", [socket("a"), socket("b")]);
}
