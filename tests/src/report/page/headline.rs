//! The result in a sentence.

use std::cmp::Reverse;

use maud::{Markup, html};

use super::words::{count, digits, millis};
use crate::report::data::{Boot, Cell, Report};

/// The strategy that the others are compared with.
pub(super) const OURS: &str = "parallel";

/// From what an interval has to be worth on, somebody is said to be faster: the range of five boots is worth 94 %,
/// that of four 88 %, and that of two is right in every other case.
const ENOUGH: f64 = 0.9;

/// What it is compared with in the headline: the way before it.
const BEFORE: &str = "serial";

/// The largest machine's time, and how it stands to one CPU after the other; without a benchmark that of a boot.
pub(super) fn headline(report: &Report) -> Markup {
    if let Some(ours) = best(&report.cells) {
        let mut cells = report.cells.iter();
        let before = cells.find(|cell| cell.machine == ours.machine && cell.contender == BEFORE);
        return html! {
            "On " (ours.machine) ", " (ours.cpus) " CPUs are online in "
            b { (millis(ours.median_ns.unwrap_or_default())) " ms" } " by " code { (ours.contender) }
            ", the median of " (count(ours.boots as usize, "boot"))
            @if let Some(before) = before { (beside(before)) }
            "."
            @if let Some(busy) = ours.busy.filter(|&busy| busy > 0) {
                " The host was busy otherwise in " (busy) " of them."
            }
        };
    }
    match report
        .boots
        .iter()
        .max_by_key(|boot| (boot.chart.online, Reverse(&boot.machine)))
    {
        Some(boot) => html! { (of_boot(boot)) "." },
        None => html! { "Nothing was measured." },
    }
}

/// How a bring-up ended, without a full stop.
pub(super) fn of_boot(boot: &Boot) -> String {
    let chart = &boot.chart;
    if chart.aps == 0 {
        return "There were no APs to wake".to_owned();
    }
    // Where no AP came online, the whole attempt's time stands.
    let (word, nanos) = match chart.online_ns {
        Some(nanos) => ("in", nanos),
        None => ("after", chart.total_ns),
    };
    format!(
        "{} of {} APs online {word} {} ms by {}",
        chart.online,
        chart.aps,
        millis(nanos),
        chart.strategy
    )
}

/// Ours on the largest machine that has a figure; where that was not measured, whoever was fastest there. Of machines
/// with as many CPUs it is the first by its name, whichever file was read first.
fn best(cells: &[Cell]) -> Option<&Cell> {
    let measured = || {
        let cells = cells.iter().filter(|cell| cell.median_ns.is_some());
        cells.filter(|cell| !cell.is_yardstick)
    };
    let size = |cell: &&Cell| (cell.cpus, Reverse(cell.machine.clone()));
    let ours = measured().filter(|cell| cell.contender == OURS);
    ours.max_by_key(size).or_else(|| {
        let largest = measured().map(|cell| size(&cell)).max()?;
        let on_it = measured().filter(|cell| size(cell) == largest);
        on_it.min_by_key(|cell| (cell.median_ns, &cell.contender))
    })
}

