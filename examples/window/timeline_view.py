"""The timeline on the screen: a list that makes widgets for what can be seen, and for no more.

The session says that something has changed; once a batch the view takes all changes from the
timeline and makes them one change of its list. While the end is in sight it stays in sight;
who has scrolled up is left where they are, and told how many have come.

Deliberately absent: selecting. A card has buttons for what can be done with it.
"""

from gi.repository import Gdk, Gio, GLib, GObject, Gtk, Pango

from card import Card
from entry import Message
from layouts import ColumnLayout
from limits import BATCH_MS
from parts import label, named
from payload import harmless, isolated
from session import now_ms

NOTE_ICONS = {"lag": "dialog-warning-symbolic", "dropped": "dialog-warning-symbolic",
              "failed": "dialog-error-symbolic", "gone": "network-offline-symbolic",
              "back": "emblem-ok-symbolic"}
#: How near to the end, in pixels, counts as there.
END_PIXELS = 40
KEYS_UP = (Gdk.KEY_Up, Gdk.KEY_Page_Up, Gdk.KEY_Home)


class Item(GObject.Object):
    """An entry in the list."""

    __gsignals__ = {"redraw": (GObject.SignalFlags.RUN_FIRST, None, ())}

    def __init__(self, entry):
        super().__init__()
        self.entry = entry


class Line(Gtk.Box):
    """A note, in the middle."""

    def __init__(self, _session):
        super().__init__(spacing=8, halign=Gtk.Align.CENTER,
                         accessible_role=Gtk.AccessibleRole.GROUP)
        self._icon = Gtk.Image()
        self._text = label(wrap=True)
        self._about = label("mono", "dim-label", ellipsize=Pango.EllipsizeMode.END)
        for part in (self._icon, self._text, self._about):
            self.append(part)

    def show(self, note):
        """Shows this note instead of the one before."""
        self.set_css_classes(["note", note.kind])
        self._icon.set_from_icon_name(NOTE_ICONS[note.kind])
        self._text.set_text(harmless(note.text))
        self._about.set_text(isolated(harmless(note.pattern)))
        self._about.set_visible(bool(note.pattern))
        named(self, note.text)


class Row(Gtk.Box):
    """Shows any entry: a message as a card, a note as a line. Each is made when it is needed."""

    def __init__(self, session):
        super().__init__(layout_manager=ColumnLayout(), css_classes=["entry"])
        self._session = session
        self._parts = {}
        self._item, self._handler = None, 0

    def bind(self, item):
        self.unbind()
        self._item = item
        self._handler = item.connect("redraw", lambda *_: self._show())
        self._show()

    def unbind(self):
        if self._item is not None:
            self._item.disconnect(self._handler)
            self._item = None

    def _show(self):
        kind = Card if isinstance(self._item.entry, Message) else Line
        if kind not in self._parts:
            self._parts[kind] = kind(self._session)
            self.append(self._parts[kind])
        for one, part in self._parts.items():
            part.set_visible(one is kind)
        self._parts[kind].show(self._item.entry)


