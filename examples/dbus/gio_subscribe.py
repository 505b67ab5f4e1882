#!/usr/bin/python3
"""Prints what comes, by GLib's D-Bus classes: gio_subscribe.py PATTERN. Ctrl-C ends it.

Subscribes again whenever the daemon is (back) there. A payload of more than 1 MiB comes in a
descriptor, which a handler of signals does not get; a filter does, as in ../window/bus.py."""

import sys

from gi.repository import Gio, GLib

NAME, PATH = "org.kithbus.Bus1", "/org/kithbus/Bus1"
if len(sys.argv) != 2:
    sys.stderr.write(f"{__doc__}\n")
    sys.exit(64)
pattern = sys.argv[1]
bus = Gio.bus_get_sync(Gio.BusType.SESSION)


def on_signal(_bus, _sender, _path, _interface, signal, parameters):
    number, what = parameters.unpack()
    if signal == "Lag":
        print(what, "messages were dropped here: this program is too slow", flush=True)
    elif signal == "Message":
        payload = what.get("payload", "(a large payload)")
        print(what["topic"], payload if isinstance(payload, str) else bytes(payload), flush=True)


def on_appeared(bus, _name, _owner):
    # What `kith status` calls this program. Calls are carried out in their order.
    about = {"name": GLib.Variant("s", "gio_subscribe.py")}
    bus.call(NAME, PATH, NAME, "Hello", GLib.Variant("(a{sv})", (about,)), None,
             Gio.DBusCallFlags.NONE, -1, None, None)
    # With a number of its own choice a program knows it before the first message.
    options = {"subscription": GLib.Variant("u", 1), "retained": GLib.Variant("b", True)}
    bus.call(NAME, PATH, NAME, "Subscribe", GLib.Variant("(sa{sv})", (pattern, options)), None,
             Gio.DBusCallFlags.NONE, -1, None, on_subscribed)


def on_subscribed(bus, result):
    try:
        bus.call_finish(result)
        print("subscribed to", pattern, flush=True)
    except GLib.Error as error:
        # If the daemon went away meanwhile, it is the bus that says so, and this is called again.
        if (Gio.DBusError.get_remote_error(error) or "").startswith("org.kithbus.Error."):
            failures.append(error.message)
            loop.quit()


failures = []
loop = GLib.MainLoop()
bus.signal_subscribe(NAME, NAME, None, PATH, None, Gio.DBusSignalFlags.NONE, on_signal)
Gio.bus_watch_name_on_connection(bus, NAME, Gio.BusNameWatcherFlags.AUTO_START, on_appeared,
                                 lambda *_: print("the daemon is not there", flush=True))
try:
    loop.run()
except KeyboardInterrupt:
    pass
sys.exit(failures[0] if failures else 0)
