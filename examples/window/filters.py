"""The filters as chips, and the field for another one.

Each chip is a subscription. Its left part tells which scopes it lets in, and clicked, lets the
filter take part in answering requests, or look on again; its right part takes it away. A pattern
that the daemon refuses stays in the field, with the daemon's sentence under it.

Deliberately absent: a check of patterns of our own. The daemon knows what a pattern is.
"""

from gi.repository import Gdk, Gtk, Pango

from parts import button, label, named
from payload import harmless, isolated
from layouts import WrapLayout

SCOPE_ICONS = {"self": "go-home-symbolic", "friends": "system-users-symbolic",
               "public": "kith-public-symbolic"}


class FilterBar(Gtk.Box):
    """The chips of a session."""

    def __init__(self, session):
        super().__init__(orientation=Gtk.Orientation.VERTICAL, spacing=4, css_classes=["filters"])
        self._session = session
        self._chips = []
        self._line = Gtk.Box(layout_manager=WrapLayout())
        self._field = named(Gtk.Entry(
            placeholder_text="Add a filter, such as *.chess.*", hexpand=True, max_length=300,
            width_chars=24, primary_icon_name="list-add-symbolic", css_classes=["new-filter"]),
            "Add a filter")
        self._field.set_icon_activatable(Gtk.EntryIconPosition.PRIMARY, False)
        self._field.connect("activate", self._on_add)
        self._field.connect("changed", lambda *_: self._tell(""))
        keys = Gtk.EventControllerKey()
        keys.connect("key-pressed", self._on_key)
        self._field.add_controller(keys)
        self._line.append(self._field)
        self._problem = label("problem", wrap=True, visible=False)
        self.append(self._line)
        self.append(self._problem)
        session.connect("filters-changed", lambda *_: self._show())
        self._show()

    def begin(self):
        """Puts the cursor into the field."""
        self._field.grab_focus()

    def _show(self):
        for chip in self._chips:
            self._line.remove(chip)
        self._chips = [self._chip(one) for one in self._session.filters]
        for chip in self._chips:
            chip.insert_before(self._line, self._field)
        self._field.set_sensitive(self._session.bus.is_there)

    def _chip(self, one):
        pattern = isolated(harmless(one.pattern))
        chip = Gtk.Box(css_classes=["chip"])
        scope = one.pattern.rpartition("/")[2].partition(".")[0]
        icon = Gtk.Image(icon_name="mail-reply-sender-symbolic" if one.takes_part else
                         SCOPE_ICONS.get(scope, "emblem-shared-symbolic"))
        inside = Gtk.Box(spacing=6)
        inside.append(icon)
        inside.append(label("mono", label=pattern, ellipsize=Pango.EllipsizeMode.END,
                            max_width_chars=28))
        way = Gtk.ToggleButton(child=inside, active=one.takes_part, css_classes=["flat"])
        what = "Takes part: requests wait for your reply" if one.takes_part else (
            "Looks on. Click to take part and answer requests")
        if not one.is_live:
            what = "Waits for the daemon"
        way.set_tooltip_text(f"{pattern}\n{what}")
        named(way, f"Filter {pattern}: {what}")
        way.connect("toggled", lambda it: self._session.let_take_part(one, it.get_active()))
        chip.append(way)
        chip.append(button("window-close-symbolic", f"Remove the filter {pattern}",
                           lambda *_: self._session.remove_filter(one), "circular"))
        if not one.is_live:
            chip.add_css_class("waiting")
        if one.takes_part:
            chip.add_css_class("takes-part")
        return chip

    def _tell(self, problem):
        self._problem.set_text(problem)
        self._problem.set_visible(bool(problem))
        (self._field.add_css_class if problem else self._field.remove_css_class)("error")

    def _on_add(self, *_):
        pattern = self._field.get_text().strip()

        def on_answer(problem):
            if problem is None and self._field.get_text().strip() == pattern:
                self._field.set_text("")
            self._tell(problem or "")

        if pattern:
            self._session.add_filter(pattern, on_answer)

    def _on_key(self, _controller, key, *_):
        if key != Gdk.KEY_Escape:
            return False
        self._field.set_text("")
        return True
