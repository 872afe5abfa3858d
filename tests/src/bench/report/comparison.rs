//! What became faster or slower, no wider than 80 columns.

use std::fmt;

use comfy_table::{CellAlignment, Table, presets};

use super::{figures::digits, terminal::wrapped};
use crate::bench::{
    cell::REVEILLE,
    stats::{
        compare::{Boots, Cell, Comparison, Pair, Unjudged},
        judge::{Confidence, Judgement, LEAST, LEVEL, MARGIN, Verdict},
        measure::Measure,
    },
};

/// More boots are no advice.
const MOST_BOOTS: usize = 999;

/// A table of verdicts for each machine, and what they come to.
pub struct Verdicts<'a>(pub &'a Comparison);

impl fmt::Display for Verdicts<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for pair in &self.0.pairs {
            wrapped(f, &title(pair), 2)?;
            if !pair.cells.is_empty() {
                writeln!(f, "{}", table(&pair.cells).trim_fmt())?;
            }
            writeln!(f)?;
        }
        legend(f, self.0)?;
        for machine in &self.0.lost {
            wrapped(f, &format!("LOST, only in the old results: {machine}"), 2)?;
        }
        for note in &self.0.notes {
            wrapped(f, &format!("note: {note}"), 2)?;
        }
        wrapped(f, &Tally::of(self.0).to_string(), 2)
    }
}

fn title(pair: &Pair) -> String {
    let system = match pair.system.as_str() {
        REVEILLE => String::new(),
        other => format!("{other}, "),
    };
    let words = match pair.old.words == pair.new.words {
        true => String::new(),
        false if pair.old.words.is_empty() => " (old: without)".to_owned(),
        false => format!(" (old: {})", pair.old.words),
    };
    let boots = |boots: &Boots| {
        let mut text = boots.compared.to_string();
        if boots.compared < boots.ok {
            text += &format!(" of {}", boots.ok);
        }
        if boots.failed > 0 {
            text += &format!(" ({} failed)", boots.failed);
        }
        text
    };
    let mut title = format!(
        "{system}{}{words}: {} old boots and {} new ones",
        pair.new,
        boots(&pair.old_boots),
        boots(&pair.new_boots)
    );
    let (old, new) = (pair.old_boots.busy, pair.new_boots.busy);
    if old + new > 0 {
        title += &format!(", host busy in {old} and {new}");
    }
    title
}

fn table(cells: &[Cell]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header([
        "",
        "old",
        "new",
        "change, %",
        "seen, %",
        "verdict",
    ]);
    for cell in cells {
        let judged = cell.judgement.as_ref().ok();
        let value =
            |value: Option<f64>| value.map(|it| shown(cell.measure, it)).unwrap_or_default();
        table.add_row([
            cell.contender.clone(),
            value(cell.old),
            value(cell.new),
            judged.map(change).unwrap_or_default(),
            judged
                .and_then(|it| it.smallest_seen)
                .map(size)
                .unwrap_or_default(),
            verdict(&cell.judgement),
        ]);
    }
    for column in table.column_iter_mut().skip(1).take(4) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, 1));
    }
    table
}

/// A value with what it is: a time, or how many times longer than `bare`.
fn shown(measure: Measure, value: f64) -> String {
    match measure {
        Measure::OfBare => format!("x{}", digits(value)),
        Measure::Time | Measure::VirtualTime => format!("{} ms", digits(value / 1e6)),
    }
}

/// Such as `+10 (+8.1..+12)`.
fn change(judgement: &Judgement) -> String {
    let change = percent(judgement.change);
    match judgement.interval {
        Some((low, high)) if low < high => {
            format!("{change} ({}..{})", percent(low), percent(high))
        }
        _ => change,
    }
}

/// A factor as what it adds, in percent.
fn percent(factor: f64) -> String {
    let percent = (factor - 1.0) * 100.0;
    match percent.abs() {
        0.0..9.95 => format!("{percent:+.1}"),
        _ => format!("{percent:+.0}"),
    }
}

fn size(factor: f64) -> String {
    percent(factor).trim_start_matches('+').to_owned()
}

