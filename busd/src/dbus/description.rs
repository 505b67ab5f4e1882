//! What the object is: its methods, its properties, and the text that describes it.
//!
//! The description is a file as D-Bus tools read it (`org.kithbus.Bus1.xml`), with a sentence for
//! everything; the signatures by which calls are read stand here, and a test holds the two
//! together.

use std::collections::BTreeMap;
use std::path::PathBuf;
use zbus::Variant;

/// The name on the session bus.
pub(super) const NAME: &str = "org.kithbus.Bus1";
/// The object.
pub(super) const PATH: &str = "/org/kithbus/Bus1";
/// Its interface.
pub(super) const INTERFACE: &str = "org.kithbus.Bus1";
/// Those that every object has.
pub(super) const PROPERTIES: &str = "org.freedesktop.DBus.Properties";
pub(super) const INTROSPECTABLE: &str = "org.freedesktop.DBus.Introspectable";
pub(super) const PEER: &str = "org.freedesktop.DBus.Peer";

const XML: &str = include_str!("org.kithbus.Bus1.xml");

const METHODS: [(&str, &str); 9] = [
    ("Ack", "us"),
    ("Bye", ""),
    ("ClearWill", ""),
    ("Hello", "a{sv}"),
    ("Publish", "ssva{sv}"),
    ("Request", "ssva{sv}"),
    ("SetWill", "ssva{sv}"),
    ("Subscribe", "sa{sv}"),
    ("Unsubscribe", "u"),
];

/// What `method` of [`INTERFACE`] takes, if there is such a method.
pub(super) fn signature_of(method: &str) -> Option<&'static str> {
    METHODS.iter().find(|(name, _)| *name == method).map(|(_, signature)| *signature)
}

/// The names of all methods, for who has misspelt one.
pub(super) fn methods() -> String {
    METHODS.map(|(name, _)| name).join(", ")
}

/// What is said about the object at `path`, or about the way to it.
pub(super) fn introspect(path: &str) -> Option<String> {
    if path == PATH {
        return Some(XML.to_owned());
    }
    let below = PATH.strip_prefix(path.trim_end_matches('/'))?.strip_prefix('/')?;
    let child = below.split('/').next()?;
    Some(format!("<node>\n  <node name=\"{child}\"/>\n</node>\n"))
}

/// What the properties tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Facts {
    /// Where the Unix socket is.
    pub(crate) socket: PathBuf,
    /// The largest payload, in bytes.
    pub(crate) payload_bytes_max: usize,
}

impl Facts {
    /// All properties.
    pub(super) fn properties(&self) -> BTreeMap<&'static str, Variant<'_>> {
        // A path is text here: one that isn't is shown as well as it can be.
        let socket = self.socket.to_string_lossy().into_owned();
        BTreeMap::from([
            ("PayloadBytesMax", Variant::from(self.payload_bytes_max as u64)),
            ("Socket", Variant::from(socket)),
            ("Version", Variant::from(env!("CARGO_PKG_VERSION"))),
        ])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The arguments of `direction` in the piece of XML that describes a method.
    fn arguments(method: &str, direction: &str) -> String {
        let lines =
            method.lines().filter(|line| line.contains(&format!("direction=\"{direction}\"")));
        let of = |line: &str| {
            line.split("type=\"").nth(1).unwrap().split('"').next().unwrap().to_owned()
        };
        lines.map(of).collect()
    }

    #[test]
    fn the_description_has_every_method_as_it_is_read() {
        let own = XML.split("</interface>").next().unwrap();
        let described: Vec<_> = own.split("<method name=\"").skip(1).collect();
        assert_eq!(described.len(), METHODS.len());
        for text in described {
            let (name, rest) = text.split_once('"').unwrap();
            let rest = rest.split("</method>").next().unwrap();
            assert_eq!(signature_of(name), Some(&*arguments(rest, "in")), "{name}");
            assert!(rest.contains("DocString"), "{name}");
        }
        let people = XML.split("<interface name=\"org.kithbus.People1\">").nth(1).unwrap();
        let people = people.split("</interface>").next().unwrap();
        let described: Vec<_> = people.split("<method name=\"").skip(1).collect();
        assert_eq!(described.len(), super::super::people::methods().split(", ").count());
        for text in described {
            let (name, rest) = text.split_once('"').unwrap();
            let rest = rest.split("</method>").next().unwrap();
            let signature = super::super::people::signature_of(name);
            assert_eq!(signature, Some(&*arguments(rest, "in")), "{name}");
            assert_eq!(arguments(rest, "out"), "s", "{name}");
        }
        let facts = Facts { socket: PathBuf::new(), payload_bytes_max: 0 };
        for (name, value) in facts.properties() {
            let property =
                format!("<property name=\"{name}\" type=\"{}\"", value.value_signature());
            assert!(own.contains(&property), "{property}");
        }
        assert_eq!(own.matches("<property ").count(), facts.properties().len());
    }

    #[test]
    fn the_way_to_the_object_can_be_walked() {
        for (path, child) in [("/", "org"), ("/org", "kithbus"), ("/org/kithbus", "Bus1")] {
            assert!(
                introspect(path).unwrap().contains(&format!("<node name=\"{child}\"/>")),
                "{path}"
            );
        }
        assert_eq!(introspect(PATH).unwrap(), XML);
        for path in ["/com", "/org/kithbus/Bus1/x", "/or", "/org/kith"] {
            assert_eq!(introspect(path), None, "{path}");
        }
    }
}
