#!/usr/bin/env bash
# Shows each message that the daemon delivers to a program on the session bus, until Ctrl-C.
# As with busctl, somebody has to be subscribed. `--profile` makes it one line for each.
dbus-monitor --session "type='signal',interface='org.kithbus.Bus1',member='Message'"
