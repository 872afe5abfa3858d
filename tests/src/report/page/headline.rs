//! The result in a sentence.

use maud::{Markup, html};

use super::words::{digits, millis};
use crate::{
    bench::cell::REVEILLE,
    report::data::{Boot, Cell, Report},
};

/// The strategy that the others are compared with.
pub(super) const OURS: &str = "parallel";

/// What it is compared with in the headline: the way before it.
const BEFORE: &str = "serial";

/// The largest machine's time, and how it stands to one CPU after the other; without a benchmark that of a boot.
pub(super) fn headline(report: &Report) -> Markup {
    if let Some(ours) = best(&report.cells) {
        let before = report.cells.iter().find(|cell| {
            cell.machine == ours.machine && cell.system == ours.system && cell.contender == BEFORE
        });
        return html! {
            (ours.cpus) " CPUs online in " b { (millis(ours.median_ns.unwrap_or_default())) " ms" }
            " by " code { (ours.contender) }
            @if let Some(before) = before { (beside(ours, before)) }
            "."
        };
    }
    match report.boots.iter().max_by_key(|boot| boot.chart.online) {
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

/// Ours on the largest machine that has a figure; where that was not measured, whoever was fastest there.
fn best(cells: &[Cell]) -> Option<&Cell> {
    let measured = || {
        let cells = cells.iter().filter(|cell| cell.median_ns.is_some());
        cells.filter(|cell| cell.system == REVEILLE && !cell.is_yardstick)
    };
    let ours = measured().filter(|cell| cell.contender == OURS);
    ours.max_by_key(|cell| cell.cpus).or_else(|| {
        let cpus = measured().map(|cell| cell.cpus).max()?;
        let largest = measured().filter(|cell| cell.cpus == cpus);
        largest.min_by_key(|cell| cell.median_ns)
    })
}

/// How many times faster, as far as the intervals say so.
fn beside(ours: &Cell, before: &Cell) -> Markup {
    let (Some(ratio), Some(median)) = (before.ratio, before.median_ns) else {
        return html! {};
    };
    let other = html! { code { (before.contender) } ", which takes " (millis(median)) " ms" };
    if overlap(ours, before) {
        html! { ", not told apart from " (other) }
    } else if ratio >= 1.0 {
        html! { ", " (digits(ratio)) " times as fast as " (other) }
    } else {
        html! { ", " (digits(1.0 / ratio)) " times as slow as " (other) }
    }
}

/// Whether the medians may be the same, by what is known of where they lie.
fn overlap(one: &Cell, other: &Cell) -> bool {
    let ends = |cell: &Cell| cell.low_ns.zip(cell.high_ns);
    match (ends(one), ends(other)) {
        (Some(one), Some(other)) => one.0 <= other.1 && other.0 <= one.1,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::page::sample;

    fn told(report: &Report) -> String {
        headline(report).into_string()
    }

    #[test]
    fn the_headline_is_of_the_largest_machine_and_says_how_the_way_before_stands_to_it() {
        let mut report = sample::report();
        assert_eq!(
            told(&report),
            "64 CPUs online in <b>5.00 ms</b> by <code>parallel</code>, 1.60 times as fast as \
             <code>serial</code>, which takes 8.00 ms."
        );
        let serial = |cell: &&mut Cell| cell.cpus == 64 && cell.contender == "serial";
        let cell = report.cells.iter_mut().find(serial).expect("it is there");
        cell.low_ns = Some(4_900_000);
        assert!(
            told(&report).contains("not told apart from"),
            "{}",
            told(&report)
        );
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
