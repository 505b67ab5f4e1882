#!/usr/bin/python3
"""Publishes one message with dasbus: dasbus_publish.py TOPIC JSON [--retain]"""

import sys

from dasbus.connection import SessionMessageBus
from dasbus.error import DBusError
from dasbus.typing import Bool, Str, get_variant

if len(sys.argv) < 3 or sys.argv[3:] not in ([], ["--retain"]):
    sys.stderr.write(f"{__doc__}\n")
    sys.exit(64)
topic, payload, *more = sys.argv[1:]
options = {"retain": get_variant(Bool, True)} if more == ["--retain"] else {}
kith = SessionMessageBus().get_proxy("org.kithbus.Bus1", "/org/kithbus/Bus1")
try:
    print("published as", kith.Publish(topic, "local", get_variant(Str, payload), options))
except DBusError as error:
    sys.exit(f"{error.dbus_name}: {error}")
