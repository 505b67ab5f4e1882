//! The daemon describes itself: introspection and properties.

use super::{Scene, refused};
use crate::house::markdown::tables;
use crate::session::{Failure, KITH, KITH_PATH, Message, PROPERTIES, SIGNAL, Value};
use kith_wire::limits::PAYLOAD_BYTES_DEFAULT;
use rustix::process::Signal;
use std::collections::BTreeSet;
use std::fs;

on_both_brokers! {
    what_it_says_of_itself_is_what_the_page_says,
    every_object_on_the_way_can_be_looked_at,
    properties_can_be_read,
    properties_can_not_be_set,
    a_reload_that_changes_a_property_is_told,
}

const PAGE: &str = include_str!("../../../docs/dbus.md");
const INTROSPECTABLE: &str = "org.freedesktop.DBus.Introspectable";
const DOCUMENTATION: &str = "org.gtk.GDBus.DocString";

fn introspect(scene: &Scene, path: &str) -> String {
    let call = Message::call(KITH, path, INTROSPECTABLE, "Introspect");
    scene.program().call(call).unwrap()[0].as_text().to_owned()
}

/// One element of XML, without text in it.
struct Element {
    name: String,
    attributes: Vec<(String, String)>,
    children: Vec<Self>,
}

impl Element {
    fn attribute(&self, name: &str) -> &str {
        let found = self.attributes.iter().find(|(key, _)| key == name);
        found.map_or("", |(_, value)| value)
    }

    fn of_kind<'element>(
        &'element self,
        kind: &'element str,
    ) -> impl Iterator<Item = &'element Self> {
        self.children.iter().filter(move |child| child.name == kind)
    }

    /// The arguments in this direction, as the page writes them.
    fn arguments(&self, direction: &str) -> String {
        let wanted = self.of_kind("arg").filter(|one| one.attribute("direction") == direction);
        let shown =
            wanted.map(|one| format!("{} {}", one.attribute("type"), one.attribute("name")));
        shown.collect::<Vec<_>>().join(", ")
    }
}

/// The root of a document that has neither text nor anything unusual.
fn parse(xml: &str) -> Element {
    let mut open = vec![Element { name: String::new(), attributes: vec![], children: vec![] }];
    let mut rest = xml;
    while let Some((between, tag)) = rest.split_once('<') {
        assert!(between.trim().is_empty(), "text: {between}");
        let end = if tag.starts_with("!--") { "-->" } else { ">" };
        let at = tag.match_indices(end).map(|(at, _)| at);
        // One within quotation marks ends nothing.
        let is_outside = |at: &usize| tag[..*at].matches('"').count() % 2 == 0;
        let at = at.into_iter().find(is_outside).unwrap();
        let (tag, behind) = tag.split_at(at);
        rest = &behind[end.len()..];
        if tag.starts_with(['!', '?']) {
            continue;
        }
        if let Some(name) = tag.strip_prefix('/') {
            let closed = open.pop().unwrap();
            assert_eq!(closed.name, name);
            open.last_mut().unwrap().children.push(closed);
            continue;
        }
        let (name, attributes) = tag.split_once(char::is_whitespace).unwrap_or((tag, ""));
        let is_empty = tag.ends_with('/');
        let name = name.trim_end_matches('/').to_owned();
        let mut parts = attributes.trim_end_matches('/').split('"');
        let mut found = Vec::new();
        while let (Some(key), Some(value)) = (parts.next(), parts.next()) {
            found.push((key.trim().trim_end_matches('=').to_owned(), value.to_owned()));
        }
        let element = Element { name, attributes: found, children: vec![] };
        if is_empty {
            open.last_mut().unwrap().children.push(element);
        } else {
            open.push(element);
        }
    }
    assert_eq!(open.len(), 1, "not closed");
    open.pop().unwrap().children.pop().unwrap()
}

/// A method, as the page writes it.
fn as_written(method: &Element) -> String {
    let (name, answer) = (method.attribute("name"), method.arguments("out"));
    let answer = if answer.is_empty() { answer } else { format!(" → ({answer})") };
    format!("{name}({}){answer}", method.arguments("in"))
}

/// What the first cells of the page's table of these say.
fn on_the_page(of: &str) -> BTreeSet<String> {
    let tables = tables(PAGE);
    let table = tables.iter().find(|table| table.begins_with(&[of, "what"])).unwrap();
    table.rows.iter().map(|(_, cells)| cells[0].replace('`', "")).collect()
}

