"""Whether what somebody types can be published, and if not, why: in words and with the place.

The daemon checks payloads too, and has the last word. This is so that one need not ask it at each
key stroke, and so that the sentence names a line and a column instead of an offset.

What a payload may be is JSON as of RFC 8259, nested at most 96 deep; on the bus it has no line
breaks, so those that were typed between its parts become spaces (within a string JSON has none).

Deliberately absent: mending. A comma too many is shown, not removed.
"""

import json
import re

from limits import NESTING_MAX

SENTENCES = {
    "Expecting value": "a value is missing here",
    "Expecting property name enclosed in double quotes": 'a key in "double quotes" is missing here',
    "Expecting ':' delimiter": "a colon is missing here",
    "Expecting ',' delimiter": "a comma or the closing bracket is missing here",
    "Unterminated string starting at": "this string has no end: a closing quote is missing",
    "Invalid control character at": "a line break or tab stands in a string: write \\n or \\t",
    "Invalid \\escape": "after a backslash one of these has to come: \" \\ / b f n r t u",
    "Invalid \\uXXXX escape": "four hexadecimal digits have to follow \\u",
    "Extra data": "the value has ended before: nothing may follow it",
    "Illegal trailing comma before end of object": "the comma before this is one too many",
    "Illegal trailing comma before end of array": "the comma before this is one too many",
}


def _refuse_constant(word):
    raise ValueError(f"{word} is no JSON: there are no infinities in it")


DECODER = json.JSONDecoder(parse_constant=_refuse_constant, parse_int=str, parse_float=str)
EMPTY = "Write JSON: a text stands in quotes, as in \"hello\""


def payload_problem(text):
    """What keeps `text` from being a payload; `None` if nothing does."""
    if not text.strip():
        return EMPTY
    if _nesting(text) > NESTING_MAX:
        return f"nested more than {NESTING_MAX} deep"
    try:
        DECODER.decode(text)
    except json.JSONDecodeError as error:
        what = SENTENCES.get(error.msg, error.msg)
        if error.pos >= len(text.rstrip()) and error.msg.startswith("Expecting"):
            return f"Not finished: {what}"
        place = f"column {error.colno}" if "\n" not in text.strip() else (
            f"line {error.lineno}, column {error.colno}")
        return f"At {place}: {what}"
    except ValueError as error:
        return str(error)
    return None


def _nesting(text):
    depth = deepest = 0
    for mark in re.findall(r'"(?:[^"\\]|\\.)*"|[\[\]{}]', text):
        depth += {"[": 1, "{": 1, "]": -1, "}": -1}.get(mark, 0)
        deepest = max(deepest, depth)
    return deepest


def on_one_line(text):
    """A payload without problems as the bus takes it."""
    return re.sub(r"\s*[\r\n]\s*", " ", text.strip())


def topic_problem(topic):
    """What keeps `topic` from being one to publish on; `None` if nothing does."""
    if not topic:
        return "Say on which topic, such as chess.move"
    if any(letter.isspace() for letter in topic):
        return "A topic has no spaces: its parts are joined by dots"
    if "*" in topic or ">" in topic:
        return "* and > are for filters: a message has one topic"
    if topic.startswith("."):
        return "Something is missing before the first dot"
    if ".." in topic:
        return "Something is missing between the two dots"
    if topic.endswith("."):
        return "Not finished: something is missing after the last dot"
    if len(topic.encode()) > 255:
        return "A topic has at most 255 bytes"
    return None
