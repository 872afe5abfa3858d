//! Events, a line each: when, on which CPU, what.

use core::fmt;

use reveille_smp::{cpu::CpuIndex, trace::event::Event};

use crate::{interrupts::vectors::Vector, shell::numbers::Known, trace::Happened};

/// The table, the oldest event first, with the end of the last line left out. Times are of the last one:
/// so long before it.
pub struct EventsTable<'a> {
    /// The events, in their order.
    pub events: &'a [Happened],
    /// The names of the steps, by their places.
    pub steps: &'a [&'static str],
}

impl fmt::Display for EventsTable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:>14}  cpu event", "ms before")?;
        let last = self.events.last().map(|last| last.at);
        for it in self.events {
            let before = last.map_or(0, |last| last.as_nanos() - it.at.as_nanos());
            let (millis, micros) = (before / 1_000_000, before / 1_000 % 1_000);
            write!(f, "\n{millis:>10}.{micros:03} {:>4} ", it.cpu.0)?;
            self.event(f, it.event)?;
        }
        Ok(())
    }
}

impl EventsTable<'_> {
    fn event(&self, f: &mut fmt::Formatter<'_>, event: Event<Option<CpuIndex>>) -> fmt::Result {
        let to = |f: &mut fmt::Formatter<'_>, what: &str, to: Option<CpuIndex>| match to {
            Some(to) => write!(f, "{what} to CPU {to}"),
            None => write!(f, "{what} to all others, or to one without a number"),
        };
        match event {
            Event::Init { to: cpu } => to(f, "INIT sent", cpu),
            Event::Sipi { to: cpu } => to(f, "SIPI sent", cpu),
            Event::WakeRequest { to: cpu } => to(f, "request in the mailbox", cpu),
            Event::RealMode => f.write_str("in real mode"),
            Event::LongMode => f.write_str("in long mode"),
            Event::Alive => f.write_str("alive"),
            Event::Online => f.write_str("online"),
            Event::StepStart { of, step, down } => {
                write!(
                    f,
                    "step {} of CPU {of} begins{}",
                    self.step(step),
                    way(down)
                )
            }
            Event::StepEnd {
                of,
                step,
                down,
                failed,
            } => {
                let how = if failed { "fails" } else { "ends" };
                write!(f, "step {} of CPU {of} {how}{}", self.step(step), way(down))
            }
            Event::IpiSend {
                to: cpu, vector, ..
            } => {
                write!(f, "{} ", Named(vector))?;
                to(f, "sent", cpu)
            }
            Event::NmiSend { to: cpu } => to(f, "NMI sent", cpu),
            Event::IrqEntry { vector } => write!(f, "{} comes", Named(vector)),
            Event::IrqExit { vector } => write!(f, "{} is handled", Named(vector)),
            Event::Doorbell { to: cpu, sent } => {
                to(f, "task woken", cpu)?;
                f.write_str(if sent { ", by its doorbell" } else { "" })
            }
            Event::CsdQueue { to: cpu, id } => {
                write!(f, "call {id:#x} ")?;
                to(f, "queued", cpu)
            }
            Event::CsdEntry { id } => write!(f, "call {id:#x} begins"),
            Event::CsdExit { id } => write!(f, "call {id:#x} has run"),
            Event::CsdDrop { id } => write!(f, "call {id:#x} will not run"),
            Event::PollStart { task } => write!(f, "poll of task {}", Known(task)),
            Event::PollEnd => f.write_str("poll ends"),
            Event::IdleStart => f.write_str("sleeps"),
            Event::IdleEnd => f.write_str("wakes"),
            Event::ClockMoved { by_ns } => write!(f, "clock moved by {by_ns} ns"),
        }
    }

    fn step(&self, step: u16) -> &'static str {
        self.steps.get(usize::from(step)).copied().unwrap_or("?")
    }
}

fn way(down: bool) -> &'static str {
    if down { ", down" } else { ", up" }
}

/// A vector by its name.
struct Named(u8);

impl fmt::Display for Named {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut names = Vector::NAMES.iter();
        match names.find(|(vector, _)| vector.as_u8() == self.0) {
            Some((_, name)) => write!(f, "interrupt {name}"),
            None => write!(f, "interrupt {:#x}", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use reveille_executor::Instant;

    use super::*;

    #[test]
    fn each_event_is_a_line_that_says_how_long_before_the_last_one_it_was() {
        let event = |micros: u64, cpu, event| Happened {
            at: Instant::from_nanos(micros * 1_000),
            cpu: CpuIndex(cpu),
            event,
        };
        let events = [
            event(
                1_000,
                0,
                Event::Sipi {
                    to: Some(CpuIndex(3)),
                },
            ),
            event(
                3_500,
                3,
                Event::StepEnd {
                    of: CpuIndex(3),
                    step: 1,
                    down: false,
                    failed: true,
                },
            ),
            event(13_501, 3, Event::IdleStart),
        ];
        let steps = &["stack", "kick"];
        let table = EventsTable {
            events: &events,
            steps,
        };
        assert_eq!(
            table.to_string(),
            "     ms before  cpu event\n        12.501    0 SIPI sent to CPU 3\n        10.001    3 step kick of CPU 3 fails, up\n         0.000    3 sleeps"
        );
    }
}
