//! What becomes of a message that comes from the session bus.
//!
//! Only calls of the bus's own methods, and `Ping` of a program that has called before, concern a
//! program's client; whatever else can be asked of an object is answered at once. A function of the
//! message and of what the object is.

use super::description::{
    self, Facts, INTERFACE, INTROSPECTABLE, PATH, PEER, PROPERTIES, signature_of,
};
use super::error::Failure;
use super::message::Slip;
use super::people;
use crate::limits::DBUS_CALL_BYTES_MAX;
use kith_wire::Code;
use std::collections::BTreeMap;
use zbus::message::{Body, Header};
use zbus::{Message, Variant};

/// Where a call goes.
pub(super) enum Route {
    /// To the caller's client.
    Client,
    /// To the caller's client if there is one; else it is answered with nothing.
    Ping,
    /// It is answered already, if the caller wants to know.
    Answered(Option<Message>),
    /// It has failed.
    Failed(Failure),
}

/// The route of a method call. `machine_id` reads the machine's id.
pub(super) fn route(
    call: &Message,
    header: &Header<'_>,
    facts: &Facts,
    machine_id: impl FnOnce() -> Option<String>,
) -> Route {
    let path = header.path().map_or("", |path| path.as_str());
    let member = header.member().map_or("", |member| member.as_str());
    let interface = header.interface().map(|interface| interface.as_str());
    let answer = match interface {
        Some(PEER) => return peer(header, member, machine_id),
        Some(INTROSPECTABLE) => introspect(header, path, member),
        _ if path != PATH => {
            let text = format!("there is no object `{path}`; the bus is `{PATH}`");
            Err(Failure::standard("UnknownObject", text))
        }
        Some(PROPERTIES) => properties(&call.body(), header, member, facts),
        _ if is_method(interface, member) => {
            let (bytes, files) = (call.data().len(), call.data().fds().len());
            if DBUS_CALL_BYTES_MAX < bytes {
                Err(super::call::too_large(bytes))
            } else if files_max(member) < files {
                let text = format!(
                    "{files} descriptors come with this call of `{member}`, which \
                                    takes one with a payload, and none without"
                );
                Err(Failure::new(Code::BadField, text))
            } else {
                return Route::Client;
            }
        }
        Some(people::INTERFACE) => {
            Err(unknown_method(people::INTERFACE, member, &people::methods()))
        }
        Some(INTERFACE) | None => {
            let methods = description::methods();
            let text = format!("`{INTERFACE}` has no method `{member}`; it has {methods}");
            Err(Failure::standard("UnknownMethod", text))
        }
        Some(other) => {
            let text = format!(
                "`{PATH}` has no interface `{other}`; it has `{INTERFACE}` and `{}`",
                people::INTERFACE
            );
            Err(Failure::standard("UnknownInterface", text))
        }
    };
    match answer {
        Ok(answer) => Route::Answered(answer),
        Err(failure) => Route::Failed(failure),
    }
}

/// Whether it is a method for a program's client: of this interface, or of any if none is named.
fn is_method(interface: Option<&str>, member: &str) -> bool {
    let of_bus = || signature_of(member).is_some();
    let of_people = || people::signature_of(member).is_some();
    match interface {
        Some(INTERFACE) => of_bus(),
        Some(people::INTERFACE) => of_people(),
        Some(_) => false,
        None => of_bus() || of_people(),
    }
}

/// Descriptors that a call of this method can use.
fn files_max(method: &str) -> usize {
    usize::from(matches!(method, "Publish" | "Request" | "SetWill"))
}

type Answer = Result<Option<Message>, Failure>;

fn peer(header: &Header<'_>, member: &str, machine_id: impl FnOnce() -> Option<String>) -> Route {
    match member {
        "Ping" => Route::Ping,
        "GetMachineId" => match machine_id() {
            Some(id) => Route::Answered(answer(header, |slip| slip.answer(&id.as_str()))),
            None => Route::Failed(Failure::standard("Failed", "this machine has no machine-id")),
        },
        other => Route::Failed(unknown_method(PEER, other, "Ping, GetMachineId")),
    }
}

fn introspect(header: &Header<'_>, path: &str, member: &str) -> Answer {
    if member != "Introspect" {
        return Err(unknown_method(INTROSPECTABLE, member, "Introspect"));
    }
    let Some(text) = description::introspect(path) else {
        let text = format!("there is nothing at `{path}`; the bus is `{PATH}`");
        return Err(Failure::standard("UnknownObject", text));
    };
    Ok(answer(header, |slip| slip.answer(&text.as_str())))
}

fn properties(body: &Body, header: &Header<'_>, member: &str, facts: &Facts) -> Answer {
    let unreadable = |error: zbus::Error| {
        let text = format!("the arguments can't be read: {error}");
        Failure::standard("InvalidArgs", text)
    };
    match member {
        "Get" => {
            let (interface, name): (&str, &str) = body.deserialize().map_err(unreadable)?;
            check_interface(interface)?;
            let value = facts.properties().remove(name).ok_or_else(|| unknown_property(name))?;
            Ok(answer(header, |slip| slip.answer(&value)))
        }
        "GetAll" => {
            let interface: &str = body.deserialize().map_err(unreadable)?;
            if interface == people::INTERFACE {
                // It has none, and libraries ask all the same.
                let none = BTreeMap::<&str, Variant<'_>>::new();
                return Ok(answer(header, |slip| slip.answer(&none)));
            }
            check_interface(interface)?;
            Ok(answer(header, |slip| slip.answer(&facts.properties())))
        }
        "Set" => {
            let (interface, name, _): (&str, &str, Variant<'_>) =
                body.deserialize().map_err(unreadable)?;
            check_interface(interface)?;
            if !facts.properties().contains_key(name) {
                return Err(unknown_property(name));
            }
            let text = format!("`{name}` can only be read");
            Err(Failure::standard("PropertyReadOnly", text))
        }
        other => Err(unknown_method(PROPERTIES, other, "Get, GetAll, Set")),
    }
}

/// An empty interface is any.
fn check_interface(interface: &str) -> Result<(), Failure> {
    if interface == INTERFACE || interface.is_empty() {
        return Ok(());
    }
    let text = format!("`{PATH}` has no properties of `{interface}`, but of `{INTERFACE}`");
    Err(Failure::standard("UnknownInterface", text))
}

fn unknown_property(name: &str) -> Failure {
    let text = format!("no property `{name}`; there are PayloadBytesMax, Socket, Version");
    Failure::standard("UnknownProperty", text)
}

fn unknown_method(interface: &str, method: &str, methods: &str) -> Failure {
    let text = format!("`{interface}` has no method `{method}`; it has {methods}");
    Failure::standard("UnknownMethod", text)
}

/// An answer, where one is wanted and can be written.
fn answer(
    header: &Header<'_>,
    write: impl FnOnce(&Slip) -> zbus::Result<Message>,
) -> Option<Message> {
    let written = Slip::of(header).map(|slip| write(&slip))?;
    written.inspect_err(|error| tracing::error!(%error, "an answer can't be written")).ok()
}

/// The refusal of a call for which there is no room: of its program's, or of all that wait.
pub(super) fn busy(is_own: bool) -> Failure {
    let text = if is_own {
        "too many calls of this program wait: wait for answers before the next"
    } else {
        "too many calls of all programs on the session bus wait: try again in a moment"
    };
    Failure::new(Code::QuotaMemory, text)
}
