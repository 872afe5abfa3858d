//! The phases of a bring-up drawn over a common axis of time: what overlaps with what.

use std::{fmt, time::Duration};

use reveille_smp::{strategy::Strategy, table::Millis};

use super::phases::{Phase, Phases, Side};

/// From a sixteenth to all, in eighths.
const LEVELS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// Less than a sixteenth.
const TRACE: char = '·';

/// What the columns say. It fits `LEAST_WIDTH`.
pub const LEGEND: &str = "\
phase by phase, in ms from the first piece of work
busy: all CPUs together; most: so many at once; alone: while nobody did anything
else; a bar's height: the part of `most` that was at it, a dot below 1/16";

/// The columns of a line where there is no terminal.
pub const USUAL_WIDTH: usize = 114;

/// On fewer columns a line has no bar.
const LEAST_WIDTH: usize = 80;

/// On more columns a bar does not become longer.
const MOST_WIDTH: usize = 200;

/// The columns for a name, more where one is longer.
const NAME_WIDTH: usize = 13;

/// The columns of the BSP's or the APs' mark, of the figures, and of what is in front of the bar.
const FIXED_WIDTH: usize = 4 + 35 + 2;

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
    /// The columns of a line.
    pub width: usize,
}

impl Timeline<'_> {
    /// The columns for names, and those for the bars where they have enough.
    fn widths(&self) -> (usize, Option<usize>) {
        let names = self.phases.phases.iter().map(|phase| phase.what.len());
        let name = names.max().unwrap_or_default().max(NAME_WIDTH);
        let bar = self.width.min(MOST_WIDTH).checked_sub(FIXED_WIDTH + name);
        let is_enough = |bar: &usize| *bar >= LEAST_WIDTH - FIXED_WIDTH - NAME_WIDTH;
        (name, bar.filter(is_enough))
    }
}

/// What fills less of the common axis than one part of so many has its own.
const LEAST_PART: u32 = 4;

impl fmt::Display for Timeline<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let phases = self.phases;
        let whole = phases.whole();
        let (axis, note) = match whole * LEAST_PART >= self.longest {
            true => (self.longest, ""),
            false => (whole, " (own axis)"),
        };
        let (name_width, bar_width) = self.widths();
        writeln!(
            f,
            "{}: {} ms from the first piece of work to the last outcome{note}",
            self.strategy,
            millis(whole),
        )?;
        write!(
            f,
            "{:width$}{:>7}{:>7}{:>8}{:>6}{:>7}",
            "ms",
            "from",
            "to",
            "busy",
            "most",
            "alone",
            width = name_width + 4
        )?;
        if let Some(width) = bar_width {
            write!(f, "  0{:>1$}", millis(axis), width - 1)?;
        }
        writeln!(f)?;
        for phase in &phases.phases {
            let side = match phase.side {
                Side::Bsp => "BSP",
                Side::Aps => "APs",
            };
            write!(
                f,
                "{side} {:name_width$}{:>7}{:>7}{:>8}{:>6}{:>7}",
                phase.what,
                millis(phase.from - phases.begin),
                millis(phase.to - phases.begin),
                millis(phase.busy),
                phase.most,
                millis(phase.alone),
            )?;
            if let Some(width) = bar_width {
                write!(f, "  {}", bar(phase, phases, axis, width).trim_end())?;
            }
            writeln!(f)?;
        }
        let width = name_width + 25;
        writeln!(f, "{:width$}{:>14}", "nobody", millis(phases.nobody))
    }
}

/// A duration as the tables have it.
pub(super) fn millis(time: Duration) -> Millis {
    Millis {
        nanos: u64::try_from(time.as_nanos()).unwrap_or(u64::MAX),
    }
}

fn bar(phase: &Phase, phases: &Phases, axis: Duration, width: usize) -> String {
    let column = axis.as_secs_f64() / width as f64;
    let mut filled = vec![0.0_f64; width];
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
    /// What ends with a column may reach so far into the next.
    const ROUNDING: f64 = 1e-9;
    let most = phase.most.max(1) as f64;
    let level = |filled: f64| match (filled / most * LEVELS.len() as f64).round() as usize {
        0 if filled > ROUNDING => TRACE,
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
        timeline_of_width(spans, longest_us, USUAL_WIDTH)
    }

    fn timeline_of_width(spans: Vec<Span>, longest_us: u64, width: usize) -> Vec<String> {
        let brought_up = brought_up(&model(), Strategy::TwoPass, &[Some(600)], spans);
        let text = Timeline {
            strategy: Strategy::TwoPass,
            phases: &Phases::of(&brought_up),
            longest: Duration::from_micros(longest_us),
            width,
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
        assert!(own[0].ends_with("(own axis)") && own[1].ends_with(" 0.60"));
    }

    #[test]
    fn what_is_too_short_for_a_column_is_still_seen() {
        // A column is 40 us.
        let lines = timeline(
            vec![span(0, "poll", 0, 600), span(1, "join", 101, 102)],
            2_400,
        );
        assert_eq!(bar_of(&lines[3]), "  ·");
    }

    #[test]
    fn columns_stand_below_their_heads() {
        let lines = timeline(vec![span(0, "prepare", 0, 300)], 600);
        let end = |line: &str, word: &str| line.find(word).expect(word) + word.len();
        assert_eq!(end(&lines[1], "to"), end(&lines[2], "0.30"));
        assert_eq!(end(&lines[1], "alone"), end(&lines[3], "0.30"));
        assert_eq!(end(&lines[1], "0.60"), USUAL_WIDTH);
        assert!(
            lines.iter().all(|line| line.chars().count() <= 114),
            "{lines:#?}"
        );
    }

    #[test]
    fn what_is_done_for_a_little_of_a_column_does_not_look_busy() {
        // A column is 10 us.
        let of = |busy: u64| {
            let spans = (0..60).map(|column| span(0, "poll", column * 10, column * 10 + busy));
            bar_of(&timeline(spans.collect(), 600)[2])
        };
        assert_eq!(of(10), "█".repeat(60));
        assert_eq!(of(5), "▄".repeat(60));
        assert_eq!(of(1), "▁".repeat(60));
    }

    #[test]
    fn lines_fill_the_terminal_from_80_columns_to_200_and_have_no_bars_on_fewer() {
        let longest = |width| {
            let lines = timeline_of_width(vec![span(0, "prepare", 0, 600)], 600, width);
            lines.iter().map(|line| line.chars().count()).max()
        };
        for (width, expected) in [(80, 80), (114, 114), (200, 200), (201, 200)] {
            assert_eq!(longest(width), Some(expected));
        }
        let narrow = timeline_of_width(vec![span(0, "prepare", 0, 600)], 600, 79);
        assert_eq!(narrow[2].len(), 52, "{narrow:#?}");
        assert!(narrow.iter().all(|line| !line.contains('█')));
        assert!(LEGEND.lines().all(|line| line.len() <= LEAST_WIDTH));
    }

    #[test]
    fn a_long_name_widens_its_column() {
        let long = "a-step-of-which-the-name-has-forty-five-bytes";
        let spans = vec![span(0, long, 0, 300), span(0, "prepare", 300, 600)];
        let lines = timeline(spans, 600);
        let end = |line: &str, word: &str| line.find(word).expect(word) + word.len();
        assert_eq!(end(&lines[1], "to"), end(&lines[2], "0.30"), "{lines:#?}");
        assert_eq!(end(&lines[1], "to"), end(&lines[3], "0.60"), "{lines:#?}");
        assert!(lines.iter().all(|line| line.chars().count() <= USUAL_WIDTH));
    }
}
