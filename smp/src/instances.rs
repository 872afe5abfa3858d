//! Steps with instances: what a subsystem does for each CPU once for every instance of something,
//! where instances come and go while CPUs are up, as with Linux's multi-instance states.
//!
//! An instance that is added is brought up on all CPUs that have passed the step; from then on each
//! CPU brings it up as it passes. See [`BringUp::add_instance`](crate::bringup::BringUp::add_instance).

use core::{
    pin::pin,
    task::{Context, Poll, Waker},
    time::Duration,
};

use alloc::boxed::Box;

use crate::{
    step::{Direction, Mode, Run, Section, Site, Step, StepError},
    sync::{AtomicU64, Ordering},
};

/// An instance by its number, which the subsystem gives; below [`Instance::MOST`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Instance(u8);

impl Instance {
    /// So many instances a step can have.
    pub const MOST: u8 = 64;

    /// The instance with this number; `None` if there can be none.
    pub const fn new(number: u8) -> Option<Self> {
        if number < Self::MOST {
            Some(Self(number))
        } else {
            None
        }
    }

    /// Its number.
    pub const fn number(self) -> u8 {
        self.0
    }

    fn bit(self) -> u64 {
        1 << self.0
    }
}

/// What is done for each CPU and each instance. As [`Step`], which says what the parts mean.
pub trait PerInstance: Sync {
    /// As [`Step::name`].
    fn name(&self) -> &'static str;

    /// As [`Step::section`].
    fn section(&self) -> Section {
        Section::Online
    }

    /// As [`Step::rank`].
    fn rank(&self) -> u16;

    /// As [`Step::mode`].
    fn mode(&self) -> Mode {
        Mode::Concurrent
    }

    /// As [`Step::deadline`]: for all instances together.
    fn deadline(&self) -> Option<Duration> {
        None
    }

    /// Does it for one instance.
    fn up<'a>(&'a self, site: Site<'a>, instance: Instance) -> Run<'a>;

    /// Undoes it for one instance.
    fn down<'a>(&'a self, site: Site<'a>, instance: Instance) -> Run<'a>;
}

/// A step that is done for each of its instances, lowest number first, and undone in reverse. If one
/// fails, those before it are taken back, so that as a whole it is passed or not. If it is cancelled,
/// they are taken back too, but for what would wait for that.
///
/// # Memory ordering
///
/// The set of instances is changed between operations only, by the driver; the call to a CPU orders
/// the change before the CPU's look.
pub struct MultiStep<S> {
    step: S,
    present: AtomicU64,
}

impl<S: PerInstance> MultiStep<S> {
    /// A step without instances.
    #[cfg(not(loom))]
    pub const fn new(step: S) -> Self {
        Self {
            step,
            present: AtomicU64::new(0),
        }
    }

    fn one<'a>(&'a self, site: Site<'a>, instance: Instance, direction: Direction) -> Run<'a> {
        match direction {
            Direction::Up => self.step.up(site, instance),
            Direction::Down => self.step.down(site, instance),
        }
    }

    async fn each(&self, site: Site<'_>, direction: Direction) -> Result<(), StepError> {
        let present = self.present.load(Ordering::Relaxed);
        let back = direction.reverse();
        let mut done = Done {
            steps: self,
            site,
            present,
            direction,
            before: None,
        };
        for instance in ordered(present, direction) {
            done.before = Some(instance);
            if let Err(error) = finish(self.one(site, instance, direction)).await {
                while let Some(other) = done.last() {
                    done.before = Some(other);
                    // What fails here too stays as it is: the first failure is the one to tell.
                    let _ = finish(self.one(site, other, back)).await;
                }
                return Err(error);
            }
        }
        done.before = None;
        Ok(())
    }

