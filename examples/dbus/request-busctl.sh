#!/usr/bin/env bash
# Asks on a topic with busctl, and prints the answer:  request-busctl.sh [TOPIC [JSON]]
# Without anybody who answers there it prints the daemon's error.
topic=${1:-bus.clients}
payload=${2:-null}

# The answer comes as {"type":"v","data":[{"type":"s","data":"TEXT"}]}, and the text is JSON itself.
busctl --user --json=short call org.kithbus.Bus1 /org/kithbus/Bus1 org.kithbus.Bus1 Request 'ssva{sv}' "$topic" local s "$payload" 1 timeout_ms u 5000 | jq -r '.data[0].data'
(exit "${PIPESTATUS[0]}")
