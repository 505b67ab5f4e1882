#!/usr/bin/env python3
"""A service of the Kith bus in Python, with nothing but the standard library.

It greets whoever sends a name to hello.greet, as services/hello does in Rust. Its manifest is
hello.toml beside it. The daemon starts it with all that it needs in its environment:

    [services.hello]
    command = ["./hello.py"]
    [services.hello.settings]
    greeting = "Hello"
"""

import itertools
import json
import os
import socket
import sys

if "KITH_TOKEN" not in os.environ:
    sys.exit(f"{__doc__}\nTry it: kith services test {sys.argv[0]}")

name = os.environ["KITH_SERVICE"]
settings = json.loads(os.environ.get("KITH_SETTINGS") or "null") or {}
greeting = settings.get("greeting", "Hello")

bus = socket.socket(socket.AF_UNIX)
bus.connect(os.environ["KITH_SOCKET"])
lines = bus.makefile(encoding="utf-8", newline="\n")
numbers = itertools.count(1)


def say(op, **fields):
    number = next(numbers)
    bus.sendall(json.dumps({"op": op, "id": number, **fields}).encode() + b"\n")
    return number


say("hello", token=os.environ["KITH_TOKEN"])
heartbeat = say("sub", pattern=f"self.services.heartbeat.{name}")
greet = say("sub", pattern="self.hello.greet")

for line in lines:  # until the daemon hangs up
    event = json.loads(line)
    if event["op"] == "bye":
        break
    elif event["op"] == "err":
        print(event["code"], event["text"], file=sys.stderr, flush=True)
    elif event["op"] == "lag":
        print(event["count"], "messages were lost", file=sys.stderr, flush=True)
    elif event["op"] == "msg" and event["sub"] == heartbeat:
        say("pub", topic=event["reply_to"], payload=None)
    elif event["op"] == "msg" and event["sub"] == greet and isinstance(event["payload"], str):
        if "reply_to" in event:
            say("pub", topic=event["reply_to"], payload=f"{greeting}, {event['payload']}!")
        say("pub", topic="hello.greeted", payload=event["payload"])
