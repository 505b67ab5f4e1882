"""What is on the screen and in which order: a pure model, fed with entries, read in batches.

It keeps what came, in the order in which it came, up to a number of entries and of bytes; what is
let go is counted. Of that it shows what some filter of now lets through and the search finds. A
filter that is taken away hides what only it brought; made again, it shows it again.

One message may come several times: by two filters that overlap, as a kept value after the daemon
was away, or because this window sent it. It has one entry, known by its id.

A view calls `take` when it wants to draw, and gets all that has happened since as one `Change`: a
thousand messages cost it one. While it is paused new entries wait, in a list with a bound.

The daemon's own topics (`bus.…`) come by `self.>` like all others and would fill the screen with
counters; so a filter shows them only if it names them, as `self.bus.>` does.

Deliberately absent: GTK, D-Bus and the clock. `test_timeline.py` needs none of them.
"""

from collections import deque
from dataclasses import dataclass, field

from entry import Message, Note
from limits import ENTRIES_MAX, KEPT_BYTES_MAX, WAITING_MAX


@dataclass
class Change:
    """What a view has to do: drop so many entries at the front (or all), append these, and draw
    those again that are `touched`."""

    is_reset: bool = False
    dropped: int = 0
    appended: list = field(default_factory=list)
    touched: list = field(default_factory=list)


def names_daemon_topics(pattern):
    """Whether a filter's topic begins with the word that the daemon's own topics begin with."""
    protocol, slash, rest = pattern.partition("/")
    if not slash or "." in protocol:
        rest = pattern
    return rest.partition(".")[2].split(".")[0] == "bus"


class Timeline:
    """The entries, and which of them are shown."""

    def __init__(self, entries_max=ENTRIES_MAX, bytes_max=KEPT_BYTES_MAX, waiting_max=WAITING_MAX):
        self._entries_max, self._bytes_max = entries_max, bytes_max
        self._waiting_max = waiting_max
        self._entries = deque()
        self._bytes = 0
        self._by_id = {}
        self._live = {}  # pattern: whether it names the daemon's topics
        self._search = ""
        self._waiting = deque()
        self._lost_waiting = 0
        self._change = Change()
        self.is_paused = False
        self.shown_count = 0
        #: Entries that were let go to stay within the bounds.
        self.let_go_count = 0

    @property
    def waiting_count(self):
        """How many entries will be shown when the pause ends."""
        return sum(self._is_shown(entry) for entry in self._waiting)

    def set_filters(self, patterns):
        """Shows what comes by these filters, now and from now on."""
        self._live = {pattern: names_daemon_topics(pattern) for pattern in patterns}
        self._reset()

    def set_search(self, words):
        """Shows only what these words stand in."""
        self._search = words.strip().lower()
        self._reset()

    def add(self, entry):
        """Appends an entry, or joins it to the one that is there already."""
        known = self._by_id.get(entry.message_id) if isinstance(entry, Message) else None
        if known is not None:
            self._join(known, entry)
            return
        if isinstance(entry, Message):
            self._by_id[entry.message_id] = entry
        self._waiting.append(entry)
        if len(self._waiting) > self._waiting_max:
            self._forget(self._waiting.popleft())
            self._lost_waiting += 1

    def touch(self, entry):
        """Has an entry drawn again that somebody has changed."""
        self._change.touched.append(entry)

    def pause(self, is_paused):
        """Lets new entries wait, or shows those that do."""
        self.is_paused = is_paused

    def clear(self):
        """Forgets everything that is on the screen."""
        for entry in self._entries:
            self._forget(entry)
        self._entries.clear()
        self._bytes = 0
        self.let_go_count = 0
        self._reset()

    def take(self, now):
        """What has happened since it was last asked."""
        if not self.is_paused:
            self._show_waiting(now)
        change, self._change = self._change, Change()
        return change

    def _show_waiting(self, now):
        if self._lost_waiting:
            text = f"{self._lost_waiting:,} messages came in the meantime and were let go"
            self._show(Note("dropped", text, now))
            self._lost_waiting = 0
        while self._waiting:
            self._show(self._waiting.popleft())
        while len(self._entries) > self._entries_max or self._bytes > self._bytes_max:
            entry = self._entries.popleft()
            self._bytes -= entry.kept_bytes
            self.let_go_count += 1
            self._forget(entry)
            if self._is_shown(entry):
                self._unshow()

    def _show(self, entry):
        self._entries.append(entry)
        self._bytes += entry.kept_bytes
        if self._is_shown(entry):
            self.shown_count += 1
            self._change.appended.append(entry)

    def _unshow(self):
        """Takes away the first entry of those that are shown: it may be on the screen already, or
        still in the change."""
        self.shown_count -= 1
        on_screen = self.shown_count + 1 - len(self._change.appended)
        if on_screen > 0 and not self._change.is_reset:
            self._change.dropped += 1
        else:
            self._change.appended.pop(0)

    def _forget(self, entry):
        if isinstance(entry, Message):
            self._by_id.pop(entry.message_id, None)

    def _join(self, known, entry):
        was_shown = self._is_shown(known)
        known.patterns |= entry.patterns
        known.is_asked |= entry.is_asked
        known.retained |= entry.retained
        known.reply_to = known.reply_to or entry.reply_to
        self._change.touched.append(known)
        if was_shown != self._is_shown(known):
            self._reset()

    def _is_shown(self, entry):
        if self._search and not entry.has(self._search):
            return False
        if isinstance(entry, Note):
            return not entry.pattern or entry.pattern in self._live
        is_daemons = entry.topic.startswith("bus.")
        return entry.is_mine or any(
            self._live.get(pattern, False) or (pattern in self._live and not is_daemons)
            for pattern in entry.patterns)

    def _reset(self):
        shown = [entry for entry in self._entries if self._is_shown(entry)]
        self.shown_count = len(shown)
        self._change = Change(is_reset=True, appended=shown, touched=self._change.touched)
