//! What one CPU noted, as what its track shows.
//!
//! The CPU's stage (real mode, long mode, alive, online, going down) lies below everything else that it does
//! on its way. Polls, sleeps, interrupts and calls nest by themselves; steps and stages do not, and
//! are cut where they must be ([`nest`](super::nest)). What has no duration is a point, or, where an arrow can
//! leave or arrive, a slice that ends as it begins.

use std::collections::BTreeMap;

use reveille_smp::{
    cpu::CpuIndex,
    record::{TraceNames, trace::TraceEvent},
};
use serde_json::Value;

use super::{
    nest::{Incomplete, Kind, Nest, Stage},
    timeline::{Cpu, Event},
    track::{Ends, Label, Mark},
};

/// The marks of a CPU's track. `arrows` has the ends of arrows by the places of the events, and `end_ns`
/// is when the trace ends.
pub fn marks(
    cpu: &Cpu,
    names: &TraceNames,
    mut arrows: BTreeMap<usize, Ends>,
    end_ns: u64,
) -> (Vec<Mark>, Incomplete) {
    let mut nest = Nest::default();
    for (place, it) in cpu.events.iter().enumerate() {
        if cpu.starts_at(place) {
            nest.end_life();
        }
        let ends = arrows.remove(&place).unwrap_or_default();
        take(&mut nest, cpu.cpu, names, it, ends);
    }
    nest.end(end_ns)
}

/// Draws one event of `cpu`.
fn take(nest: &mut Nest, cpu: CpuIndex, names: &TraceNames, it: &TraceEvent, ends: Ends) {
    nest.at(it.uptime_ns);
    let label = |name: &str, category| Label::new(name, category).with_ends(ends);
    match it.event {
        Event::Init { to } => nest.point(label("send INIT", "kick").with("to", who(to))),
        Event::Sipi { to } => nest.moment(label("send SIPI", "kick").with("to", who(to))),
        Event::WakeRequest { to } => {
            nest.moment(label("request a wake", "kick").with("to", who(to)));
        }
        Event::RealMode => nest.enter(Stage::RealMode, label("real mode", "stage")),
        Event::LongMode => nest.enter(Stage::LongMode, label("long mode", "stage")),
        Event::Alive => nest.enter(Stage::Alive, label("alive", "stage")),
        Event::Online => nest.enter(Stage::Online, label("online", "stage")),
        Event::StepStart { of, step, down } => {
            if (of, down, nest.stage()) == (cpu, true, Some(Stage::Online)) {
                nest.enter(Stage::GoingDown, Label::new("going down", "stage"));
            }
            let what = if down { "undo" } else { "step" };
            let name = names.steps.get(usize::from(step)).map(String::as_str);
            let label = label(&format!("{what} {}", name.unwrap_or("?")), "step");
            let label = match of == cpu {
                true => label,
                false => label.with("of", of.0),
            };
            nest.begin(Kind::Step { of, step, down }, label);
        }
        Event::StepEnd {
            of,
            step,
            down,
            failed,
        } => nest.finish_step(Kind::Step { of, step, down }, failed),
        Event::IpiSend { to, vector, id } => {
            let name = format!("send {}", vector_name(names, vector));
            nest.moment(label(&name, "send").with("to", who(to)).with("id", id));
        }
        Event::NmiSend { to } => nest.point(label("send NMI", "send").with("to", who(to))),
        Event::IrqEntry { vector } => {
            let label = label(&vector_name(names, vector), "interrupt");
            nest.begin(Kind::Interrupt(vector), label);
        }
        Event::IrqExit { vector } => nest.finish(|it| it == Kind::Interrupt(vector)),
        Event::Doorbell { to, sent } => {
            nest.point(
                label("wake a task", "wake")
                    .with("on", who(to))
                    .with("rung", sent),
            );
        }
        Event::CsdQueue { to, id } => {
            nest.moment(
                label("queue a call", "send")
                    .with("to", who(to))
                    .with("id", id),
            );
        }
        Event::CsdEntry { id } => nest.begin(Kind::Call(id), label("call", "call").with("id", id)),
        Event::CsdExit { id } => nest.finish(|it| it == Kind::Call(id)),
        Event::CsdDrop { id } => nest.moment(label("drop a call", "call").with("id", id)),
        Event::PollStart { task } => {
            let task_name = task.map_or_else(|| "own".into(), Value::from);
            nest.begin(
                Kind::Poll(task),
                label("poll", "poll").with("task", task_name),
            );
        }
        Event::PollEnd => nest.finish(|it| matches!(it, Kind::Poll(_))),
        Event::IdleStart => nest.begin(Kind::Idle, label("idle", "idle")),
        Event::IdleEnd => nest.finish(|it| it == Kind::Idle),
        Event::ClockMoved { by_ns } => {
            nest.point(label("clock moved", "clock").with("by_ns", by_ns));
        }
    }
}

