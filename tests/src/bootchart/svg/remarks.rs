//! What is to be said of CPUs that did not come online: at the ends of their lanes, where it has room behind their
//! stages, or else below all lanes. There, neighbours of whom the same is to be said are told together.

use std::ops::Range;

use reveille_smp::{
    lines::Words,
    look::{Columns, Look},
    outcome::Outcome,
};
use svg::node::element::Group;

use super::{
    lanes::{SEEN, is_left_out, lost_from},
    layout::{LEFT, LINE, Lanes, PLOT, cut, letters_in, width},
    scale::Scale,
    shapes::{rect, text},
    words,
};
use crate::bootchart::{BootChart, Lane};

/// So many remarks below the lanes at the most.
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
    /// Lines that stand below, and their class.
    listed: Vec<(&'static str, String)>,
}

impl Remarks {
    pub(super) fn of(chart: &BootChart, scale: &Scale, lanes: &Lanes) -> Self {
        let places = Places {
            chart,
            scale,
            lanes,
        };
        let groups = remarks(chart, lanes.are_readable());
        let placed = groups.into_iter().filter_map(|it| places.place(it));
        let groups = remarks(chart, false).into_iter();
        let mut listed: Vec<_> = groups.filter(|it| !places.have_room_for(it)).collect();
        // The boot processor's is no news, and only where there is room.
        listed.retain(|it| chart.lanes[it.lanes.start].outcome != Outcome::Bsp);
        // Failures are what one looks for.
        listed.sort_by_key(|it| !it.is_failure);
        Self {
            placed: placed.collect(),
            listed: lines(chart, &listed),
        }
    }

    /// How high the list is.
    pub(super) fn height(&self) -> f64 {
        LINE * self.listed.len() as f64
    }

    /// Draws all of them; the list begins below `bottom`.
    pub(super) fn draw(&self, lanes: &Lanes, bottom: f64) -> Group {
        let mut group = Group::new().set("class", "remarks");
        let letters = lanes.letters();
        for it in &self.placed {
            let y = lanes.words_y(it.lanes.clone());
            group = group.add(match it.is_failure {
                true => on_paper(&it.words, lanes, &it.lanes),
                false => {
                    let words = text("pale", &it.words, PLOT.start + letters / 2.0, y, letters);
                    Group::new().add(words)
                }
            });
        }
        let mut y = bottom;
        for (class, words) in &self.listed {
            y += LINE;
            group = group.add(text(class, words, LEFT, y, LETTERS));
        }
        group
    }
}

/// Where remarks may stand among the lanes.
struct Places<'a> {
    chart: &'a BootChart,
    scale: &'a Scale,
    lanes: &'a Lanes,
}

impl Places<'_> {
    /// How wide words in some lanes may be: behind the stages of those that failed, nothing of which is hidden.
    fn room(&self, lanes: &Range<usize>) -> f64 {
        let letters = self.lanes.letters();
        let lanes = self.chart.lanes[lanes.clone()].iter();
        let lost = lanes.filter_map(|lane| lost_from(lane, self.scale));
        let from = lost.map(|it| it + SEEN).fold(PLOT.start, f64::max);
        PLOT.end - from - margin(letters)
    }

    fn has_room(&self, lanes: &Range<usize>, words: &str) -> bool {
        let long = width(words, self.lanes.letters());
        self.lanes.have_room(lanes) && long <= self.room(lanes)
    }

    /// A remark as it stands among the lanes: as much of it as there is room for.
    fn place(&self, of: Remark) -> Option<Remark> {
        let whole = self.in_lane(&of);
        let words = match of.is_failure {
            _ if self.has_room(&of.lanes, &whole) => whole,
            true => {
                let short = words::outcome(&self.chart.lanes[of.lanes.start]);
                self.has_room(&of.lanes, &short).then_some(short)?
            }
            false if self.lanes.have_room(&of.lanes) => {
                cut(&whole, self.lanes.letters(), self.room(&of.lanes))
            }
            false => return None,
        };
        Some(Remark { words, ..of })
    }

    /// Whether all of it stands among the lanes: in each where these have room for words, or once for all.
    fn have_room_for(&self, group: &Remark) -> bool {
        if !self.lanes.are_readable() {
            return self.has_room(&group.lanes, &self.in_lane(group));
        }
        let mut lanes = group.lanes.clone();
        lanes.all(|lane| self.has_room(&(lane..lane + 1), &group.words))
    }

    /// The words in a lane, of which only a thin one has no name beside it.
    fn in_lane(&self, remark: &Remark) -> String {
        match self.lanes.are_readable() {
            true => remark.words.clone(),
            false => named(self.chart, remark),
        }
    }
}

/// Between words and the edge of what they stand on.
fn margin(letters: f64) -> f64 {
    letters / 3.0
}

/// Words at the end of lanes that are hatched: on that nobody could read them.
fn on_paper(words: &str, lanes: &Lanes, of: &Range<usize>) -> Group {
    let (end, letters) = (PLOT.end, lanes.letters());
    let paper = end - width(words, letters) - margin(letters)..end;
    let y = lanes.words_y(of.clone());
    // The lanes beside these are none of its business.
    let (top, bottom) = (lanes.y(of.start), lanes.y(of.end));
    let height = lanes.height.max(letters * 1.3).min(bottom - top);
    Group::new()
        .add(rect("paper", &paper, (top + bottom - height) / 2.0, height))
        .add(text("wrong end", words, end - margin(letters), y, letters))
}

/// The lines of the list, and their class.
fn lines(chart: &BootChart, listed: &[Remark]) -> Vec<(&'static str, String)> {
    let columns = u16::try_from(letters_in(PLOT.end - LEFT, LETTERS)).unwrap_or(u16::MAX);
    let look = Look {
        columns: Some(Columns::nearest(columns)),
        ..Look::default()
    };
    let mut lines = Vec::new();
    for it in listed.iter().take(MOST_LISTED) {
        let class = if it.is_failure { "wrong" } else { "pale" };
        let text = &named(chart, it);
        let told = Words { text, indent: 0 }.within(look).to_string();
        lines.extend(told.lines().map(|line| (class, line.to_owned())));
    }
    if let Some(more @ 1..) = listed.len().checked_sub(MOST_LISTED) {
        let words = format!("and {more} more: point at a lane to see what became of its CPU");
        lines.push(("pale", words));
    }
    lines
}

fn remarks(chart: &BootChart, one_by_one: bool) -> Vec<Remark> {
    let mut remarks: Vec<Remark> = Vec::new();
    for (place, lane) in chart.lanes.iter().enumerate() {
        let is_failure = lane.outcome.is_failure();
        if !is_failure && !is_left_out(lane.outcome) && lane.outcome != Outcome::Bsp {
            continue;
        }
        let words = words::remark(chart, lane);
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
    remarks
}

/// A remark, and of whom it is.
fn named(chart: &BootChart, remark: &Remark) -> String {
    let names = names(&chart.lanes[remark.lanes.clone()]);
    format!("{names}: {}", remark.words)
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
