#!/usr/bin/env bash
# Shows what the daemon sends to every program on the session bus, until Ctrl-C.
# It sees only what some program has subscribed to; by itself it subscribes to nothing.
busctl --user monitor --match "type='signal',interface='org.kithbus.Bus1'"
