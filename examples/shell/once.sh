#!/usr/bin/env bash
# Waits for one message, prints its payload and ends:  once.sh [PATTERN]
bus=${KITH_SOCKET:-$XDG_RUNTIME_DIR/kith/bus.sock}
pattern=${1:-self.test.>}

# A coprocess is a program at both ends of which the shell sits: it writes to "${BUS[1]}" and
# reads from "${BUS[0]}".
coproc BUS { socat - "UNIX-CONNECT:$bus"; }
jq -nc --arg pattern "$pattern" '{op: "sub", id: 1, pattern: $pattern}' >&"${BUS[1]}"
jq -nc 'first(inputs | select(.op == "msg" or .op == "err")) | if has("payload") then .payload else . end' <&"${BUS[0]}"
echo '{"op":"bye"}' >&"${BUS[1]}"
