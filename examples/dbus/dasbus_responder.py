#!/usr/bin/python3
"""Answers requests by dasbus: dasbus_responder.py TOPIC turns texts round. Ctrl-C ends it."""

import json
import sys

from dasbus.connection import SessionMessageBus
from dasbus.error import DBusError
from dasbus.loop import EventLoop
from dasbus.typing import Str, get_native, get_variant

if len(sys.argv) != 2:
    sys.stderr.write(f"{__doc__}\n")
    sys.exit(64)
topic = sys.argv[1]
kith = SessionMessageBus().get_proxy("org.kithbus.Bus1", "/org/kithbus/Bus1")


def on_message(_number, message):
    message = get_native(message)
    if "reply_to" not in message:
        return
    text = json.loads(message["payload"])
    answer = text[::-1] if isinstance(text, str) else {"error": "send a text"}
    try:
        kith.Publish(message["reply_to"], "local", get_variant(Str, json.dumps(answer)), {})
    except DBusError as error:
        print("too late:", error, flush=True)


kith.Message.connect(on_message)
kith.Hello({"name": get_variant(Str, "dasbus_responder.py")})
kith.Subscribe(f"self.{topic}", {"group": get_variant(Str, "responders")})
print("answering on", topic, flush=True)
try:
    EventLoop().run()
except KeyboardInterrupt:
    pass
