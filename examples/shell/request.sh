#!/usr/bin/env bash
# Asks on a topic, and prints the answer:  request.sh [TOPIC [JSON]]
# Without anybody who answers there it prints the daemon's error, `no-responders`.
bus=${KITH_SOCKET:-$XDG_RUNTIME_DIR/kith/bus.sock}
topic=${1:-bus.clients}
payload=${2:-null}

# As in once.sh; the daemon itself answers on `bus.clients` with the list of connections.
line=$(jq -nc --arg topic "$topic" --argjson payload "$payload" '{op: "req", id: 1, topic: $topic, payload: $payload, timeout_ms: 5000}') && {
    coproc BUS { socat - "UNIX-CONNECT:$bus"; }
    echo "$line" >&"${BUS[1]}"
    jq -nc 'first(inputs | select(.id == 1)) | if .op == "reply" then .payload else "\(.code): \(.text)\n" | halt_error(1) end' <&"${BUS[0]}"
    status=$?
    echo '{"op":"bye"}' >&"${BUS[1]}"
    (exit $status)
}
