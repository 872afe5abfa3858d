//! Above the lanes: what the boot processor did, and whose turn it was.

use std::ops::Range;

use svg::node::element::Group;

use super::{
    layout::{PLOT, ROW, width},
    scale::Scale,
    shapes::{bars, rect, text, title},
    words,
};
use crate::bootchart::{BootChart, Doing, Span, Turn};

/// The size of letters.
const LETTERS: f64 = 12.0;

/// Of those in a turn.
const SMALL: f64 = 10.0;

/// The height of what is drawn in a row.
const BAR: f64 = 13.0;

/// A row.
enum Row<'a> {
    Spans(Doing, &'a [Span]),
    Turns(&'a [Turn]),
}

/// The rows that there are.
pub(super) struct Rows<'a>(Vec<Row<'a>>);

impl<'a> Rows<'a> {
    pub(super) fn of(chart: &'a BootChart) -> Self {
        let mut rows = Vec::new();
        if let Some(spans) = &chart.bsp {
            rows.push(Row::Spans(Doing::Poll, spans));
            rows.push(Row::Spans(Doing::Sleep, spans));
        }
        rows.extend(chart.serialised.as_deref().map(Row::Turns));
        Self(rows)
    }

    pub(super) fn height(&self) -> f64 {
        ROW * self.0.len() as f64
    }

    pub(super) fn draw(&self, scale: &Scale, top: f64) -> Group {
        let mut group = Group::new().set("class", "meanwhile");
        let mut y = top;
        for row in &self.0 {
            group = group.add(match row {
                Row::Spans(doing, spans) => of_spans(*doing, spans, scale, y),
                Row::Turns(turns) => of_turns(turns, scale, y),
            });
            y += ROW;
        }
        group
    }
}

fn named(name: &str, y: f64) -> Group {
    let words = text("ink end", name, PLOT.start - 6.0, y + 10.5, LETTERS);
    Group::new().add(words)
}

fn of_spans(doing: Doing, spans: &[Span], scale: &Scale, y: f64) -> Group {
    let mine = spans.iter().filter(|it| it.doing == doing);
    let ranges = mine
        .clone()
        .map(|it| scale.x(it.began_ns)..scale.x(it.ended_ns));
    let lasted = mine
        .clone()
        .map(|it| it.ended_ns.saturating_sub(it.began_ns));
    let lasted = words::time(lasted.fold(0, u64::saturating_add));
    let count = mine.count();
    let (name, class, told) = match doing {
        Doing::Poll => (
            "BSP polls",
            "poll",
            format!("The boot processor polled {count} times, {lasted} in all"),
        ),
        Doing::Sleep => (
            "BSP sleeps",
            "sleep",
            format!("The boot processor slept {count} times, {lasted} in all"),
        ),
    };
    named(name, y)
        .add(title(&told))
        .add(rect("hit", &PLOT, y, ROW))
        .add(bars(class, ranges, y, BAR))
}

/// Each turn by itself where it can be told from the one before; in a wide one is its CPU's number.
fn of_turns(turns: &[Turn], scale: &Scale, y: f64) -> Group {
    let mut group = named("serialised steps", y);
    let of = |turn: &Turn| scale.x(turn.began_ns)..scale.x(turn.ended_ns);
    for together in groups(turns, of) {
        let x = of(together[0]).start..of(together[together.len() - 1]).end;
        let x = x.start..x.end.max(x.start + 0.6);
        let told = match together[..] {
            [turn] => words::turn(turn),
            [first, .., last] => format!(
                "{} serialised steps, {} to {}: from {} to {}",
                together.len(),
                words::time(first.began_ns),
                words::time(last.ended_ns),
                words::turn(first),
                words::turn(last)
            ),
            [] => continue,
        };
        group = group.add(rect("turn", &x, y, BAR).add(title(&told)));
        let number = together[0].cpu.to_string();
        if together.len() == 1 && width(&number, SMALL) + 4.0 < x.end - x.start {
            let middle = (x.start + x.end) / 2.0;
            group = group.add(text("number middle", &number, middle, y + 10.0, SMALL));
        }
    }
    group
}

/// Turns that cannot be told apart are together.
fn groups(turns: &[Turn], of: impl Fn(&Turn) -> Range<f64>) -> Vec<Vec<&Turn>> {
    let mut groups: Vec<Vec<&Turn>> = Vec::new();
    for turn in turns {
        let joins = groups.last().is_some_and(|last| {
            let before = of(last[last.len() - 1]);
            of(turn).end - of(last[0]).start < 0.8 && of(turn).start >= before.start
        });
        match groups.last_mut().filter(|_| joins) {
            Some(last) => last.push(turn),
            None => groups.push(vec![turn]),
        }
    }
    groups
}