class TimelineView(Gtk.Overlay):
    """The list, and the button that goes to its end."""

    __gsignals__ = {"drawn": (GObject.SignalFlags.RUN_FIRST, None, ())}

    def __init__(self, session):
        super().__init__(vexpand=True)
        self._session = session
        self._items = Gio.ListStore(item_type=Item)
        self._by_entry = {}
        self._is_waiting = self._is_going = False
        self._is_at_end, self._new_count = True, 0
        factory = Gtk.SignalListItemFactory()
        factory.connect("setup", lambda _, cell: self._on_setup(cell))
        factory.connect("bind", lambda _, cell: cell.get_child().bind(cell.get_item()))
        factory.connect("unbind", lambda _, cell: cell.get_child().unbind())
        self._list = named(Gtk.ListView(
            model=Gtk.NoSelection(model=self._items), factory=factory,
            css_classes=["timeline"]), "Timeline")
        window = Gtk.ScrolledWindow(child=self._list, hscrollbar_policy=Gtk.PolicyType.NEVER)
        self._place = window.get_vadjustment()
        self._place.connect("value-changed", self._on_moved)
        self._place.connect("changed", lambda *_: self._is_at_end and self._stay_at_end())
        self._notice_going_up(window)
        self.set_child(window)
        self._to_end = Gtk.Button(css_classes=["to-end", "osd", "pill"], visible=False,
                                  halign=Gtk.Align.CENTER, valign=Gtk.Align.END)
        self._to_end.connect("clicked", lambda *_: self.go_to_end())
        self.add_overlay(self._to_end)
        session.connect("entries-changed", self._on_entries_changed)
        self._on_entries_changed()

    def go_to_end(self):
        """Shows the newest entry, and from now on each that comes."""
        self._is_at_end, self._new_count = True, 0
        self._stay_at_end()
        self._show_button()

    def _stay_at_end(self):
        # Not within the list's own layout, in which it would not be heeded.
        if not self._is_going:
            self._is_going = True
            GLib.idle_add(self._go)

    def _go(self):
        self._is_going = False
        count = self._items.get_n_items()
        if count and self._is_at_end:
            self._list.activate_action("list.scroll-to-item", GLib.Variant("u", count - 1))
            self._place.set_value(self._place.get_upper() - self._place.get_page_size())
        return GLib.SOURCE_REMOVE

    def _on_setup(self, cell):
        cell.set_activatable(False)
        cell.set_child(Row(self._session))

    def _on_entries_changed(self, *_):
        if not self._is_waiting:
            self._is_waiting = True
            GLib.timeout_add(BATCH_MS, self._draw)

    def _draw(self):
        self._is_waiting = False
        change = self._session.timeline.take(now_ms())
        dropped = self._items.get_n_items() if change.is_reset else change.dropped
        for entry in dict.fromkeys(change.touched):
            if entry in self._by_entry:
                self._by_entry[entry].emit("redraw")
        new = [Item(entry) for entry in change.appended]
        if dropped:
            for at in range(dropped):
                self._by_entry.pop(self._items.get_item(at).entry, None)
            self._items.splice(0, dropped, [])
        if new:
            self._items.splice(self._items.get_n_items(), 0, new)
            self._by_entry.update((item.entry, item) for item in new)
        if self._is_at_end or change.is_reset:
            self.go_to_end()
        else:
            self._new_count += len(new)
            self._show_button()
        self.emit("drawn")
        return GLib.SOURCE_REMOVE

    def _notice_going_up(self, window):
        """The list moves by itself too, while it learns how high its rows are. So only what
        somebody does takes it from its end: the wheel, a key, a finger, the scroll bar."""
        wheel = Gtk.EventControllerScroll(flags=Gtk.EventControllerScrollFlags.VERTICAL)
        wheel.connect("scroll", lambda _, _across, down: self._leave_end(down < 0))
        keys = Gtk.EventControllerKey()
        keys.connect("key-pressed", lambda _, key, *_more: self._leave_end(key in KEYS_UP))
        finger = Gtk.GestureDrag(touch_only=True)
        finger.connect("drag-begin", lambda *_: self._leave_end(True))
        bar = Gtk.GestureClick()
        bar.connect("pressed", lambda *_: self._leave_end(True))
        for controller, widget in ((wheel, window), (keys, window), (finger, window),
                                   (bar, window.get_vscrollbar())):
            controller.set_propagation_phase(Gtk.PropagationPhase.CAPTURE)
            widget.add_controller(controller)

    def _leave_end(self, goes_up):
        if goes_up and self._place.get_upper() > self._place.get_page_size():
            self._is_at_end = False
            self._show_button()
        return False

    def _on_moved(self, place):
        if place.get_value() >= place.get_upper() - place.get_page_size() - END_PIXELS:
            self._is_at_end, self._new_count = True, 0
            self._show_button()

    def _show_button(self):
        self._to_end.set_visible(not self._is_at_end)
        self._to_end.set_label(f"↓ {self._new_count:,} new" if self._new_count else "↓ Newest")
