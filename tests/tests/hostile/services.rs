//! Services that mean no good, and programs that would be services.

use super::{CULPRIT, Scene, TIGHT, TIGHT_BYTES};

use crate::services::{Administrator, Kind, has_ended_well, then, token_of, wait_until_gone};
use kith_tests::require;
use serde_json::{Value, json};

/// A daemon with the tests' service, in Python, and its administrator.
fn scene(settings: &Value, more: &str) -> (Scene, Administrator) {
    let mut scene = Scene::new(&Kind::Python.configuration(settings, more));
    let administrator = Administrator::at(scene.daemon.place());
    scene.talk();
    (scene, administrator)
}

/// Waits until the service is given up, with the neighbours talking; and returns why.
fn given_up(scene: &mut Scene, administrator: &mut Administrator) -> String {
    administrator.change("services.enable", "probe").unwrap();
    loop {
        scene.talk();
        let (state, reason) = administrator.turn("probe");
        if state == "failed" {
            return reason;
        }
    }
}

#[test]
fn a_service_that_floods_is_cut_off_and_given_up() {
    if !require("python3") {
        return;
    }
    let (mut scene, mut administrator) = scene(&then("flood"), "publishes_per_second_max = 2000");
    let reason = given_up(&mut scene, &mut administrator);
    assert!(reason.starts_with("floods the bus: more than 2000 messages a second"), "{reason}");
    assert_eq!(scene.count("cut_off"), 3);
    drop(administrator);
    scene.end(8 << 10);
}

#[test]
fn a_service_that_fails_again_and_again_is_given_up() {
    if !require("python3") {
        return;
    }
    let (mut scene, mut administrator) = scene(&then("panic"), "");
    let reason = given_up(&mut scene, &mut administrator);
    assert!(reason.ends_with("failed 3 times right after its start"), "{reason}");
    drop(administrator);
    scene.end(8 << 10);
}

/// What it has at its end is its queue, which is full.
#[test]
fn a_service_that_reads_nothing_is_ended() {
    if !require("python3") {
        return;
    }
    let configuration = TIGHT.to_owned() + &Kind::Python.configuration(&then("hang"), "");
    let mut scene = Scene::new(&configuration);
    let mut administrator = Administrator::at(scene.daemon.place());
    administrator.change("services.enable", "probe").unwrap();
    administrator.message("probe.tried");
    let pid = administrator.row("probe")["pid"].as_u64().unwrap();
    let payload = json!("x".repeat(30_000));
    for _ in 0..200 {
        administrator.publish("probe.ask", &payload).unwrap();
    }
    scene.talk();
    scene.waiting_bytes(TIGHT_BYTES);
    assert!(administrator.row("probe")["lost"].as_u64() > Some(100));
    let reason = administrator.wait_for("probe", "waiting");
    assert!(reason.starts_with("hangs: "), "{reason}");
    wait_until_gone(pid);
    administrator.change("services.disable", "probe").unwrap();
    while administrator.row("probe")["state"] != "disabled" {
        administrator.wait_for("probe", "disabled");
    }
    assert!(!has_ended_well(scene.daemon.place()));
    drop(administrator);
    scene.end(16 << 10);
}

#[test]
fn a_token_that_is_shown_again_or_guessed_opens_nothing() {
    if !require("python3") {
        return;
    }
    let (mut scene, mut administrator) = scene(&then("answer"), "");
    let place = scene.daemon.place().clone();
    administrator.change("services.enable", "probe").unwrap();
    administrator.message("probe.tried");
    let token = token_of(administrator.row("probe")["pid"].as_u64().unwrap());
    for n in 0..200 {
        let guessed = format!("{n:032x}");
        for (token, said) in [(&token, "used before"), (&guessed, "unknown")] {
            let mut program = Administrator::program(&place);
            let refused = program.greet(token).unwrap_err();
            assert_eq!(refused.0, "bad-token");
            assert!(refused.1.contains(said), "{}", refused.1);
            assert_eq!(program.rest(), [] as [Value; 0], "it is closed");
        }
    }
    scene.talk();
    // As binary frames, the same.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let greeted = runtime.block_on(async {
        let token = kith_client::Token::new(token).unwrap();
        let client = kith_client::Client::builder().token(token).path(place.socket());
        client.connect().await.map(|_| ()).unwrap_err()
    });
    assert!(greeted.to_string().contains("used before"), "{greeted}");
    assert_eq!(scene.count("cut_off"), 401);
    assert_eq!(administrator.row("probe")["state"], "running");
    administrator.change("services.disable", "probe").unwrap();
    administrator.wait_for("probe", "disabled");
    drop(administrator);
    scene.end(8 << 10);
}

