"""The box at the bottom in which a message is written: topic, payload, and what to do with it.

What is typed is checked at each key stroke, and the button is insensitive until it is right; the
sentence below says what is missing. A message is published, published and kept as the topic's last
value, or is a request, whose reply appears in the timeline: three things, so one choice of three.

Deliberately absent: other protocols than `ms`, priorities and headers. They are for programs.
"""

from gi.repository import Gdk, GObject, Gtk, Pango

from parts import label, named
from layouts import WrapLayout
from writing import payload_problem, topic_problem

WAYS = (
    ("publish", "Message", "Whoever subscribes gets it"),
    ("keep", "Kept value", "Also for who subscribes later: it becomes the topic's last value"),
    ("request", "Request", "Somebody answers; the reply appears in the timeline"),
)
DO = {"publish": "Publish", "keep": "Publish", "request": "Ask"}


class Composer(Gtk.Box):
    """Says `send` with topic, payload and way, when everything is right."""

    __gsignals__ = {
        "send": (GObject.SignalFlags.RUN_FIRST, None, (str, str, str)),
        "leave": (GObject.SignalFlags.RUN_FIRST, None, ()),
    }

    def __init__(self):
        super().__init__(orientation=Gtk.Orientation.VERTICAL, spacing=8,
                         css_classes=["composer"])
        self._is_connected = False
        self._way = "publish"
        self.append(self._first_line())
        self.append(self._payload_field())
        self.append(self._last_line())
        keys = Gtk.EventControllerKey(propagation_phase=Gtk.PropagationPhase.CAPTURE)
        keys.connect("key-pressed", self._on_key)
        self.add_controller(keys)
        self._check()

    def _first_line(self):
        self._topic = named(Gtk.Entry(placeholder_text="Topic, such as chess.move",
                                      hexpand=True, css_classes=["mono"]), "Topic")
        self._topic.connect("changed", self._on_typed)
        self._topic.connect("activate", lambda *_: self._payload.grab_focus())
        ways = Gtk.Box(css_classes=["linked"])
        group = None
        for way, text, tooltip in WAYS:
            one = Gtk.ToggleButton(label=text, tooltip_text=tooltip, group=group)
            one.set_active(way == self._way)
            one.connect("toggled", self._on_way, way)
            group = group or one
            ways.append(one)
        line = Gtk.Box(layout_manager=WrapLayout())
        line.append(self._topic)
        line.append(ways)
        return line

    def _payload_field(self):
        self._payload = named(Gtk.TextView(
            monospace=True, wrap_mode=Gtk.WrapMode.WORD_CHAR, accepts_tab=False, top_margin=8,
            bottom_margin=8, left_margin=10, right_margin=10), "Payload in JSON")
        self._payload.get_buffer().connect("changed", self._on_typed)
        self._hint = label(
            "placeholder", label='JSON, such as {"from": "e2", "to": "e4"}', can_target=False,
            valign=Gtk.Align.START, ellipsize=Pango.EllipsizeMode.END)
        overlay = Gtk.Overlay(child=self._payload)
        overlay.add_overlay(self._hint)
        return Gtk.ScrolledWindow(
            child=overlay, css_classes=["field"], propagate_natural_height=True,
            min_content_height=38, max_content_height=150,
            hscrollbar_policy=Gtk.PolicyType.NEVER)

    def _last_line(self):
        self._status = label("status", hexpand=True, wrap=True)
        self._button = Gtk.Button(label="Publish", css_classes=["suggested-action"],
                                  tooltip_text="Ctrl+Enter", valign=Gtk.Align.CENTER)
        self._button.connect("clicked", lambda *_: self._send())
        line = Gtk.Box(spacing=8)
        line.append(self._status)
        line.append(self._button)
        return line

    # What others ask for.

    def begin(self):
        """Puts the cursor where something is missing."""
        (self._topic if topic_problem(self._topic.get_text()) else self._payload).grab_focus()

    def set_connected(self, is_connected):
        """Without the daemon nothing can be published."""
        self._is_connected = is_connected
        self._check()

    def tell(self, text, is_problem):
        """Says what came of it, until something is typed."""
        self._status.set_text(text)
        (self._status.add_css_class if is_problem else self._status.remove_css_class)("problem")

    def published(self, text):
        """Says that it was sent, and makes room for the next payload."""
        self._payload.get_buffer().set_text("")
        self.tell(text, False)

    # What is typed.

    def _text(self):
        buffer = self._payload.get_buffer()
        return buffer.get_text(buffer.get_start_iter(), buffer.get_end_iter(), True)

    def _problem(self):
        topic, text = self._topic.get_text(), self._text()
        if not self._is_connected:
            return "Nothing can be published while the daemon is away", False
        if problem := topic_problem(topic):
            return problem, bool(topic)
        return payload_problem(text), bool(text.strip())

    def _check(self):
        problem, is_wrong = self._problem()
        self._hint.set_visible(not self._text())
        self._button.set_sensitive(problem is None)
        self.tell(problem or "", is_wrong and problem is not None)

    def _on_typed(self, *_):
        self._check()

    def _on_way(self, one, way):
        if one.get_active():
            self._way = way
            self._button.set_label(DO[way])

    def _on_key(self, _controller, key, _code, state):
        if key in (Gdk.KEY_Return, Gdk.KEY_KP_Enter) and state & Gdk.ModifierType.CONTROL_MASK:
            self._send()
            return True
        if key == Gdk.KEY_Escape:
            self.emit("leave")
            return True
        return False

    def _send(self):
        if self._problem()[0] is None:
            self.emit("send", self._topic.get_text(), self._text(), self._way)
