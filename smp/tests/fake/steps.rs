//! Steps that write down who ran them when, and take as long as they are told.

use std::{cell::RefCell, time::Duration};

use reveille_smp::{
    cpu::CpuIndex,
    ladder::Ladder,
    step::{Direction, Mode, Run, Section, Site, Step, StepError},
};

use crate::machine::Fake;

/// A step for tests.
#[derive(Clone, Copy)]
pub(crate) struct Recorded {
    name: &'static str,
    section: Section,
    rank: u16,
    mode: Mode,
    can_rest: bool,
    primaries_first: bool,
    deadline: Option<Duration>,
    takes: Takes,
    fails_on: Option<u32>,
    freezes: Option<Duration>,
}

#[derive(Clone, Copy)]
enum Takes {
    NoTime,
    Time(Duration),
    Forever,
}

/// A step as it was run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ran {
    pub(crate) cpu: u32,
    pub(crate) step: &'static str,
    pub(crate) direction: Direction,
    pub(crate) has_ended: bool,
}

thread_local! {
    static LOG: RefCell<Vec<Ran>> = const { RefCell::new(Vec::new()) };
}

/// All that was written down since the last look.
pub(crate) fn take_log() -> Vec<Ran> {
    LOG.take()
}

/// The CPUs that began with this step on their way up, in order; the log stays.
pub(crate) fn order_of(step: &str) -> Vec<u32> {
    LOG.with_borrow(|log| {
        let began =
            |ran: &&Ran| ran.step == step && ran.direction == Direction::Up && !ran.has_ended;
        log.iter().filter(began).map(|ran| ran.cpu).collect()
    })
}

/// A step of the last section, one CPU at a time.
pub(crate) const fn serialised(name: &'static str) -> Recorded {
    Recorded {
        mode: Mode::Serialised,
        ..concurrent(name)
    }
}

/// A step of the last section, all CPUs at once.
pub(crate) const fn concurrent(name: &'static str) -> Recorded {
    Recorded {
        name,
        section: Section::Online,
        rank: 0,
        mode: Mode::Concurrent,
        can_rest: true,
        primaries_first: false,
        deadline: None,
        takes: Takes::NoTime,
        fails_on: None,
        freezes: None,
    }
}

impl Recorded {
    pub(crate) const fn in_section(self, section: Section) -> Self {
        Self { section, ..self }
    }

    /// A CPU cannot be woken behind it.
    pub(crate) const fn without_rest(self) -> Self {
        Self {
            can_rest: false,
            ..self
        }
    }

    pub(crate) const fn primaries_first(self) -> Self {
        Self {
            primaries_first: true,
            ..self
        }
    }

    /// It is a future that takes so long.
    pub(crate) const fn taking(self, time: Duration) -> Self {
        Self {
            takes: Takes::Time(time),
            ..self
        }
    }

    /// It is a future that never ends.
    pub(crate) const fn taking_forever(self) -> Self {
        Self {
            takes: Takes::Forever,
            ..self
        }
    }

    pub(crate) const fn within(self, deadline: Duration) -> Self {
        Self {
            deadline: Some(deadline),
            ..self
        }
    }

    /// It fails on this CPU, in both directions.
    pub(crate) const fn failing_on(self, cpu: u32) -> Self {
        Self {
            fails_on: Some(cpu),
            ..self
        }
    }

    /// It takes a moment, in which its CPU stops moving for so long on its way up.
    pub(crate) const fn freezing(self, span: Duration) -> Self {
        Self {
            takes: Takes::Time(Duration::from_micros(1)),
            freezes: Some(span),
            ..self
        }
    }

    fn run(&'static self, cpu: CpuIndex, direction: Direction) -> Run<'static> {
        let note = move |has_ended| {
            let ran = Ran {
                cpu: cpu.0,
                step: self.name,
                direction,
                has_ended,
            };
            LOG.with_borrow_mut(|log| log.push(ran));
        };
        let result = match self.fails_on {
            Some(failing) if failing == cpu.0 => Err(StepError::Exhausted),
            _ => Ok(()),
        };
        note(false);
        if let (Some(span), Direction::Up) = (self.freezes, direction) {
            Fake::freeze_at_work(cpu, span);
        }
        let span = match self.takes {
            Takes::NoTime => {
                note(true);
                return Run::Now(result);
            }
            Takes::Time(span) => Some(span),
            Takes::Forever => None,
        };
        if let Some(deadline) = self.deadline {
            Fake::nudge(cpu, deadline);
        }
        Run::later(async move {
            match span {
                Some(span) => Fake::wait(cpu, span).await,
                None => std::future::pending().await,
            }
            note(true);
            result
        })
    }
}

/// A step that stays where it is for good.
struct Leaked(&'static Recorded);

impl Step for Leaked {
    fn name(&self) -> &'static str {
        self.0.name
    }
    fn section(&self) -> Section {
        self.0.section
    }
    fn rank(&self) -> u16 {
        self.0.rank
    }
    fn mode(&self) -> Mode {
        self.0.mode
    }
    fn deadline(&self) -> Option<Duration> {
        self.0.deadline
    }
    fn can_rest(&self) -> bool {
        self.0.can_rest
    }
    fn primaries_first(&self) -> bool {
        self.0.primaries_first
    }
    fn up<'a>(&'a self, site: Site<'a>) -> Run<'a> {
        self.0.run(site.cpu, Direction::Up)
    }
    fn down<'a>(&'a self, site: Site<'a>) -> Run<'a> {
        self.0.run(site.cpu, Direction::Down)
    }
}

/// The steps in this order, for good.
pub(crate) fn ladder(steps: &[Recorded]) -> &'static Ladder {
    let step = |(step, rank): (&Recorded, u16)| -> &'static dyn Step {
        let ranked = Recorded { rank, ..*step };
        Box::leak(Box::new(Leaked(Box::leak(Box::new(ranked)))))
    };
    let ladder = Ladder::new(steps.iter().zip(1..).map(step));
    Box::leak(Box::new(ladder.unwrap()))
}