/// How many times faster ours is, as far as the ratios within boots say so: where 1 is outside of their interval,
/// and that is of [enough](ENOUGH) boots.
fn beside(before: &Cell) -> Markup {
    let (Some(ratio), Some(median)) = (before.ratio, before.median_ns) else {
        return html! {};
    };
    let other = html! { code { (before.contender) } ", which takes " (millis(median)) " ms" };
    let is_enough = before.level.is_some_and(|level| level >= ENOUGH);
    let ends = before.ratio_low.zip(before.ratio_high);
    match ends.filter(|_| is_enough) {
        Some((low, _)) if low > 1.0 => {
            html! { ", boot by boot " (digits(ratio)) " times as fast as " (other) }
        }
        Some((_, high)) if high < 1.0 => {
            html! { ", boot by boot " (digits(1.0 / ratio)) " times as slow as " (other) }
        }
        Some(_) => html! { ", not told apart from " (other) },
        None => html! { ", which is too few to tell it apart from " (other) },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{bench::stats::median::Median, report::page::sample};

    fn told(report: &Report) -> String {
        headline(report).into_string()
    }

    /// The same with the ratio of one CPU after the other on the largest machine changed.
    fn with(change: impl Fn(&mut Cell)) -> String {
        let mut report = sample::report();
        let serial = |cell: &&mut Cell| cell.cpus == 64 && cell.contender == "serial";
        let cell = report.cells.iter_mut().find(serial);
        change(cell.expect("it is there"));
        told(&report)
    }

    #[test]
    fn the_headline_is_of_the_largest_machine_and_says_how_the_way_before_stands_to_it() {
        assert_eq!(
            told(&sample::report()),
            "On q35 tcg 64, 64 CPUs are online in <b>5.00 ms</b> by <code>parallel</code>, the median of 5 boots, \
             boot by boot 1.60 times as fast as <code>serial</code>, which takes 8.00 ms."
        );
        let slower = with(|serial| {
            (serial.ratio, serial.ratio_low, serial.ratio_high) = (Some(0.5), Some(0.4), Some(0.9));
        });
        assert!(slower.contains("2.00 times as slow as"), "{slower}");
    }

    #[test]
    fn a_host_that_was_busy_is_told_of_where_the_figure_stands() {
        let mut report = sample::report();
        let ours = |cell: &&mut Cell| cell.cpus == 64 && cell.contender == OURS;
        let cell = report.cells.iter_mut().find(ours).expect("it is there");
        cell.busy = Some(0);
        assert!(!told(&report).contains("busy"));
        let cell = report.cells.iter_mut().find(ours).expect("it is there");
        cell.busy = Some(3);
        assert!(told(&report).ends_with("The host was busy otherwise in 3 of them."));
    }

    #[test]
    fn nobody_is_faster_unless_the_interval_of_the_ratio_says_so() {
        let chance = with(|serial| serial.ratio_low = Some(0.99));
        assert!(chance.contains("not told apart from"), "{chance}");
        let single = with(|serial| (serial.ratio_low, serial.ratio_high) = (None, None));
        assert!(single.contains("too few to tell it apart"), "{single}");
        // All ratios were above 1, and of so few boots that proves nothing.
        let few = [2, 3, 4].map(|boots| {
            let level = Median::of(&vec![1.6; boots]).and_then(|it| Some(it.interval?.level));
            with(|serial| serial.level = level)
        });
        for said in &few {
            assert!(said.contains("too few to tell it apart"), "{said}");
        }
        for said in [chance, single].into_iter().chain(few) {
            assert!(!said.contains("as fast as"), "{said}");
        }
        // The times themselves scatter more than ratios within a boot do.
        let scattered = with(|serial| serial.low_ns = Some(4_900_000));
        assert!(scattered.contains("1.60 times as fast as"), "{scattered}");
    }

    #[test]
    fn of_two_machines_as_large_it_is_the_same_in_any_order() {
        let mut report = sample::report();
        let mut others = report.cells.clone();
        for cell in &mut others {
            cell.machine += " qemu64";
            cell.median_ns = Some(1_000_000);
        }
        report.cells.extend(others);
        let said = told(&report);
        report.cells.reverse();
        assert_eq!(told(&report), said);
        assert!(said.starts_with("On q35 tcg 64, "), "{said}");
    }

    #[test]
    fn without_a_benchmark_the_headline_is_of_a_boot_and_without_one_there_is_none() {
        let mut report = sample::report();
        report.cells.clear();
        assert_eq!(told(&report), "2 of 3 APs online in 1.42 ms by parallel.");
        report.boots.clear();
        assert_eq!(told(&report), "Nothing was measured.");
    }
}
