"""What is on the screen, as a screen reader is told it (AT-SPI): screen.py [click NAME]

Prints a JSON array of everything that has a name, as [role, name, whether it is sensitive]. With
`click`, presses the last button whose name begins so before that, and fails if there is none.

Each question is a process of its own: what the library remembers of a tree that has changed since
is not always true any more.

Deliberately absent: waiting. The test asks again until it sees what it waits for, or has waited
for too long.
"""

import json
import sys

import gi

gi.require_version("Atspi", "2.0")
from gi.repository import Atspi, GLib

#: Rows at the end of a list that are looked at. It may have hundreds, each of a dozen parts.
ROWS = 12
BUTTONS = ("push button", "toggle button")


def walk(node):
    """This node and all below it; one that goes away meanwhile is left out."""
    try:
        yield node, node.get_role_name(), node.get_name() or "", node.get_state_set()
        count = node.get_child_count()
        first = max(0, count - ROWS) if node.get_role_name() == "list" else 0
        children = [node.get_child_at_index(at) for at in range(first, count)]
    except GLib.Error:
        return
    for child in children:
        if child is not None:
            yield from walk(child)


seen = list(walk(Atspi.get_desktop(0)))
if sys.argv[1:2] == ["click"]:
    found = [node for node, role, name, _ in seen
             if role in BUTTONS and name.startswith(sys.argv[2])]
    if not found or not found[-1].do_action(0):
        sys.exit(f"no button {sys.argv[2]!r} to press")
print(json.dumps([(role, name, states.contains(Atspi.StateType.SENSITIVE))
                  for _, role, name, states in seen if name]))
