"""What a message carries, made readable: JSON in lines that fit, bytes as hex, nothing dangerous.

JSON is shown as it was written, token by token, and never parsed into values and printed again:
`1.0`, `1e999` and a number of forty digits stay what they are, and so does the order of keys. A
line is a list of pieces, each with its kind (`key`, `string`, `number`, `word`, `mark`); colours
are the view's business.

What would deceive the eye (control characters, marks that turn the direction of text round,
characters without width) is shown as a JSON escape, as everywhere in Kith.

Deliberately absent: anything that guesses what bytes mean. A protocol other than `ms` is known to
the programs that speak it.
"""

import re

from limits import (FOLDED_ROWS_MAX, HEX_BYTES_MAX, LINE_CHARS_MAX, PAYLOAD_KEPT_BYTES_MAX,
                    RUN_CHARS_MAX, SHOWN_LINE_CHARS_MAX, UNFOLDED_ROWS_MAX)

TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"?|-?\d[\d.eE+-]*|true|false|null|[\[\]{}:,]|[^\s]')

#: About as many characters as fit into one row of a card.
ROW_CHARS = 96

#: Letters that are written from right to left.
LEFTWARDS = re.compile("[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc\U00010800-\U00010fff"
                       "\U0001e800-\U0001efff]")

#: As in the command line's `harmless`: what has no shape of its own, or changes that of others.
HARMFUL = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff"
    "\ufff9-\ufffb\ud800-\udfff\U000e0000-\U000e007f]"
)


def harmless(text):
    """`text` with everything escaped that an eye would miss."""
    return HARMFUL.sub(_escape, text)


def _escape(found):
    units = found.group().encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at]:02x}{units[at + 1]:02x}" for at in range(0, len(units), 2))


def isolated(text):
    """`text`, with what is written from right to left in it kept from turning round what stands
    beside it: the quotes of a string, and the line that it is in. A line begins at the left."""
    if not LEFTWARDS.search(text):
        return text
    before, inside, after = re.fullmatch('("?)(.*?)("?)', text, re.DOTALL).groups()
    return f"{before}\u200e\u2068{inside}\u2069\u200e{after}"


def size(count):
    """A number of bytes, for people."""
    if count < 1024:
        return "1 byte" if count == 1 else f"{count} bytes"
    for unit in ("KiB", "MiB", "GiB"):
        count /= 1024
        if count < 1024 or unit == "GiB":
            return f"{count:.1f} {unit}" if count < 10 else f"{count:.0f} {unit}"


class Payload:
    """One payload: at most its first `PAYLOAD_KEPT_BYTES_MAX` bytes, and how many it has."""

    def __init__(self, protocol, data, whole_size=None):
        self.is_json = protocol == "ms"
        self.size = len(data) if whole_size is None else whole_size
        self.data = bytes(data[:PAYLOAD_KEPT_BYTES_MAX])
        self._lines = None

    @property
    def is_cut(self):
        """Whether there is more of it than is kept."""
        return len(self.data) < self.size

    @property
    def line_count(self):
        """How many lines it has, for people: of one that is cut, as many as it probably has."""
        if not self.is_cut:
            return f"{len(self.lines):,}"
        probably = round((len(self.lines) - 1) * self.size / max(len(self.data), 1))
        return f"about {round(probably, 2 - len(str(probably))):,}"

    @property
    def text(self):
        """What is kept of it, as text: to copy it and to search in it."""
        return self.data.decode("utf-8", "replace") if self.is_json else self.data.hex(" ")

    @property
    def lines(self):
        """Its lines, each a list of pieces (kind, text)."""
        if self._lines is None:
            self._lines = _json_lines(self.text) if self.is_json else self._hex_lines()
            if self.is_json and self.is_cut:
                rest = f"… the first {size(len(self.data))} of {size(self.size)}"
                self._lines.append([("note", rest)])
        return self._lines

    def _hex_lines(self):
        lines = [[("note", size(self.size))]] if self.size else [[("note", "empty")]]
        for at in range(0, min(len(self.data), HEX_BYTES_MAX), 16):
            part = self.data[at:at + 16]
            shown = "".join(chr(byte) if 32 <= byte < 127 else "·" for byte in part)
            lines.append([("mark", f"{at:04x}  "), ("number", f"{part.hex(' '):<47}"),
                          ("mark", "  "), ("string", shown)])
        if len(self.data) > HEX_BYTES_MAX:
            lines.append([("note", f"… {size(self.size - HEX_BYTES_MAX)} more")])
        return lines