fn what_it_says_of_itself_is_what_the_page_says(broker: crate::session::Broker) {
    let scene = Scene::new(broker);
    let root = parse(&introspect(&scene, KITH_PATH));
    let interface = root.of_kind("interface").find(|one| one.attribute("name") == KITH).unwrap();
    for member in interface.children.iter().filter(|child| child.name != "annotation") {
        let mut said = member.of_kind("annotation");
        let said = said.find(|one| one.attribute("name") == DOCUMENTATION);
        let name = member.attribute("name");
        assert!(said.is_some_and(|text| text.attribute("value").len() > 10), "{name} is silent");
    }
    let methods: BTreeSet<_> = interface.of_kind("method").map(as_written).collect();
    assert_eq!(methods, on_the_page("method"));
    let people = "org.kithbus.People1";
    let people = root.of_kind("interface").find(|one| one.attribute("name") == people).unwrap();
    let methods: BTreeSet<_> = people.of_kind("method").map(as_written).collect();
    assert_eq!(methods, on_the_page("method for people"));
    let signal = |one: &Element| format!("{}({})", one.attribute("name"), one.arguments(""));
    let signals: BTreeSet<_> = interface.of_kind("signal").map(signal).collect();
    assert_eq!(signals, on_the_page("signal"));
    let property = |one: &Element| {
        assert_eq!(one.attribute("access"), "read");
        format!("{} {}", one.attribute("name"), one.attribute("type"))
    };
    let properties: BTreeSet<_> = interface.of_kind("property").map(property).collect();
    let page = on_the_page("property").into_iter();
    let page: BTreeSet<_> = page.map(|text| text.trim_end_matches(", constant").into()).collect();
    assert_eq!(properties, page);
    let others: BTreeSet<_> =
        root.of_kind("interface").map(|one| one.attribute("name").to_owned()).collect();
    for standard in [INTROSPECTABLE, PROPERTIES, crate::session::PEER] {
        assert!(others.contains(standard), "{others:?}");
    }
    scene.end();
}

fn every_object_on_the_way_can_be_looked_at(broker: crate::session::Broker) {
    let scene = Scene::new(broker);
    for (path, child) in [("/", "org"), ("/org", "kithbus"), ("/org/kithbus", "Bus1")] {
        let root = parse(&introspect(&scene, path));
        let children: Vec<_> = root.of_kind("node").map(|node| node.attribute("name")).collect();
        assert_eq!(children, [child], "below {path}");
        assert!(root.of_kind("interface").all(|one| one.attribute("name") != KITH));
    }
    scene.end();
}

fn properties_can_be_read(broker: crate::session::Broker) {
    let scene = Scene::new(broker);
    let mut program = scene.program();
    let all = program.property("GetAll", [Value::text(KITH)]).unwrap();
    let expected = [
        ("Version", Value::text(env!("CARGO_PKG_VERSION"))),
        ("Socket", Value::text(scene.daemon.place().socket().to_str().unwrap())),
        ("PayloadBytesMax", Value::U64(PAYLOAD_BYTES_DEFAULT as u64)),
    ];
    let Value::Dict(_, entries) = &all[0] else { panic!("{all:?}") };
    assert_eq!(entries.len(), expected.len());
    for (name, value) in expected {
        assert_eq!(all[0].get(name), Some(&value), "{name}");
        let one = program.property("Get", [Value::text(KITH), Value::text(name)]).unwrap();
        assert_eq!(one, [value.variant()], "{name}");
    }
    let of_none = program.property("GetAll", [Value::text("")]);
    assert!(of_none.is_ok() || is_standard(&of_none.unwrap_err(), "UnknownInterface"));
    scene.end();
}

fn is_standard(failure: &Failure, error: &str) -> bool {
    failure.name == format!("org.freedesktop.DBus.Error.{error}") && !failure.text.is_empty()
}

fn properties_can_not_be_set(broker: crate::session::Broker) {
    let scene = Scene::new(broker);
    let mut program = scene.program();
    let name = |name: &str| [Value::text(KITH), Value::text(name)];
    let [interface, version] = name("Version");
    let value = Value::text("9").variant();
    let set = program.property("Set", [interface, version, value]).unwrap_err();
    assert!(is_standard(&set, "PropertyReadOnly"), "{set:?}");
    let unknown = program.property("Get", name("Colour")).unwrap_err();
    assert!(is_standard(&unknown, "UnknownProperty"), "{unknown:?}");
    let elsewhere = [Value::text("org.example.Other"), Value::text("Version")];
    let unknown = program.property("Get", elsewhere).unwrap_err();
    assert!(is_standard(&unknown, "UnknownInterface"), "{unknown:?}");
    let nothing = program.property("Get", [Value::text(KITH)]).unwrap_err();
    assert!(is_standard(&nothing, "InvalidArgs"), "{nothing:?}");
    scene.end();
}

fn a_reload_that_changes_a_property_is_told(broker: crate::session::Broker) {
    let scene = Scene::new(broker);
    let mut program = scene.program();
    let rule = format!("type='signal',sender='{KITH}',interface='{PROPERTIES}'");
    program.ask_broker("AddMatch", [Value::Text(rule)]);
    let file = scene.daemon.place().path().join("config.toml");
    fs::write(file, "limits.payload_bytes_max = '64 KiB'").unwrap();
    scene.daemon.process().signal(Signal::HUP);
    let told = program.next_of(|message| message.is(SIGNAL, PROPERTIES, "PropertiesChanged"));
    let changed = Value::options([("PayloadBytesMax", Value::U64(65_536))]);
    let nothing = Value::Array("s".to_owned(), vec![]);
    assert_eq!(told.message.body, [Value::text(KITH), changed, nothing]);
    let all = program.property("GetAll", [Value::text(KITH)]).unwrap();
    assert_eq!(all[0].get("PayloadBytesMax"), Some(&Value::U64(65_536)));
    let large = Value::text(format!("\"{}\"", "x".repeat(65_536)));
    refused(program.try_publish("a", large, vec![]), kith_wire::Code::TooLarge);
    scene.end();
}
