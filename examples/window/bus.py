"""The bus as this window sees it: one connection to the session bus, and Kith's calls on it.

`Bus` knows three states and says `changed` when it goes from one to another: there is no session
bus, there is one without the daemon, or the daemon is there. It watches the daemon's name, so it
notices at once that the daemon went away or came; whoever uses it subscribes anew then, since
subscriptions end with the daemon.

Messages are taken by a filter on the connection and not by `signal_subscribe`, for two reasons. A
filter sees the descriptors of a signal, in which payloads of more than 1 MiB come. And it sees a
message when it is read: so what this window has not come to yet lies in one list with a bound
(`inbox.py`), and is handed on in batches (`arrived`). The filter runs in GLib's own thread and only
appends; what a message says is read of those alone that are shown.

When the session bus ends, or is not there, it is tried again, each time after a longer while.

Calls are named as in the interface; each takes what to call with its answer: `done(answer,
refusal)`, of which one is `None`.

Deliberately absent: GTK, which filters there are, and starting the daemon unasked.
"""

import os
import re
import secrets
import time
import uuid

from gi.repository import Gio, GLib, GObject

from entry import Message
from inbox import Inbox
from limits import (BATCH_MS, CALL_TIMEOUT_MS, FLOOD_BATCH_MAX, PAYLOAD_KEPT_BYTES_MAX,
                    PUT_OFF_MAX, REQUEST_TIMEOUT_MS, RETRY_FIRST_MS, RETRY_LAST_MS)
from payload import Payload

NAME = INTERFACE = "org.kithbus.Bus1"
PATH = "/org/kithbus/Bus1"
#: A `Lag` is two numbers. A `Message` is always longer.
LAG_BYTES = 8
DBUS = ("org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus")


class Refusal:
    """Why a call was not carried out: a name for programs and a sentence for people."""

    def __init__(self, error):
        self.name = Gio.DBusError.get_remote_error(error) or ""
        text = re.sub(r"^GDBus\.Error:[\w.]+: ", "", error.message)
        # What a terminal shows between backticks stands between quotes in a window.
        self.text = re.sub("`([^`]*)`", "“\\1”", text)
        self.code = self.name.rpartition(".")[2]
        #: If not, the daemon is away, or went away before it answered.
        self.is_daemons = self.name.startswith("org.kithbus.Error.")


