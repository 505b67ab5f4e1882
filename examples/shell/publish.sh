#!/usr/bin/env bash
# Publishes one message, and shows the daemon's answer:  publish.sh [TOPIC [JSON]]
bus=${KITH_SOCKET:-$XDG_RUNTIME_DIR/kith/bus.sock}
topic=${1:-test.hello}
payload=${2:-'{"text":"hi"}'}

# jq writes the line, so that everything in it is quoted as it has to be.
line=$(jq -nc --arg topic "$topic" --argjson payload "$payload" '{op: "pub", id: 1, topic: $topic, payload: $payload}') &&

# At the end of its input socat closes its half of the connection. The daemon still answers what
# was asked, and then closes the other; `-t 5` is how long socat waits for that.
echo "$line" | socat -t 5 - "UNIX-CONNECT:$bus"
