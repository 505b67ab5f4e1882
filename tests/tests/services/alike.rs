//! What a service may is the same however it runs: on a thread of the daemon, as a program in Rust,
//! and in Python without any library of ours.

use super::{Host, Kind, has_ended_well, quiet, then};
use serde_json::{Value, json};

/// What is tried, and the code that it gets.
fn cases() -> Vec<(&'static str, &'static str, Value, &'static str)> {
    let health = |name: &str| json!({"service": name, "state": "ok"});
    let node = json!({"record": "c2lnbmVkIE5vZGVJbmZv", "provenance": "hand"});
    let sent = json!({"transport": "probe", "envelope": "019a5b7e-8c00-7000-8000-000000000001"});
    vec![
        ("pub", "probe.a", json!(1), "ok"),
        ("pub", "probe.a.b", json!({"any": ["thing"]}), "ok"),
        ("pub", "else.a", json!(1), "not-granted"),
        ("pub", "prob", json!(1), "not-granted"),
        ("pub", "services.health", health("probe"), "ok"),
        ("pub", "services.health", health("other"), "not-granted"),
        ("pub", "services.health", json!({"service": "probe"}), "bad-payload"),
        ("pub", "services.health", json!(1), "bad-payload"),
        ("pub", "transports.nodeInfo", node, "ok"),
        ("pub", "envelope.sent", sent, "not-granted"),
        ("pub", "bus.ready", json!({}), "not-granted"),
        ("pub", "services.state", json!({}), "not-granted"),
        ("pub", "people.x", json!({}), "reserved-topic"),
        ("pub", "bus.reply.00000000000000000000000000000001", json!(1), "unknown-request"),
        ("sub", "self.probe.more", Value::Null, "ok"),
        ("sub", "self.probe.more.*", Value::Null, "ok"),
        ("sub", "kith/self.bus.client", Value::Null, "not-granted"),
        ("sub", "self.bus.client", Value::Null, "ok"),
        ("sub", "self.probe", Value::Null, "not-granted"),
        ("sub", "*/self.probe.more", Value::Null, "not-granted"),
        ("sub", "*.probe.more", Value::Null, "not-granted"),
        ("sub", "self.>", Value::Null, "not-granted"),
        ("sub", "self.services.heartbeat.other", Value::Null, "not-granted"),
        ("sub", "self.services.heartbeat.*", Value::Null, "not-granted"),
        ("req", "probe.nobody", json!(1), "no-responders"),
        ("req", "else.a", json!(1), "not-granted"),
        ("req", "bus.stats", Value::Null, "ok"),
        ("req", "services.list", Value::Null, "ok"),
        ("req", "bus.grants.list", Value::Null, "ok"),
        ("req", "services.logs", json!({"name": "probe"}), "ok"),
        ("req", "services.disable", json!({"name": "probe"}), "not-granted"),
        ("req", "services.enable", json!({"name": "probe"}), "not-granted"),
        ("req", "services.restart", json!({"name": "probe"}), "not-granted"),
        (
            "req",
            "bus.grants.add",
            json!({"subject": "sandbox", "right": "reserved"}),
            "not-granted",
        ),
        ("req", "bus.grants.revoke", json!({"subject": "sandbox"}), "not-granted"),
    ]
}

#[test]
fn every_service_is_held_to_the_same() {
    let tries: Vec<_> = cases()
        .into_iter()
        .map(|(op, topic, payload, _)| {
            // A configuration has no word for nothing.
            let payload = if payload.is_null() { json!({}) } else { payload };
            json!([op, topic, payload])
        })
        .collect();
    for kind in Kind::all() {
        let mut host = Host::new(&kind.configuration(&json!({"tries": tries}), ""));
        host.enable("probe");
        let Value::Array(outcomes) = host.administrator.message("probe.tried") else { panic!() };
        assert_eq!(outcomes.len(), cases().len());
        for ((op, topic, payload, wanted), outcome) in cases().iter().zip(&outcomes) {
            assert_eq!(outcome, wanted, "{kind:?}: {op} {topic} {payload}");
        }
        // And each refusal is counted, in the list and with the connection.
        let of_rights = ["not-granted", "bad-payload", "reserved-topic"];
        let refused = cases().iter().filter(|case| of_rights.contains(&case.3)).count();
        let row = host.administrator.row("probe");
        assert_eq!(row["refused"], refused, "{kind:?}");
        let clients = host.administrator.ask("bus.clients", &Value::Null).unwrap();
        let clients = clients.as_array().unwrap();
        let client = clients.iter().find(|client| client["client"] == row["client"]).unwrap();
        assert_eq!((&client["service"], &client["name"]), (&json!("probe"), &json!("probe")));
        assert_eq!(client["refused"], refused);
    }
}

#[test]
fn every_service_is_shown_and_ends_alike() {
    let _quiet = quiet();
    for kind in Kind::all() {
        let mut host = kind.start(&then("answer"), "");
        assert_eq!(host.administrator.turn("probe"), ("running".to_owned(), String::new()));
        let row = host.administrator.row("probe");
        for (field, wanted) in [
            ("state", json!("running")),
            ("kind", json!(if kind == Kind::Inside { "built-in" } else { "external" })),
            ("version", json!("1.0.0")),
            ("about", json!("Does what its settings say")),
            ("publishes", json!(["probe.>"])),
            ("subscribes", json!(["self.probe.>", "self.bus.client"])),
            ("roles", json!([])),
            ("network", json!(false)),
            ("enabled", json!(true)),
            ("restarts", json!(0)),
            ("reason", Value::Null),
        ] {
            assert_eq!(row[field], wanted, "{kind:?}: {field}");
        }
        assert_eq!(row["pid"].is_null(), kind == Kind::Inside);
        assert!(row["client"].is_u64() && row["since"].is_u64());
        host.administrator.message("probe.tried");
        assert_eq!(host.administrator.ask("probe.ask", &json!("x")).unwrap(), json!("x"));
        host.administrator.change("services.disable", "probe").unwrap();
        let turns = [(); 2].map(|()| host.administrator.turn("probe"));
        assert_eq!(turns, ["stopping", "disabled"].map(|state| (state.to_owned(), String::new())));
        assert!(has_ended_well(host.place()), "{kind:?}");
    }
}

#[test]
fn a_restart_is_another_life() {
    for kind in Kind::all() {
        let mut host = kind.start(&then("answer"), "");
        host.administrator.wait_for("probe", "running");
        let before = host.administrator.row("probe");
        host.administrator.change("services.restart", "probe").unwrap();
        let turns = [(); 3].map(|()| host.administrator.turn("probe").0);
        assert_eq!(turns, ["stopping", "starting", "running"]);
        let after = host.administrator.row("probe");
        assert_ne!(before["client"], after["client"]);
        assert!(before["pid"].is_null() || before["pid"] != after["pid"]);
        assert_eq!(after["restarts"], 0, "nothing went wrong");
    }
}
