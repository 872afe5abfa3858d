use reveille_smp::{
    cpu::ApicId,
    record::{Trace, TraceHead},
};

use super::*;
use crate::trace::generated::{cpu, names};

/// The bring-up lasts from 100 to 200.
const WINDOW: Window = Window {
    kick_ns: Some(100),
    total_ns: 100,
};

/// `join` is serialised among the names of these tests.
const JOIN: u16 = 1;

fn traced(cpus: impl IntoIterator<Item = Cpu>) -> Traced {
    let timeline = Timeline {
        names: names(),
        cpus: cpus.into_iter().collect(),
    };
    Traced::of_timeline(&timeline, WINDOW)
}

fn poll() -> Event {
    Event::PollStart { task: Some(3) }
}

fn start(of: u32, step: u16) -> Event {
    let (of, down) = (CpuIndex(of), false);
    Event::StepStart { of, step, down }
}

fn end(of: u32, step: u16) -> Event {
    Event::StepEnd {
        of: CpuIndex(of),
        step,
        down: false,
        failed: false,
    }
}

fn told(spans: &[Span]) -> Vec<(Doing, u64, u64)> {
    let told = |it: &Span| (it.doing, it.began_ns, it.ended_ns);
    spans.iter().map(told).collect()
}

#[test]
fn polls_and_sleeps_are_counted_from_the_kick_and_cut_where_the_bring_up_begins_and_ends() {
    let events = [
        (10, poll()),
        (20, Event::PollEnd),
        (90, poll()),
        (110, Event::PollEnd),
        (110, Event::IdleStart),
        (150, Event::IdleEnd),
        (190, Event::IdleStart),
        (230, Event::IdleEnd),
        (240, poll()),
        (250, Event::PollEnd),
    ];
    let bsp = traced([cpu(0, events)]).bsp.expect("it is traced");
    let expected = [
        (Doing::Poll, 0, 10),
        (Doing::Sleep, 10, 50),
        (Doing::Sleep, 90, 100),
    ];
    assert_eq!(told(&bsp), expected);
}

#[test]
fn a_poll_within_a_poll_is_a_part_of_it_and_an_end_without_a_beginning_is_none() {
    let events = [
        (100, Event::PollEnd),
        (105, Event::IdleEnd),
        (110, poll()),
        (120, Event::PollStart { task: None }),
        (130, Event::PollEnd),
        (140, Event::PollEnd),
        (150, poll()),
    ];
    let bsp = traced([cpu(0, events)]).bsp.expect("it is traced");
    assert_eq!(
        told(&bsp),
        [(Doing::Poll, 10, 40), (Doing::Poll, 50, 100)],
        "the last one is not over"
    );
}

#[test]
fn a_turn_is_a_serialised_step_on_the_way_up_whoever_takes_it_for_whom() {
    let down = Event::StepStart {
        of: CpuIndex(1),
        step: JOIN,
        down: true,
    };
    let bsp = cpu(0, [(101, start(2, JOIN)), (102, end(2, JOIN))]);
    let first = cpu(
        1,
        [
            (110, start(1, 0)),
            (120, end(1, 0)),
            (130, start(1, JOIN)),
            (140, end(1, JOIN)),
            (150, down),
        ],
    );
    let stuck = cpu(2, [(160, start(2, JOIN))]);
    let traced = traced([bsp, first, stuck]);
    let turns = traced.serialised.expect("it is traced");
    let told: Vec<_> = turns
        .iter()
        .map(|it| (it.cpu.0, it.step.as_str(), it.began_ns, it.ended_ns))
        .collect();
    let expected = [(2, "join", 1, 2), (1, "join", 30, 40), (2, "join", 60, 100)];
    assert_eq!(told, expected);
    assert_eq!(traced.gaps, []);
}

#[test]
fn where_a_ring_has_lost_the_beginning_nothing_is_told_of_it() {
    let whole = || cpu(0, [(90, poll()), (110, Event::PollEnd)]);
    let mut late = whole();
    late.events.remove(0);
    late.overwritten = 1;
    let lost = traced([late, cpu(1, [])]);
    assert_eq!((lost.bsp, lost.serialised), (None, None));
    assert_eq!(lost.gaps, [Gap::BspOverwritten]);

    let mut full = whole();
    full.overwritten = 7;
    let kept = traced([full]);
    assert!(
        kept.bsp.is_some(),
        "what is overwritten was before the kick"
    );
    assert_eq!(kept.gaps, []);

    let mut ap = cpu(3, [(150, Event::Online)]);
    ap.overwritten = 1;
    let lost = traced([whole(), ap]);
    assert!(lost.bsp.is_some());
    assert_eq!(lost.serialised, None);
    assert_eq!(lost.gaps, [Gap::ApOverwritten(CpuIndex(3))]);
}

#[test]
fn a_turn_by_a_clock_that_cannot_be_compared_is_counted_and_not_told() {
    let mut strange = cpu(1, [(130, start(1, JOIN)), (140, end(1, JOIN))]);
    strange.uncertainty_ns = None;
    let traced = traced([cpu(0, []), strange]);
    assert_eq!(traced.serialised, Some(vec![]));
    assert_eq!(traced.gaps, [Gap::ClocksApart(1)]);
}

#[test]
fn a_boot_that_was_not_traced_has_no_gap_and_one_whose_trace_breaks_off_has() {
    assert_eq!(Traced::of(&[], WINDOW), Traced::default());
    let head = TraceHead {
        cpu: CpuIndex::BSP,
        apic_id: ApicId(0),
        kept: 2,
        overwritten: 0,
        clock_offset_ns: Some(0),
        uncertainty_ns: Some(0),
    };
    let events = Trace {
        cpu: CpuIndex::BSP,
        events: vec![],
    };
    let records = [
        Record::TraceNames(names()),
        Record::TraceHead(head),
        Record::Trace(events),
    ];
    assert_eq!(Traced::of(&records, WINDOW).gaps, [Gap::Broken]);
}

#[test]
fn without_a_word_on_the_steps_modes_no_turns_are_told() {
    let timeline = Timeline {
        names: TraceNames {
            serialised: None,
            ..names()
        },
        cpus: vec![cpu(0, [])],
    };
    let traced = Traced::of_timeline(&timeline, WINDOW);
    assert_eq!((traced.bsp, traced.serialised), (Some(vec![]), None));
    assert_eq!(traced.gaps, [Gap::ModesUntold]);
}

#[test]
fn where_nobody_was_kicked_there_is_nothing_to_tell() {
    let nobody = Window {
        kick_ns: None,
        total_ns: 0,
    };
    let timeline = Timeline {
        names: names(),
        cpus: vec![cpu(0, [(1, poll()), (2, Event::PollEnd)])],
    };
    let traced = Traced::of_timeline(&timeline, nobody);
    assert_eq!(
        (traced.bsp, traced.serialised),
        (Some(vec![]), Some(vec![]))
    );
}

#[test]
fn a_bring_up_at_the_end_of_time_is_cut_there() {
    let ends = [0, 1, u64::MAX - 1, u64::MAX];
    for kick_ns in ends {
        for total_ns in ends {
            let kick_ns = Some(kick_ns);
            let window = Window { kick_ns, total_ns };
            for began_ns in ends {
                if let Some((from, until)) = window.part(began_ns, u64::MAX) {
                    assert!(from <= until && until <= total_ns);
                }
            }
        }
    }
}
