#!/usr/bin/env python3
"""Publishes one message: publish.py TOPIC JSON [--retain]"""

import json
import sys

from kith import Bus

topic, payload, *options = sys.argv[1:]
fields = {"retain": True} if options == ["--retain"] else {}
with Bus() as bus:
    answer = bus.ask("pub", topic=topic, payload=json.loads(payload), **fields)
print("published as", answer["msg_id"])