class Bus(GObject.Object):
    """The session bus, the daemon on it, and what comes from there."""

    __gsignals__ = {
        "changed": (GObject.SignalFlags.RUN_FIRST, None, ()),
        #: A list of (subscription, `Message` or the number of those that were dropped); where
        #: there was no room in this window the subscription is 0.
        "arrived": (GObject.SignalFlags.RUN_FIRST, None, (object,)),
    }

    def __init__(self):
        super().__init__()
        self.has_session = self.had_session = self.is_there = self.can_start = False
        self.version = self.session_problem = ""
        self._connection = None
        self._owner = None
        self._watch = 0
        self._inbox = Inbox()
        self._is_drawing = False
        self._let_go = self._put_off = 0
        self._retry, self._retry_ms = 0, RETRY_FIRST_MS

    def open(self):
        """Connects to the session bus, where that has not been done or has ended."""
        if self._retry:
            GLib.source_remove(self._retry)
            self._retry = 0
        try:
            address = Gio.dbus_address_get_for_bus_sync(Gio.BusType.SESSION, None)
            flags = (Gio.DBusConnectionFlags.AUTHENTICATION_CLIENT
                     | Gio.DBusConnectionFlags.MESSAGE_BUS_CONNECTION)
            self._connection = Gio.DBusConnection.new_for_address_sync(address, flags, None, None)
        except GLib.Error as error:
            self.session_problem = error.message
            self._open_later()
            self.emit("changed")
            return
        self.has_session = self.had_session = True
        self._retry_ms = RETRY_FIRST_MS
        self._connection.connect("closed", self._on_closed)
        self._connection.add_filter(self._on_read)
        self._watch = Gio.bus_watch_name_on_connection(
            self._connection, NAME, Gio.BusNameWatcherFlags.NONE, self._on_appeared,
            self._on_vanished)

    def _open_later(self):
        def on_time():
            self._retry = 0
            self.open()
            return GLib.SOURCE_REMOVE

        self._retry = GLib.timeout_add(self._retry_ms, on_time)
        self._retry_ms = min(2 * self._retry_ms, RETRY_LAST_MS)

    # The calls.

    def start(self, done):
        """Asks the session bus to start the daemon."""
        self._call_at(DBUS, "StartServiceByName", GLib.Variant("(su)", (NAME, 0)), done)

    def subscribe(self, number, pattern, takes_part, done):
        """Subscribes under this number: as one who looks on, or takes part."""
        options = {"subscription": GLib.Variant("u", number), "retained": GLib.Variant("b", True)}
        if not takes_part:
            options["monitor"] = GLib.Variant("b", True)
        self._call("Subscribe", GLib.Variant("(sa{sv})", (pattern, options)), done)

    def unsubscribe(self, number, done):
        """Ends a subscription."""
        self._call("Unsubscribe", GLib.Variant("(u)", (number,)), done)

    def publish(self, message_id, topic, text, is_kept, done):
        """Publishes JSON, and keeps it as the topic's value if that is wanted."""
        options = {"msg_id": GLib.Variant("s", message_id)} if message_id else {}
        if is_kept:
            options["retain"] = GLib.Variant("b", True)
        self._call("Publish", self._publication(topic, text, options), done)

    def request(self, message_id, topic, text, done):
        """Asks; the answer is the reply, a `Message`."""
        options = {"msg_id": GLib.Variant("s", message_id), "whole": GLib.Variant("b", True),
                   "timeout_ms": GLib.Variant("u", REQUEST_TIMEOUT_MS)}

        def on_answer(answer, refusal, descriptors):
            reply = None
            if refusal is None:
                reply = read_message(answer.get_child_value(0).get_variant(), descriptors)
            done(reply, refusal)

        self._call("Request", self._publication(topic, text, options), on_answer, True)

    @staticmethod
    def _publication(topic, text, options):
        return GLib.Variant("(ssva{sv})", (topic, "local", GLib.Variant("s", text), options))

    def _call(self, method, parameters, done, with_descriptors=False):
        self._call_at((NAME, PATH, INTERFACE), method, parameters, done, with_descriptors)

    def _call_at(self, place, method, parameters, done, with_descriptors=False):
        def on_answer(connection, result):
            answer = refusal = descriptors = None
            try:
                answer, descriptors = connection.call_with_unix_fd_list_finish(result)
            except GLib.Error as error:
                refusal = Refusal(error)
            if with_descriptors:
                done(answer, refusal, descriptors)
            else:
                done(answer, refusal)

        self._connection.call_with_unix_fd_list(
            *place, method, parameters, None, Gio.DBusCallFlags.NO_AUTO_START, CALL_TIMEOUT_MS,
            None, None, on_answer)

    # What happens.

    def _on_closed(self, *_):
        Gio.bus_unwatch_name(self._watch)
        self.has_session = False
        self.session_problem = "The session bus has ended."
        self._open_later()
        self._on_vanished()

    def _on_appeared(self, _connection, _name, owner):
        self._owner = owner

        def on_hello(answer, refusal):
            if self._owner == owner and refusal is None:
                self.version = answer.unpack()[0].get("version", "")
                self.is_there = True
                self.emit("changed")

        about = {"name": GLib.Variant("s", "window")}
        self._call("Hello", GLib.Variant("(a{sv})", (about,)), on_hello)

    def _on_vanished(self, *_):
        self._owner, self.is_there, self.can_start = None, False, False
        self.emit("changed")
        if not self.has_session:
            return

        def on_names(answer, refusal):
            self.can_start = refusal is None and NAME in answer.unpack()[0]
            self.emit("changed")

        self._call_at(DBUS, "ListActivatableNames", None, on_names)

    def _on_read(self, _connection, message, is_incoming, *_):
        """In GLib's thread: takes what is the daemon's, and lets everything else pass."""
        is_ours = (is_incoming and message.get_interface() == INTERFACE
                   and message.get_sender() == self._owner)
        if not is_ours:
            return message
        # Each call costs, and in a flood there are ten thousand a second of each.
        size = message.get_body().get_size()
        for gone, gone_size in self._inbox.put(message, size):
            self._inbox.count_gone(1 if gone_size > LAG_BYTES else _missing(gone))
        if not self._is_drawing:
            self._is_drawing = True
            GLib.timeout_add(BATCH_MS, self._on_batch)
        return None

    def _on_batch(self):
        let_go = self._inbox.let_go
        is_flooded = let_go != self._let_go
        if is_flooded and self._put_off < PUT_OFF_MAX:
            self._let_go, self._put_off = let_go, self._put_off + 1
            return GLib.SOURCE_CONTINUE
        self._is_drawing = False
        self._let_go = self._put_off = 0
        let_go, messages = self._inbox.take()
        if is_flooded:
            let_go += sum(_missing(message) for message in messages[:-FLOOD_BATCH_MAX])
            messages = messages[-FLOOD_BATCH_MAX:]
        events = [(0, let_go)] if let_go else []
        for message in messages:
            body, descriptors = message.get_body(), message.get_unix_fd_list()
            if message.get_member() == "Message":
                number = body.get_child_value(0).get_uint32()
                events.append((number, read_message(body.get_child_value(1), descriptors)))
            elif message.get_member() == "Lag":
                events.append(body.unpack())
            else:
                _close_all(descriptors)
        if events:
            self.emit("arrived", events)
        return GLib.SOURCE_REMOVE


