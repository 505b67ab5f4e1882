#!/usr/bin/env python3
"""A bad service, to see what the daemon and `kith services test` do about one.

It never answers a heartbeat, dies when messages were lost, publishes what it may not, and takes no
notice of a goodbye or of SIGTERM. Its manifest is bad.toml beside it."""

import json
import os
import signal
import socket
import sys
import time

if "KITH_TOKEN" not in os.environ:
    sys.exit(f"{__doc__}\nTry it: kith services test {sys.argv[0]}")

signal.signal(signal.SIGTERM, signal.SIG_IGN)
bus = socket.socket(socket.AF_UNIX)
bus.connect(os.environ["KITH_SOCKET"])
lines = bus.makefile(encoding="utf-8", newline="\n")


def say(op, **fields):
    bus.sendall(json.dumps({"op": op, **fields}).encode() + b"\n")


say("hello", id=1, token=os.environ["KITH_TOKEN"])
say("sub", id=2, pattern=f"self.services.heartbeat.{os.environ['KITH_SERVICE']}")
say("sub", id=3, pattern="self.bad.>")
say("pub", topic="good.morning", payload="which its manifest does not list")

for line in lines:
    event = json.loads(line)
    if event["op"] == "lag":
        raise SystemExit("messages were lost, and nothing was done about it")
    print(event["op"], event.get("topic", ""), flush=True)

while True:  # the daemon has hung up
    time.sleep(1)
