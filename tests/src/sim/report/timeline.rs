//! The phases of a bring-up drawn over a common axis of time: what overlaps with what.

use std::{fmt, time::Duration};

use reveille_smp::{strategy::Strategy, table::Millis};

use super::phases::{Phase, Phases, Side};

/// The columns of a bar.
const WIDTH: usize = 60;

/// From nearly none to all.
const LEVELS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// What the columns say.
pub const LEGEND: &str = "phase by phase (busy: all CPUs together; most: so many at once; alone: \
                          while nobody did anything else)";

/// The phases of one strategy: a line each. A bar is as high as the BSP is busy with it, or as many APs
/// are at it, against the most that ever were.
pub struct Timeline<'a> {
    /// How the kicks and waits were ordered.
    pub strategy: Strategy,
    /// What was done.
    pub phases: &'a Phases,
    /// How long the longest of those took that are to be compared: one axis for all, but for those
    /// that would fill too little of it.
    pub longest: Duration,
}

/// What fills less of the common axis than one part of so many has its own.
const LEAST_PART: u32 = 4;

impl fmt::Display for Timeline<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let phases = self.phases;
        let whole = phases.whole();
        let (axis, note) = match whole * LEAST_PART >= self.longest {
            true => (self.longest, ""),
            false => (whole, " (an axis of its own)"),
        };
        writeln!(
            f,
            "{}: {} ms from the first piece of work to the last outcome, and {} of them the BSP is \
             busy{note}",
            self.strategy,
            millis(whole),
            millis(phases.bsp_busy())
        )?;
        writeln!(
            f,
            "{:17}{:>7}{:>7}{:>8}{:>6}{:>7}  0{:>width$}",
            "ms",
            "from",
            "to",
            "busy",
            "most",
            "alone",
            millis(axis),
            width = WIDTH - 1
        )?;
        for phase in &phases.phases {
            let side = match phase.side {
                Side::Bsp => "BSP",
                Side::Aps => "APs",
            };
            writeln!(
                f,
                "{side} {:13}{:>7}{:>7}{:>8}{:>6}{:>7}  {}",
                phase.what,
                millis(phase.from - phases.begin),
                millis(phase.to - phases.begin),
                millis(phase.busy),
                phase.most,
                millis(phase.alone),
                bar(phase, phases, axis).trim_end()
            )?;
        }
        writeln!(f, "{:38}{:>14}", "nobody", millis(phases.nobody))
    }
}

/// A duration as the tables have it.
pub(super) fn millis(time: Duration) -> Millis {
    Millis {
        nanos: u64::try_from(time.as_nanos()).unwrap_or(u64::MAX),
    }
}

fn bar(phase: &Phase, phases: &Phases, axis: Duration) -> String {
    let column = axis.as_secs_f64() / WIDTH as f64;
    let mut filled = [0.0_f64; WIDTH];
    for &(from, to) in &phase.spans {
        let from = (from - phases.begin).as_secs_f64() / column;
        let to = (to - phases.begin).as_secs_f64() / column;
        let first = from as usize;
        for (index, filled) in filled.iter_mut().enumerate().skip(first) {
            let left = from.max(index as f64);
            let right = to.min(index as f64 + 1.0);
            if right <= left {
                break;
            }
            *filled += right - left;
        }
    }
    let most = phase.most.max(1) as f64;
    let level = |filled: f64| match (filled / most * LEVELS.len() as f64).ceil() as usize {
        0 => ' ',
        level => LEVELS[level.min(LEVELS.len()) - 1],
    };
    filled.into_iter().map(level).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::{
        Span,
        report::by_hand::{brought_up, model, span},
    };

    fn timeline(spans: Vec<Span>, longest_us: u64) -> Vec<String> {
        let brought_up = brought_up(&model(), Strategy::TwoPass, &[Some(600)], spans);
        let text = Timeline {
            strategy: Strategy::TwoPass,
            phases: &Phases::of(&brought_up),
            longest: Duration::from_micros(longest_us),
        };
        text.to_string().lines().map(str::to_owned).collect()
    }

    /// The columns of a line's bar.
    fn bar_of(line: &str) -> String {
        line.chars().skip(54).collect()
    }

    #[test]
    fn a_bar_stands_over_its_time_and_is_as_high_as_cpus_are_at_it() {
        let lines = timeline(
            vec![
                span(0, "prepare", 0, 300),
                span(1, "join", 300, 600),
                span(2, "join", 450, 600),
            ],
            1_200,
        );
        assert!(lines[0].starts_with("two-pass: 0.60 ms"), "{lines:#?}");
        assert_eq!(bar_of(&lines[2]), "█".repeat(15));
        let half = " ".repeat(15) + &"▄".repeat(7) + "▆" + &"█".repeat(7);
        assert_eq!(bar_of(&lines[3]), half, "{lines:#?}");
    }

    #[test]
    fn who_would_fill_too_little_of_the_common_axis_has_its_own() {
        let prepare = || vec![span(0, "prepare", 0, 600)];
        let common = timeline(prepare(), 2_400);
        assert_eq!(bar_of(&common[2]), "█".repeat(15));
        let own = timeline(prepare(), 2_401);
        assert_eq!(bar_of(&own[2]), "█".repeat(60));
        assert!(own[0].ends_with("its own)") && own[1].ends_with(" 0.60"));
    }

    #[test]
    fn what_is_too_short_for_a_column_is_still_seen() {
        let lines = timeline(
            vec![span(0, "poll", 0, 600), span(1, "join", 101, 102)],
            600,
        );
        assert_eq!(bar_of(&lines[3]).trim(), "▁");
    }

    #[test]
    fn columns_stand_below_their_heads() {
        let lines = timeline(vec![span(0, "prepare", 0, 300)], 600);
        let end = |line: &str, word: &str| line.find(word).expect(word) + word.len();
        assert_eq!(end(&lines[1], "to"), end(&lines[2], "0.30"));
        assert_eq!(end(&lines[1], "alone"), end(&lines[3], "0.30"));
        assert_eq!(end(&lines[1], "0.60"), 54 + WIDTH);
        assert!(
            lines.iter().all(|line| line.chars().count() <= 114),
            "{lines:#?}"
        );
    }
}
