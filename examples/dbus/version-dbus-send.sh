#!/usr/bin/env bash
# Asks for the daemon's version with dbus-send. That is about what it is good for here: it can't
# write an a{sv}, not even an empty one, and most methods take one.
dbus-send --session --print-reply --dest=org.kithbus.Bus1 /org/kithbus/Bus1 org.freedesktop.DBus.Properties.Get string:org.kithbus.Bus1 string:Version
