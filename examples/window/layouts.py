"""Three layouts that GTK does not have, or has too slowly for a list.

`WrapLayout` puts widgets one after another, and into the next line where they don't fit. GTK's
`FlowBox` aligns its children in columns, which tears chips of different widths apart.

`ColumnLayout` gives its children the width that there is, up to a largest, in the middle. That is
what libadwaita's `Clamp` does, which also asks its child how wide it has to be for a height: a
label finds that by laying itself out some fifty times, and a list has two hundred rows.

`FittingLayout` shows the longest of several ways to say the same that there is room for.

Deliberately absent: right-to-left lines, baselines, and lines of children whose height depends on
their width.
"""

from gi.repository import Gdk, Gtk

#: Pixels of the column. Longer lines are hard to read.
WIDTH_MAX = 860


class WrapLayout(Gtk.LayoutManager):
    """Lines of children, `spacing` pixels apart both ways."""

    spacing = 6

    def do_get_request_mode(self, _widget):
        return Gtk.SizeRequestMode.HEIGHT_FOR_WIDTH

    def do_measure(self, widget, orientation, for_size):
        if orientation == Gtk.Orientation.HORIZONTAL:
            sizes = [one.measure(orientation, -1)[:2] for one in _shown(widget)] or [(0, 0)]
            natural = sum(size[1] + self.spacing for size in sizes) - self.spacing
            return max(size[0] for size in sizes), natural, -1, -1
        lines = self._lines(widget, for_size if for_size >= 0 else 1 << 20)
        height = sum(line[1] + self.spacing for line in lines) - self.spacing if lines else 0
        return height, height, -1, -1

    def do_allocate(self, widget, width, _height, _baseline):
        top = 0
        for children, line_height in self._lines(widget, width):
            left = 0
            spare = width - sum(size + self.spacing for _, size in children) + self.spacing
            for child, size in children:
                if child.get_hexpand():
                    size += max(spare, 0)
                place = _rectangle(left, top, size, line_height)
                child.size_allocate(place, -1)
                left += size + self.spacing
            top += line_height + self.spacing

    def _lines(self, widget, width):
        """Each line as ([(child, width)], height)."""
        lines, line, used = [], [], 0
        for child in _shown(widget):
            smallest, natural = child.measure(Gtk.Orientation.HORIZONTAL, -1)[:2]
            size = max(smallest, min(natural, width))
            if line and used + size > width:
                lines.append(line)
                line, used = [], 0
            line.append((child, size))
            used += size + self.spacing
        lines += [line] if line else []
        vertical = Gtk.Orientation.VERTICAL
        return [(one, max(child.measure(vertical, -1)[1] for child, _ in one)) for one in lines]


class FittingLayout(Gtk.LayoutManager):
    """Of several children, each shorter than the one before, the first that there is room for."""

    def do_measure(self, widget, orientation, _for_size):
        sizes = [child.measure(orientation, -1)[1] for child in _shown(widget)] or [0]
        if orientation == Gtk.Orientation.HORIZONTAL:
            return sizes[-1], sizes[0], -1, -1
        return max(sizes), max(sizes), -1, -1

    def do_allocate(self, widget, width, height, _baseline):
        children = list(_shown(widget))
        natural = [child.measure(Gtk.Orientation.HORIZONTAL, -1)[1] for child in children]
        fits = [at for at, size in enumerate(natural) if size <= width] or [len(children) - 1]
        for at, child in enumerate(children):
            child.set_child_visible(at == fits[0])
            if at == fits[0]:
                size = max(min(natural[at], width), child.measure(
                    Gtk.Orientation.HORIZONTAL, -1)[0])
                child.size_allocate(_rectangle((width - size) // 2, 0, size, height), -1)


class ColumnLayout(Gtk.LayoutManager):
    """One child above the other, none wider than `WIDTH_MAX` pixels."""

    def do_get_request_mode(self, _widget):
        return Gtk.SizeRequestMode.HEIGHT_FOR_WIDTH

    def do_measure(self, widget, orientation, for_size):
        if orientation == Gtk.Orientation.HORIZONTAL:
            sizes = [child.measure(orientation, -1)[:2] for child in _shown(widget)] or [(0, 0)]
            return max(size[0] for size in sizes), max(size[1] for size in sizes), -1, -1
        width = min(for_size, WIDTH_MAX) if for_size >= 0 else -1
        sizes = [child.measure(orientation, width)[:2] for child in _shown(widget)]
        return sum(size[0] for size in sizes), sum(size[1] for size in sizes), -1, -1

    def do_allocate(self, widget, width, height, _baseline):
        inner, top = min(width, WIDTH_MAX), 0
        children = list(_shown(widget))
        for child in children:
            own = child.measure(Gtk.Orientation.VERTICAL, inner)[1]
            own = height if len(children) == 1 else own
            child.size_allocate(_rectangle((width - inner) // 2, top, inner, own), -1)
            top += own


def column(*children):
    """Puts widgets into the one column that all content is in."""
    box = Gtk.Box(layout_manager=ColumnLayout(), hexpand=True)
    for child in children:
        box.append(child)
    return box


def _shown(widget):
    child = widget.get_first_child()
    while child is not None:
        if child.should_layout():
            yield child
        child = child.get_next_sibling()


def _rectangle(left, top, width, height):
    place = Gdk.Rectangle()
    place.x, place.y, place.width, place.height = left, top, width, height
    return place
