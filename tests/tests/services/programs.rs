//! What is granted to programs: to sandboxed ones what others have, to others to administer.

use super::{Administrator, Host, Kind, real, then};
use crate::process::{Place, Process};
use kith_tests::{require, require_that};
use serde_json::{Value, json};
use std::io::Write;
use std::process::Command;

/// A program on the bus that says what it is told to, and prints what it hears.
const PROGRAM: &str = "import os, socket, sys, threading\n\
    bus = socket.socket(socket.AF_UNIX)\n\
    bus.connect(os.environ['KITH_SOCKET'])\n\
    def hear():\n\
    \x20   for line in bus.makefile(): print(line, end='', flush=True)\n\
    threading.Thread(target=hear, daemon=True).start()\n\
    for line in sys.stdin: bus.sendall(line.encode())\n";

/// Whether programs can be given file systems of their own here.
fn can_unshare() -> bool {
    let run = || Place::bare("unshare").args(["--mount", "true"]).output();
    require("unshare")
        && require("python3")
        && require_that(run().is_ok_and(|it| it.status.success()), "right to unshare mounts")
}

/// A program with file systems of its own.
struct Sandboxed {
    process: Process,
    next_number: u32,
}

impl Sandboxed {
    fn start(place: &Place) -> Self {
        Self::by(place.program("unshare").args(["--mount", "python3", "-c", PROGRAM]))
    }

    /// The same program in no sandbox.
    fn unconfined(place: &Place) -> Self {
        Self::by(place.program("python3").args(["-c", PROGRAM]))
    }

    fn by(command: &mut Command) -> Self {
        Self { process: Process::start(command), next_number: 1 }
    }

    /// Says an operation, and returns its answer.
    fn say(&mut self, mut operation: Value) -> Value {
        operation["id"] = self.next_number.into();
        let id = format!("\"id\":{}", self.next_number);
        self.next_number += 1;
        writeln!(self.process.input(), "{operation}").unwrap();
        let is_answer =
            |line: &&str| line.contains(&format!("{id},")) || line.contains(&format!("{id}}}"));
        let heard = self.process.wait_for_stdout(|text| {
            let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
            whole.lines().any(|line| is_answer(&line))
        });
        serde_json::from_str(heard.lines().find(is_answer).unwrap()).unwrap()
    }

    /// The code with which it may not subscribe, or `ok`.
    fn subscribe(&mut self, pattern: &str) -> String {
        code(&self.say(json!({"op": "sub", "pattern": pattern})))
    }

    /// Waits until the daemon has let it go, since what it was granted has ended.
    fn wait_until_let_go(&self) {
        self.process.wait_for_stdout(|text| {
            let is_goodbye = |line: &str| line.contains("bye") && line.contains("not-granted");
            text.lines().any(is_goodbye)
        });
    }

    fn ask(&mut self, topic: &str, payload: &Value) -> String {
        code(&self.say(json!({"op": "req", "topic": topic, "payload": payload})))
    }
}

fn code(answer: &Value) -> String {
    answer["code"].as_str().unwrap_or("ok").to_owned()
}

fn grant(administrator: &mut Administrator, subject: &str, right: &str, for_ms: Option<u64>) {
    let grant = json!({"subject": subject, "right": right, "for_ms": for_ms});
    let added = administrator.ask("bus.grants.add", &grant).unwrap();
    assert_eq!((&added["subject"], &added["right"]), (&json!(subject), &json!(right)));
    assert_eq!(added["until"].is_null(), for_ms.is_none());
}

fn grants(administrator: &mut Administrator) -> Vec<Value> {
    let Value::Array(all) = administrator.ask("bus.grants.list", &Value::Null).unwrap() else {
        panic!()
    };
    all
}

#[test]
fn a_sandboxed_program_has_its_own_topics_and_what_is_granted() {
    if !can_unshare() {
        return;
    }
    let (daemon, mut administrator) = real("");
    let mut program = Sandboxed::start(daemon.place());
    assert_eq!(program.subscribe("self.app.>"), "ok");
    for pattern in ["self.bus.client", "self.>", "*/*.*.x", "self.services.log"] {
        assert_eq!(program.subscribe(pattern), "not-granted", "{pattern}");
    }
    for topic in ["bus.clients", "bus.stats", "services.list", "bus.grants.list"] {
        assert_eq!(program.ask(topic, &Value::Null), "not-granted", "{topic}");
    }
    let answer = program.say(json!({"op": "sub", "pattern": "self.bus.lag"}));
    assert!(answer["text"].as_str().unwrap().contains("`kith grants add sandbox reserved`"));
    let clients = administrator.ask("bus.clients", &Value::Null).unwrap();
    let confined = |client: &&Value| client["confined"] == "sandbox";
    let row = clients.as_array().unwrap().iter().find(confined).unwrap();
    assert_eq!(row["refused"], 9);
    // It is open from the moment of the grant, without coming again; and when that is over the
    // program is let go, with all that it had subscribed to.
    grant(&mut administrator, "sandbox", "reserved", None);
    assert_eq!(program.subscribe("self.bus.client"), "ok");
    assert_eq!(program.ask("bus.clients", &Value::Null), "ok");
    assert_eq!(program.ask("services.disable", &json!({"name": "x"})), "not-granted");
    let revoked = json!({"subject": "sandbox", "right": null});
    let revoked = administrator.ask("bus.grants.revoke", &revoked).unwrap();
    assert_eq!((revoked.as_array().unwrap().len(), &revoked[0]["right"]), (1, &json!("reserved")));
    program.wait_until_let_go();
    let mut program = Sandboxed::start(daemon.place());
    assert_eq!(program.subscribe("self.bus.lag"), "not-granted");
    assert_eq!(grants(&mut administrator), Vec::<Value>::new());
    daemon.stop();
}

