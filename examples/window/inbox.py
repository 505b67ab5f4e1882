"""What has come and nobody has looked at yet: bounded in number and in bytes, the oldest go first.

One thread puts in, another takes out all at once. Who puts in gets what had to go for it, and says
how much is missing with it; that is counted until it is taken, so that the place where it is
missing can say so. That place is always before everything that is still here.

Deliberately absent: what a message is. `test_inbox.py` puts in words.
"""

import threading
from collections import deque

from limits import INBOX_BYTES_MAX, INBOX_MESSAGES_MAX


class Inbox:
    """A list between two threads."""

    def __init__(self, messages_max=INBOX_MESSAGES_MAX, bytes_max=INBOX_BYTES_MAX):
        self._messages_max, self._bytes_max = messages_max, bytes_max
        self._messages = deque()  # each with its size
        self._bytes = 0
        #: How many are missing.
        self.let_go = 0
        self._lock = threading.Lock()

    def put(self, message, size):
        """Appends a message, and returns those that have no room any more, with their
        sizes. The newest stays."""
        gone = []
        with self._lock:
            self._messages.append((message, size))
            self._bytes += size
            while len(self._messages) > 1 and (len(self._messages) > self._messages_max
                                               or self._bytes > self._bytes_max):
                gone.append(self._messages.popleft())
                self._bytes -= gone[-1][1]
        return gone

    def count_gone(self, count):
        """Adds to how many are missing."""
        with self._lock:
            self.let_go += count

    def take(self):
        """How many are missing, and then all that are here."""
        with self._lock:
            let_go, messages = self.let_go, self._messages
            self.let_go, self._messages, self._bytes = 0, deque(), 0
        return let_go, [message for message, _ in messages]