def _json_lines(text):
    tokens = TOKEN.findall(text)
    if not tokens:
        return [[("note", "empty")]]
    kinds = [_kind(tokens, at) for at in range(len(tokens))]
    spaced = [token + {",": " ", ":": " "}.get(token, "") for token in tokens]
    ends, widths = _extents(tokens, spaced)
    lines, line, depth, at = [], [], 0, 0
    while at < len(tokens):
        token = tokens[at]
        if token in "[{" and widths[at] <= LINE_CHARS_MAX - 2 * depth:
            for inner in range(at, ends[at] + 1):
                line.append((kinds[inner], harmless(spaced[inner])))
            at = ends[at] + 1
            continue
        if token in "]}":
            depth -= 1
            lines.append(line)
            line = [("mark", "  " * depth)]
        line.append((kinds[at], harmless(spaced[at].rstrip() if token == "," else spaced[at])))
        if token in "[{":
            depth += 1
        if token in "[{,":
            lines.append(line)
            line = [("mark", "  " * depth)]
        at += 1
    return [_shortened(line) for line in [*lines, line]]


def _kind(tokens, at):
    first = tokens[at][0]
    if first == '"':
        return "key" if tokens[at + 1:at + 2] == [":"] else "string"
    if first in "[]{}:,":
        return "mark"
    return "number" if first in "-0123456789" else "word"


def _extents(tokens, spaced):
    """For each opening bracket where it ends, and how wide it is on one line. One that is cut off
    has no end and fits nowhere."""
    ends, widths, open_at, width = {}, {}, [], 0
    for at, token in enumerate(tokens):
        if token in "[{":
            open_at.append((at, width))
            widths[at] = float("inf")
        width += len(spaced[at])
        if token in "]}" and open_at:
            start, before = open_at.pop()
            ends[start], widths[start] = at, width - before
    return ends, widths


def folded(lines, rows_max):
    """What of these lines fits into so many rows, and how many rows do not."""
    shown, rows = [], 0
    for line in lines:
        needed = _rows(line)
        if rows + needed <= rows_max:
            shown.append(line)
        elif rows < rows_max:
            shown.append(_cut(line, (rows_max - rows) * ROW_CHARS, " …"))
        rows += needed
    return shown, max(rows - rows_max, 0)


def fold_words(payload, is_unfolded):
    """What the button says that unfolds a payload, and folds it again; `None` where there is
    nothing to unfold. One row more is no reason for a button that takes as much room."""
    lines = payload.lines
    few, hidden = folded(lines, FOLDED_ROWS_MAX)
    if hidden <= 1:
        return None
    many, rest = folded(lines, UNFOLDED_ROWS_MAX)
    if is_unfolded:
        return f"Show less; {len(many):,} of {payload.line_count} lines are shown" if rest else (
            "Show less")
    more = len(many) - len(few)
    if more == 0:
        return "Show more"
    if rest:
        return f"Show {more:,} more of {payload.line_count} lines"
    return f"Show {more:,} more {'line' if more == 1 else 'lines'}"


def breakable(line):
    """A line in which no word is too long to be broken between words: GTK breaks within words too,
    but takes fifty times as long for it, for each of hundreds of rows."""
    run, shown = 0, []
    for kind, text in line:
        letters = []
        for letter in text:
            run = 0 if letter == " " else run + 1
            if run > RUN_CHARS_MAX:
                letters.append("\u200b")
                run = 1
            letters.append(letter)
        shown.append((kind, "".join(letters)))
    return shown


def _rows(line):
    return max(1, -(-sum(len(text) for _, text in line) // ROW_CHARS))


def _shortened(line):
    """A line of a length that a label can lay out."""
    more = sum(len(text) for _, text in line) - SHOWN_LINE_CHARS_MAX
    return line if more <= 0 else _cut(line, SHOWN_LINE_CHARS_MAX, f" … {more} more characters")


def _cut(line, left, mark):
    shown = []
    for kind, text in line:
        shown.append((kind, text[:left]))
        left -= len(text)
        if left < 0:
            return [*shown, ("note", mark)]
    return shown
