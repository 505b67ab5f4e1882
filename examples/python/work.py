#!/usr/bin/env python3
"""Works off what is stored for it: work.py PATTERN NAME [COUNT]. Ctrl-C ends it.

What matches is stored under NAME until it is acknowledged, also while nobody runs this. Several of
these with one NAME share the work."""

import itertools
import json
import sys

from kith import Bus

if len(sys.argv) not in (3, 4):
    sys.stderr.write(f"{__doc__}\n")
    sys.exit(64)
pattern, name = sys.argv[1:3]
count = int(sys.argv[3]) if len(sys.argv) > 3 else None

with Bus() as bus:
    bus.ask("hello", name="work.py")
    subscription = bus.ask("sub", pattern=pattern, durable=name, since="start")["id"]
    print("working as", name, flush=True)
    try:
        for event in itertools.islice(bus.events(), count):
            # Above 1, somebody may have dealt with it before, and died over it.
            again = f" (attempt {event['attempt']})" if event["attempt"] > 1 else ""
            print(event["topic"], json.dumps(event.get("payload")) + again, flush=True)
            # Only now: if this program is killed before, the message comes again.
            bus.ask("ack", sub=subscription, msg_id=event["msg_id"])
    except KeyboardInterrupt:
        pass
