#!/usr/bin/python3
"""Publishes one message with GLib's D-Bus classes: gio_publish.py TOPIC JSON [--retain]"""

import sys

from gi.repository import Gio, GLib

if len(sys.argv) < 3 or sys.argv[3:] not in ([], ["--retain"]):
    sys.stderr.write(f"{__doc__}\n")
    sys.exit(64)
topic, payload, *more = sys.argv[1:]
options = {"retain": GLib.Variant("b", True)} if more == ["--retain"] else {}
bus = Gio.bus_get_sync(Gio.BusType.SESSION)
try:
    answer = bus.call_sync(
        "org.kithbus.Bus1", "/org/kithbus/Bus1", "org.kithbus.Bus1", "Publish",
        GLib.Variant("(ssva{sv})", (topic, "local", GLib.Variant("s", payload), options)),
        GLib.VariantType("(s)"), Gio.DBusCallFlags.NONE, -1, None)
except GLib.Error as error:
    # For programs there is a name, such as org.kithbus.Error.BadTopic.
    name = Gio.DBusError.get_remote_error(error)
    text = error.message.removeprefix(f"GDBus.Error:{name}: ")
    sys.exit(f"{name or 'no session bus, or no daemon'}: {text}")
print("published as", answer.unpack()[0])
