"""A client of the Kith bus in a few lines: JSON lines over its Unix socket, nothing but the
standard library. Copy it, change it. The protocol is in docs/protocol.md."""

import collections
import json
import os
import socket


class Refused(Exception):
    """The daemon said no: `code` is for programs, the text for people."""

    def __init__(self, event):
        super().__init__(f"{event['code']}: {event['text']}")
        self.code = event["code"]


class Bus:
    """One connection. Leave it with `close`, or in a `with` statement."""

    def __init__(self, path=None):
        path = path or os.environ.get("KITH_SOCKET")
        path = path or os.environ["XDG_RUNTIME_DIR"] + "/kith/bus.sock"
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.connect(path)
        # Only "\n" ends a line: a text may well contain U+2028 and the like.
        self._lines = self._socket.makefile(encoding="utf-8", newline="\n")
        self._number = 0
        self._events = collections.deque()  # came while an answer was waited for

    def ask(self, op, **fields):
        """Says an operation, waits for its answer and returns it."""
        self._number += 1
        number = self._number
        # Not through a file that is also read: writing there drops what was read ahead.
        self._socket.sendall(json.dumps({"op": op, "id": number, **fields}).encode() + b"\n")
        while True:
            event = self._receive()
            if event["op"] == "err" and event.get("id") in (number, None):
                raise Refused(event)
            if event.get("id") == number:
                return event
            self._events.append(event)

    def events(self):
        """Everything else that comes: `msg`, and `lag` where messages had to be dropped."""
        while True:
            event = self._events.popleft() if self._events else self._receive()
            if event["op"] == "err":
                raise Refused(event)
            yield event

    def close(self):
        """Says goodbye, so that a will is not published."""
        self.ask("bye")
        self._socket.close()

    def _receive(self):
        line = self._lines.readline()
        if not line:
            raise ConnectionError("the daemon has closed the connection")
        event = json.loads(line)
        if event["op"] == "bye":
            raise ConnectionError(f"the daemon says goodbye: {event['text']}")
        return event

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if kind is None:
            self.close()
        self._socket.close()
