#!/usr/bin/env bash
# Answers requests with what they say in capitals, until Ctrl-C:  responder.sh [TOPIC]
bus=${KITH_SOCKET:-$XDG_RUNTIME_DIR/kith/bus.sock}
topic=${1:-test.shout}

coproc BUS { socat - "UNIX-CONNECT:$bus"; }
jq -nc --arg pattern "self.$topic" '{op: "sub", id: 1, pattern: $pattern}' >&"${BUS[1]}"

# Each request says in `reply_to` where its answer is to be published.
while read -r line <&"${BUS[0]}"; do jq -c 'if .reply_to then {op: "pub", topic: .reply_to, payload: (.payload | tostring | ascii_upcase)} else empty end' <<<"$line" >&"${BUS[1]}"; done
