//! Steps with instances that come and go while CPUs are up.

use std::{cell::RefCell, collections::BTreeSet, time::Duration};

use reveille_smp::{
    bringup::{InstanceError, Timing},
    cpu::CpuIndex,
    instances::{Instance, MultiStep, PerInstance},
    ladder::{Ladder, Rung},
    outcome::Outcome,
    state::Stage,
    step::{Mode, Run, Section, Site, Step, StepError},
    strategy::Strategy,
};

use crate::machine::Fake;

const MS: Duration = Duration::from_millis(1);

thread_local! {
    /// Which instances are up on which CPU.
    static UP: RefCell<BTreeSet<(u32, u8)>> = const { RefCell::new(BTreeSet::new()) };
    /// Where the next one up fails.
    static FAILS: RefCell<Option<(u32, u8)>> = const { RefCell::new(None) };
}

struct Buffers {
    section: Section,
    mode: Mode,
    takes: Takes,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Takes {
    NoTime,
    Time,
    /// On the way up only.
    TimeUp,
    Forever,
}

impl Buffers {
    fn run(
        &self,
        cpu: CpuIndex,
        takes: Takes,
        change: impl FnOnce() -> Result<(), StepError> + 'static,
    ) -> Run<'_> {
        match takes {
            Takes::NoTime => Run::Now(change()),
            Takes::Time | Takes::TimeUp => Run::later(async move {
                Fake::wait(cpu, MS).await;
                change()
            }),
            Takes::Forever => Run::later(std::future::pending()),
        }
    }
}

impl PerInstance for Buffers {
    fn name(&self) -> &'static str {
        "buffers"
    }

    fn section(&self) -> Section {
        self.section
    }

    fn rank(&self) -> u16 {
        1
    }

    fn mode(&self) -> Mode {
        self.mode
    }

    fn up<'a>(&'a self, site: Site<'a>, instance: Instance) -> Run<'a> {
        let place = (site.cpu.0, instance.number());
        self.run(site.cpu, self.takes, move || {
            if FAILS.take_if_is(place) {
                return Err(StepError::Exhausted);
            }
            let is_new = UP.with_borrow_mut(|up| up.insert(place));
            assert!(is_new, "{place:?} is up already");
            Ok(())
        })
    }

    fn down<'a>(&'a self, site: Site<'a>, instance: Instance) -> Run<'a> {
        let place = (site.cpu.0, instance.number());
        let takes = match self.takes {
            Takes::TimeUp => Takes::NoTime,
            takes => takes,
        };
        self.run(site.cpu, takes, move || {
            let was_up = UP.with_borrow_mut(|up| up.remove(&place));
            assert!(was_up, "{place:?} is not up");
            Ok(())
        })
    }
}

trait TakeIfIs {
    fn take_if_is(&'static self, place: (u32, u8)) -> bool;
}

impl TakeIfIs for std::thread::LocalKey<RefCell<Option<(u32, u8)>>> {
    fn take_if_is(&'static self, place: (u32, u8)) -> bool {
        self.with_borrow_mut(|fails| fails.take_if(|fails| *fails == place).is_some())
    }
}

fn ladder(section: Section, mode: Mode, takes: Takes) -> &'static Ladder {
    let step = MultiStep::new(Buffers {
        section,
        mode,
        takes,
    });
    let step: &'static dyn Step = Box::leak(Box::new(step));
    Box::leak(Box::new(Ladder::new([step]).unwrap()))
}

fn timing() -> Timing {
    Timing {
        alive_timeout: 100 * MS,
        online_timeout: 100 * MS,
        ..Timing::default()
    }
}

fn instance(number: u8) -> Instance {
    Instance::new(number).unwrap()
}

fn up() -> Vec<(u32, u8)> {
    UP.with_borrow(|up| up.iter().copied().collect())
}

fn add(fake: &Fake, number: u8) -> Result<(), InstanceError> {
    fake.with(timing(), async |bring_up, _| {
        bring_up.add_instance("buffers", instance(number)).await
    })
}

fn remove(fake: &Fake, number: u8) -> Result<(), InstanceError> {
    fake.with(timing(), async |bring_up, _| {
        bring_up.remove_instance("buffers", instance(number)).await
    })
}

/// All kinds of such steps that can be.
fn all() -> impl Iterator<Item = &'static Ladder> {
    let kinds = [
        (Section::Prepare, Mode::Serialised, Takes::Time),
        (Section::Prepare, Mode::Concurrent, Takes::NoTime),
        (Section::Starting, Mode::Concurrent, Takes::NoTime),
        (Section::Online, Mode::Serialised, Takes::Time),
        (Section::Online, Mode::Concurrent, Takes::Time),
        (Section::Online, Mode::Concurrent, Takes::NoTime),
    ];
    kinds.into_iter().map(|(section, mode, takes)| {
        UP.take();
        ladder(section, mode, takes)
    })
}

#[test]
fn instances_come_up_on_the_cpus_that_have_passed_and_later_on_those_that_pass() {
    for ladder in all() {
        let fake = Fake::healthy(3, MS, ladder);
        let top = ladder.top();
        assert_eq!(add(&fake, 63), Ok(()));
        fake.drive(timing(), &[(1, top), (2, top)]);
        assert_eq!(up(), [(1, 63), (2, 63)]);
        assert_eq!(add(&fake, 5), Ok(()));
        assert_eq!(up(), [(1, 5), (1, 63), (2, 5), (2, 63)]);
        fake.drive(timing(), &[(1, Rung::OFFLINE), (3, top)]);
        assert_eq!(up(), [(2, 5), (2, 63), (3, 5), (3, 63)]);
        assert_eq!(remove(&fake, 63), Ok(()));
        assert_eq!(up(), [(2, 5), (3, 5)]);
        fake.take_down().unwrap();
        assert_eq!(up(), []);
        assert_eq!(add(&fake, 5), Err(InstanceError::NothingToDo));
        assert_eq!(remove(&fake, 6), Err(InstanceError::NothingToDo));
    }
}

