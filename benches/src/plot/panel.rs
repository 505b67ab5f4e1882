//! A panel: groups of horizontal bars with one scale, each labelled with its median, whiskers from
//! the least to the most.
//!
//! The scale is logarithmic where the largest median is more than twenty times the smallest, since
//! the small ones could not be told apart otherwise; it then has a line for each power of ten.

use super::svg::{Anchor, Canvas};
use crate::report::short;
use crate::results::Spread;

pub(super) const WIDTH: f64 = 470.0;
const NAMES_WIDTH: f64 = 88.0;
const VALUES_WIDTH: f64 = 56.0;
const TITLE_HEIGHT: f64 = 42.0;
const GROUP_HEIGHT: f64 = 20.0;
const BAR_PITCH: f64 = 15.0;
const BAR_HEIGHT: f64 = 10.0;
const AXIS_HEIGHT: f64 = 34.0;
const LOGARITHMIC_FROM: f64 = 20.0;

pub(super) struct Bar {
    pub(super) name: String,
    /// Of the drawing: whose it is.
    pub(super) class: &'static str,
    /// What was measured, or a word for why it was not.
    pub(super) value: Result<Spread, &'static str>,
}

pub(super) struct Group {
    pub(super) label: String,
    pub(super) bars: Vec<Bar>,
}

impl Group {
    /// A group that is alone needs no name.
    fn label_height(&self) -> f64 {
        if self.label.is_empty() { 2.0 } else { GROUP_HEIGHT }
    }
}

pub(super) struct Panel {
    pub(super) title: &'static str,
    pub(super) note: &'static str,
    pub(super) groups: Vec<Group>,
}

/// From figures to places along a bar.
struct Scale {
    low: f64,
    high: f64,
    is_logarithmic: bool,
}

impl Scale {
    /// Nothing where there is no figure.
    fn of(spreads: &[Spread]) -> Option<Self> {
        let least_of = |figure: fn(&Spread) -> f64| {
            spreads.iter().map(figure).filter(|figure| *figure > 0.0).fold(f64::INFINITY, f64::min)
        };
        let most_of = |figure: fn(&Spread) -> f64| spreads.iter().map(figure).fold(0.0, f64::max);
        if spreads.is_empty() {
            return None;
        }
        let median = |spread: &Spread| spread.median;
        let is_logarithmic = most_of(median) > least_of(median) * LOGARITHMIC_FROM;
        let (least, high) = (least_of(|spread| spread.min), most_of(|spread| spread.max));
        // A bar for the least, too: its power of ten, or the one below where it is one itself.
        let low = if is_logarithmic { 10_f64.powf((least * 0.7).log10().floor()) } else { 0.0 };
        Some(Self { low, high: if high > 0.0 { high } else { 1.0 }, is_logarithmic })
    }

    /// The share of the full width, 0 to 1.
    fn share(&self, figure: f64) -> f64 {
        let share = if self.is_logarithmic {
            (figure.max(self.low) / self.low).log10() / (self.high / self.low).log10()
        } else {
            figure / self.high
        };
        share.clamp(0.0, 1.0)
    }

    /// Where lines are drawn: powers of ten, or four to eight round steps.
    fn ticks(&self) -> Vec<f64> {
        if self.is_logarithmic {
            let powers = (0..20).map(|power| self.low * 10_f64.powi(power));
            return powers.take_while(|tick| *tick <= self.high).collect();
        }
        let power = 10_f64.powf((self.high / 4.0).log10().floor());
        let steps = [power, power * 2.0, power * 5.0];
        let fits = |step: &&f64| self.high / **step <= 6.0;
        let step = steps.iter().find(fits).copied().unwrap_or(power * 10.0);
        (0..=8).map(|count| f64::from(count) * step).take_while(|tick| *tick <= self.high).collect()
    }
}

impl Panel {
    pub(super) fn height(&self) -> f64 {
        let bars: usize = self.groups.iter().map(|group| group.bars.len()).sum();
        TITLE_HEIGHT
            + self.groups.iter().map(Group::label_height).sum::<f64>()
            + bars as f64 * BAR_PITCH
            + AXIS_HEIGHT
    }

