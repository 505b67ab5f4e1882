"""Payloads as lines, and what is said of those that are being typed.

`python3 -m unittest` in this folder runs it.
"""

import json
import unittest

from limits import PAYLOAD_KEPT_BYTES_MAX
from payload import Payload, breakable, fold_words, folded, harmless, isolated, size
from writing import EMPTY, on_one_line, payload_problem, topic_problem


def lines(text):
    shown = Payload("ms", text.encode()).lines
    return ["".join(piece for _, piece in line) for line in shown]


class Reading(unittest.TestCase):
    def test_what_is_short_stays_on_one_line(self):
        self.assertEqual(lines('{"a":[1,2.50,null],"b":"x"}'), ['{"a": [1, 2.50, null], "b": "x"}'])
        self.assertEqual(lines(" 1e999 "), ["1e999"])
        self.assertEqual(lines(""), ["empty"])

    def test_what_is_long_is_broken_where_json_is(self):
        value = {"name": "x" * 40, "list": [1, 2, 3], "more": {"deep": "y" * 70, "n": -1.5e3}}
        expected = ["{", '  "name": "' + "x" * 40 + '",', '  "list": [1, 2, 3],', '  "more": {',
                    '    "deep": "' + "y" * 70 + '",', '    "n": -1500.0', "  }", "}"]
        self.assertEqual(lines(json.dumps(value)), expected)
        self.assertEqual(json.loads("".join(lines(json.dumps(value)))), value)

    def test_kinds_tell_keys_from_strings(self):
        [line] = Payload("ms", b'{"a":"b","c":[1,true]}').lines
        kinds = [kind for kind, _ in line]
        expected = ["mark", "key", "mark", "string", "mark", "key", "mark", "mark", "number",
                    "mark", "word", "mark", "mark"]
        self.assertEqual(kinds, expected)

    def test_what_was_cut_off_is_shown_as_far_as_it_goes(self):
        text = json.dumps(["x" * 100] * 1000)
        payload = Payload("ms", text.encode())
        self.assertEqual(len(payload.data), PAYLOAD_KEPT_BYTES_MAX)
        self.assertEqual(payload.lines[-1], [("note", "… the first 64 KiB of 102 KiB")])
        self.assertEqual(payload.size, len(text))

    def test_a_line_is_never_longer_than_a_label_can_take(self):
        [line] = lines(json.dumps("x" * 5_000))
        self.assertTrue(line.endswith(" … 3002 more characters"), line[-40:])

    def test_folding_counts_the_rows_that_a_line_takes(self):
        many = [[("word", str(number))] for number in range(10)]
        self.assertEqual(folded(many, 6), (many[:6], 4))
        self.assertEqual(folded(many, 10), (many, 0))
        long = [[("mark", '"'), ("string", "x" * 1000)], [("word", "end")]]
        self.assertEqual(folded(long, 6), ([[("mark", '"'), ("string", "x" * 575),
                                             ("note", " …")]], 6))

    def test_what_can_be_unfolded_is_said_in_lines(self):
        def words(lines, is_unfolded=False):
            return fold_words(Payload("ms", json.dumps(["x" * 90] * lines).encode()), is_unfolded)

        self.assertIsNone(words(4))
        self.assertEqual((words(7), words(7, True)), ("Show 3 more lines", "Show less"))
        self.assertEqual(words(500), "Show 394 more of 502 lines")
        self.assertEqual(words(500, True), "Show less; 400 of 502 lines are shown")
        many = Payload("ms", json.dumps(list(range(20_000))).encode())
        self.assertEqual(fold_words(many, False), "Show 394 more of about 22,000 lines")
        self.assertEqual(fold_words(Payload("ms", b'"%s"' % (b"x" * 1500)), False), "Show more")

    def test_what_is_written_leftwards_turns_nothing_else_round(self):
        self.assertEqual(isolated("abc"), "abc")
        self.assertEqual(isolated("\u05d0.b"), "\u200e\u2068\u05d0.b\u2069\u200e")
        self.assertEqual(isolated('"\u05d0"'), '"\u200e\u2068\u05d0\u2069\u200e"')

    def test_words_can_be_broken_across_pieces(self):
        line = [("mark", "[" * 20), ("string", '"' + "x" * 10 + " end")]
        shown = breakable(line)
        self.assertEqual(shown[0], line[0])
        self.assertEqual(shown[1], ("string", '"xxx\u200bxxxxxxx end'))

    def test_bytes_are_their_size_and_the_first_of_them(self):
        shown = ["".join(text for _, text in line)
                 for line in Payload("bt", bytes(range(60, 160))).lines]
        self.assertEqual(shown[0], "100 bytes")
        self.assertTrue(shown[1].startswith("0000  3c 3d 3e 3f"), shown[1])
        self.assertTrue(shown[1].endswith("  <=>?@ABCDEFGHIJK"), shown[1])
        self.assertEqual(shown[-1], "… 36 bytes more")

    def test_what_deceives_the_eye_is_escaped(self):
        self.assertEqual(harmless("a\u202eb\x00\U000e0041"), "a\\u202eb\\u0000\\udb40\\udc41")
        self.assertEqual(harmless("ä 🙂 \u200d"), "ä 🙂 \u200d")

    def test_sizes_are_for_people(self):
        for count, text in ((0, "0 bytes"), (1, "1 byte"), (1023, "1023 bytes"), (1024, "1.0 KiB"),
                            (65536, "64 KiB"), (3 << 20, "3.0 MiB"), (5 << 40, "5120 GiB")):
            self.assertEqual(size(count), text)