fn verdict(judgement: &Result<Judgement, Unjudged>) -> String {
    let verdict = match judgement {
        Ok(judgement) => judgement.verdict,
        Err(Unjudged::NotInOld) => return "not in the old".to_owned(),
        Err(Unjudged::Lost) => return "LOST: no boot has it".to_owned(),
        Err(Unjudged::DoesNotRepeat) => return "does not repeat".to_owned(),
        Err(Unjudged::Unlike) => return "host busy in one".to_owned(),
    };
    match verdict {
        Verdict::Slower(how) => format!("SLOWER, {}", sureness(how)),
        Verdict::Faster(how) => format!("faster, {}", sureness(how)),
        Verdict::NoDifference(how) => format!("no difference, {}", sureness(how)),
        Verdict::CannotTell { boots: None } => "cannot tell".to_owned(),
        Verdict::CannotTell { boots: Some(boots) } if boots > MOST_BOOTS => {
            format!("cannot tell: >{MOST_BOOTS} boots")
        }
        Verdict::CannotTell { boots: Some(boots) } => format!("cannot tell: {boots} boots"),
    }
}

/// Never more than it is.
fn sureness(confidence: Confidence) -> String {
    match confidence {
        Confidence::Exact => "exact".to_owned(),
        Confidence::Level(level) if level > 0.999 => ">99.9 %".to_owned(),
        Confidence::Level(level) => format!("{:.1} %", (level * 1e3).floor() / 10.0),
    }
}

fn legend(f: &mut fmt::Formatter<'_>, comparison: &Comparison) -> fmt::Result {
    let has = |measure| comparison.cells().any(|cell| cell.measure == measure);
    if has(Measure::OfBare) {
        wrapped(
            f,
            "x: as many times longer than `bare` takes in the same boot, by the fastest rounds",
            3,
        )?;
    }
    if has(Measure::OfBare) || has(Measure::Time) {
        let [margin, least] = [MARGIN, LEAST].map(size);
        let text = format!(
            "seen: the smallest change that would have been told; below {least} % none counts. No difference: \
             one of {margin} % is ruled out. All verdicts together are {:.0} % sure (Mann-Whitney, Bonferroni).",
            LEVEL * 100.0
        );
        wrapped(f, &text, 3)?;
    }
    if has(Measure::VirtualTime) {
        wrapped(
            f,
            "Virtual times repeat, so any difference is one; but what QEMU charges for a reset is in them, and \
             moves by more than the work that has changed: see `cargo xtask bench gate`.",
            3,
        )?;
    }
    let is_open = |cell: &Cell| {
        matches!(
            cell.judgement,
            Ok(Judgement {
                verdict: Verdict::CannotTell { .. },
                ..
            })
        )
    };
    if comparison.cells().any(is_open) {
        wrapped(
            f,
            &format!(
                "Cannot tell: neither a change nor its absence is sure. About so many boots of each set would do \
                 (--runs), or more rounds (--rounds), or a host that does nothing else. More than {MOST_BOOTS} boots \
                 are more than anyone would run."
            ),
            3,
        )?;
    }
    Ok(())
}

/// How many cells became what.
#[derive(Debug, Default)]
struct Tally {
    slower: usize,
    faster: usize,
    same: usize,
    open: usize,
    unjudged: usize,
}

