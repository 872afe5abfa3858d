//! Calls between all pairs of CPUs as a heat map.

use maud::{Markup, html};

use super::{
    figure::{Chart, Choice},
    table::{Cell, Column, Row, Table},
    words::{count, micros},
};
use crate::{
    bench::stats::median::lower_middle,
    report::{
        MOST_IN_PAIRS,
        data::{Heat, Pair, Report},
    },
};

const PAIRS: &[Column] = &[
    Column::Figures("from"),
    Column::Figures("to"),
    Column::Figures("median, µs"),
    Column::Figures("p99, µs"),
    Column::Figures("longest, µs"),
];

const CALLERS: &[Column] = &[
    Column::Figures("from"),
    Column::Figures("called"),
    Column::Figures("fastest median, µs"),
    Column::Figures("middle median, µs"),
    Column::Figures("slowest median, µs"),
    Column::Figures("longest, µs"),
];

/// Of more pairs the table has a row a caller, or the page would be mostly this table.
const MOST_PAIRS: usize = 1_024;

/// Those that have anything to draw.
pub(super) fn drawn(report: &Report) -> Vec<usize> {
    let has_any = |heat: &Heat| timed(heat.pairs.iter()).next().is_some();
    let all = report.heat.iter().enumerate();
    all.filter(|(_, heat)| has_any(heat))
        .map(|(index, _)| index)
        .collect()
}

/// The section.
pub(super) fn section(report: &Report, drawn: &[usize]) -> Markup {
    html! {
        section #heat aria-labelledby="heat-head" {
            h2 #heat-head { "Calls between CPUs" }
            @if drawn.is_empty() {
                p.missing {
                    "No calls were measured; " code { "cargo xtask bench" } " measures those between all pairs, on
                    machines of 2 to " (MOST_IN_PAIRS) " CPUs."
                }
            } @else {
                (Chart {
                    name: "heat",
                    choose: "Machine",
                    choices: drawn.iter().map(|&index| choice(&report.heat[index])).collect(),
                    reading: html! {
                        "Round trips of calls, from the row's CPU to the column's: their median, on a logarithmic
                        scale of colours. A pair without a colour has no figure."
                    },
                    buttons: &[],
                })
            }
        }
    }
}

fn choice(heat: &Heat) -> Choice {
    let is_long = heat.pairs.len() > MOST_PAIRS;
    let table = match is_long {
        true => callers(heat),
        false => Table {
            caption: format!("Round trips of calls on {}", heat.machine),
            columns: PAIRS,
            rows: heat.pairs.iter().map(of_pair).collect(),
        },
    };
    Choice {
        name: heat.machine.clone(),
        cpus: heat.cpus.len(),
        says: says(heat),
        figures: html! {
            @if is_long {
                p { "There are " (heat.pairs.len()) " pairs, so this table has a row a caller." }
            }
            (table)
        },
    }
}

fn says(heat: &Heat) -> String {
    let mut told: Vec<(u64, &Pair)> = timed(heat.pairs.iter()).collect();
    told.sort_by_key(|(nanos, _)| *nanos);
    let silent = heat.pairs.len() - told.len();
    let mut says = format!(
        "{} of {} CPUs, {} each",
        count(heat.pairs.len(), "pair"),
        heat.cpus.len(),
        count(heat.samples as usize, "call")
    );
    if let [(least, fastest), .., (most, slowest)] = told[..]
        && let Some((middle, _)) = lower_middle(&told)
    {
        says += &format!(
            ": medians from {} µs (CPU {} to {}) to {} µs (CPU {} to {}), the middle one {} µs",
            micros(least),
            fastest.from,
            fastest.to,
            micros(most),
            slowest.from,
            slowest.to,
            micros(middle)
        );
    }
    if silent > 0 {
        says += &format!("; {} without a figure", count(silent, "pair"));
    }
    says + "."
}

/// Those that have a place on a logarithmic scale, as `js/heat.js` picks them too: a call that took no time at all
/// is none that was measured.
fn timed<'a>(pairs: impl Iterator<Item = &'a Pair>) -> impl Iterator<Item = (u64, &'a Pair)> {
    pairs.filter_map(|pair| Some((pair.p50_ns.filter(|&nanos| nanos > 0)?, pair)))
}

fn of_pair(pair: &Pair) -> Row {
    Row {
        cells: vec![
            Cell::number(pair.from),
            Cell::number(pair.to),
            Cell::of(pair.p50_ns.filter(|&nanos| nanos > 0), micros),
            Cell::of(pair.p99_ns, micros),
            Cell::of(pair.max_ns, micros),
        ],
        ..Row::default()
    }
}

fn callers(heat: &Heat) -> Table {
    let row = |from: u32| {
        let pairs = || heat.pairs.iter().filter(move |pair| pair.from == from);
        let mut medians: Vec<u64> = timed(pairs()).map(|(nanos, _)| nanos).collect();
        medians.sort_unstable();
        Row {
            cells: vec![
                Cell::number(from),
                Cell::number(pairs().count() as u64),
                Cell::of(medians.first().copied(), micros),
                Cell::of(lower_middle(&medians), micros),
                Cell::of(medians.last().copied(), micros),
                Cell::of(pairs().filter_map(|pair| pair.max_ns).max(), micros),
            ],
            ..Row::default()
        }
    };
    let mut from: Vec<u32> = heat.pairs.iter().map(|pair| pair.from).collect();
    from.sort_unstable();
    from.dedup();
    Table {
        caption: format!("Round trips of calls on {}, by caller", heat.machine),
        columns: CALLERS,
        rows: from.into_iter().map(row).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::page::sample;

    #[test]
    fn calls_that_took_no_time_are_none_and_where_all_did_nothing_is_drawn() {
        let mut report = sample::report();
        report.heat[0].pairs[0].p50_ns = Some(0);
        assert_eq!(drawn(&report), [0]);
        assert!(says(&report.heat[0]).contains("2 pairs without a figure"));
        for pair in &mut report.heat[0].pairs {
            pair.p50_ns = Some(0);
        }
        assert_eq!(drawn(&report), [0; 0]);
    }
}