fn who(to: Option<CpuIndex>) -> Value {
    to.map_or_else(|| "others".into(), |to| to.0.into())
}

fn vector_name(names: &TraceNames, vector: u8) -> String {
    let known = names.vectors.iter().find(|it| it.vector == vector);
    known.map_or_else(|| format!("vector {vector}"), |it| it.name.clone())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::trace::{
        generated::{self, cpu, machine},
        track::What,
    };

    /// The slices and points of CPU 1, a line each: from, to, depth, name, and what is told of it.
    fn drawn(cpu: &Cpu, end_ns: u64) -> (Vec<String>, Incomplete) {
        let (marks, incomplete) = marks(cpu, &generated::names(), BTreeMap::new(), end_ns);
        let mut lines = Vec::new();
        let mut open = Vec::new();
        for mark in marks {
            let depth = open.len();
            let line = |to: &str, label: &Label| {
                let args = label
                    .args
                    .iter()
                    .map(|(key, value)| format!(" {key}={value}"));
                // A map keeps their order or sorts them, by what else is built.
                let mut args: Vec<String> = args.collect();
                args.sort_unstable();
                let args = args.concat();
                format!("{}-{to} {depth} {}{args}", mark.at_ns, label.name)
            };
            match mark.what {
                What::Begin(label) => {
                    lines.push(line("?", &label));
                    open.push(lines.len() - 1);
                }
                What::End => {
                    let begun = open.pop().expect("a slice is open");
                    lines[begun] = lines[begun].replacen('?', &mark.at_ns.to_string(), 1);
                }
                What::Point(label) => lines.push(line("", &label)),
            }
        }
        assert!(open.is_empty(), "a slice never ends");
        (lines, incomplete)
    }

    const ME: CpuIndex = CpuIndex(1);

    fn up(step: u16) -> Event {
        let (of, down) = (ME, false);
        Event::StepStart { of, step, down }
    }

    fn is_up(step: u16) -> Event {
        let (of, down, failed) = (ME, false, false);
        Event::StepEnd {
            of,
            step,
            down,
            failed,
        }
    }

    fn poll(task: impl Into<Option<u32>>) -> Event {
        let task = task.into();
        Event::PollStart { task }
    }

    #[test]
    fn a_life_is_drawn_stage_by_stage_and_what_goes_on_over_stages_in_parts() {
        let events = [
            (1, Event::RealMode),
            (2, Event::LongMode),
            (3, poll(None)),
            (4, up(0)),
            (5, is_up(0)),
            (6, Event::Alive),
            (7, Event::PollEnd),
            (8, Event::IdleStart),
            (9, Event::IrqEntry { vector: 65 }),
            (10, Event::IrqExit { vector: 65 }),
            (11, Event::IdleEnd),
            (12, poll(None)),
            (13, up(1)),
            (14, Event::Online),
            (15, is_up(1)),
            (16, Event::PollEnd),
        ];
        let lines = [
            "1-2 0 real mode",
            "2-6 0 long mode",
            r#"3-6 1 poll task="own""#,
            "4-5 2 step tables",
            "6-14 0 alive",
            r#"6-7 1 poll part=2 task="own""#,
            "8-11 1 idle",
            "9-10 2 vector-65",
            r#"12-14 1 poll task="own""#,
            "13-14 2 step join",
            "14-20 0 online",
            r#"14-16 1 poll part=2 task="own""#,
            "14-15 2 step join part=2",
        ];
        let (drawn, incomplete) = drawn(&cpu(1, events), 20);
        assert_eq!(drawn, lines);
        assert_eq!(incomplete, Incomplete::default());
    }

    #[test]
    fn a_step_that_waits_goes_on_in_the_next_poll_of_its_task_and_in_no_other() {
        let events = [
            (1, poll(7)),
            (2, up(1)),
            (3, Event::PollEnd),
            (4, poll(8)),
            (5, Event::PollEnd),
            (6, Event::IdleStart),
            (7, Event::IdleEnd),
            (8, poll(7)),
            (9, is_up(1)),
            (10, Event::PollEnd),
        ];
        let lines = [
            "1-3 0 poll task=7",
            "2-3 1 step join",
            "4-5 0 poll task=8",
            "6-7 0 idle",
            "8-10 0 poll task=7",
            "8-9 1 step join part=2",
        ];
        assert_eq!(
            drawn(&cpu(1, events), 10),
            (lines.map(str::to_owned).to_vec(), Incomplete::default())
        );
    }

    #[test]
    fn a_step_that_began_outside_of_a_poll_and_ends_in_one_cuts_it() {
        let events = [(1, up(1)), (2, poll(7)), (3, is_up(1)), (4, Event::PollEnd)];
        let lines = [
            "1-3 0 step join",
            "2-3 1 poll task=7",
            "3-4 0 poll part=2 task=7",
        ];
        assert_eq!(drawn(&cpu(1, events), 9).0, lines);
    }

    #[test]
    fn whoever_goes_down_is_there_until_its_last_event_and_comes_back_in_a_new_life() {
        let (of, down, step) = (ME, true, 1);
        let goes_down = [
            (1, Event::Online),
            (2, poll(None)),
            (3, Event::StepStart { of, step, down }),
            (
                4,
                Event::StepEnd {
                    of,
                    step,
                    down,
                    failed: true,
                },
            ),
        ];
        let lines = [
            "1-3 0 online",
            r#"2-3 1 poll task="own""#,
            "3-4 0 going down",
            r#"3-4 1 poll endless="the CPU went down" part=2 task="own""#,
            "3-4 2 undo join failed=true",
        ];
        assert_eq!(drawn(&cpu(1, goes_down), 20).0, lines);
        let again = [(9, Event::LongMode)];
        let (of_both, incomplete) = drawn(&cpu(1, goes_down.into_iter().chain(again)), 20);
        assert_eq!(of_both[..5], lines);
        assert_eq!(of_both[5..], ["9-20 0 long mode"]);
        assert_eq!(incomplete.endless, 1);
        // One that rests half-way is there still.
        let rests = [(5, Event::PollEnd), (6, Event::IdleStart)];
        let (resting, _) = drawn(&cpu(1, goes_down.into_iter().chain(rests)), 20);
        assert_eq!(
            resting.last().unwrap(),
            r#"6-20 1 idle endless="the trace ended""#
        );
        assert_eq!(resting[2], "3-20 0 going down");
    }

    #[test]
    fn a_step_for_a_cpu_that_is_down_says_for_which_and_one_in_which_a_cpu_is_stuck_goes_on() {
        let (of, step, down) = (CpuIndex(3), 0, false);
        let events = [
            (1, Event::StepStart { of, step, down }),
            (
                2,
                Event::StepEnd {
                    of,
                    step,
                    down,
                    failed: false,
                },
            ),
            (3, up(1)),
        ];
        let (lines, incomplete) = drawn(&cpu(1, events), 20);
        assert_eq!(
            lines,
            [
                "1-2 0 step tables of=3",
                r#"3-20 0 step join endless="the trace ended""#
            ]
        );
        assert_eq!(incomplete.endless, 1);
    }

    #[test]
    fn what_has_no_duration_is_a_point_or_where_an_arrow_can_be_a_moment() {
        let to = Some(CpuIndex(0));
        let events = [
            (1, Event::Init { to }),
            (2, Event::Sipi { to: None }),
            (3, Event::WakeRequest { to }),
            (
                4,
                Event::IpiSend {
                    to,
                    vector: 9,
                    id: 5,
                },
            ),
            (5, Event::NmiSend { to }),
            (6, Event::Doorbell { to, sent: true }),
            (7, Event::CsdQueue { to, id: 6 }),
            (8, Event::CsdDrop { id: 7 }),
            (9, Event::ClockMoved { by_ns: -3 }),
        ];
        let lines = [
            "1- 0 send INIT to=0",
            r#"2-2 0 send SIPI to="others""#,
            "3-3 0 request a wake to=0",
            "4-4 0 send vector 9 id=5 to=0",
            "5- 0 send NMI to=0",
            "6- 0 wake a task on=0 rung=true",
            "7-7 0 queue a call id=6 to=0",
            "8-8 0 drop a call id=7",
            "9- 0 clock moved by_ns=-3",
        ];
        assert_eq!(drawn(&cpu(1, events), 9).0, lines);
    }

    #[test]
    fn an_end_that_is_not_there_does_not_end_another_slice() {
        let events = [
            (1, Event::IrqExit { vector: 65 }),
            (2, Event::PollEnd),
            (3, is_up(1)),
            (4, poll(1)),
            (5, Event::IrqEntry { vector: 66 }),
            (6, Event::CsdEntry { id: 1 }),
            (7, Event::CsdExit { id: 2 }),
            (8, Event::PollEnd),
        ];
        let (lines, incomplete) = drawn(&cpu(1, events), 9);
        let end = r#"endless="its end was not noted""#;
        let expected = [
            "4-8 0 poll task=1".to_owned(),
            format!("5-8 1 vector-66 {end}"),
            format!("6-8 2 call {end} id=1"),
        ];
        assert_eq!(lines, expected);
        assert_eq!(
            incomplete,
            Incomplete {
                headless: 4,
                endless: 2
            }
        );
    }

    /// How long all of a kind took together, from the events.
    fn noted(cpu: &Cpu, begins: impl Fn(Event) -> bool, ends: impl Fn(Event) -> bool) -> i128 {
        let of = |it: &TraceEvent| match it.event {
            event if begins(event) => -i128::from(it.uptime_ns),
            event if ends(event) => i128::from(it.uptime_ns),
            _ => 0,
        };
        cpu.events.iter().map(of).sum()
    }

    /// How long all slices of a category took together, which must not lie in one another.
    fn shown(marks: &[Mark], category: &str) -> i128 {
        let mut open = Vec::new();
        let mut sum = 0;
        for mark in marks {
            match &mark.what {
                What::Begin(label) => open.push((mark.at_ns, label.category)),
                What::End => {
                    let (began, of) = open.pop().expect("a slice is open");
                    assert!(mark.at_ns >= began);
                    if of == category {
                        sum += i128::from(mark.at_ns - began);
                    }
                }
                What::Point(_) => {}
            }
        }
        assert!(open.is_empty());
        sum
    }

    proptest! {
        #[test]
        fn nothing_is_longer_or_shorter_for_being_cut(machine in machine()) {
            for cpu in &machine.timeline.cpus {
                let end = machine.timeline.end_ns();
                let (marks, incomplete) = marks(cpu, &machine.timeline.names, BTreeMap::new(), end);
                prop_assert!(marks.is_sorted_by_key(|it| it.at_ns));
                prop_assert_eq!(incomplete.headless, 0);
                let is_poll = |it| matches!(it, Event::PollStart { .. });
                let polls = noted(cpu, is_poll, |it| it == Event::PollEnd);
                prop_assert_eq!(shown(&marks, "poll"), polls);
                let sleeps = noted(cpu, |it| it == Event::IdleStart, |it| it == Event::IdleEnd);
                prop_assert_eq!(shown(&marks, "idle"), sleeps);
                let enters = |it| matches!(it, Event::IrqEntry { .. });
                let interrupts = noted(cpu, enters, |it| matches!(it, Event::IrqExit { .. }));
                prop_assert_eq!(shown(&marks, "interrupt"), interrupts);
                let calls = noted(
                    cpu,
                    |it| matches!(it, Event::CsdEntry { .. }),
                    |it| matches!(it, Event::CsdExit { .. }),
                );
                prop_assert_eq!(shown(&marks, "call"), calls);
                prop_assert!(shown(&marks, "step") <= polls);
            }
        }
    }
}
