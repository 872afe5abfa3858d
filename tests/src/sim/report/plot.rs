//! The growth of a bring-up with the CPUs, drawn.

use std::path::Path;

use anyhow::{Result, anyhow};
use plotters::prelude::*;

use super::growth::Point;
use crate::log_log::{self, Failure};

/// In pixels.
const SIZE: (u32, u32) = (880, 560);

/// What is drawn.
struct Line {
    name: &'static str,
    colour: RGBColor,
    millis: fn(&Point) -> f64,
}

const LINES: [Line; 3] = [
    Line {
        name: "two-pass, virtual time",
        colour: RGBColor(200, 80, 30),
        millis: |point| point.two_pass.as_secs_f64() * 1e3,
    },
    Line {
        name: "parallel, virtual time",
        colour: RGBColor(20, 90, 180),
        millis: |point| point.parallel.as_secs_f64() * 1e3,
    },
    Line {
        name: "parallel, the host's time",
        colour: RGBColor(120, 120, 120),
        millis: |point| point.host.as_secs_f64() * 1e3,
    },
];

/// Draws the points as an SVG.
pub fn draw(title: &str, points: &[Point], path: &Path) -> Result<()> {
    let area = SVGBackend::new(path, SIZE).into_drawing_area();
    // The library's errors borrow what is drawn.
    chart(title, points, &area).map_err(|error| anyhow!("{}: {error}", path.display()))
}

fn chart<'a>(
    title: &str,
    points: &[Point],
    area: &DrawingArea<SVGBackend<'a>, plotters::coord::Shift>,
) -> Result<(), Failure<'a>> {
    let all = || {
        points
            .iter()
            .flat_map(|point| LINES.map(|line| (line.millis)(point)))
    };
    let most = points.iter().map(|point| point.cpus).max().unwrap_or(2) as f64;

    area.fill(&WHITE)?;
    let mut chart = log_log::axes(
        ChartBuilder::on(area)
            .caption(title, ("sans-serif", 20))
            .margin(16)
            .margin_right(32),
        2.0..most.max(4.0),
        all(),
    )?;
    for Line {
        name,
        colour,
        millis,
    } in LINES
    {
        let at = |point: &Point| (point.cpus as f64, millis(point).max(1e-4));
        chart
            .draw_series(
                LineSeries::new(points.iter().map(at), colour.stroke_width(2)).point_size(3),
            )?
            .label(name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], colour.stroke_width(2)));
    }
    log_log::legend(&mut chart)?;
    area.present()
}

#[cfg(test)]
mod tests {
    use std::{fs, time::Duration};

    use super::*;

    #[test]
    fn the_drawing_has_a_line_for_each_time_with_a_point_for_each_machine() {
        let point = |cpus: usize| Point {
            cpus,
            parallel: Duration::from_micros(cpus as u64 * 400),
            two_pass: Duration::from_micros(cpus as u64 * 800),
            events: 0,
            polls: 0,
            host: Duration::from_micros(cpus as u64 * 50),
        };
        let points: Vec<_> = super::super::growth::sizes(8192).map(point).collect();
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("growth.svg");
        draw("growth", &points, &path).expect("it can be drawn");
        let text = fs::read_to_string(&path).expect("it is there");
        assert_eq!(text.matches("<circle").count(), 3 * points.len());
        for name in ["two-pass", "parallel", "host", "CPUs"] {
            assert!(text.contains(name), "{name}");
        }
        let nowhere = folder.path().join("none/growth.svg");
        assert!(draw("growth", &points, &nowhere).is_err());
    }
}
