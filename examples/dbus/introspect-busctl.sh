#!/usr/bin/env bash
# Shows the methods, signals and properties, as the daemon describes them.
busctl --user introspect org.kithbus.Bus1 /org/kithbus/Bus1 org.kithbus.Bus1
