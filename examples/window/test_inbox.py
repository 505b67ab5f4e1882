"""The list between GLib's thread and the window: what stays, what goes, and the count of it.

`python3 -m unittest` in this folder runs it.
"""

import unittest

from inbox import Inbox


class Room(unittest.TestCase):
    def test_all_are_taken_at_once_and_in_their_order(self):
        inbox = Inbox()
        self.assertEqual([inbox.put(word, 1) for word in "abc"], [[], [], []])
        self.assertEqual(inbox.take(), (0, ["a", "b", "c"]))
        self.assertEqual(inbox.take(), (0, []))

    def test_the_oldest_go_first(self):
        inbox = Inbox(messages_max=2)
        for word in "abcd":
            inbox.count_gone(len(inbox.put(word, 1)))
        self.assertEqual(inbox.take(), (2, ["c", "d"]))
        inbox.put("e", 1)
        self.assertEqual(inbox.take(), (0, ["e"]))

    def test_bytes_are_bounded_and_the_newest_stays_whatever_its_size(self):
        inbox = Inbox(bytes_max=10)
        self.assertEqual(inbox.put("a", 4) + inbox.put("b", 4), [])
        self.assertEqual(inbox.put("c", 4), [("a", 4)])
        self.assertEqual(inbox.put("d", 11), [("b", 4), ("c", 4)])
        self.assertEqual(inbox.put("e", 1), [("d", 11)])
        self.assertEqual(inbox.take(), (0, ["e"]))
        self.assertEqual(inbox.put("f", 10), [])


if __name__ == "__main__":
    unittest.main()
