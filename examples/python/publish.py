#!/usr/bin/env python3
"""Publishes one message: publish.py TOPIC JSON [--retain]"""

import json
import sys

from kith import Bus

if len(sys.argv) < 3 or sys.argv[3:] not in ([], ["--retain"]):
    sys.stderr.write(f"{__doc__}\n")
    sys.exit(64)
topic, payload, *options = sys.argv[1:]
fields = {"retain": True} if options == ["--retain"] else {}
with Bus() as bus:
    answer = bus.ask("pub", topic=topic, payload=json.loads(payload), **fields)
print("published as", answer["msg_id"])