def _missing(signal):
    """How many messages are not seen if this signal is let go. GLib closes what is in it."""
    member = signal.get_member()
    if member == "Lag":
        return signal.get_body().unpack()[1]
    return 1 if member == "Message" else 0


def read_message(fields, descriptors):
    """A `Message` of the `a{sv}` in which it came."""
    plain, payload = {}, b""
    for at in range(fields.n_children()):
        pair = fields.get_child_value(at)
        name, value = pair.get_child_value(0).get_string(), pair.get_child_value(1).get_variant()
        if name == "payload":
            is_text = value.is_of_type(GLib.VariantType("s"))
            payload = (value.get_string().encode() if is_text else
                       value.get_data_as_bytes().get_data())
        elif name == "payload_fd":
            payload = None
        else:
            plain[name] = value.unpack()
    protocol = plain.get("protocol", "ms")
    if payload is None:
        payload = _read_descriptors(protocol, descriptors)
    else:
        payload = Payload(protocol, payload or b"")
    return Message(
        plain.get("msg_id", ""), plain.get("topic", ""), payload, plain.get("sent_at", 0),
        plain.get("scope", "self"), plain.get("sender", "local"), protocol,
        plain.get("priority", "normal"), plain.get("reply_to"), plain.get("expires_at"),
        plain.get("retained", False), plain.get("headers", {}))


def _read_descriptors(protocol, descriptors):
    [memory, *more] = descriptors.steal_fds()
    try:
        data = os.pread(memory, PAYLOAD_KEPT_BYTES_MAX, 0)
        return Payload(protocol, data, os.fstat(memory).st_size)
    finally:
        for descriptor in (memory, *more):
            os.close(descriptor)


def _close_all(descriptors):
    for descriptor in descriptors.steal_fds() if descriptors else ():
        os.close(descriptor)


def new_message_id():
    """A UUID version 7, by which this window knows what it sent when it comes back."""
    number = (time.time_ns() // 1_000_000 << 80) | secrets.randbits(80)
    number = number & ~(0xF << 76) | 7 << 76
    return str(uuid.UUID(int=number & ~(3 << 62) | 2 << 62))
