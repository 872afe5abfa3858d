//! What is to be said of CPUs that did not come online: at the ends of their lanes, or where these are too
//! thin for words, below them. Neighbours of whom the same is to be said are told together.

use std::ops::Range;

use reveille_smp::outcome::Outcome;
use svg::node::element::Group;

use super::{
    lanes::is_left_out,
    layout::{LEFT, LINE, Lanes, PLOT, cut, width},
    shapes::{rect, text},
    words,
};
use crate::bootchart::{BootChart, Lane};

/// So many lines below the lanes at the most.
const MOST_LISTED: usize = 12;

/// The size of their letters.
const LETTERS: f64 = 12.0;

/// What is said of some neighbouring lanes.
#[derive(Clone, Debug, PartialEq)]
struct Remark {
    lanes: Range<usize>,
    is_failure: bool,
    words: String,
}

/// The remarks of a drawing.
pub(super) struct Remarks {
    /// Those that stand in their lanes.
    placed: Vec<Remark>,
    /// Those that stand below.
    listed: Vec<Remark>,
}

impl Remarks {
    pub(super) fn of(chart: &BootChart, lanes: &Lanes) -> Self {
        let all = remarks(&chart.lanes, lanes.are_readable());
        // The boot processor's is no news, and only where there is room.
        let is_bsp = |it: &Remark| chart.lanes[it.lanes.start].outcome == Outcome::Bsp;
        let (placed, mut listed): (Vec<_>, Vec<_>) =
            all.into_iter().partition(|it| lanes.have_room(&it.lanes));
        listed.retain(|it| !is_bsp(it));
        // Failures are what one looks for.
        listed.sort_by_key(|it| !it.is_failure);
        Self { placed, listed }
    }

    /// How high the list is.
    pub(super) fn height(&self) -> f64 {
        LINE * self.listed.len().min(MOST_LISTED + 1) as f64
    }

    /// Draws all of them; the list begins below `bottom`.
    pub(super) fn draw(&self, lanes: &Lanes, bottom: f64) -> Group {
        let mut group = Group::new().set("class", "remarks");
        let letters = lanes.letters();
        let room = PLOT.end - PLOT.start - letters;
        for it in &self.placed {
            let words = cut(&it.words, letters, room);
            let y = lanes.words_y(it.lanes.clone());
            group = group.add(match it.is_failure {
                true => on_paper(&words, lanes, &it.lanes),
                false => {
                    let words = text("pale", &words, PLOT.start + letters / 2.0, y, letters);
                    Group::new().add(words)
                }
            });
        }
        let mut y = bottom;
        for it in self.listed.iter().take(MOST_LISTED) {
            y += LINE;
            let class = if it.is_failure { "wrong" } else { "pale" };
            let words = cut(&it.words, LETTERS, PLOT.end - LEFT);
            group = group.add(text(class, &words, LEFT, y, LETTERS));
        }
        match self.listed.len().checked_sub(MOST_LISTED) {
            Some(more @ 1..) => {
                let words =
                    format!("and {more} more: point at a lane to see what became of its CPU");
                group.add(text("pale", &words, LEFT, y + LINE, LETTERS))
            }
            _ => group,
        }
    }
}

/// Words at the end of lanes that are hatched: on that nobody could read them.
fn on_paper(words: &str, lanes: &Lanes, of: &Range<usize>) -> Group {
    let (end, letters) = (PLOT.end, lanes.letters());
    let margin = letters / 3.0;
    let paper = end - width(words, letters) - margin..end;
    let y = lanes.words_y(of.clone());
    let height = lanes.height.max(letters * 1.3);
    let top = (lanes.y(of.start) + lanes.y(of.end) - height) / 2.0;
    Group::new()
        .add(rect("paper", &paper, top, height))
        .add(text("wrong end", words, end - margin, y, letters))
}

fn remarks(lanes: &[Lane], one_by_one: bool) -> Vec<Remark> {
    let mut remarks: Vec<Remark> = Vec::new();
    for (place, lane) in lanes.iter().enumerate() {
        let is_failure = lane.outcome.is_failure();
        if !is_failure && !is_left_out(lane.outcome) && lane.outcome != Outcome::Bsp {
            continue;
        }
        let words = words::remark(lane);
        match remarks.last_mut() {
            Some(last) if !one_by_one && (last.lanes.end, &last.words) == (place, &words) => {
                last.lanes.end += 1;
            }
            _ => remarks.push(Remark {
                lanes: place..place + 1,
                is_failure,
                words,
            }),
        }
    }
    if !one_by_one {
        for it in &mut remarks {
            it.words = format!("{}: {}", names(&lanes[it.lanes.clone()]), it.words);
        }
    }
    remarks
}

/// Who they are, such as `CPUs 5-9`, or `APICs 9 to 12` where they have no numbers.
fn names(lanes: &[Lane]) -> String {
    let [first, .., last] = lanes else {
        return lanes.first().map(words::name).unwrap_or_default();
    };
    match (first.cpu, last.cpu) {
        (Some(first), Some(last)) => format!("CPUs {first}-{last}"),
        _ => format!("APICs {} to {}", first.apic_id, last.apic_id),
    }
}
