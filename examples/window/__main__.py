"""Kith in a window: `python3 examples/window [PATTERN …]`.

An application of the desktop that has nothing of Kith installed: it speaks to the daemon by D-Bus
with what GTK brings. The patterns are the filters that it begins with; without any it looks on at
everything of this user's own (`self.>`).

Read next: `session.py` for what it does on the bus, `timeline.py` for what is on the screen,
`window.py` for how it looks.

Deliberately absent: options but `--help`. What can be chosen is chosen in the window.
"""

import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))

USAGE = """usage: kith-window [PATTERN …]

Shows what passes on the bus. Each PATTERN is a filter, such as self.home.> or *.chess.*; without
any it is self.>, everything of your own."""
NO_DISPLAY = ("kith-window: no display (DISPLAY, WAYLAND_DISPLAY); "
              "in a terminal there is `kith tap`")

if {"--help", "-h"} & set(sys.argv[1:]):
    print(USAGE)
    sys.exit(0)
if any(word.startswith("-") for word in sys.argv[1:]):
    print(USAGE, file=sys.stderr)
    sys.exit(64)
if not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
    sys.exit(NO_DISPLAY)

try:
    import gi

    gi.require_version("Gtk", "4.0")
    gi.require_version("Adw", "1")
    from gi.repository import Adw, Gdk, Gtk
except (ImportError, ValueError) as error:
    sys.exit(f"This needs GTK 4 and libadwaita for this Python ({sys.executable}): {error}\n"
             "On Debian: apt install python3-gi gir1.2-gtk-4.0 gir1.2-adw-1, and /usr/bin/python3")

if Gdk.Display.get_default() is None:
    sys.exit(NO_DISPLAY)

from limits import SWITCH_SECONDS
from session import Session
from window import Window

APPLICATION = "org.kithbus.Window"


class Application(Adw.Application):
    """One process, one window; started a second time it shows the first again."""

    def __init__(self):
        super().__init__(application_id=APPLICATION)
        self._patterns = ["self.>"]
        self._window = None

    def do_startup(self):
        Adw.Application.do_startup(self)
        connection = self.get_dbus_connection()
        if connection is not None:
            # Else GLib ends the program with the session bus; the window has a page for that.
            connection.set_exit_on_close(False)
        display = Gdk.Display.get_default()
        style = Gtk.CssProvider()
        style.load_from_path(os.path.join(HERE, "style.css"))
        Gtk.StyleContext.add_provider_for_display(
            display, style, Gtk.STYLE_PROVIDER_PRIORITY_APPLICATION)
        Gtk.IconTheme.get_for_display(display).add_search_path(os.path.join(HERE, "icons"))
        Gtk.Window.set_default_icon_name(APPLICATION)

    def do_activate(self):
        if self._window is None:
            session = Session(self._patterns)
            self._window = Window(self, session)
            session.bus.open()
        self._window.present()

    def run_with(self, patterns):
        """Runs until the window is closed."""
        self._patterns = patterns or self._patterns
        return self.run([])


sys.setswitchinterval(SWITCH_SECONDS)
sys.exit(Application().run_with(sys.argv[1:]))
