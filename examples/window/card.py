"""A message as a card: whose it is by colour, stripe, icon and word; what it says; what came of it.

Cards are few and used again for other entries while one scrolls (`show`), so everything that
belongs to an entry, even the reply that is being written, is kept there and not here.

The scope is told four times, so that nobody depends on colours: the stripe on the left is solid
for `self`, dashed for `friends`, double for `public`; the badge has its icon and its word.

Deliberately absent: people's names and what became of a message on other devices. They will stand
in the foot, where the sender is.
"""

from datetime import datetime

from gi.repository import Adw, GLib, GObject, Gtk, Pango

from entry import SCOPES
from limits import FOLDED_ROWS_MAX, UNFOLDED_ROWS_MAX
from parts import Answering, button, icon_and_text, label, named
from payload import breakable, fold_words, folded, harmless, isolated, size
from layouts import WrapLayout

SCOPE_LOOK = {
    "self": ("go-home-symbolic", "From a program on your own devices"),
    "friends": ("system-users-symbolic", "From a friend"),
    "public": ("kith-public-symbolic", "From anybody: this sender is not among your friends"),
}
UNKNOWN_SCOPE = ("dialog-question-symbolic", "This window does not know this scope")

#: Colours of JSON on a light and on a dark card, with a contrast of 4.5 to 1 or more.
PALETTES = {
    False: {"key": "#1a5fb4", "string": "#1d7044", "number": "#a04000", "word": "#813d9c",
            "mark": "#6a696f", "note": "#5e5c64"},
    True: {"key": "#99c1f1", "string": "#8fdcb0", "number": "#ffbe6f", "word": "#dc8add",
           "mark": "#a5a4a8", "note": "#c0bfbc"},
}


def markup(lines, is_dark):
    """Lines of pieces in the colours of their kinds."""
    palette = PALETTES[is_dark]
    return "\n".join("".join(
        f'<span foreground="{palette[kind]}">{GLib.markup_escape_text(isolated(text))}</span>'
        for kind, text in breakable(line)) for line in lines)


class Body(Gtk.Box):
    """A payload, folded where it is long."""

    __gsignals__ = {"unfold": (GObject.SignalFlags.RUN_FIRST, None, ())}

    def __init__(self):
        super().__init__(orientation=Gtk.Orientation.VERTICAL)
        self._text = label("payload", wrap=True, wrap_mode=Pango.WrapMode.WORD)
        self._fold = None
        self.append(self._text)

    def show_payload(self, payload, is_unfolded):
        what = fold_words(payload, is_unfolded)
        is_long = what is not None
        rows_max = UNFOLDED_ROWS_MAX if is_unfolded or not is_long else FOLDED_ROWS_MAX
        shown, _ = folded(payload.lines, rows_max)
        self._text.set_markup(markup(shown, Adw.StyleManager.get_default().get_dark()))
        if is_long and self._fold is None:
            self._fold = button(None, what, self._on_fold, "fold")
            self._fold.set_halign(Gtk.Align.START)
            self.append(self._fold)
        if self._fold is not None:
            self._fold.set_visible(is_long)
            self._fold.set_label(what or "")

    def _on_fold(self, *_):
        self.emit("unfold")


class Card(Gtk.Box):
    """One message."""

    def __init__(self, session):
        super().__init__(orientation=Gtk.Orientation.VERTICAL,
                         accessible_role=Gtk.AccessibleRole.GROUP)
        self.add_css_class("card")
        self.add_css_class("message")
        self._session = session
        self._entry = None
        self.append(self._head())
        self._body = Body()
        self._body.connect("unfold", self._on_unfold)
        self.append(self._body)
        self._foot = Gtk.Box(layout_manager=WrapLayout(), css_classes=["foot"])
        self.append(self._foot)
        # Most cards need neither, and there are two hundred cards.
        self._outcome = self._answering = None
        Adw.StyleManager.get_default().connect("notify::dark", lambda *_: self.show(self._entry))

    def _head(self):
        head = Gtk.Box(spacing=9, css_classes=["head"])
        self._scope_icon = Gtk.Image()
        self._scope_word = label()
        self._badge = Gtk.Box(spacing=5, css_classes=["badge"], valign=Gtk.Align.CENTER)
        self._badge.append(self._scope_icon)
        self._badge.append(self._scope_word)
        self._topic = label("topic", hexpand=True, ellipsize=Pango.EllipsizeMode.MIDDLE)
        self._time = label("time", "numeric")
        copy = button("edit-copy-symbolic", "Copy the payload", self._on_copy, "copy")
        for part in (self._badge, self._topic, self._time, copy):
            head.append(part)
        return head

    def show(self, entry):
        """Shows this entry instead of the one before."""
        self._entry = entry
        if entry is None:
            return
        topic = isolated(harmless(entry.topic))
        self._show_scope(entry.scope)
        self._topic.set_text(topic)
        self._topic.set_tooltip_text(topic)
        sent_at = datetime.fromtimestamp(entry.sent_at / 1000)
        self._time.set_text(f"{sent_at:%H:%M:%S}")
        self._time.set_tooltip_text(f"{sent_at:%A, %d %B %Y, %H:%M:%S}.{entry.sent_at % 1000:03}")
        self._body.show_payload(entry.payload, entry.is_unfolded)
        self._show_foot(entry)
        self._show_outcome(entry.outcome or entry.reply)
        self._show_answering(entry)
        named(self, f"{entry.scope} message on {topic}")

    def _show_scope(self, scope):
        for one in (*SCOPES, "unknown"):
            self.remove_css_class(one)
        self.add_css_class(scope if scope in SCOPES else "unknown")
        icon, meaning = SCOPE_LOOK.get(scope, UNKNOWN_SCOPE)
        self._scope_icon.set_from_icon_name(icon)
        self._scope_word.set_text(scope)
        self._badge.set_tooltip_text(meaning)

    def _show_outcome(self, outcome):
        if self._outcome is None:
            if outcome is None:
                return
            self._outcome = Answer()
            self.insert_child_after(self._outcome, self._foot)
        self._outcome.show_outcome(outcome)

    def _show_answering(self, entry):
        if self._answering is None:
            if not entry.is_asked:
                return
            self._answering = Answering(self._on_reply)
            self.append(self._answering)
        self._answering.show_draft(entry)

    def _show_foot(self, entry):
        while (child := self._foot.get_first_child()) is not None:
            self._foot.remove(child)
        for icon, text, tooltip in facts(entry):
            self._foot.append(icon_and_text(icon, text, tooltip))

    def _on_unfold(self, *_):
        self._entry.is_unfolded = not self._entry.is_unfolded
        self.show(self._entry)

    def _on_copy(self, *_):
        self.get_clipboard().set(self._entry.payload.text)

    def _on_reply(self, text):
        self._session.reply(self._entry, text)


