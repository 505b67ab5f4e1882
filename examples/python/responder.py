#!/usr/bin/env python3
"""Answers requests: responder.py TOPIC adds up the numbers that it is sent. Ctrl-C ends it.

Several of these share the work: they are one group, in which one gets each request."""

import sys

from kith import Bus, Refused

if len(sys.argv) != 2:
    sys.stderr.write(f"{__doc__}\n")
    sys.exit(64)
topic = sys.argv[1]

with Bus() as bus:
    bus.ask("hello", name="responder.py")
    bus.ask("sub", pattern=f"self.{topic}", group="responders")
    print("answering on", topic, flush=True)
    try:
        for event in bus.events():
            if event["op"] == "lag":
                print(event["count"], "requests were lost: this program is too slow", flush=True)
            elif "reply_to" in event:
                try:
                    answer = {"sum": sum(event["payload"])}
                except TypeError:
                    answer = {"error": "send a list of numbers"}
                try:
                    bus.ask("pub", topic=event["reply_to"], payload=answer)
                except Refused as refused:
                    print("too late:", refused, flush=True)
    except KeyboardInterrupt:
        pass
