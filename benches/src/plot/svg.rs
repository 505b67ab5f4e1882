//! A drawing as SVG text: rectangles, lines and words, nothing more.
//!
//! Text stays text, so that it can be searched, selected and read aloud. What colours mean is said
//! once, by classes, for a light and for a dark surrounding. A plotting crate would bring a dozen
//! others and a layout to fight with; bars are forty lines.

use std::fmt::Write;

/// Light first; the media query of dark surroundings overrides it.
const STYLE: &str = "
text { font: 11px system-ui, 'Segoe UI', 'DejaVu Sans', sans-serif; fill: #1f2328 }
.ground { fill: #ffffff }
.title { font-size: 14px; font-weight: 600 }
.group { font-weight: 600 }
.muted { fill: #59636e }
.value { paint-order: stroke; stroke: #ffffff; stroke-width: 3px }
.grid { stroke: #d1d9e0 }
.whisker { stroke: #1f2328 }
.kith { fill: #0969da }
.peer { fill: #9aa4af }
.limit { fill: #ffffff; stroke: #9aa4af; stroke-dasharray: 3 2 }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3 }
.ground { fill: #0d1117 }
.muted { fill: #9198a1 }
.value { stroke: #0d1117 }
.grid { stroke: #30363d }
.whisker { stroke: #e6edf3 }
.kith { fill: #388bfd }
.peer { fill: #656c76 }
.limit { fill: #0d1117; stroke: #656c76 }
}
";

/// Which end of a text its place names.
#[derive(Clone, Copy)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

#[derive(Default)]
pub(super) struct Canvas {
    body: String,
}

impl Canvas {
    pub(super) fn rectangle(&mut self, class: &str, from: (f64, f64), size: (f64, f64)) {
        let ((x, y), (width, height)) = (from, size);
        let place = format!(r#"x="{x:.1}" y="{y:.1}""#);
        let size = format!(r#"width="{width:.1}" height="{height:.1}""#);
        self.element(&format!(r#"<rect class="{class}" {place} {size}/>"#));
    }

    pub(super) fn line(&mut self, class: &str, from: (f64, f64), to: (f64, f64)) {
        let ((x1, y1), (x2, y2)) = (from, to);
        self.element(&format!(
            r#"<line class="{class}" x1="{x1:.1}" y1="{y1:.1}" x2="{x2:.1}" y2="{y2:.1}"/>"#
        ));
    }

    pub(super) fn text(&mut self, class: &str, at: (f64, f64), anchor: Anchor, words: &str) {
        let anchor = match anchor {
            Anchor::Start => "start",
            Anchor::Middle => "middle",
            Anchor::End => "end",
        };
        let ((x, y), words) = (at, escaped(words));
        self.element(&format!(
            r#"<text class="{class}" x="{x:.1}" y="{y:.1}" text-anchor="{anchor}">{words}</text>"#
        ));
    }

    fn element(&mut self, element: &str) {
        self.body.push_str(element);
        self.body.push('\n');
    }

    /// The whole file. `title` is what is read aloud first.
    pub(super) fn finish(self, title: &str, width: f64, height: f64) -> String {
        let mut text = String::new();
        let title = escaped(title);
        // Writing to a string can't fail.
        let _written = write!(
            text,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height:.0}\" \
             width=\"{width:.0}\" height=\"{height:.0}\" role=\"img\">\n\
             <title>{title}</title>\n<style>{STYLE}</style>\n\
             <rect class=\"ground\" width=\"100%\" height=\"100%\"/>\n{}</svg>\n",
            self.body
        );
        text
    }
}

fn escaped(words: &str) -> String {
    words.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_stays_text_and_markup_in_it_does_not_count() {
        let mut canvas = Canvas::default();
        canvas.text("muted", (1.0, 2.0), Anchor::End, "a < b & c");
        canvas.rectangle("kith", (0.0, 0.0), (3.25, 4.0));
        let text = canvas.finish("x > y", 10.0, 20.0);
        assert!(text.contains(r#"x="1.0" y="2.0" text-anchor="end">a &lt; b &amp; c</text>"#));
        assert!(text.contains("<title>x &gt; y</title>"), "{text}");
        assert!(text.starts_with("<svg ") && text.ends_with("</svg>\n"));
    }
}
