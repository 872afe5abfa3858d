//! A boot as a timeline: a lane a CPU, and above them what the boot processor did.

use maud::{Markup, html};
use serde::Serialize;

use super::{
    figure::{Chart, Choice},
    headline::of_boot,
    table::{Cell, Column, Row, Table},
    words::{count, micros, millis},
};
use crate::{
    bootchart::{
        Doing, Lane, Span, Turn,
        stage::{Stage, colour},
    },
    report::data::{Boot, Report},
};

/// A stage, as the page draws it.
#[derive(Serialize)]
pub(super) struct Drawn {
    name: &'static str,
    colour: &'static str,
}

/// The bars of a boot. Who is not in the embedded data's `boots` at the same place does not exist.
#[derive(Serialize)]
pub(super) struct Bars {
    /// Which of the report's boots.
    boot: usize,
    /// Lane, stage, from when and until when.
    passages: Vec<(usize, usize, u64, u64)>,
    /// Lanes that did not come up, and when they were last heard of.
    stuck: Vec<(usize, u64)>,
}

const LANES: &[Column] = &[
    Column::Figures("CPU"),
    Column::Figures("APIC"),
    Column::Words("place"),
    Column::Words("outcome"),
    Column::Figures("INIT, ms"),
    Column::Figures("SIPI, ms"),
    Column::Figures("real, ms"),
    Column::Figures("long, ms"),
    Column::Figures("alive, ms"),
    Column::Figures("online, ms"),
    Column::Figures("±, µs"),
    Column::Figures("SIPIs"),
    Column::Figures("polls"),
    Column::Words("reason"),
];

const TURNS: &[Column] = &[
    Column::Figures("CPU"),
    Column::Words("serialised step"),
    Column::Figures("from, ms"),
    Column::Figures("until, ms"),
    Column::Figures("took, µs"),
];

/// All stages, in their order.
pub(super) fn stages() -> Vec<Drawn> {
    let drawn = |stage: Stage| Drawn {
        name: stage.name(),
        colour: colour(stage),
    };
    Stage::ALL.map(drawn).into()
}

/// The bars of all boots that have any.
pub(super) fn bars(report: &Report) -> Vec<Bars> {
    let bars = report
        .boots
        .iter()
        .enumerate()
        .map(|(index, boot)| Bars::of(index, boot));
    bars.filter(|bars| !bars.passages.is_empty() || !bars.stuck.is_empty())
        .collect()
}

impl Bars {
    fn of(index: usize, boot: &Boot) -> Self {
        let mut bars = Self {
            boot: index,
            passages: Vec::new(),
            stuck: Vec::new(),
        };
        let lanes = boot.chart.lanes.iter().zip(boot.chart.times_on_axis());
        for (index, (lane, times)) in lanes.enumerate() {
            let mut heard_ns = 0;
            for passage in times.passages() {
                heard_ns = passage.ended_ns.unwrap_or(passage.began_ns);
                if let Some(ended_ns) = passage.ended_ns {
                    let stage = Stage::ALL.iter().position(|it| *it == passage.stage);
                    let stage = stage.unwrap_or_default();
                    bars.passages
                        .push((index, stage, passage.began_ns, ended_ns));
                }
            }
            if lane.outcome.is_failure() {
                bars.stuck.push((index, heard_ns));
            }
        }
        bars
    }
}

/// The section.
pub(super) fn section(report: &Report, bars: &[Bars]) -> Markup {
    html! {
        section #timeline aria-labelledby="timeline-head" {
            h2 #timeline-head { "Timeline" }
            @if bars.is_empty() {
                p.missing {
                    @for boot in &report.boots { (boot.machine) ": " (of_boot(boot)) ". " }
                    "There is no boot to draw; " code { "cargo xtask timeline" } " makes and draws one."
                }
            } @else {
                (Chart {
                    name: "timeline",
                    choose: "Boot",
                    choices: bars.iter().map(|bars| choice(&report.boots[bars.boot])).collect(),
                    reading: html! {
                        "A lane a CPU, a colour a stage; the time counts from the first INIT. Drag moves, and Ctrl
                        with the wheel zooms the time, Shift with the wheel the CPUs; the sliders do both. A CPU that
                        did not come up is hatched from when it was last heard of."
                    },
                    buttons: &[("in", "Zoom in"), ("out", "Zoom out"), ("all", "Show all")],
                })
            }
        }
    }
}

