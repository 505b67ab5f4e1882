//! What is shown of services.

use super::*;
use crate::show::tests::assert_harmless;

fn services(text: &str) -> Vec<Service> {
    serde_json::from_str(text).unwrap()
}

const SOME: &str = r#"[
    {"name":"echo","state":"running","kind":"built-in","version":"0.1.0","roles":[],
     "publishes":["echo.>"],"subscribes":["self.echo.ask"],"enabled":true,"restarts":0,
     "since":1000,"client":7,"published":30,"delivered":15,"refused":0,"lost":0,"new":1},
    {"name":"weather","state":"waiting","kind":"external","roles":["transport","buffer"],
     "publishes":["a.>","b.>","c.>"],"network":true,"enabled":true,"restarts":2,
     "reason":"ended with exit code 1","retry_at":64000},
    {"name":"broken","state":"failed","kind":"external","enabled":true,"restarts":3,
     "reason":"did not subscribe to its heartbeat within 10 s"},
    {"name":"greedy","state":"refused","kind":"external","version":null,"about":null,
     "reason":"greedy.toml:3:1: what\n 3 | x\n   | ^"},
    {"name":"hello","state":"not-built","kind":"built-in","feature":"service-hello",
     "reason":"it was not built"}]"#;

#[test]
fn the_table_says_how_each_is_and_what_to_do() {
    let services = services(SOME);
    let flows = [Some(Flow { into: 15_000, out: 30_500 })];
    let expected = "  \
NAME     STATE      ROLE               KIND      RESTARTS  IN/s  OUT/s  REFUSED  LOST  GRANTS
  echo     running    -                  built-in         0    15     31        0     0  \
pub echo.>; sub self.echo.ask
  weather  waiting    transport, buffer  external         2     -      -        -     -  \
pub a.>, b.>, +1
  broken   failed     -                  external         3     -      -        -     -  -
  greedy   refused    -                  external         0     -      -        -     -  -
  hello    not-built  -                  built-in         0     -      -        -     -  -

weather: starts again in 2.0s: ended with exit code 1
  what it said: kith services logs weather
broken: failed: did not subscribe to its heartbeat within 10 s
  what it said: kith services logs broken
  start it again: kith services restart broken
greedy: refused
    greedy.toml:3:1: what
     3 | x
       | ^
  what it asks for: kith services list greedy
hello: not built in; cargo's feature `service-hello` builds it
";
    assert_eq!(overview(&services, &flows, 62_000, Paint::plain()), expected);
}

#[test]
fn what_was_granted_is_shown_before_what_is_asked_for() {
    let rights = |publishes: &str, network: bool| {
        format!(r#""publishes":[{publishes}],"network":{network},"roles":[]"#)
    };
    let service = |asks: &str, granted: &str| {
        let text = format!(r#"[{{"name":"a","enabled":true,{asks},"granted":{granted}}}]"#);
        services(&text).remove(0)
    };
    let (less, more) = (rights(r#""a.>""#, false), rights(r#""a.>","b.>""#, false));
    let braced = |rights: &str| format!("{{{rights}}}");
    for (asks, granted, shown, is_granted) in [
        (&more, braced(&less), "pub a.>", false),
        (&less, braced(&more), "pub a.>, b.>", false),
        (&less, braced(&less), "pub a.>", true),
        (&rights(r#""a.>""#, true), braced(&less), "pub a.>", false),
        (&more, "null".to_owned(), "pub a.>, b.>", false),
    ] {
        let service = service(asks, &granted);
        assert_eq!((grants(&service).as_str(), service.is_granted()), (shown, is_granted));
    }
    let disabled = Service { enabled: false, ..service(&less, &braced(&less)) };
    assert!(!disabled.is_granted());
}

#[test]
fn where_none_runs_the_way_to_one_is_told() {
    let text = overview(&services(r#"[{"name":"a","state":"disabled"}]"#), &[], 0, Paint::plain());
    assert!(text.ends_with("\nnone is enabled; to let one run: kith services enable NAME\n"));
    assert!(overview(&[], &[], 0, Paint::plain()).starts_with("there are no services"));
}

#[test]
fn one_is_shown_with_all_that_is_known() {
    let service = services(
        r#"[{"name":"mesh","version":"1.2","about":"Carries \u001b[2J","state":"running",
        "kind":"external","pid":77,"client":9,"since":1000,"roles":["transport","new"],
        "publishes":["mesh.>","x"],"subscribes":["self.envelope.send.mesh"],"network":true,
        "published":1000,"delivered":2,"refused":3,"lost":4,"restarts":1,
        "health":{"state":"degraded","text":"no radio","figures":{"links":1200,"name":"x"}}}]"#,
    );
    let text = everything(&service[0], 62_000, Paint::plain());
    let about = kith_contract::Role::Transport.about();
    let expected = format!(
        "mesh 1.2
Carries \\u001b[2J

  state       running, for 1 min 1 s
  kind        external, process 77, client 9
  roles       transport: {about}
              new
  publishes   mesh.>
              x
  subscribes  self.envelope.send.mesh
  touches     the network, it says
  messages    2 in, 1,000 out, 3 refused, 4 lost
  restarts    1
  health      degraded: no radio
              links  1,200
              name  \"x\"
"
    );
    assert_eq!(text, expected);
}

#[test]
fn what_a_service_says_is_harmless() {
    let nasty = r"\u001b]0;x\u0007\u202e";
    let text = format!(
        r#"[{{"name":"{nasty}","state":"{nasty}","kind":"{nasty}","version":"{nasty}",
        "about":"{nasty}","roles":["{nasty}"],"publishes":["{nasty}"],"subscribes":["{nasty}"],
        "feature":"{nasty}","health":{{"state":"{nasty}","text":"{nasty}",
        "figures":{{"{nasty}":"{nasty}"}}}},"reason":"{nasty}\n{nasty}"}}]"#
    );
    let mut services = services(&text);
    for state in ["failed", "refused", "waiting", "not-built", "running"] {
        services[0].state = state.to_owned();
        let shown = overview(&services, &[], 0, Paint::new(true));
        shown.lines().for_each(assert_harmless);
        let shown = everything(&services[0], 0, Paint::new(true));
        shown.lines().for_each(assert_harmless);
    }
}

#[test]
fn a_flow_is_of_one_connection() {
    let before = services(
        r#"[{"name":"a","client":1,"published":10,"delivered":100},{"name":"b","client":2}]"#,
    );
    let after = services(
        r#"[{"name":"a","client":1,"published":20,"delivered":101},{"name":"b","client":3},
            {"name":"c","client":4}]"#,
    );
    let flows: Vec<_> = after.iter().map(|one| Flow::between(&before, one, 500)).collect();
    assert_eq!(flows, [Some(Flow { into: 2_000, out: 20_000 }), None, None]);
}
