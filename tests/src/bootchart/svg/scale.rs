//! Where a time lies in the drawing.
//!
//! Invariant: a later time is never further left, and every time lies between the two edges.
//!
//! A CPU that never answers is waited for until its deadline, which may be fifty times what the others took.
//! Then the axis is cut behind the last thing that happened, and the wait is a strip at its end. Where nobody is
//! missing it never is, however long the boot processor took to find that out. A time by a clock that was not compared
//! may lie behind the end, and is drawn there.

use std::ops::Range;

use crate::bootchart::BootChart;

/// How much longer than all that happened a boot must be for the axis to be cut.
const LONG: f64 = 1.5;

/// What the axis shows behind the last thing that happened, as a part of what came before.
const MARGIN: f64 = 0.04;

/// The strip behind the cut, in pixels.
const STRIP: f64 = 60.0;

/// So many ticks at the most.
const MOST_TICKS: u64 = 10;

/// From times to places on the axis.
#[derive(Clone, Debug)]
pub(super) struct Scale {
    /// The edges, in pixels.
    pub(super) edges: Range<f64>,
    /// Until when the axis is linear.
    linear_ns: u64,
    /// Until when it goes.
    end_ns: u64,
}

/// A mark on the axis.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Tick {
    /// Where.
    pub(super) x: f64,
    /// The time, with its unit.
    pub(super) words: String,
}

impl Scale {
    /// One that has room for a boot.
    pub(super) fn of(chart: &BootChart, edges: Range<f64>) -> Self {
        let last_ns = chart.times_on_axis().filter_map(|it| it.last_ns());
        let last_ns = last_ns.max().unwrap_or_default();
        let end_ns = chart.total_ns.max(last_ns).max(1);
        let is_short = chart.lanes.iter().any(|lane| lane.outcome.is_failure());
        let is_long = last_ns > 0 && end_ns as f64 > last_ns as f64 * LONG;
        let linear_ns = match is_short && is_long {
            true => ((last_ns as f64 * (1.0 + MARGIN)) as u64).saturating_add(1),
            false => end_ns,
        };
        Self {
            edges,
            linear_ns,
            end_ns,
        }
    }

    /// Where a time lies.
    pub(super) fn x(&self, at_ns: u64) -> f64 {
        let part = |of_ns: u64, from_ns: u64, until_ns: u64| {
            let whole = until_ns.saturating_sub(from_ns).max(1);
            (of_ns.saturating_sub(from_ns) as f64 / whole as f64).min(1.0)
        };
        let cut = self.linear_edge();
        match at_ns <= self.linear_ns {
            true => self.edges.start + (cut - self.edges.start) * part(at_ns, 0, self.linear_ns),
            false => cut + (self.edges.end - cut) * part(at_ns, self.linear_ns, self.end_ns),
        }
    }

    /// The strip behind the cut, if there is one.
    pub(super) fn strip(&self) -> Option<Range<f64>> {
        (self.linear_ns < self.end_ns).then(|| self.linear_edge()..self.edges.end)
    }

    /// Marks at round times, and one at the end of an axis that is cut.
    pub(super) fn ticks(&self) -> Vec<Tick> {
        let unit = Unit::of(self.linear_ns);
        let step_ns = step_ns(self.linear_ns);
        let tick = |at_ns: u64| Tick {
            x: self.x(at_ns),
            words: unit.words(at_ns, step_ns),
        };
        let mut ticks: Vec<_> = (0..=self.linear_ns / step_ns)
            .map(|number| tick(number * step_ns))
            .collect();
        if let Some(strip) = self.strip() {
            let unit = Unit::of(self.end_ns);
            ticks.push(Tick {
                x: strip.end,
                words: unit.words(self.end_ns, unit.nanos),
            });
        }
        ticks
    }

    fn linear_edge(&self) -> f64 {
        match self.linear_ns < self.end_ns {
            true => self.edges.end - STRIP,
            false => self.edges.end,
        }
    }
}

/// The smallest of 1, 2, 5, 10 and so on that gives not too many ticks.
fn step_ns(whole_ns: u64) -> u64 {
    let decades = (0..19).map(|exponent| 10_u64.pow(exponent));
    let mut steps = decades.flat_map(|decade| [1, 2, 5].map(|times| times * decade));
    steps
        .find(|step| whole_ns / step <= MOST_TICKS)
        .unwrap_or(u64::MAX)
}

/// In what an axis is told.
struct Unit {
    nanos: u64,
    name: &'static str,
}

impl Unit {
    fn of(whole_ns: u64) -> Self {
        let (nanos, name) = match whole_ns {
            0..1_000_000 => (1_000, "µs"),
            1_000_000..10_000_000_000 => (1_000_000, "ms"),
            _ => (1_000_000_000, "s"),
        };
        Self { nanos, name }
    }

    fn words(&self, at_ns: u64, step_ns: u64) -> String {
        let mut decimals = 0;
        while decimals < 3
            && !step_ns
                .saturating_mul(10_u64.pow(decimals))
                .is_multiple_of(self.nanos)
        {
            decimals += 1;
        }
        let time = at_ns as f64 / self.nanos as f64;
        format!("{time:.*} {}", decimals as usize, self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scale(linear_ns: u64, end_ns: u64) -> Scale {
        Scale {
            edges: 100.0..1100.0,
            linear_ns,
            end_ns,
        }
    }

    fn words(scale: &Scale) -> Vec<String> {
        scale.ticks().into_iter().map(|it| it.words).collect()
    }

    #[test]
    fn ticks_are_round_and_told_in_the_unit_that_fits() {
        assert_eq!(
            words(&scale(13_000_000, 13_000_000)).join(", "),
            "0 ms, 2 ms, 4 ms, 6 ms, 8 ms, 10 ms, 12 ms"
        );
        let fine = words(&scale(1_200_000, 1_200_000));
        assert_eq!((fine[0].as_str(), fine[1].as_str()), ("0.0 ms", "0.2 ms"));
        assert_eq!(words(&scale(450_000, 450_000))[1], "50 µs");
        assert_eq!(words(&scale(60_000_000_000, 60_000_000_000))[1], "10 s");
        for end_ns in [1, 7, 999, 12_345, 17_000_000, u64::MAX / 2, u64::MAX] {
            let ticks = scale(end_ns, end_ns).ticks();
            assert!(ticks.len() <= MOST_TICKS as usize + 1, "{ticks:?}");
        }
    }

    #[test]
    fn a_cut_axis_goes_on_to_its_end_in_order() {
        let scale = scale(20_000_000, 1_000_000_000);
        let strip = scale.strip().expect("it is cut");
        assert_eq!(strip, 1040.0..1100.0);
        let times = [0, 1, 10_000_000, 20_000_000, 20_000_001, 500_000_000];
        let mut places: Vec<_> = times.iter().map(|at_ns| scale.x(*at_ns)).collect();
        places.push(scale.x(1_000_000_000));
        assert!(places.is_sorted(), "{places:?}");
        assert_eq!((places[0], places[6]), (100.0, 1100.0));
        assert_eq!(scale.x(u64::MAX), 1100.0);
        assert_eq!(words(&scale).last().map(String::as_str), Some("1000 ms"));
    }
}
