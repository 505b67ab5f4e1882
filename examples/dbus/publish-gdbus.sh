#!/usr/bin/env bash
# Publishes a dictionary with GLib's gdbus; the daemon makes JSON of it:  publish-gdbus.sh [TOPIC [VALUE]]
topic=${1:-lamp.set}
value=${2:-"{'on': <true>, 'level': <0.5>}"}

# Values are written as GVariant text: <…> is a variant. The last argument are the options.
gdbus call --session --dest org.kithbus.Bus1 --object-path /org/kithbus/Bus1 --method org.kithbus.Bus1.Publish "$topic" local "<$value>" "{'retain': <true>}"
