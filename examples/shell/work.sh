#!/usr/bin/env bash
# Works off what is stored for it, one message after the other, until Ctrl-C:  work.sh [PATTERN [NAME]]
bus=${KITH_SOCKET:-$XDG_RUNTIME_DIR/kith/bus.sock}
pattern=${1:-self.jobs.>}
name=${2:-worker}

# `durable`: the daemon stores what matches under this name until it is acknowledged, also while
# nobody runs this. `since` is for the first time only.
coproc BUS { socat - "UNIX-CONNECT:$bus"; }
jq -nc --arg pattern "$pattern" --arg name "$name" '{op: "sub", id: 1, pattern: $pattern, durable: $name, since: "start"}' >&"${BUS[1]}"

# The work is to print it. Then it is acknowledged; a message whose work was cut off comes again,
# with an `attempt` above 1.
while read -r line <&"${BUS[0]}"; do jq -er 'if .op == "msg" then "\(.attempt) \(.topic) \(.payload | tojson)" elif .op == "ok" then empty else . end' <<<"$line"; jq -c 'if .op == "msg" then {op: "ack", sub: .sub, msg_id: .msg_id} else empty end' <<<"$line" >&"${BUS[1]}"; done