#[test]
fn a_service_that_says_what_it_may_not_is_refused_each_time() {
    if !require("python3") {
        return;
    }
    let other = json!({"service": "other", "state": "ok"});
    let tries: Vec<_> = [
        json!(["pub", "services.health", other]),
        json!(["pub", "services.health", {"service": "probe", "state": "ok", "more": 1}]),
        json!(["pub", "services.health", "x".repeat(200)]),
        json!(["pub", "services.state", {"name": "probe", "state": "running"}]),
        json!(["pub", "envelope.received", {}]),
        json!(["pub", "neighbour", 666]),
        json!(["sub", "self.neighbour", {}]),
        json!(["sub", "self.>", {}]),
    ]
    .into_iter()
    .cycle()
    .take(800)
    .collect();
    let (mut scene, mut administrator) = scene(&json!({"tries": tries}), "");
    administrator.subscribe("self.services.health").unwrap();
    administrator.change("services.enable", "probe").unwrap();
    let Value::Array(outcomes) = administrator.message("probe.tried") else { panic!() };
    let codes = ["not-granted", "bad-payload", "bad-payload"];
    let wanted = codes.into_iter().chain(["not-granted"; 5]).cycle().take(800);
    assert!(outcomes.iter().map(|outcome| outcome.as_str().unwrap()).eq(wanted), "{outcomes:?}");
    scene.talk();
    let row = administrator.row("probe");
    assert_eq!((&row["refused"], &row["health"]), (&json!(800), &Value::Null));
    // The log says so the first time, and then each time that it has doubled.
    let log = scene.daemon.process().stderr();
    let said = log.lines().filter(|line| line.contains("WARN") && line.contains("refused: "));
    assert_eq!(said.count(), 10, "{log}");
    administrator.change("services.disable", "probe").unwrap();
    administrator.wait_for("probe", "disabled");
    drop(administrator);
    scene.end(8 << 10);
}

#[test]
fn a_program_that_speaks_for_services_or_the_daemon_is_refused() {
    let mut scene = Scene::new("");
    let mut program = Administrator::program(scene.daemon.place());
    program.subscribe("self.services.>").unwrap();
    for entry in kith_contract::entries() {
        if kith_contract::anyone_may_publish(entry.topic()) {
            continue;
        }
        let topic = format!("{}{}", entry.topic(), if entry.ends_with_name() { "x" } else { "" });
        for payload in [json!({}), json!({"service": "echo", "state": "ok"}), json!(CULPRIT)] {
            assert_eq!(program.publish(&topic, &payload).unwrap_err().0, "reserved-topic");
        }
    }
    scene.talk();
    // What anybody may publish has to be what it should be.
    for payload in [json!({}), json!([]), json!({"record": "!", "provenance": "hand"})] {
        let refused = program.publish("transports.nodeInfo", &payload).unwrap_err();
        assert_eq!(refused.0, "bad-payload");
    }
    drop(program);
    scene.end(8 << 10);
}

#[test]
fn who_asks_for_services_and_grants_and_reads_nothing_has_a_bound() {
    if !require("python3") {
        return;
    }
    let mut scene =
        Scene::new(&(TIGHT.to_owned() + &Kind::Python.configuration(&then("answer"), "")));
    let stream = scene.daemon.dial();
    let asked = b"{\"op\":\"req\",\"id\":1,\"topic\":\"services.list\",\"payload\":null}\n\
                  {\"op\":\"req\",\"id\":2,\"topic\":\"bus.grants.list\",\"payload\":null}\n\
                  {\"op\":\"req\",\"id\":3,\"topic\":\"services.enable\",\"payload\":\
                  {\"name\":\"probe\"}}\n";
    let times = scene.flood(&stream, asked, 1_000_000);
    assert!(times < 100_000, "the daemon goes on reading: {times}");
    scene.waiting_bytes(TIGHT_BYTES);
    drop(stream);
    scene.end(4 * (TIGHT_BYTES >> 10) + (8 << 10));
}

#[test]
fn a_service_that_prints_as_fast_as_it_can_fills_nothing() {
    if !require("python3") {
        return;
    }
    let settings = json!({"then": "print", "text": "x\n", "times": 200_000, "end": ""});
    let (mut scene, mut administrator) = scene(&settings, "");
    administrator.subscribe("self.probe.printed").unwrap();
    administrator.change("services.enable", "probe").unwrap();
    for _ in 0..100 {
        scene.talk();
    }
    administrator.message("probe.printed");
    let log = scene.daemon.process().stderr();
    assert!(log.len() < 1 << 20, "{} bytes of log", log.len());
    administrator.change("services.disable", "probe").unwrap();
    administrator.wait_for("probe", "disabled");
    drop(administrator);
    scene.end(8 << 10);
}