    pub(super) fn draw(&self, (left, top): (f64, f64), canvas: &mut Canvas) {
        canvas.text("title", (left, top + 14.0), Anchor::Start, self.title);
        let bars = self.groups.iter().flat_map(|group| &group.bars);
        let spreads: Vec<Spread> = bars.filter_map(|bar| bar.value.ok()).collect();
        let Some(scale) = Scale::of(&spreads) else { return };
        let note = if scale.is_logarithmic {
            format!("{}; logarithmic scale", self.note)
        } else {
            self.note.to_string()
        };
        canvas.text("muted", (left, top + 30.0), Anchor::Start, &note);
        let zero = left + NAMES_WIDTH;
        let width = WIDTH - NAMES_WIDTH - VALUES_WIDTH;
        let place = |figure: f64| zero + scale.share(figure) * width;
        let bottom = top + self.height() - AXIS_HEIGHT;
        for tick in scale.ticks() {
            let x = place(tick);
            canvas.line("grid", (x, top + TITLE_HEIGHT), (x, bottom + 3.0));
            canvas.text("muted", (x, bottom + 15.0), Anchor::Middle, &tick_label(tick));
        }
        let mut y = top + TITLE_HEIGHT;
        for group in &self.groups {
            canvas.text("group", (zero - 6.0, y + 14.0), Anchor::End, &group.label);
            y += group.label_height();
            for bar in &group.bars {
                draw_bar(bar, (zero, y), &place, canvas);
                y += BAR_PITCH;
            }
        }
    }
}

fn draw_bar(bar: &Bar, (zero, y): (f64, f64), place: &dyn Fn(f64) -> f64, canvas: &mut Canvas) {
    let baseline = y + 9.0;
    canvas.text("", (zero - 6.0, baseline), Anchor::End, &bar.name);
    let spread = match bar.value {
        Ok(spread) => spread,
        Err(why) => return canvas.text("muted", (zero + 6.0, baseline), Anchor::Start, why),
    };
    let width = (place(spread.median) - zero).max(1.0);
    canvas.rectangle(bar.class, (zero, y), (width, BAR_HEIGHT));
    let (least, most) = (place(spread.min), place(spread.max));
    let middle = y + BAR_HEIGHT / 2.0;
    if most - least > 1.0 {
        canvas.line("whisker", (least, middle), (most, middle));
        for end in [least, most] {
            canvas.line("whisker", (end, middle - 3.0), (end, middle + 3.0));
        }
    }
    let behind = most.max(zero + width) + 6.0;
    canvas.text("value", (behind, baseline), Anchor::Start, &short(spread.median));
}

/// A round figure without the digits that are all 0.
fn tick_label(tick: f64) -> String {
    match tick {
        _ if tick >= 1e6 => format!("{} M", tick / 1e6),
        _ if tick >= 1e3 => format!("{} k", tick / 1e3),
        _ => format!("{}", (tick * 1e6).round() / 1e6),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spread(median: f64) -> Spread {
        Spread { median, min: median, max: median }
    }

    #[test]
    fn near_figures_are_linear_from_zero_and_far_ones_logarithmic() {
        let near = Scale::of(&[spread(10.0), spread(40.0)]).unwrap();
        assert_eq!((near.share(0.0), near.share(10.0), near.share(40.0)), (0.0, 0.25, 1.0));
        assert_eq!(near.ticks(), [0.0, 10.0, 20.0, 30.0, 40.0]);
        let far = Scale::of(&[spread(1e3), spread(1e6)]).unwrap();
        assert_eq!(far.low, 100.0);
        assert!((far.share(1e4) - 0.5).abs() < 1e-9);
        assert_eq!(far.ticks().len(), 5);
        assert!(Scale::of(&[]).is_none());
    }

    #[test]
    fn figures_of_nothing_draw_nothing_wrong() {
        let zero = Scale::of(&[spread(0.0)]).unwrap();
        assert_eq!(zero.share(0.0), 0.0);
        let mixed = Scale::of(&[spread(0.0), spread(5.0), spread(500.0)]).unwrap();
        assert_eq!(mixed.share(0.0), 0.0);
        assert!(mixed.is_logarithmic);
    }

    #[test]
    fn labels_of_ticks_are_short() {
        let labels = [0.0, 0.1, 50.0, 1e4, 2.5e6].map(tick_label);
        assert_eq!(labels, ["0", "0.1", "50", "10 k", "2.5 M"]);
    }
}
