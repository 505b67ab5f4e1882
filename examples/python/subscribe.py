#!/usr/bin/env python3
"""Prints what comes: subscribe.py PATTERN [COUNT], kept values first. Ctrl-C ends it."""

import itertools
import json
import sys

from kith import Bus

if len(sys.argv) not in (2, 3):
    sys.stderr.write(f"{__doc__}\n")
    sys.exit(64)
pattern = sys.argv[1]
count = int(sys.argv[2]) if len(sys.argv) > 2 else None

with Bus() as bus:
    bus.ask("hello", name="subscribe.py")
    bus.ask("sub", pattern=pattern, retained=True)
    print("subscribed to", pattern, flush=True)
    try:
        for event in itertools.islice(bus.events(), count):
            if event["op"] == "lag":
                lost = "messages were dropped here: this program is too slow"
                print(event["count"], lost, flush=True)
            elif "payload" in event:
                print(event["topic"], json.dumps(event["payload"]), flush=True)
            else:
                print(event["topic"], event["protocol"], event["payload_b64"], flush=True)
    except KeyboardInterrupt:
        pass