#[test]
fn a_grant_for_a_time_ends_by_itself() {
    if !can_unshare() {
        return;
    }
    let (daemon, mut administrator) = real("");
    let mut program = Sandboxed::start(daemon.place());
    assert_eq!(program.subscribe("self.bus.lag"), "not-granted");
    grant(&mut administrator, "sandbox", "reserved", Some(60_000));
    assert_eq!(program.subscribe("self.bus.lag"), "ok");
    // Granted again, it holds as long as was said the last time.
    grant(&mut administrator, "sandbox", "reserved", Some(1));
    program.wait_until_let_go();
    assert!(grants(&mut administrator).is_empty());
    let mut program = Sandboxed::start(daemon.place());
    assert_eq!(program.subscribe("self.bus.client"), "not-granted");
    daemon.stop();
}

#[test]
fn a_sandboxed_program_with_the_key_administers() {
    if !can_unshare() {
        return;
    }
    let (daemon, _administrator) = real("");
    let mut program = Sandboxed::start(daemon.place());
    let key = std::fs::read_to_string(daemon.place().state().join("administration.key")).unwrap();
    let greeted = program.say(json!({"op": "hello", "token": key.trim_end()}));
    assert_eq!(code(&greeted), "ok");
    assert_eq!(program.subscribe("self.>"), "ok");
    assert_eq!(program.ask("bus.grants.list", &Value::Null), "ok");
    daemon.stop();
}

/// Where the daemon is confined itself, it can't tell.
#[test]
fn a_service_is_no_sandboxed_program() {
    if !require("python3") {
        return;
    }
    let mut host = Kind::Python.start(&then("answer"), "");
    host.administrator.wait_for("probe", "running");
    let clients = host.administrator.ask("bus.clients", &Value::Null).unwrap();
    assert!(clients.as_array().unwrap().iter().all(|client| client["confined"].is_null()));
}

#[test]
fn a_program_may_be_let_administer_by_its_file() {
    if !require("python3") {
        return;
    }
    let (daemon, mut administrator) = real(&Kind::Python.configuration(&then("answer"), ""));
    let mut program = Sandboxed::unconfined(daemon.place());
    let disable = json!({"name": "probe"});
    assert_eq!(program.ask("services.disable", &disable), "not-granted");
    let file = std::fs::read_link(format!("/proc/{}/exe", program.process.id())).unwrap();
    let subject = format!("exe:{}", file.display());
    grant(&mut administrator, &subject, "administer", Some(60_000));
    assert_eq!(program.ask("services.disable", &disable), "ok");
    // To this program, and no other.
    let mut own = Administrator::program(daemon.place());
    assert_eq!(own.change("services.disable", "probe").unwrap_err().0, "not-granted");
    assert_eq!(grants(&mut administrator).len(), 1);
    administrator.ask("bus.grants.revoke", &json!({"subject": subject})).unwrap();
    assert_eq!(program.ask("services.disable", &disable), "not-granted");
    daemon.stop();
}

#[test]
fn grants_are_kept_and_end_while_the_daemon_is_away() {
    let (daemon, mut administrator) = real("");
    let place = daemon.place().clone();
    grant(&mut administrator, "flatpak:org.example.App", "reserved", None);
    grant(&mut administrator, "snap:hello", "administer", Some(100_000));
    grant(&mut administrator, "sandbox", "reserved", Some(1));
    daemon.kill();
    let (daemon, mut administrator) = super::real_at(&place);
    let kept: Vec<_> =
        grants(&mut administrator).into_iter().map(|mut grant| grant["subject"].take()).collect();
    assert_eq!(kept, ["flatpak:org.example.App", "snap:hello"]);
    daemon.stop();
}

#[test]
fn what_nobody_is_can_not_be_granted() {
    let mut host = Host::new("");
    for (grant, said) in [
        (json!({"subject": "me", "right": "reserved"}), "is nobody"),
        (json!({"subject": "exe:relative", "right": "reserved"}), "is nobody"),
        (json!({"subject": "sandbox", "right": "all"}), "unknown variant `all`"),
        (json!({"subject": "sandbox"}), "missing field `right`"),
        (json!({"subject": "sandbox", "right": "reserved", "for_ms": 0}), "1 ms"),
        (json!({"subject": "sandbox", "right": "reserved", "x": 0}), "unknown field `x`"),
    ] {
        let refused = host.administrator.ask("bus.grants.add", &grant).unwrap_err();
        assert_eq!(refused.0, "bad-field", "{grant}");
        assert!(refused.1.contains(said), "{}", refused.1);
    }
    let nothing = host.administrator.ask("bus.grants.revoke", &json!({"subject": "snap:x"}));
    assert_eq!(nothing.unwrap(), json!([]));
}
