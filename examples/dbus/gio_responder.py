#!/usr/bin/python3
"""Answers requests: gio_responder.py TOPIC adds up the numbers that it is sent. Ctrl-C ends it.

Several of these share the work: they are one group, in which one gets each request."""

import json
import sys

from gi.repository import Gio, GLib

NAME, PATH = "org.kithbus.Bus1", "/org/kithbus/Bus1"
if len(sys.argv) != 2:
    sys.stderr.write(f"{__doc__}\n")
    sys.exit(64)
topic = sys.argv[1]
bus = Gio.bus_get_sync(Gio.BusType.SESSION)


def call(method, signature, *arguments):
    return bus.call_sync(NAME, PATH, NAME, method, GLib.Variant(signature, arguments), None,
                         Gio.DBusCallFlags.NONE, -1, None)


def on_message(_bus, _sender, _path, _interface, _signal, parameters):
    _, message = parameters.unpack()
    if "reply_to" not in message:
        return
    try:
        answer = {"sum": sum(json.loads(message["payload"]))}
    except TypeError:
        answer = {"error": "send a list of numbers"}
    try:
        call("Publish", "(ssva{sv})", message["reply_to"], "local",
             GLib.Variant("s", json.dumps(answer)), {})
    except GLib.Error as error:
        print("too late:", error.message, flush=True)


bus.signal_subscribe(NAME, NAME, "Message", PATH, None, Gio.DBusSignalFlags.NONE, on_message)
call("Hello", "(a{sv})", {"name": GLib.Variant("s", "gio_responder.py")})
call("Subscribe", "(sa{sv})", f"self.{topic}", {"group": GLib.Variant("s", "responders")})
print("answering on", topic, flush=True)
try:
    GLib.MainLoop().run()
except KeyboardInterrupt:
    pass
