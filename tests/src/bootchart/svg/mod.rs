//! A boot as one drawing: a lane a CPU, a colour a stage, and above them the boot processor's polls and sleeps and
//! the serialised steps.
//!
//! ```text
//!   headline, subject, legend      words, legend
//!   axis                           scale
//!   BSP polls   ▮▮ ▮   ▮           meanwhile
//!   BSP sleeps     ▮ ▮▮▮
//!   serialised        ▮▮▮
//!   CPU 0                          lanes, as layout has room for them
//!   CPU 1       ▮▮▮▮▮▮▮▮
//!   CPU 2       ▮▮▨▨▨▨▨▨▨ why  x   remarks
//!   notes                          words
//! ```
//!
//! It is one file that needs nothing else: no script, no font, nothing from the network. The same chart gives
//! the same bytes.

mod lanes;
mod layout;
mod legend;
mod meanwhile;
mod remarks;
mod scale;
mod shapes;
mod style;
mod words;

use svg::{
    Document, Node,
    node::element::{Definitions, Description, Group, Path, Pattern, Style},
};

use self::{
    layout::{LEFT, LINE, Lanes, PLOT, WIDTH},
    meanwhile::Rows,
    remarks::Remarks,
    scale::Scale,
    shapes::{line, px, rect, text, title},
};
use super::BootChart;

/// The lines of the head.
const HEADLINE_Y: f64 = 36.0;
const SUBJECT_Y: f64 = 58.0;
const LEGEND_Y: f64 = 84.0;

/// Between two parts.
const SPACE: f64 = 10.0;

/// Letters of the axis, and of the notes.
const SMALL: f64 = 11.0;

/// Draws a boot. What is given back is a file.
pub fn draw(chart: &BootChart) -> String {
    let scale = Scale::of(chart, PLOT);
    let (legend, rows) = (legend::of(chart), Rows::of(chart));
    let axis_y = LEGEND_Y + legend.height + SPACE;
    let top = axis_y + SPACE / 2.0;
    let lanes = Lanes::new(top + rows.height() + SPACE / 2.0, chart.lanes.len());
    let remarks = Remarks::of(chart, &scale, &lanes);
    let list_y = lanes.bottom() + LINE + SPACE;
    let notes = words::notes(chart, scale.strip().is_some());
    let notes_y = list_y + remarks.height();
    let height = notes_y + LINE * notes.len() as f64 + SPACE;

    let head = Group::new()
        .add(text("ink", &words::headline(chart), LEFT, HEADLINE_Y, 24.0).set("font-weight", "600"))
        .add(text("pale", &words::subject(chart), LEFT, SUBJECT_Y, 13.0));
    let mut foot = Group::new().set("class", "notes");
    for (number, note) in notes.iter().enumerate() {
        let y = notes_y + LINE * (number as f64 + 0.7);
        foot = foot.add(text("pale", note, LEFT, y, SMALL));
    }
    let drawing = paper(chart, height)
        .add(head)
        .add(legend.drawn)
        .add(axis(&scale, axis_y, lanes.bottom()))
        .add(rows.draw(&scale, top))
        .add(lanes::draw(chart, &scale, &lanes))
        .add(remarks.draw(&lanes, list_y - LINE / 2.0))
        .add(foot);
    format!("{drawing}\n")
}

/// The empty drawing, and what it says to those who do not see it.
fn paper(chart: &BootChart, height: f64) -> Document {
    let description = svg::node::Text::new(words::clean(&words::description(chart)));
    let described = Description::new()
        .set("id", "bootchart-desc")
        .add(description);
    let heading = title(&words::headline(chart)).set("id", "bootchart-title");
    Document::new()
        .set("class", style::CLASS)
        .set("width", px(WIDTH))
        .set("height", px(height.ceil()))
        .set("viewBox", (0, 0, px(WIDTH), px(height.ceil())))
        .set("role", "img")
        .set("aria-labelledby", "bootchart-title bootchart-desc")
        .add(heading)
        .add(described)
        .add(Style::new(style::sheet()))
        .add(Definitions::new().add(hatching()))
        .add(rect("paper", &(0.0..WIDTH), 0.0, height.ceil()))
}

/// Slanted lines, for whom nothing was heard of.
fn hatching() -> Pattern {
    let lines = Path::new()
        .set("class", "lost")
        .set("d", "M-2 2l4-4M0 8l8-8M6 10l4-4");
    Pattern::new()
        .set("id", "bootchart-lost")
        .set("width", 8)
        .set("height", 8)
        .set("patternUnits", "userSpaceOnUse")
        .add(lines)
}

/// The axis, with a thin line down to the last lane for each of its marks.
fn axis(scale: &Scale, y: f64, bottom: f64) -> Group {
    let mut group = Group::new().set("class", "time");
    if let Some(strip) = scale.strip() {
        group = group.add(rect("strip", &strip, y, bottom - y));
    }
    let ticks = scale.ticks();
    for tick in &ticks {
        group.append(line("grid", (tick.x, y), (tick.x, bottom)));
        let (above, below) = (y - 5.0, bottom + SMALL + 4.0);
        group.append(text("pale middle", &tick.words, tick.x, above, SMALL));
        group.append(text("pale middle", &tick.words, tick.x, below, SMALL));
    }
    for y in [y, bottom] {
        let (from, to) = (scale.edges.start, scale.edges.end);
        group.append(line("axis", (from, y), (to, y)));
        if let Some(strip) = scale.strip() {
            // The sign of an axis that is cut.
            for x in [strip.start - 2.0, strip.start + 2.0] {
                group.append(line("axis", (x - 2.0, y + 5.0), (x + 2.0, y - 5.0)));
            }
        }
    }
    group
}

#[cfg(test)]
mod tests;
