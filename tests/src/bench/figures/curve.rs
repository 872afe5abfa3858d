//! What each strategy takes on machines of more and more CPUs, drawn. Each point is a median of boots, with its interval.

use anyhow::{Context, Result, anyhow, ensure};
use plotters::{coord::Shift, element::DashedPathElement, prelude::*};
use reveille_smp::table::Millis;

use crate::{
    bench::{
        results::Results,
        stats::{median::Median, summary::Summary},
    },
    log_log::{self, Failure},
    looks::{Colour, Look},
};

/// In pixels.
const SIZE: (u32, u32) = (960, 600);

/// Half of an interval's ends, and a point.
const CAP: u32 = 8;
const POINT: u32 = 3;

/// A dash of a yardstick, and what is between two.
const DASH: u32 = 7;
const GAP: u32 = 5;

const SUBTITLE: RGBColor = RGBColor(80, 80, 80);

const NANOS_A_MILLI: f64 = 1e6;

/// One who was measured on several machines: CPUs and medians in milliseconds.
struct Line {
    name: String,
    look: Look,
    points: Vec<(f64, Median)>,
}

/// Draws the results as an SVG.
///
/// # Errors
///
/// When they are of machines that differ in more than their CPUs, or of a single one.
pub(super) fn draw(results: &Results) -> Result<String> {
    let lines = lines(results)?;
    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, SIZE).into_drawing_area();
        // The library's errors borrow what is drawn.
        chart(results, &lines, &area).map_err(|error| anyhow!("{error}"))?;
    }
    let told = format!("<svg role=\"img\" aria-label=\"{}\" ", description(&lines));
    Ok(svg.replacen("<svg ", &told, 1))
}

fn lines(results: &Results) -> Result<Vec<Line>> {
    let summary = Summary::of(results);
    ensure!(summary.groups.len() > 1, "they are of one machine only");
    let first = &summary.groups[0].machine;
    let mut lines: Vec<Line> = Vec::new();
    for group in &summary.groups {
        let mut like_first = group.machine.clone();
        like_first.smp = first.smp.clone();
        ensure!(
            like_first == *first,
            "{} and {first} differ in more than their CPUs",
            group.machine
        );
        for row in &group.rows {
            let point = (f64::from(group.machine.smp.cpus()), row.online_ns);
            match lines.iter_mut().find(|it| it.name == row.contender) {
                Some(line) => line.points.push(point),
                None => lines.push(Line {
                    name: row.contender.clone(),
                    look: look(&row.contender)?,
                    points: vec![point],
                }),
            }
        }
    }
    Ok(lines)
}

fn look(name: &str) -> Result<Look> {
    let contender = name.parse().ok();
    let contender = contender.with_context(|| format!("{name} is no contender"))?;
    Ok(Look::of(contender))
}

/// What it says to those who do not see it.
fn description(lines: &[Line]) -> String {
    let told = lines.iter().filter_map(|line| {
        let [(few, fast), .., (many, slow)] = &line.points[..] else {
            return None;
        };
        let ms = |it: &Median| Millis {
            nanos: it.median.round() as u64,
        };
        Some(format!(
            "{}: {} ms at {few} CPUs, {} ms at {many}",
            line.name,
            ms(fast),
            ms(slow)
        ))
    });
    let told: Vec<_> = told.collect();
    format!("Time until all CPUs are online. {}.", told.join("; "))
}

fn chart<'a>(
    results: &Results,
    lines: &[Line],
    area: &DrawingArea<SVGBackend<'a>, Shift>,
) -> Result<(), Failure<'a>> {
    let points = || lines.iter().flat_map(|line| &line.points);
    let cpus = || points().map(|(cpus, _)| *cpus);
    let ends = |it: &Median| {
        let interval = it.interval;
        interval.map_or([it.median; 2], |it| [it.low, it.high])
    };
    let millis = || points().flat_map(|(_, it)| ends(it).map(|nanos| nanos / NANOS_A_MILLI));
    let header = &results.header;
    let day = header.started.split('T').next().unwrap_or_default();

    area.fill(&WHITE)?;
    let area = area
        .margin(8, 0, 0, 0)
        .titled("Until all CPUs are online", ("sans-serif", 20))?;
    let origin = format!(
        "medians of {} boots and their intervals; {day}, QEMU {}, {} host CPUs",
        header.runs, header.qemu, header.host.cpus
    );
    let area = area.titled(&origin, ("sans-serif", 13).into_font().color(&SUBTITLE))?;
    let mut chart = log_log::axes(
        ChartBuilder::on(&area).margin(12).margin_right(32),
        cpus().fold(f64::MAX, f64::min) * 0.93..cpus().fold(0.0, f64::max) * 1.08,
        millis(),
    )?;
    // The first one is ours: the last that is drawn lies above the others.
    for line in lines.iter().rev() {
        let Colour(red, green, blue) = line.look.colour.unwrap_or(Colour::MUTED);
        let style = RGBColor(red, green, blue).stroke_width(2);
        let at = |(cpus, it): &(f64, Median)| (*cpus, it.median / NANOS_A_MILLI);
        let points = || line.points.iter().map(at);
        let sample = |(x, y): (i32, i32)| [(x, y), (x + 18, y)].into_iter();
        if line.look.is_dashed {
            let dashes = DashedLineSeries::new(points(), DASH, GAP, style);
            let drawn = chart.draw_series(dashes)?;
            drawn
                .label(&line.name)
                .legend(move |at| DashedPathElement::new(sample(at), DASH, GAP, style));
        } else {
            let drawn = chart.draw_series(LineSeries::new(points(), style))?;
            drawn
                .label(&line.name)
                .legend(move |at| PathElement::new(sample(at).collect::<Vec<_>>(), style));
        }
        let dots = points().map(|at| Circle::new(at, POINT, style.filled()));
        chart.draw_series(dots)?;
        chart.draw_series(line.points.iter().map(|(cpus, it)| {
            let [low, high] = ends(it).map(|nanos| nanos / NANOS_A_MILLI);
            let middle = it.median / NANOS_A_MILLI;
            ErrorBar::new_vertical(*cpus, low, middle, high, style.filled(), CAP)
        }))?;
    }
    log_log::legend(&mut chart)?;
    area.present()
}
