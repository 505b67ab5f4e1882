"""The timeline without a screen: what is shown, what is joined, what is let go and counted.

`python3 -m unittest` in this folder runs it; it needs neither GTK nor a bus.
"""

import unittest

from entry import Message, Note, lag
from payload import Payload
from timeline import Timeline, names_daemon_topics


def message(number, topic="a.b", pattern="self.>", text="1", **more):
    patterns = {pattern} if pattern else set()
    return Message(f"id-{number}", topic, Payload("ms", text.encode()), 0,
                   patterns=patterns, **more)


class Screen:
    """What a view shows that does what a `Change` says."""

    def __init__(self, timeline):
        self.timeline, self.shown, self.touched = timeline, [], []

    def draw(self):
        change = self.timeline.take(0)
        self.shown = [] if change.is_reset else self.shown[change.dropped:]
        self.shown += change.appended
        self.touched = change.touched
        assert len(self.shown) == self.timeline.shown_count
        return [getattr(one, "message_id", None) or one.text for one in self.shown]


def scene(patterns=("self.>",), **bounds):
    timeline = Timeline(**bounds)
    timeline.set_filters(patterns)
    return timeline, Screen(timeline)


class Showing(unittest.TestCase):
    def test_entries_come_in_their_order_and_in_one_change(self):
        timeline, screen = scene()
        for number in range(3):
            timeline.add(message(number))
        timeline.add(lag("self.>", 1200, 0))
        timeline.add(message(3))
        expected = ["id-0", "id-1", "id-2", "Missed 1,200 messages here", "id-3"]
        self.assertEqual(screen.draw(), expected)
        change = timeline.take(0)
        self.assertEqual((change.is_reset, change.dropped, change.appended), (False, 0, []))

    def test_a_message_that_comes_twice_is_one_entry(self):
        timeline, screen = scene(("self.>", "self.a.*"))
        timeline.add(message(1))
        self.assertEqual(screen.draw(), ["id-1"])
        timeline.add(message(1, pattern="self.a.*", retained=True))
        self.assertEqual(screen.draw(), ["id-1"])
        self.assertEqual(screen.shown[0].patterns, {"self.>", "self.a.*"})
        self.assertTrue(screen.touched[0].retained)

    def test_what_was_sent_from_here_is_shown_without_a_filter(self):
        timeline, screen = scene(())
        timeline.add(message(1, pattern=None, is_mine=True))
        timeline.add(message(2))
        self.assertEqual(screen.draw(), ["id-1"])

    def test_a_filter_that_goes_hides_and_one_that_comes_back_shows(self):
        timeline, screen = scene(("self.a", "self.b"))
        timeline.add(message(1, "a", "self.a"))
        timeline.add(message(2, "b", "self.b"))
        timeline.add(lag("self.b", 1, 0))
        timeline.add(Note("gone", "The daemon went away", 0))
        timeline.set_filters(["self.a"])
        self.assertEqual(screen.draw(), ["id-1", "The daemon went away"])
        timeline.set_filters(["self.b"])
        self.assertEqual(screen.draw(), ["id-2", "Missed 1 message here", "The daemon went away"])

    def test_the_daemons_topics_are_shown_where_a_filter_names_them(self):
        timeline, screen = scene()
        timeline.add(message(1, "bus.stats"))
        timeline.add(message(2, "busy.bee"))
        self.assertEqual(screen.draw(), ["id-2"])
        timeline.set_filters(["self.>", "self.bus.*"])
        timeline.add(message(1, "bus.stats", "self.bus.*"))
        self.assertEqual(screen.draw(), ["id-1", "id-2"])
        for pattern in ("self.bus.>", "*.bus.*", "ms/self.bus.lag", "*/*.bus.>"):
            self.assertTrue(names_daemon_topics(pattern), pattern)
        for pattern in ("self.>", "*.*.bus", "self.busy", "bt/self.>", ""):
            self.assertFalse(names_daemon_topics(pattern), pattern)

    def test_the_search_looks_at_topics_senders_and_payloads(self):
        timeline, screen = scene()
        timeline.add(message(1, "chess.move", text='{"from":"E2"}'))
        timeline.add(message(2, "lamp.set", text='"on"'))
        for words, found in (("e2", ["id-1"]), (" LAMP ", ["id-2"]), ("local", ["id-1", "id-2"]),
                             ("x", []), ("", ["id-1", "id-2"])):
            timeline.set_search(words)
            self.assertEqual(screen.draw(), found, words)

    def test_clear_forgets_and_what_comes_after_is_shown(self):
        timeline, screen = scene()
        timeline.add(message(1))
        screen.draw()
        timeline.clear()
        self.assertEqual(screen.draw(), [])
        timeline.add(message(1))
        self.assertEqual(screen.draw(), ["id-1"])


class Bounds(unittest.TestCase):
    def test_the_oldest_are_let_go_and_counted(self):
        timeline, screen = scene(entries_max=3)
        for number in range(2):
            timeline.add(message(number))
        screen.draw()
        for number in range(2, 5):
            timeline.add(message(number))
        self.assertEqual(screen.draw(), ["id-2", "id-3", "id-4"])
        self.assertEqual(timeline.let_go_count, 2)
        for number in range(5, 15):
            timeline.add(message(number))
        self.assertEqual(screen.draw(), ["id-12", "id-13", "id-14"])
        self.assertEqual(timeline.let_go_count, 12)

    def test_what_is_hidden_counts_too_and_is_not_dropped_from_the_screen(self):
        timeline, screen = scene(("self.a", "self.b"), entries_max=3)
        timeline.add(message(1, "b", "self.b"))
        timeline.add(message(2, "a", "self.a"))
        timeline.set_filters(["self.a"])
        for number in (3, 4):
            timeline.add(message(number, "a", "self.a"))
        self.assertEqual(screen.draw(), ["id-2", "id-3", "id-4"])

    def test_the_oldest_go_too_where_a_reset_has_not_been_drawn_yet(self):
        timeline, screen = scene(entries_max=2)
        timeline.add(message(1))
        timeline.add(message(2))
        screen.draw()
        timeline.set_search("a")
        timeline.add(message(3))
        self.assertEqual(screen.draw(), ["id-2", "id-3"])

    def test_bytes_are_bounded(self):
        timeline, screen = scene(bytes_max=10)
        for number in range(3):
            timeline.add(message(number, text='"four"'))
        self.assertEqual(screen.draw(), ["id-2"])

    def test_a_pause_lets_entries_wait_and_says_what_it_cost(self):
        timeline, screen = scene(waiting_max=2)
        timeline.pause(True)
        for number in range(5):
            timeline.add(message(number))
        self.assertEqual((screen.draw(), timeline.waiting_count), ([], 2))
        timeline.set_search("nothing like it")
        self.assertEqual(timeline.waiting_count, 0)
        timeline.set_search("")
        timeline.pause(False)
        lost = "3 messages came in the meantime and were let go"
        self.assertEqual(screen.draw(), [lost, "id-3", "id-4"])
        timeline.add(message(0))
        self.assertEqual(screen.draw()[-1], "id-0")

    def test_ten_thousand_are_one_change_and_quick(self):
        timeline, screen = scene()
        for number in range(25_000):
            timeline.add(message(number))
        change = timeline.take(0)
        self.assertLessEqual(len(change.appended), 10_000)
        timeline.set_search("nothing like it")
        self.assertEqual(screen.draw(), [])


if __name__ == "__main__":
    unittest.main()