def facts(entry):
    """What stands in the foot of a card: icon, text, tooltip."""
    if entry.is_mine:
        yield "avatar-default-symbolic", "this window", "Sent from here"
    else:
        sender = isolated(harmless(entry.sender))
        meaning = "A program on this machine" if sender == "local" else sender
        yield "avatar-default-symbolic", sender, meaning
    if entry.outcome is not None or entry.reply_to:
        what = "asks for a reply" if entry.is_asked or entry.outcome else "request; you only watch"
        hint = ("Who sent it waits for an answer" if entry.is_asked or entry.outcome else
                "Its filter looks on. Let the filter take part to answer from here")
        yield "kith-request-symbolic", what, hint
    if entry.retained:
        yield "view-pin-symbolic", "kept value", "The topic's last value, from before"
    if entry.priority != "normal":
        yield "mail-send-symbolic", f"{entry.priority} priority", "Set by its sender"
    if entry.protocol != "ms":
        yield "text-x-generic-symbolic", harmless(entry.protocol), "Its protocol: no JSON"
    if entry.expires_at:
        until = datetime.fromtimestamp(entry.expires_at / 1000)
        yield "document-open-recent-symbolic", f"until {until:%H:%M:%S}", f"{until:%d %B %Y}"
    if entry.payload.size >= 1024 and entry.payload.is_json:
        yield "drive-harddisk-symbolic", size(entry.payload.size), "The payload's size"
    for name, value in entry.headers.items():
        text = f"{isolated(harmless(name))}: {isolated(harmless(value))}"
        yield "user-bookmarks-symbolic", text, "A header"


class Answer(Gtk.Box):
    """What came of a request of this window, or of a reply from here."""

    def __init__(self):
        super().__init__(orientation=Gtk.Orientation.VERTICAL, css_classes=["outcome"])
        self._spinner = Gtk.Spinner()
        self._icon = Gtk.Image()
        self._title = label("outcome-title", wrap=True)
        head = Gtk.Box(spacing=8, css_classes=["outcome-head"])
        for part in (self._spinner, self._icon, self._title):
            head.append(part)
        self.append(head)
        self._body = Body()
        self._body.connect("unfold", self._on_unfold)
        self.append(self._body)
        self._payload, self._is_unfolded = None, False

    def show_outcome(self, outcome):
        self.set_visible(outcome is not None)
        if outcome is None:
            self._spinner.stop()
            return
        is_waiting = outcome.state == "waiting"
        self._spinner.set_visible(is_waiting)
        self._spinner.set_spinning(is_waiting)
        self._icon.set_visible(not is_waiting)
        refused = outcome.state == "refused"
        self._icon.set_from_icon_name(
            "dialog-warning-symbolic" if refused else "mail-reply-sender-symbolic")
        (self.add_css_class if refused else self.remove_css_class)("refused")
        if is_waiting:
            title = "Waiting for a reply …"
        elif refused:
            title = harmless(outcome.text)
        elif outcome.text == "you":
            title = "You replied"
        else:
            title = f"Reply from {harmless(outcome.text)}, after {outcome.taken_ms} ms"
        self._title.set_text(title)
        self._body.set_visible(outcome.payload is not None)
        if outcome.payload is not self._payload:
            self._payload, self._is_unfolded = outcome.payload, False
        if outcome.payload is not None:
            self._body.show_payload(outcome.payload, self._is_unfolded)

    def _on_unfold(self, *_):
        self._is_unfolded = not self._is_unfolded
        self._body.show_payload(self._payload, self._is_unfolded)
