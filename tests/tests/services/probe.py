#!/usr/bin/env python3
"""The tests' service in Python, with nothing but the standard library: tests/src/service.rs is the
same in Rust, and says what it is for. Some things only a process can do: those are here alone."""

import itertools
import json
import os
import signal
import socket
import subprocess
import sys
import time

settings = json.loads(os.environ["KITH_SETTINGS"])
then = settings.get("then", "answer")
numbers = itertools.count(1)
heard = []

if then == "deaf":  # before anything can be told to it
    signal.signal(signal.SIGTERM, signal.SIG_IGN)

bus = socket.socket(socket.AF_UNIX)
bus.connect(os.environ["KITH_SOCKET"])
lines = bus.makefile(encoding="utf-8", newline="\n")


def say(op, **fields):
    number = next(numbers)
    bus.sendall(json.dumps({"op": op, "id": number, **fields}).encode() + b"\n")
    return number


def hear():
    line = lines.readline()
    return json.loads(line) if line else {"op": "bye"}


def answer(number):
    """What comes of an operation: a code, or `ok`."""
    while True:
        event = hear()
        if event.get("id") == number:
            return event.get("code", "ok")
        if event["op"] == "bye":
            raise SystemExit("the bus has ended")
        heard.append(event)


def write(name, text):
    with open(os.path.join(os.environ["KITH_DATA_DIR"], name), "w") as file:
        file.write(text)


if then == "mute":  # it never comes
    time.sleep(1000)
answer(say("hello", token=os.environ["KITH_TOKEN"], name="somebody else"))
heartbeat = say("sub", pattern=f"self.services.heartbeat.{os.environ['KITH_SERVICE']}")
answer(heartbeat)
asked = say("sub", pattern="self.probe.ask")
answer(asked)
outcomes = []
for op, topic, payload in settings.get("tries", []):
    if op == "sub":
        outcomes.append(answer(say("sub", pattern=topic)))
    else:
        outcomes.append(answer(say(op, topic=topic, payload=payload)))
answer(say("pub", topic="probe.tried", payload=outcomes))
print("it does what it was told to", flush=True)

if then == "panic":
    raise RuntimeError("as it was told to")
elif then == "fail":
    sys.exit("as it was told to")
elif then == "fatal":
    sys.exit(78)
elif then == "code":
    sys.exit(settings["code"])
elif then in ("hang", "deaf"):
    while True:
        time.sleep(1000)
elif then == "flood":
    while True:
        bus.sendall(b'{"op":"pub","topic":"probe.flood","payload":"x"}\n' * 100)
elif then == "again":  # another that shows the same token
    second = socket.socket(socket.AF_UNIX)
    second.connect(os.environ["KITH_SOCKET"])
    greeting = {"op": "hello", "id": 1, "token": os.environ["KITH_TOKEN"]}
    second.sendall(json.dumps(greeting).encode() + b"\n")
    answered = json.loads(second.makefile().readline())
    answer(say("pub", topic="probe.again", payload=answered))
elif then == "children":
    child = subprocess.Popen(["sleep", "1000"])
    answer(say("pub", topic="probe.child", payload=child.pid))
elif then == "print":
    sys.stdout.write(settings["text"] * settings["times"] + settings["end"])
    sys.stdout.flush()
    answer(say("pub", topic="probe.printed", payload=None))
elif then == "environment":
    shown = {name: value for name, value in os.environ.items() if name.startswith("KITH_")}
    shown["folder"] = os.getcwd()
    shown["input"] = sys.stdin.read()
    answer(say("pub", topic="probe.environment", payload=shown))
elif then == "health":
    for health in settings["health"]:
        answer(say("pub", topic="services.health", payload=health))

while True:  # until the daemon hangs up
    event = heard.pop(0) if heard else hear()
    if event["op"] == "bye":
        break
    if event["op"] == "msg" and event["sub"] == heartbeat:
        say("pub", topic=event["reply_to"], payload=None)
    elif event["op"] == "msg" and event["sub"] == asked and "reply_to" in event:
        say("pub", topic=event["reply_to"], payload=event["payload"])
write("ended", "well\n")
