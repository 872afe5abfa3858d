//! The legend: what each colour that occurs stands for.

use reveille_smp::outcome::Outcome;
use svg::node::element::Group;

use super::{
    LEGEND_Y, lanes,
    layout::{LEFT, LINE, WIDTH, width},
    shapes::{rect, text},
    style,
};
use crate::bootchart::{BootChart, stage::Stage};

/// The size of letters.
const LETTERS: f64 = 12.0;

/// The side of a patch of colour.
const PATCH: f64 = 12.0;

/// Between a patch and its words, and behind these.
const GAPS: (f64, f64) = (6.0, 18.0);

/// The legend of a drawing.
pub(super) struct Legend {
    pub(super) drawn: Group,
    pub(super) height: f64,
}

/// What occurs in a boot, row by row.
pub(super) fn of(chart: &BootChart) -> Legend {
    let mut drawn = Group::new().set("class", "legend");
    let (mut x, mut y) = (LEFT, LEGEND_Y);
    for (class, words) in entries(chart) {
        let room = PATCH + GAPS.0 + width(&words, LETTERS) + GAPS.1;
        if x > LEFT && x + room > WIDTH - LEFT {
            (x, y) = (LEFT, y + LINE);
        }
        let mut patch = rect(&class, &(x..x + PATCH), y - PATCH + 2.0, PATCH);
        if class == "hatched" {
            patch = patch.set("fill", "url(#bootchart-lost)");
        }
        let words = text("ink", &words, x + PATCH + GAPS.0, y, LETTERS);
        drawn = drawn.add(patch).add(words);
        x += room;
    }
    Legend {
        drawn,
        height: y - LEGEND_Y + LINE,
    }
}

fn entries(chart: &BootChart) -> Vec<(String, String)> {
    let passages = chart.lanes.iter().flat_map(|it| it.times.passages());
    let passages: Vec<_> = passages.filter(|it| it.ended_ns.is_some()).collect();
    let occurs = |stage: Stage| passages.iter().any(|it| it.stage == stage);
    let is_any = |is_it: fn(Outcome) -> bool| chart.lanes.iter().any(|it| is_it(it.outcome));
    let others = [
        (chart.bsp.is_some(), "poll", "boot processor polls"),
        (chart.bsp.is_some(), "sleep", "boot processor sleeps"),
        (chart.serialised.is_some(), "turn", "serialised step"),
        (
            is_any(Outcome::is_failure),
            "hatched",
            "did not come online",
        ),
        (is_any(lanes::is_left_out), "out", "left out"),
    ];
    let stages = Stage::ALL.into_iter().filter(|it| occurs(*it));
    let stages = stages.map(|it| (style::stage(it), it.name().to_owned()));
    let others = others.into_iter().filter(|(occurs, ..)| *occurs);
    let others = others.map(|(_, class, words)| (class.to_owned(), words.to_owned()));
    stages.chain(others).collect()
}
