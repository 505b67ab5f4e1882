#!/usr/bin/env python3
"""A service that does one thing wrong, which its first argument names; none, without one."""

import json
import os
import socket
import sys
import time

fault = sys.argv[1] if len(sys.argv) > 1 else "none"
name = os.environ["KITH_SERVICE"]
if fault == "never-connects":
    sys.exit("no bus for me")


def connect():
    bus = socket.socket(socket.AF_UNIX)
    bus.connect(os.environ["KITH_SOCKET"])
    return bus, bus.makefile("r", encoding="utf-8", newline="\n")


bus, lines = connect()


def say(op, **fields):
    try:
        bus.sendall(json.dumps({"op": op, **fields}).encode() + b"\n")
    except OSError:
        pass  # the bus has gone, as the next line tells


def greet():
    token = "wrong" if fault == "wrong-token" else os.environ["KITH_TOKEN"]
    say("hello", id=1, token=token)
    if fault == "no-heartbeat":
        sys.exit(0)
    # The heartbeat last: who has subscribed to it is ready.
    say("sub", id=2, pattern="self.puppet.>")
    say("sub", id=3, pattern=f"self.services.heartbeat.{name}")


greet()
if fault == "asks" or fault == "blocks":
    say("req", id=4, topic="oracle.ask", payload=None, timeout_ms=60_000)
if fault == "blocks":
    for line in lines:
        if json.loads(line)["op"] == "reply":
            break
last_sent_at = 0
while True:
    try:
        line = lines.readline()
    except OSError:
        line = ""  # it was refused before all that it had said was read
    if not line and fault == "tries-again":
        try:
            bus, lines = connect()
            greet()
        except OSError:
            time.sleep(0.05)
        continue
    if not line:
        break
    event = json.loads(line)
    op, payload = event["op"], event.get("payload")
    if op == "bye" and fault == "no-bye":
        time.sleep(60)
    if op == "bye":
        sys.exit(3 if fault == "bad-end" else 0)
    if op == "err" and fault == "dies-of-err":
        sys.exit(f"refused: {event['text']}")
    if op == "lag" and fault == "dies-of-lag":
        sys.exit("lost")
    if op != "msg":
        continue
    if fault == "dies-of-clock":
        assert event["sent_at"] - last_sent_at < 3_600_000 or not last_sent_at, "time flies"
        last_sent_at = event["sent_at"]
    if event["topic"].startswith("services.heartbeat."):
        if fault != "silent":
            say("pub", topic=event["reply_to"], payload=None)
    elif fault == "dies-of-garbage":
        payload.get("x") if payload else None
    else:
        say("pub", topic="said.something" if fault == "not-asked-for" else "heard.it", payload=1)