impl Tally {
    fn of(comparison: &Comparison) -> Self {
        let mut tally = Self::default();
        for cell in comparison.cells() {
            let count = match &cell.judgement {
                Err(_) => &mut tally.unjudged,
                Ok(judgement) => match judgement.verdict {
                    Verdict::Slower(_) => &mut tally.slower,
                    Verdict::Faster(_) => &mut tally.faster,
                    Verdict::NoDifference(_) => &mut tally.same,
                    Verdict::CannotTell { .. } => &mut tally.open,
                },
            };
            *count += 1;
        }
        tally
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts = [
            (self.slower, "slower"),
            (self.faster, "faster"),
            (self.same, "without a difference"),
            (self.open, "of which nobody can tell"),
            (self.unjudged, "not compared"),
        ];
        let told = counts.iter().filter(|(count, _)| *count > 0);
        let told: Vec<_> = told
            .map(|(count, word)| format!("{count} {word}"))
            .collect();
        match told.is_empty() {
            true => f.write_str("the two sets have nothing in common to compare"),
            false => f.write_str(&told.join(", ")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{super::by_hand, *};
    use crate::bench::{
        cell::Machine,
        results::{Results, Run},
        stats::measure::By,
    };

    /// Boots whose strategies take so many times a hundredth of `bare`, nearly.
    fn set(machine: &Machine, boots: u32, parallel: u64, serial: u64) -> Results {
        let boot = |number: u32| -> Run {
            let bare = 500_000 + u64::from(number * 7_919 % 13) * 1_000;
            let times = |hundredths: u64| {
                let time = bare * hundredths / 100 + u64::from(number * 104_729 % 7) * 500;
                [time, time + 10, time + 9_000_000]
            };
            by_hand::run(
                machine,
                number,
                &[
                    ("bare", &times(100)),
                    ("parallel", &times(parallel)),
                    ("serial", &times(serial)),
                ],
            )
        };
        by_hand::results((1..=boots).map(boot).collect())
    }

    fn text(old: &Results, new: &Results, by: By) -> String {
        Verdicts(&Comparison::between(old, new, by)).to_string()
    }

    #[test]
    fn each_contender_has_its_change_and_its_verdict() {
        let machine = Machine::new(8);
        let text = text(
            &set(&machine, 10, 150, 240),
            &set(&machine, 10, 165, 240),
            By::Bare,
        );
        let line = |word: &str| {
            text.lines()
                .find(|line| line.trim_start().starts_with(word))
        };
        let parallel = line("parallel").unwrap_or_else(|| panic!("{text}"));
        assert!(
            parallel.contains("x1.50") && parallel.contains("x1.65"),
            "{text}"
        );
        assert!(
            parallel.contains("+10 (") && parallel.contains("SLOWER, >99.9 %"),
            "{text}"
        );
        let serial = line("serial").unwrap_or_else(|| panic!("{text}"));
        assert!(serial.contains("no difference, >99.9 %"), "{text}");
        assert_eq!(line("bare"), None, "{text}");
        assert!(
            text.ends_with("1 slower, 1 without a difference\n"),
            "{text}"
        );
    }

    #[test]
    fn no_line_is_wider_than_a_terminal() {
        let mut machine = Machine::new(
            "112,sockets=2,cores=28,threads=2"
                .parse::<crate::qemu::smp::Smp>()
                .expect("it is one"),
        );
        machine.words = "consistency=off trace=on alive-timeout=200".to_owned();
        let mut other = machine.clone();
        other.words = "consistency=on trace=off alive-timeout=2000".to_owned();
        let times = |scale: u64| {
            let boot = |number| {
                let time = 98_765_432_100 + u64::from(number) * scale * 100_000_000;
                let bare = 11_111 + u64::from(number) * 30;
                by_hand::run(
                    &other,
                    number,
                    &[
                        ("bare", &[bare]),
                        ("broadcast", &[time]),
                        ("two-pass", &[time * 2]),
                    ],
                )
            };
            by_hand::results((1..=12).map(boot).collect())
        };
        let mut old = times(1);
        old.runs
            .iter_mut()
            .for_each(|run| run.machine = machine.clone());
        for (by, scale) in [(By::Both, 1), (By::Time, 20), (By::Bare, 30)] {
            let text = text(&old, &times(scale), by);
            assert!(text.contains("two-pass"), "{text}");
            for line in text.lines() {
                assert!(line.chars().count() <= 80, "{}: {line}", line.len());
            }
        }
    }

    #[test]
    fn nobody_is_told_to_run_thousands_of_boots() {
        let told = |boots| {
            verdict(&Ok(Judgement {
                verdict: Verdict::CannotTell { boots },
                change: 1.0,
                interval: None,
                smallest_seen: None,
            }))
        };
        assert_eq!(told(Some(999)), "cannot tell: 999 boots");
        assert_eq!(told(Some(14_448)), "cannot tell: >999 boots");
        assert_eq!(told(None), "cannot tell");
    }

    #[test]
    fn a_verdict_is_never_surer_than_it_is() {
        assert_eq!(sureness(Confidence::Level(0.998_99)), "99.8 %");
        assert_eq!(sureness(Confidence::Level(0.999_5)), ">99.9 %");
        assert_eq!(sureness(Confidence::Exact), "exact");
    }

    #[test]
    fn nothing_in_common_is_said() {
        let old = set(&Machine::new(8), 10, 150, 240);
        let new = set(&Machine::new(16), 10, 150, 240);
        let text = text(&old, &new, By::Bare);
        assert!(
            text.contains("LOST, only in the old results: q35 tcg 8"),
            "{text}"
        );
        assert!(
            text.contains("only in the new results: q35 tcg 16"),
            "{text}"
        );
        assert!(text.ends_with("nothing in common to compare\n"), "{text}");
    }
}