#[test]
fn an_instance_that_fails_on_one_cpu_comes_up_on_none() {
    for ladder in all() {
        let fake = Fake::healthy(3, MS, ladder);
        fake.bring_up(Strategy::Parallel, timing());
        FAILS.set(Some((2, 7)));
        let failed = InstanceError::Failed(CpuIndex(2), StepError::Exhausted);
        assert_eq!(add(&fake, 7), Err(failed));
        assert_eq!(up(), []);
        assert_eq!(add(&fake, 7), Ok(()));
        assert_eq!(up(), [(1, 7), (2, 7), (3, 7)]);
    }
}

#[test]
fn a_cpu_on_which_one_instance_fails_takes_back_those_before_it() {
    for ladder in all() {
        let fake = Fake::healthy(2, MS, ladder);
        for number in [1, 2, 3] {
            add(&fake, number).unwrap();
        }
        FAILS.set(Some((1, 2)));
        let round = fake.bring_up(Strategy::Parallel, timing());
        let failed = &round.reports[0];
        assert_eq!(
            (failed.outcome, failed.step),
            (Outcome::Failed, Some("buffers"))
        );
        assert_eq!(up(), [(2, 1), (2, 2), (2, 3)]);
        let again = fake.bring_up(Strategy::Parallel, timing());
        assert_eq!((again.online(), up().len()), (2, 6));
    }
}

#[test]
fn an_instance_that_never_comes_up_costs_one_deadline_and_no_cpu() {
    UP.take();
    let fake = Fake::healthy(
        2,
        MS,
        ladder(Section::Online, Mode::Concurrent, Takes::Forever),
    );
    fake.bring_up(Strategy::Parallel, timing());
    let before = fake.elapsed();
    let failed = InstanceError::Failed(CpuIndex(1), StepError::TimedOut);
    assert_eq!(add(&fake, 1), Err(failed));
    assert_eq!(fake.elapsed() - before, 100 * MS);
    fake.settle();
    for ap in fake.aps() {
        assert_eq!(ap.slot.state().load().stage(), Stage::Alive);
    }
    let again = fake.bring_up(Strategy::Parallel, timing());
    assert_eq!(again.online(), 2);
}

#[test]
fn a_cpu_that_did_not_move_when_it_was_asked_does_not_do_it_when_it_moves_again() {
    for takes in [Takes::NoTime, Takes::Time] {
        UP.take();
        let fake = Fake::healthy(2, MS, ladder(Section::Online, Mode::Concurrent, takes));
        fake.bring_up(Strategy::Parallel, timing());
        fake.freeze(1, 200 * MS);
        let failed = InstanceError::Failed(CpuIndex(1), StepError::TimedOut);
        assert_eq!(add(&fake, 1), Err(failed));
        fake.thaw(1);
        assert_eq!(up(), []);
        // Nor does it take what is asked next for done.
        assert_eq!(add(&fake, 2), Ok(()));
        assert_eq!(up(), [(1, 2), (2, 2)]);
    }
}

#[test]
fn a_step_that_is_cancelled_between_two_instances_takes_back_those_that_are_up() {
    UP.take();
    let fake = Fake::healthy(
        1,
        MS,
        ladder(Section::Online, Mode::Concurrent, Takes::TimeUp),
    );
    for number in 0..3 {
        add(&fake, number).unwrap();
    }
    let short = Timing {
        online_timeout: 2 * MS - MS / 2,
        ..timing()
    };
    let round = fake.bring_up(Strategy::Parallel, short);
    assert_eq!(round.reports[0].outcome, Outcome::Failed);
    fake.settle();
    assert_eq!(up(), []);
}

#[test]
fn a_cpu_that_nobody_waits_for_any_more_does_not_take_the_next_question_for_this_one() {
    UP.take();
    let fake = Fake::healthy(
        1,
        MS,
        ladder(Section::Online, Mode::Concurrent, Takes::Time),
    );
    fake.bring_up(Strategy::Parallel, timing());
    fake.freeze(1, 20 * MS);
    fake.with(timing(), async |bring_up, _| {
        let added = bring_up.add_instance("buffers", instance(1));
        let cancelled = bring_up.timer.timeout(MS, added).await;
        assert!(cancelled.is_err());
    });
    fake.thaw(1);
    assert_eq!(up(), []);
    assert_eq!(add(&fake, 2), Ok(()));
    assert_eq!(up(), [(1, 2)]);
}

#[test]
fn only_steps_with_instances_have_any() {
    let fake = Fake::healthy(
        1,
        MS,
        crate::steps::ladder(&[crate::steps::concurrent("plain")]),
    );
    let add = |step| {
        fake.with(timing(), async |bring_up, _| {
            bring_up.add_instance(step, instance(1)).await
        })
    };
    assert_eq!(add("plain"), Err(InstanceError::HasNone));
    assert_eq!(add("nothing"), Err(InstanceError::NoSuchStep));
    assert!(Instance::new(Instance::MOST).is_none());
}
