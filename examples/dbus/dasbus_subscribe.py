#!/usr/bin/python3
"""Prints what comes, by dasbus: dasbus_subscribe.py PATTERN, kept values first. Ctrl-C ends it."""

import sys

from dasbus.connection import SessionMessageBus
from dasbus.error import DBusError
from dasbus.loop import EventLoop
from dasbus.typing import Bool, Str, get_native, get_variant


def on_message(_number, message):
    message = get_native(message)
    payload = message.get("payload", "(a large payload, in a descriptor)")
    print(message["topic"], payload if isinstance(payload, str) else bytes(payload), flush=True)


def on_lag(_number, count):
    print(count, "messages were dropped here: this program is too slow", flush=True)


if len(sys.argv) != 2:
    sys.stderr.write(f"{__doc__}\n")
    sys.exit(64)
pattern = sys.argv[1]
kith = SessionMessageBus().get_proxy("org.kithbus.Bus1", "/org/kithbus/Bus1")
kith.Message.connect(on_message)
kith.Lag.connect(on_lag)
try:
    kith.Hello({"name": get_variant(Str, "dasbus_subscribe.py")})
    kith.Subscribe(pattern, {"retained": get_variant(Bool, True)})
except DBusError as error:
    sys.exit(f"{error.dbus_name}: {error}")
print("subscribed to", pattern, flush=True)
try:
    EventLoop().run()
except KeyboardInterrupt:
    pass