fn choice(boot: &Boot) -> Choice {
    let chart = &boot.chart;
    let name = format!("{}, {}", boot.machine, chart.strategy);
    let failed: Vec<&Lane> = chart
        .lanes
        .iter()
        .filter(|lane| lane.outcome.is_failure())
        .collect();
    let mut says = format!("{}.", of_boot(boot));
    if !failed.is_empty() {
        says += &format!(" {} did not come up.", count(failed.len(), "CPU"));
    }
    says += " ";
    says += &match &chart.bsp {
        Some(spans) => of_bsp(spans),
        None if chart.gaps.is_empty() => {
            "The boot was not traced, so the boot processor's polls and sleeps are not known."
                .to_owned()
        }
        None => {
            let gaps: Vec<String> = chart.gaps.iter().map(ToString::to_string).collect();
            format!(
                "The boot processor's polls and sleeps are not known: {}.",
                gaps.join("; ")
            )
        }
    };
    let lanes = Table {
        caption: format!("CPUs of {name}: from the first INIT to each stage"),
        columns: LANES,
        rows: chart.lanes.iter().map(of_lane).collect(),
    };
    let turns = chart.serialised.as_ref().map(|turns| Table {
        caption: format!("Serialised steps of {name}"),
        columns: TURNS,
        rows: turns.iter().map(of_turn).collect(),
    });
    let figures = html! {
        @if !failed.is_empty() {
            ul.failures { @for lane in failed { li { (of_failed(lane)) } } }
        }
        (lanes)
        @if let Some(turns) = turns { (turns) }
    };
    Choice {
        name,
        cpus: chart.lanes.len(),
        says,
        figures,
    }
}

/// What the boot processor did, in a sentence.
fn of_bsp(spans: &[Span]) -> String {
    let all = |doing: Doing| {
        let times = spans.iter().filter(|span| span.doing == doing);
        let times = times.map(|span| span.ended_ns.saturating_sub(span.began_ns));
        // A file says what it likes.
        (times.clone().count(), times.fold(0, u64::saturating_add))
    };
    let ((polls, polled_ns), (sleeps, slept_ns)) = (all(Doing::Poll), all(Doing::Sleep));
    format!(
        "The boot processor polled {}, {} ms in all, and slept {}, {} ms in all.",
        count(polls, "time"),
        millis(polled_ns),
        count(sleeps, "time"),
        millis(slept_ns)
    )
}

/// A CPU that did not come up, and why.
fn of_failed(lane: &Lane) -> Markup {
    html! {
        b { (name(lane)) } ": " (lane.outcome)
        @if let Some(step) = &lane.step { " in " code { (step) } }
        @if let Some(reason) = &lane.reason { "; " (reason) }
    }
}

fn name(lane: &Lane) -> String {
    match lane.cpu {
        Some(cpu) => format!("CPU {cpu}"),
        None => format!("APIC {}", lane.apic_id),
    }
}

fn of_lane(lane: &Lane) -> Row {
    let times = &lane.times;
    let reason = [&lane.step, &lane.reason].into_iter().flatten();
    let reason: Vec<&str> = reason.map(String::as_str).collect();
    let times = [
        times.init_ns,
        times.sipi_ns,
        times.real_ns,
        times.long_ns,
        times.alive_ns,
        times.online_ns,
    ];
    let mut cells = vec![
        Cell::of(lane.cpu.map(|cpu| cpu.0), |cpu| cpu.to_string()),
        Cell::number(lane.apic_id.0),
        Cell::words(lane.place.as_deref().unwrap_or_default()),
        Cell::words(lane.outcome.to_string()),
    ];
    cells.extend(times.map(Cell::millis));
    cells.extend([
        Cell::of(lane.uncertainty_ns, micros),
        Cell::number(lane.sipis),
        Cell::number(lane.polls),
        Cell::words(reason.join(": ")),
    ]);
    Row {
        cells,
        ..Row::default()
    }
}

fn of_turn(turn: &Turn) -> Row {
    let took_ns = turn.ended_ns.saturating_sub(turn.began_ns);
    Row {
        cells: vec![
            Cell::number(turn.cpu.0),
            Cell::words(&turn.step),
            Cell::millis(Some(turn.began_ns)),
            Cell::millis(Some(turn.ended_ns)),
            Cell::figure(took_ns, micros(took_ns)),
        ],
        ..Row::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{bootchart::gap::Gap, report::page::sample};

    #[test]
    fn only_a_boot_without_a_trace_is_called_not_traced() {
        let mut boot = sample::report().boots.remove(0);
        boot.chart.bsp = None;
        let says = |boot: &Boot| choice(boot).says;
        assert!(says(&boot).contains("was not traced"), "{}", says(&boot));
        for gap in [Gap::BspOverwritten, Gap::Broken] {
            boot.chart.gaps = vec![gap];
            let said = says(&boot);
            assert!(!said.contains("not traced"), "{said}");
            assert!(said.contains(&gap.to_string()), "{said}");
        }
    }

    #[test]
    fn spans_of_more_than_all_time_make_a_page_too() {
        let span = |ended_ns| Span {
            doing: Doing::Poll,
            began_ns: 0,
            ended_ns,
        };
        let said = of_bsp(&[span(u64::MAX), span(1)]);
        assert!(said.contains("polled 2 times"), "{said}");
    }

    #[test]
    fn a_clock_that_was_not_compared_leaves_the_axis_of_the_others_as_it_is() {
        let mut boot = sample::report().boots.remove(0);
        let well = Bars::of(0, &boot);
        let lane = &mut boot.chart.lanes[2];
        lane.uncertainty_ns = None;
        lane.times.online_ns = Some(4_000_000_000);
        let mut expected = well.passages;
        // Of its stages only what the boot processor noted is left, the one from INIT to SIPI.
        expected.retain(|(lane, stage, ..)| (*lane, *stage > 0) != (2, true));
        assert_eq!(Bars::of(0, &boot).passages, expected);
    }
}
