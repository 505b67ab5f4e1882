"""What this window does on the bus: its filters, what it publishes, what it asks and answers.

Between `Bus`, which knows calls, and `Timeline`, which knows entries. A filter is a subscription
of its pattern. When the daemon comes back all of them are made anew, and the timeline says in its
place that it was gone: what was published meanwhile is not in it.

A filter looks on: it is a `monitor`, which sees requests but is nobody who answers them, so that
opening a window changes nothing for others (a request that nobody serves still fails at once). Who
wants to answer by hand lets the filter take part; then its requests wait for this window.

What is sent from here gets its id here. So it is recognised when it comes back by a filter, and a
request, its reply and its failure are one entry.

Deliberately absent: widgets, and keeping the filters for the next start: they are arguments.
"""

import time
from dataclasses import dataclass

from gi.repository import GObject

from bus import Bus, new_message_id
from entry import Message, Note, Outcome, lag, let_go
from limits import REQUEST_TIMEOUT_MS
from payload import Payload
from timeline import Timeline
from writing import on_one_line


@dataclass(eq=False)
class Filter:
    """A pattern and its subscription."""

    pattern: str
    takes_part: bool = False
    number: int = 0
    is_live: bool = False


def now_ms():
    return time.time_ns() // 1_000_000


class Session(GObject.Object):
    """Says `filters-changed`, and `entries-changed` when the timeline wants to be drawn."""

    __gsignals__ = {
        "filters-changed": (GObject.SignalFlags.RUN_FIRST, None, ()),
        "entries-changed": (GObject.SignalFlags.RUN_FIRST, None, ()),
    }

    def __init__(self, patterns):
        super().__init__()
        self.bus = Bus()
        self.timeline = Timeline()
        self.filters = [Filter(pattern) for pattern in dict.fromkeys(patterns)]
        self._last_number = 0
        self._was_there = False
        self.bus.connect("changed", self._on_bus_changed)
        self.bus.connect("arrived", self._on_arrived)
        self._show_filters()

    # Filters.

    def add_filter(self, pattern, done):
        """Subscribes, and calls `done` with what is wrong, or `None`."""
        if any(one.pattern == pattern for one in self.filters):
            done("There is this filter already")
            return
        new = Filter(pattern)

        def on_answer(problem):
            if problem is None:
                self.filters.append(new)
                self._show_filters()
            done(problem)

        self._subscribe(new, on_answer)

    def remove_filter(self, one):
        """Unsubscribes. What only this filter brought is hidden."""
        self.filters.remove(one)
        if one.is_live:
            self.bus.unsubscribe(one.number, lambda *_: None)
        self._show_filters()

    def let_take_part(self, one, takes_part):
        """Lets a filter answer requests, or only look on: that takes a new subscription."""
        if one.is_live:
            self.bus.unsubscribe(one.number, lambda *_: None)
        one.takes_part = takes_part
        if self.bus.is_there:
            self._subscribe(one, lambda problem: problem and self._drop(one, problem))
        self.emit("filters-changed")

    def _subscribe(self, one, done):
        self._last_number += 1
        number = one.number = self._last_number
        one.is_live = False

        def on_answer(_, refusal):
            if one.number != number:
                return
            one.is_live = refusal is None
            self.emit("filters-changed")
            # Without an answer of the daemon's it is subscribed again when that is back.
            if refusal is None or refusal.is_daemons:
                done(refusal and refusal.text)

        self.bus.subscribe(number, one.pattern, one.takes_part, on_answer)

    def _drop(self, one, problem):
        if one in self.filters:
            self.filters.remove(one)
            self.note("failed", f"{one.pattern}: {problem}")
            self._show_filters()

    def _show_filters(self):
        self.timeline.set_filters([one.pattern for one in self.filters])
        self.emit("filters-changed")
        self.emit("entries-changed")

    # Messages.

    def publish(self, topic, text, is_kept, done):
        """Publishes JSON; `done` gets what is wrong, or `None`."""
        message_id, text = new_message_id(), on_one_line(text)

        def on_answer(_, refusal):
            # The daemon takes a kept value away without telling anybody, and so has no message.
            if refusal is None:
                self._add_mine(Message(message_id, topic, Payload("ms", text.encode()), now_ms()))
            done(refusal and refusal.text)

        self.bus.publish(message_id, topic, text, is_kept, on_answer)

    def request(self, topic, text, done):
        """Asks. The entry is there at once; its outcome changes when there is an answer."""
        text = on_one_line(text)
        began, message_id = now_ms(), new_message_id()
        entry = Message(message_id, topic, Payload("ms", text.encode()), began,
                        outcome=Outcome("waiting"))

        def on_answer(reply, refusal):
            taken = now_ms() - began
            if refusal is None:
                entry.outcome = Outcome("replied", reply.sender, reply.payload, taken)
            else:
                entry.outcome = Outcome("refused", refusal_of_request(refusal), None, taken)
            self._touch(entry)
            done(None)

        self._add_mine(entry)
        self.bus.request(message_id, topic, text, on_answer)

    def reply(self, entry, text):
        """Answers somebody's request; what came of it is shown in its entry."""
        text = on_one_line(text)

        def on_answer(_, refusal):
            if refusal is None:
                entry.reply = Outcome("replied", "you", Payload("ms", text.encode()))
                entry.draft = None
            else:
                entry.reply = Outcome("refused", refusal.text)
            self._touch(entry)

        self.bus.publish(None, entry.reply_to, text, False, on_answer)

    def note(self, kind, text):
        """Puts a line of its own into the timeline."""
        self.timeline.add(Note(kind, text, now_ms()))
        self.emit("entries-changed")

    def _add_mine(self, entry):
        entry.is_mine = True
        self.timeline.add(entry)
        self.emit("entries-changed")

    def _touch(self, entry):
        self.timeline.touch(entry)
        self.emit("entries-changed")

    # What the bus says.

    def _on_bus_changed(self, bus):
        if bus.is_there and not self._was_there:
            if self.timeline.shown_count:
                self.note("back", "The daemon is here again")
            for one in self.filters:
                self._subscribe(
                    one, lambda problem, one=one: problem and self._drop(one, problem))
        if self._was_there and not bus.is_there:
            who = "The daemon went away" if bus.has_session else "The session bus ended"
            self.note("gone", f"{who}: what is published now is not shown here")
            for one in self.filters:
                one.is_live = False
            self.emit("filters-changed")
        self._was_there = bus.is_there

    def _on_arrived(self, _bus, events):
        by_number = {one.number: one for one in self.filters}
        for number, what in events:
            one = by_number.get(number)
            if isinstance(what, Message):
                if one is not None:
                    what.patterns.add(one.pattern)
                    what.is_asked = one.takes_part and what.reply_to is not None
                    self.timeline.add(what)
            elif number == 0:
                self.timeline.add(let_go(what, now_ms()))
            elif one is not None:
                self.timeline.add(lag(one.pattern, what, now_ms()))
        self.emit("entries-changed")


def refusal_of_request(refusal):
    """Why there is no reply, in the sentence that one looks for. The card names the topic."""
    known = {"NoResponders": "Nobody subscribes to this",
             "Timeout": f"No reply came within {REQUEST_TIMEOUT_MS // 1000} s",
             "Busy": "Everybody who could answer is busy"}
    return known.get(refusal.code, refusal.text)
