"""Every number of the window, with its reason.

A window that looks at a bus gets what others send, as fast as they send it; so whatever it keeps
has a bound, and who runs into one is told on the screen. They stand together because they are
read together: what can this program hold, at most?

Deliberately absent: settings. Who needs other numbers has the source in front of them.
"""

#: Entries of the timeline. More than anybody scrolls through, and few enough that filtering all
#: of them anew takes a moment shorter than a key stroke.
ENTRIES_MAX = 10_000

#: Bytes of payloads in the timeline, all entries together: what a browser's tab takes.
KEPT_BYTES_MAX = 64 << 20

#: Bytes that are kept of one payload. Nobody reads more of it in a window.
PAYLOAD_KEPT_BYTES_MAX = 64 << 10

#: Messages that wait while the timeline is paused. The oldest go first.
WAITING_MAX = 10_000

#: Messages that have come and have not been looked at. All of them are one batch: as many as are
#: read in a third of a second, so that what is newest is never behind more than that, and more
#: than a program sends in one go that a person is to follow. GLib takes some 8 KiB for each.
INBOX_MESSAGES_MAX = 1_000

#: Bytes of those: eight of the largest that come without a descriptor.
INBOX_BYTES_MAX = 8 << 20

#: Milliseconds between two batches: thirty a second look like at once, and leave the rest of the
#: time to drawing, whatever the number of messages.
BATCH_MS = 33

#: How often a batch is put off while messages have to be let go: about two seconds, or until that
#: ends. Drawing keeps GLib's thread from reading, and a flood that is read is over sooner than one
#: that is drawn.
PUT_OFF_MAX = 60

#: Messages of a batch in the midst of a flood. A few screens: the next ones push them away.
FLOOD_BATCH_MAX = 50

#: Seconds for which Python lets one thread run while another waits. Reading a message takes the
#: filter a few turns; with Python's own 0.005 a batch that is being made would keep it waiting.
SWITCH_SECONDS = 0.000_2

#: Rows of a payload until somebody unfolds it; and then.
FOLDED_ROWS_MAX = 6
UNFOLDED_ROWS_MAX = 400

#: Characters of a line of JSON up to which an object stays on it.
LINE_CHARS_MAX = 80

#: Characters of one line that are shown at all. A payload may be one string of 64 KiB, and laying
#: that out takes a label longer than a frame.
SHOWN_LINE_CHARS_MAX = 2_000

#: Characters of a word after which it may be broken. They fit into the narrowest window.
RUN_CHARS_MAX = 24

#: Bytes of the hex preview, sixteen a line.
HEX_BYTES_MAX = 64

#: How deep JSON may be nested on the bus.
NESTING_MAX = 96

#: How long a request waits for its reply.
REQUEST_TIMEOUT_MS = 10_000

#: How soon the session bus is tried again after it has ended, and at most how much later each time
#: twice as long: soon enough after logging in again, and nothing that a battery feels.
RETRY_FIRST_MS = 1_000
RETRY_LAST_MS = 30_000

#: How long a call waits for the daemon. It answers at once or is stuck.
CALL_TIMEOUT_MS = 20_000