    /// Runs at once what does not wait, which is all that a starting step may do.
    fn run<'a>(&'a self, site: Site<'a>, direction: Direction) -> Run<'a> {
        let mut future = Box::pin(self.each(site, direction));
        let mut nobody = Context::from_waker(Waker::noop());
        match future.as_mut().poll(&mut nobody) {
            Poll::Ready(result) => Run::Now(result),
            Poll::Pending => Run::Later(future),
        }
    }
}

/// The instances that have been done while the step as a whole has not. Dropped, as when the step is
/// cancelled, it takes them back as far as that goes without waiting.
struct Done<'a, S: PerInstance> {
    steps: &'a MultiStep<S>,
    site: Site<'a>,
    present: u64,
    direction: Direction,
    /// Those before this one; none without it.
    before: Option<Instance>,
}

impl<S: PerInstance> Done<'_, S> {
    /// The one that is to be taken back next.
    fn last(&self) -> Option<Instance> {
        let before = self.before?;
        let is_before = |&other: &Instance| match self.direction {
            Direction::Up => other < before,
            Direction::Down => other > before,
        };
        ordered(self.present, self.direction.reverse()).find(is_before)
    }
}

impl<S: PerInstance> Drop for Done<'_, S> {
    fn drop(&mut self) {
        while let Some(other) = self.last() {
            self.before = Some(other);
            let back = self.direction.reverse();
            if let Run::Later(mut future) = self.steps.one(self.site, other, back) {
                let _ = future
                    .as_mut()
                    .poll(&mut Context::from_waker(Waker::noop()));
            }
        }
    }
}

impl<S: PerInstance> Step for MultiStep<S> {
    fn name(&self) -> &'static str {
        self.step.name()
    }

    fn section(&self) -> Section {
        self.step.section()
    }

    fn rank(&self) -> u16 {
        self.step.rank()
    }

    fn mode(&self) -> Mode {
        self.step.mode()
    }

    fn deadline(&self) -> Option<Duration> {
        self.step.deadline()
    }

    fn up<'a>(&'a self, site: Site<'a>) -> Run<'a> {
        self.run(site, Direction::Up)
    }

    fn down<'a>(&'a self, site: Site<'a>) -> Run<'a> {
        self.run(site, Direction::Down)
    }

    fn instances(&self) -> Option<&dyn Instances> {
        Some(self)
    }
}

/// The instances of a step, whatever they are.
pub trait Instances: Sync {
    /// Whether this one is there.
    fn has(&self, instance: Instance) -> bool;

    /// From now on it is there, or not. To be called when it is up, or down, on all CPUs that have
    /// passed the step.
    fn set(&self, instance: Instance, is_there: bool);

    /// Does it, or undoes it, for one CPU.
    fn run_one<'a>(&'a self, site: Site<'a>, instance: Instance, direction: Direction) -> Run<'a>;
}

impl<S: PerInstance> Instances for MultiStep<S> {
    fn has(&self, instance: Instance) -> bool {
        self.present.load(Ordering::Relaxed) & instance.bit() != 0
    }

    fn set(&self, instance: Instance, is_there: bool) {
        let present = self.present.load(Ordering::Relaxed) & !instance.bit();
        let bit = if is_there { instance.bit() } else { 0 };
        self.present.store(present | bit, Ordering::Relaxed);
    }

    fn run_one<'a>(&'a self, site: Site<'a>, instance: Instance, direction: Direction) -> Run<'a> {
        self.one(site, instance, direction)
    }
}

/// The instances in a set, lowest first on the way up.
fn ordered(present: u64, direction: Direction) -> impl Iterator<Item = Instance> {
    let last = Instance::MOST - 1;
    let numbers = (0..=last).map(move |number| match direction {
        Direction::Up => Instance(number),
        Direction::Down => Instance(last - number),
    });
    numbers.filter(move |instance| present & instance.bit() != 0)
}

async fn finish(run: Run<'_>) -> Result<(), StepError> {
    match run {
        Run::Now(result) => result,
        Run::Later(future) => pin!(future).await,
    }
}
