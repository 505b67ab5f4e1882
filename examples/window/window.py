"""The window: what is where, which keys do what, and which page is shown.

From the top: a header with the daemon's state, a banner while it is away, the filters, the
timeline, and the box for a new message. All content is in one column, so it fits 360 pixels as it
fits a wide screen; more kinds of content (people) will be pages of the same stack.

libadwaita is used for what it does well: a header bar and pages that look like the desktop's
other programs, a light and a dark look that follow the user's choice, a column with a largest
width. What of it came after Debian 12 (banners, breakpoints) is not used.

Deliberately absent: remembering its size or its filters.
"""

from gi.repository import Adw, Gio, GLib, GObject, Gtk, Pango

from composer import Composer
from filters import FilterBar
from layouts import FittingLayout, column
from limits import ENTRIES_MAX
from parts import label, named
from payload import isolated
from timeline_view import TimelineView

NOTHING_YET = ("Nothing yet",
               "Messages appear here as they are published.\n"
               "Write one below, or in a terminal:")
TRY = "kith pub test.hello '\"hello\"'"


class Window(Adw.ApplicationWindow):
    """The only window of the application."""

    def __init__(self, application, session):
        super().__init__(application=application, title="Kith", default_width=900,
                         default_height=720, width_request=360, height_request=320)
        self._session = session
        self._filters = FilterBar(session)
        self._timeline = TimelineView(session)
        self._composer = Composer()
        self._composer.connect("send", self._on_send)
        self._composer.connect("leave", lambda *_: self._write.set_active(False))
        everything = Gtk.Box(orientation=Gtk.Orientation.VERTICAL)
        everything.append(self._header())
        everything.append(self._make_banner())
        self._pages = Gtk.Stack(vexpand=True, vhomogeneous=False, hhomogeneous=False)
        self._pages.add_named(self._make_bus_page(), "bus")
        self._pages.add_named(self._make_no_session_page(), "no-session")
        everything.append(self._pages)
        self.set_content(everything)
        self._add_actions(application)
        session.bus.connect("changed", lambda *_: self._show_state())
        self._timeline.connect("drawn", lambda *_: self._show_counts())
        Adw.StyleManager.get_default().connect("notify::dark", lambda *_: self._show_look())
        self._show_look()
        self._show_state()
        self._show_counts()

    # What is where.

    def _header(self):
        self._state = label("subtitle")
        self._state_icon = Gtk.Image(css_classes=["subtitle"])
        state = Gtk.Box(layout_manager=FittingLayout(), halign=Gtk.Align.CENTER)
        state.append(self._state)
        state.append(self._state_icon)
        title = Gtk.Box(orientation=Gtk.Orientation.VERTICAL, valign=Gtk.Align.CENTER)
        title.append(Gtk.Label(label="Kith", css_classes=["title"]))
        title.append(state)
        header = Adw.HeaderBar(title_widget=title)
        self._write = toggle("document-edit-symbolic", "Write a message (Ctrl+N)")
        self._write.set_active(True)
        self._write.connect("toggled", self._on_write)
        self._pause = toggle("media-playback-pause-symbolic", "Pause the timeline (Ctrl+P)")
        self._pause.connect("toggled", self._on_pause)
        self._find = toggle("system-search-symbolic", "Search (Ctrl+Shift+F)")
        menu = Gio.Menu()
        menu.append("Clear the timeline", "win.clear")
        menu.append("Keyboard shortcuts", "win.show-help-overlay")
        more = named(Gtk.MenuButton(icon_name="open-menu-symbolic", menu_model=menu,
                                    tooltip_text="More"), "More")
        header.pack_start(self._write)
        for part in (more, self._pause, self._find):
            header.pack_end(part)
        return header

    def _make_banner(self):
        self._banner_text = label(wrap=True, hexpand=True)
        self._start = Gtk.Button(label="Start", valign=Gtk.Align.CENTER)
        self._start.connect("clicked", self._on_start)
        inside = Gtk.Box(spacing=10, css_classes=["banner"],
                         accessible_role=Gtk.AccessibleRole.GROUP)
        inside.append(Gtk.Image(icon_name="network-offline-symbolic"))
        inside.append(self._banner_text)
        inside.append(self._start)
        self._banner = inside
        return inside

    def _make_bus_page(self):
        self._search = named(Gtk.SearchEntry(hexpand=True, placeholder_text="Search"), "Search")
        self._search.connect("search-changed", self._on_search)
        bar = Gtk.SearchBar(child=column(self._search))
        bar.connect_entry(self._search)
        flags = GObject.BindingFlags.BIDIRECTIONAL | GObject.BindingFlags.SYNC_CREATE
        self._find.bind_property("active", bar, "search-mode-enabled", flags)
        hint = Gtk.Label(label=TRY, selectable=True, halign=Gtk.Align.CENTER,
                         css_classes=["mono", "try"])
        self._empty = Adw.StatusPage(title=NOTHING_YET[0], icon_name="org.kithbus.Window-symbolic",
                                     child=hint, vexpand=True, css_classes=["compact"])
        self._content = Gtk.Stack(vexpand=True)
        self._content.add_named(self._timeline, "timeline")
        self._content.add_named(self._empty, "empty")
        self._counts = Gtk.Label(css_classes=["counts", "numeric"],
                                 ellipsize=Pango.EllipsizeMode.END)
        self._composer_place = Gtk.Box(css_classes=["writing"])
        self._composer_place.append(column(self._composer))
        page = Gtk.Box(orientation=Gtk.Orientation.VERTICAL)
        for part in (bar, column(self._filters), self._content, self._counts,
                     self._composer_place):
            page.append(part)
        return page

    def _make_no_session_page(self):
        again = Gtk.Button(label="Try again", halign=Gtk.Align.CENTER,
                           css_classes=["pill", "suggested-action"])
        again.connect("clicked", lambda *_: self._session.bus.open())
        self._no_session = Adw.StatusPage(
            title="There is no session bus", icon_name="network-offline-symbolic", child=again)
        return self._no_session

    def _add_actions(self, application):
        for name, key, does in (
            ("write", "<Control>n", self._begin_writing),
            ("filter", "<Control>f", self._filters.begin),
            ("search", "<Control><Shift>f", self._begin_search),
            ("pause", "<Control>p", lambda: self._pause.set_active(not self._pause.get_active())),
            ("end", "<Control>End", self._timeline.go_to_end),
            ("clear", "<Control>l", self._clear),
            ("close", "<Control>w", self.close),
        ):
            action = Gio.SimpleAction(name=name)
            action.connect("activate", lambda *_, does=does: does())
            self.add_action(action)
            application.set_accels_for_action(f"win.{name}", [key])
        self.set_help_overlay(shortcuts())

    # What changes.

    def _show_look(self):
        is_dark = Adw.StyleManager.get_default().get_dark()
        (self.add_css_class if is_dark else self.remove_css_class)("is-dark")

    def _show_state(self):
        bus = self._session.bus
        # What was seen stays to be seen when the session bus has ended.
        self._pages.set_visible_child_name("bus" if bus.had_session else "no-session")
        for part in (self._write, self._pause, self._find):
            part.set_sensitive(bus.had_session)
        self._no_session.set_description(
            "The desktop's programs talk over it, and this one talks to nothing else. "
            "It is tried again from time to time.\n"
            f"{GLib.markup_escape_text(bus.session_problem)}")
        state = f"connected · daemon {bus.version}" if bus.is_there else "not connected"
        self._state.set_text(state)
        self._state_icon.set_from_icon_name(
            "emblem-ok-symbolic" if bus.is_there else "network-offline-symbolic")
        self._state_icon.set_tooltip_text(state)
        named(self._state_icon, state)
        self._banner.set_visible(bus.had_session and not bus.is_there)
        self._banner_text.set_text("The daemon is not running" if bus.has_session else
                                   "The session bus has ended. Waiting for it to come back")
        self._start.set_label("Start" if bus.has_session else "Try again")
        self._start.set_visible(bus.can_start or not bus.has_session)
        self._composer.set_connected(bus.is_there)
        self._show_counts()

    def _show_counts(self):
        timeline = self._session.timeline
        self._content.set_visible_child_name("timeline" if timeline.shown_count else "empty")
        is_searching = bool(self._search.get_text())
        title, text = ("Nothing found", "No message here has that in it") if is_searching else (
            NOTHING_YET if self._session.filters else
            ("No filter", "Add one above, such as self.>, to see messages"))
        self._empty.set_title(title)
        self._empty.set_description(text)
        self._empty.get_child().set_visible(text is NOTHING_YET[1])
        parts = []
        if timeline.is_paused:
            parts.append(f"Paused: {timeline.waiting_count:,} new wait")
        if timeline.let_go_count:
            parts.append(f"the last {ENTRIES_MAX:,} are kept, "
                         f"{timeline.let_go_count:,} older ones were let go")
        self._counts.set_text(" · ".join(parts))
        self._counts.set_visible(bool(parts))

    # What somebody does.

    def _begin_writing(self):
        self._write.set_active(True)
        self._composer.begin()

    def _begin_search(self):
        self._find.set_active(True)
        self._search.grab_focus()

    def _clear(self):
        self._session.timeline.clear()
        self._session.emit("entries-changed")

    def _on_write(self, toggled):
        self._composer_place.set_visible(toggled.get_active())
        if toggled.get_active():
            self._composer.begin()

    def _on_pause(self, toggled):
        self._session.timeline.pause(toggled.get_active())
        self._session.emit("entries-changed")

    def _on_search(self, entry):
        self._session.timeline.set_search(entry.get_text())
        self._session.emit("entries-changed")

    def _on_send(self, composer, topic, text, way):
        def on_answer(problem):
            if problem is not None:
                composer.tell(problem, True)

        composer.published(f"{'Asked' if way == 'request' else 'Published'} on {isolated(topic)}")
        if way == "request":
            self._session.request(topic, text, on_answer)
        else:
            self._session.publish(topic, text, way == "keep", on_answer)

    def _on_start(self, *_):
        if not self._session.bus.has_session:
            self._session.bus.open()
            return
        self._start.set_sensitive(False)

        def on_answer(_, refusal):
            self._start.set_sensitive(True)
            if refusal is not None:
                self._banner_text.set_text(f"The daemon did not start: {refusal.text}")

        self._session.bus.start(on_answer)


def toggle(icon, name):
    return named(Gtk.ToggleButton(icon_name=icon, tooltip_text=name), name)


def shortcuts():
    """The window that shows the keys."""
    group = Gtk.ShortcutsGroup(title="Kith")
    for key, title in (
        ("<Control>n", "Write a message"), ("<Control>Return", "Send it"),
        ("<Control>f", "Add a filter"), ("<Control><Shift>f", "Search"),
        ("<Control>p", "Pause the timeline"), ("<Control>End", "Go to the newest message"),
        ("<Control>l", "Clear the timeline"), ("Escape", "Leave a field"),
        ("<Control>w", "Close"),
    ):
        group.append(Gtk.ShortcutsShortcut(accelerator=key, title=title))
    section = Gtk.ShortcutsSection(section_name="keys", visible=True)
    section.append(group)
    window = Gtk.ShortcutsWindow(modal=True)
    window.set_child(section)
    return window
