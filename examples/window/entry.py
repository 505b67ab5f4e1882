"""What the timeline is made of: messages, and what there is to say between them.

A `Message` is one that came by a subscription, or one that this window sent; a request of this
window carries its outcome, so that question and answer are one card. A `Note` is anything that is
true of a place in the timeline and is no message: that some are missing here, that the daemon went
away, that a call failed.

Plain data without GTK and without a clock: whoever makes one says when it was.

Deliberately absent: how any of it looks, and people. A sender is a text; who it is, and whether
others have received a message, will be further fields here and further parts of a card.
"""

from dataclasses import dataclass, field
from typing import Optional

from payload import Payload

SCOPES = ("self", "friends", "public")


@dataclass(eq=False)
class Outcome:
    """What became of a request, or of the reply that was written in a card."""

    state: str  # waiting, replied, refused
    text: str = ""
    payload: Optional[Payload] = None
    taken_ms: int = 0


@dataclass(eq=False)
class Message:
    """One message, and what this window knows of it."""

    message_id: str
    topic: str
    payload: Payload
    sent_at: int  # milliseconds since the epoch
    scope: str = "self"
    sender: str = "local"
    protocol: str = "ms"
    priority: str = "normal"
    reply_to: Optional[str] = None
    expires_at: Optional[int] = None
    retained: bool = False
    headers: dict = field(default_factory=dict)
    #: The filters by which it came; empty for one that was only sent from here.
    patterns: set = field(default_factory=set)
    #: Whether one of them takes part, so that a reply from here is expected.
    is_asked: bool = False
    is_mine: bool = False
    is_unfolded: bool = False
    #: What is being written as a reply; `None` while nobody writes one.
    draft: Optional[str] = None
    #: Of a request of this window: what came of it.
    outcome: Optional[Outcome] = None
    #: Of a request of somebody else: what was replied from here.
    reply: Optional[Outcome] = None

    @property
    def kept_bytes(self):
        return len(self.payload.data)

    def has(self, words):
        """Whether `words`, in small letters, stand in its topic, sender or payload."""
        return words in self.topic.lower() or words in self.sender.lower() or (
            words in self.payload.text.lower())


@dataclass(eq=False)
class Note:
    """A line between messages."""

    kind: str  # lag, gone, back, failed, dropped
    text: str
    at: int
    #: The filter that it is about; empty if it is about all.
    pattern: str = ""
    kept_bytes = 0
    is_mine = False

    def has(self, words):
        return words in self.text.lower()


def lag(pattern, count, at):
    """So many messages are missing here: the daemon had no room for them."""
    return Note("lag", f"Missed {messages(count)} here", at, pattern)


def let_go(count, at):
    """So many were let go here: they came faster than this window shows them."""
    return Note("dropped", f"Let go of {messages(count)} here: too fast to be shown", at)


def messages(count):
    """A number of them, for people."""
    return "1 message" if count == 1 else f"{count:,} messages"
