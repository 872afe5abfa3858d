//! Charts of milliseconds over CPUs, both axes logarithmic, so that what is linear rises by one decade a decade.

use std::ops::Range;

use plotters::{coord::combinators::LogCoord, prelude::*};

/// What can go wrong as a picture is drawn.
pub(crate) type Failure<'a> = DrawingAreaErrorKind<<SVGBackend<'a> as DrawingBackend>::ErrorType>;

/// A chart with its axes.
pub(crate) type Chart<'a, 'b> =
    ChartContext<'b, SVGBackend<'a>, Cartesian2d<LogCoord<f64>, LogCoord<f64>>>;

/// Draws the axes for these numbers of CPUs and these times in milliseconds.
pub(crate) fn axes<'a, 'b>(
    builder: &mut ChartBuilder<'b, '_, SVGBackend<'a>>,
    cpus: Range<f64>,
    millis: impl Iterator<Item = f64> + Clone,
) -> Result<Chart<'a, 'b>, Failure<'a>> {
    let mut chart = builder
        .x_label_area_size(44)
        .y_label_area_size(64)
        .build_cartesian_2d(cpus.log_scale().base(2.0), decades(millis).log_scale())?;
    chart
        .configure_mesh()
        .x_desc("CPUs")
        .y_desc("ms")
        .x_label_formatter(&|cpus| format!("{cpus:.0}"))
        .y_label_formatter(&|millis| format!("{}", (millis * 1e4).round() / 1e4))
        .label_style(("sans-serif", 14))
        .light_line_style(WHITE)
        .draw()?;
    Ok(chart)
}

/// Draws the names of the lines that were drawn.
pub(crate) fn legend<'a: 'b, 'b>(chart: &mut Chart<'a, 'b>) -> Result<(), Failure<'a>> {
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperLeft)
        .label_font(("sans-serif", 14))
        .background_style(WHITE.mix(0.8))
        .draw()
}

/// Whole decades around all that is drawn, and a hair more for their own lines.
fn decades(millis: impl Iterator<Item = f64> + Clone) -> Range<f64> {
    let lowest = millis.clone().fold(f64::MAX, f64::min).max(1e-4);
    let highest = millis.fold(1e-3, f64::max);
    10_f64.powf(lowest.log10().floor()) * 0.999..10_f64.powf(highest.log10().ceil()) * 1.001
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_decades_hold_all_that_is_drawn_and_their_own_lines() {
        let range = decades([0.3, 40.0, 7.0].into_iter());
        assert!(range.contains(&0.1) && range.contains(&100.0));
        assert!(!range.contains(&0.09) && !range.contains(&110.0));
        // A time of zero has no place on such an axis.
        assert!(decades([0.0, 1.0].into_iter()).start > 0.0);
    }
}
