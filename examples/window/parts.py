"""Small widgets that several places need, each with its accessible name.

Whoever can't see an icon hears its name; so a button that shows only an icon can't be made here
without saying what it does, and that is its tooltip too.

Deliberately absent: anything that knows a message.
"""

from gi.repository import Gdk, Gtk, Pango

from writing import payload_problem


def named(widget, name):
    """Gives a widget a name for those who don't see it."""
    widget.update_property([Gtk.AccessibleProperty.LABEL], [name])
    return widget


def label(*classes, **properties):
    """A label that begins at the left. One that wraps breaks a long word too, so that no text from
    outside makes the window wider."""
    properties.setdefault("wrap_mode", Pango.WrapMode.WORD_CHAR)
    return Gtk.Label(xalign=0, css_classes=list(classes), **properties)


def button(icon, name, on_click, *classes):
    """A flat button: an icon, or with `None` its name as text."""
    made = Gtk.Button(css_classes=["flat", *classes], valign=Gtk.Align.CENTER)
    if icon:
        made.set_icon_name(icon)
        made.set_tooltip_text(name)
        named(made, name)
    elif name:
        made.set_label(name)
    made.connect("clicked", on_click)
    return made


def icon_and_text(icon, text, tooltip):
    """A small fact."""
    box = Gtk.Box(spacing=5, css_classes=["fact"], tooltip_text=tooltip)
    box.append(Gtk.Image(icon_name=icon))
    box.append(label(label=text, ellipsize=Pango.EllipsizeMode.END))
    return box


class Answering(Gtk.Box):
    """The field in a card in which a reply is written. The draft is kept in the entry."""

    def __init__(self, send):
        super().__init__(orientation=Gtk.Orientation.VERTICAL, css_classes=["answering"])
        self._send = send
        self._entry = None
        self._open = Gtk.Button(label="Reply", halign=Gtk.Align.START)
        self._open.connect("clicked", self._on_open)
        self._field = named(Gtk.Entry(hexpand=True, placeholder_text='JSON, such as "yes"'),
                            "Reply in JSON")
        self._field.connect("changed", self._on_typed)
        self._field.connect("activate", self._on_send)
        self._button = Gtk.Button(label="Send", css_classes=["suggested-action"])
        self._button.connect("clicked", self._on_send)
        self._line = Gtk.Box(spacing=6)
        self._line.append(self._field)
        self._line.append(self._button)
        self._problem = label("problem", wrap=True)
        for part in (self._open, self._line, self._problem):
            self.append(part)
        escape = Gtk.EventControllerKey()
        escape.connect("key-pressed", self._on_key)
        self._field.add_controller(escape)

    def show_draft(self, message):
        """Shows the field for this message, if it waits for a reply from here."""
        self._entry = message
        waits = message.is_asked and not message.is_mine and (
            message.reply is None or message.reply.state == "refused")
        self.set_visible(waits)
        is_open = message.draft is not None
        self._open.set_visible(not is_open)
        self._line.set_visible(is_open)
        if is_open and self._field.get_text() != message.draft:
            self._field.set_text(message.draft)
        self._check()

    def _check(self):
        draft = self._entry.draft
        problem = payload_problem(draft) if draft is not None else None
        self._button.set_sensitive(problem is None)
        self._problem.set_visible(bool(problem and draft))
        self._problem.set_text(problem or "")

    def _on_open(self, *_):
        self._entry.draft = ""
        self.show_draft(self._entry)
        self._field.grab_focus()

    def _on_typed(self, *_):
        if self._entry.draft is not None:
            self._entry.draft = self._field.get_text()
            self._check()

    def _on_send(self, *_):
        if payload_problem(self._entry.draft) is None:
            self._send(self._entry.draft)

    def _on_key(self, _controller, key, *_):
        if key != Gdk.KEY_Escape:
            return False
        self._entry.draft = None
        self.show_draft(self._entry)
        return True
