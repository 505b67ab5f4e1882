#!/usr/bin/env bash
# Publishes one message with systemd's busctl, and shows its id:  publish-busctl.sh [TOPIC [JSON]]
topic=${1:-test.hello}
payload=${2:-'{"text":"hi"}'}

# `s "$payload"` is the variant: its type and its value. `0` is the number of options; a kept value
# has one: 1 retain b true
busctl --user call org.kithbus.Bus1 /org/kithbus/Bus1 org.kithbus.Bus1 Publish 'ssva{sv}' "$topic" local s "$payload" 0
