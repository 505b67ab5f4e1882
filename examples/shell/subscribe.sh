#!/usr/bin/env bash
# Prints the payload of every message that matches, until Ctrl-C:  subscribe.sh [PATTERN]
bus=${KITH_SOCKET:-$XDG_RUNTIME_DIR/kith/bus.sock}
pattern=${1:-self.test.>}

# `ignoreeof`: there is nothing more to say, but the connection has to stay open both ways, since a
# client that closes its half is one that wants to leave.
line=$(jq -nc --arg pattern "$pattern" '{op: "sub", id: 1, pattern: $pattern}')
echo "$line" | socat -,ignoreeof "UNIX-CONNECT:$bus" | jq --unbuffered -c 'if .op == "msg" then (if has("payload") then .payload else .payload_b64 end) elif .op == "ok" then empty else . end'