class Writing(unittest.TestCase):
    def test_json_has_no_problem(self):
        for text in ("1", ' {"a": [true, null]}\n', '"\\u00e4 ä"', "1" * 5000, "1e999"):
            self.assertIsNone(payload_problem(text), text)

    def test_a_problem_is_said_with_its_place(self):
        for text, said in (
            ("", EMPTY),
            ("hello", "At column 1: a value is missing here"),
            ("{'a': 1}", 'At column 2: a key in "double quotes" is missing here'),
            ('{"a" 1}', "At column 6: a colon is missing here"),
            ("[1 2]", "At column 4: a comma or the closing bracket is missing here"),
            ('{"a": 1,\n "b": }', "At line 2, column 7: a value is missing here"),
            ('{"a": ', "Not finished: a value is missing here"),
            ("[1", "Not finished: a comma or the closing bracket is missing here"),
            ('"abc', "At column 1: this string has no end: a closing quote is missing"),
            ('"a\nb"', "At line 1, column 3: a line break or tab stands in a string: "
             "write \\n or \\t"),
            ("1 2", "At column 3: the value has ended before: nothing may follow it"),
            ("NaN", "NaN is no JSON: there are no infinities in it"),
            ("[" * 97 + "]" * 97, "nested more than 96 deep"),
        ):
            self.assertEqual(payload_problem(text), said, text)

    def test_line_breaks_between_parts_become_spaces(self):
        text = '{\n  "a": "x\\ny",\r\n  "b": [1,\n2]\n}\n'
        self.assertEqual(on_one_line(text), '{ "a": "x\\ny", "b": [1, 2] }')
        self.assertEqual(json.loads(on_one_line(text)), json.loads(text))

    def test_topics(self):
        for topic in ("a", "chess.move", "größe.a/b"):
            self.assertIsNone(topic_problem(topic), topic)
        for topic, word in (("", "Say"), ("a b", "spaces"), ("a.*", "filters"), ("a.", "after"),
                            (".a", "before"), ("a..b", "between the two dots"), ("x" * 256, "255")):
            self.assertIn(word, topic_problem(topic), topic)


if __name__ == "__main__":
    unittest.main()
