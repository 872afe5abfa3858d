//! What a CPU does to the machine, called while it runs: places, work, halts, doorbells.

use std::time::Duration;

use rand_distr::{Distribution, Uniform};
use reveille_executor::Instant;
use reveille_smp::state::{Stage, State};

use super::{Event, World, micros, shifted};
use crate::sim::{
    call,
    cpu::{Power, count},
    fault::Fault,
    fiber::suspend,
    model::{At, On, Piece, Stream},
    rules::Rule,
    wait::Wait,
};

/// What a CPU may pass at one moment: more means that it turns in circles.
const MOST_PLACES_AT_ONCE: u32 = 100_000;

/// How often an AP, which has one task, polls before it halts: more means that it spins.
const MOST_POLLS_AWAKE: u32 = 100;

impl World {
    /// Which CPU runs.
    pub(in crate::sim) fn here(&self) -> Option<usize> {
        self.current.get()
    }

    /// The machine's clock.
    pub(in crate::sim) fn now(&self) -> Instant {
        self.now.get()
    }

    /// The clock of the CPU that runs.
    pub(in crate::sim) fn local_now(&self) -> Instant {
        let skew = self.here().map_or(0, |number| self.cpus[number].skew_ns());
        shifted(self.now(), skew)
    }

    /// A moment of the clock of the CPU that runs, on the machine's.
    pub(in crate::sim) fn global(&self, local: Instant) -> Instant {
        let skew = self.here().map_or(0, |number| self.cpus[number].skew_ns());
        shifted(local, -skew)
    }

    /// [`pass_place`](Self::pass_place) of the machine that is simulated on this thread, if a CPU of it
    /// runs.
    pub(in crate::sim) fn pass_place_here() {
        if let Some(world) = Self::current() {
            world.pass_place();
        }
    }

    /// The state of the AP with this index, as the simulator looks at it and no CPU does: nobody is
    /// stopped in front of that.
    pub(in crate::sim) fn state(&self, index: usize) -> State {
        let here = self.current.take();
        let state = self.aps[index].slot.state().load();
        self.current.set(here);
        state
    }

    /// Its stage, likewise.
    pub(in crate::sim) fn stage(&self, index: usize) -> Stage {
        self.state(index).stage()
    }

    /// A place in front of which the CPU that runs may be stopped.
    pub(in crate::sim) fn pass_place(&self) {
        let Some(number) = self.here().filter(|_| !std::thread::panicking()) else {
            return;
        };
        let cpu = &self.cpus[number];
        if cpu.has_handlers.get() {
            self.let_in(number);
        }
        if count(&cpu.places_now) > MOST_PLACES_AT_ONCE {
            self.broke(Rule::Halts, format!("CPU {number} turns in circles"));
            return suspend(Wait::Forever);
        }
        let place = count(&cpu.places);
        if let Some(grain) = self.grain {
            self.pause(number, grain);
        }
        for fault in &cpu.faults {
            match *fault {
                Fault::Dies(at) if at == place || cpu.is_doomed.get() => {
                    if cpu.is_masked.get() && self.lends() {
                        cpu.is_doomed.set(true);
                        continue;
                    }
                    let holds = match cpu.power.get() {
                        Power::Runs(index) => index,
                        _ => None,
                    };
                    self.die(number, holds);
                    suspend(Wait::Forever);
                }
                Fault::Stall(at, us) if at == place => {
                    self.tell(number, || format!("is held up for {us} us"));
                    self.work("stall", number, micros(us));
                }
                _ => {}
            }
        }
    }

    /// The executor of a CPU polls.
    pub(in crate::sim) fn has_polled(&self, number: usize) {
        let cpu = &self.cpus[number];
        if let Power::Runs(Some(index)) = cpu.power.get() {
            self.rules.has_polled(index);
            if count(&cpu.polls_awake) > MOST_POLLS_AWAKE {
                self.broke(Rule::Halts, format!("CPU {number} polls and does not halt"));
                suspend(Wait::Forever);
            }
        }
    }

    /// Between two places passes a little time, and mostly none: so what other CPUs do falls in
    /// between now here, now there.
    pub(super) fn pause(&self, number: usize, grain: Duration) {
        let nanos = grain.as_nanos() as u64;
        let drawn = self.draw(number, "grain", |stream| {
            Uniform::new(0, 4 * nanos).map_or(0, |uniform| uniform.sample(stream))
        });
        if drawn < nanos {
            suspend(Wait::Busy(Duration::from_nanos(drawn)));
        }
    }

    /// The CPU that runs is busy for so long, with something for a CPU.
    pub(in crate::sim) fn work(&self, what: &'static str, for_cpu: usize, span: Duration) {
        let Some(number) = self.here().filter(|_| !span.is_zero()) else {
            return;
        };
        let cpu = &self.cpus[number];
        let (start, stolen) = (cpu.free_at(self.now()), cpu.stolen.get());
        suspend(Wait::Busy(span));
        // What was stolen meanwhile came behind that, and stands where it was stolen.
        let took = (self.now() - start).saturating_sub(cpu.stolen.get() - stolen);
        self.note_on(
            Some(number),
            what,
            for_cpu,
            start,
            start.saturating_add(took),
        );
    }

    /// The CPU that runs halts until an interrupt comes, or this moment of its own clock.
    pub(in crate::sim) fn halt(&self, until: Option<Instant>) {
        let rings = |until| {
            let here = self.here().unwrap_or_default();
            self.global(until)
                .max(self.now())
                .saturating_add(self.latency(At::Wake, here))
        };
        suspend(Wait::Halt(until.map(rings)));
        if let Some(here) = self.here() {
            self.let_in(here);
        }
    }

    /// Lets an interrupt for calls in that has come, unless the CPU has them off to serve its queue, or
    /// to wait for calls of its own. A CPU that has no handlers yet takes interrupts as it halts, and
    /// nowhere else.
    pub(in crate::sim) fn let_in(&self, number: usize) {
        let cpu = &self.cpus[number];
        if !cpu.is_masked.get() && cpu.is_called.take() {
            call::serve();
        }
    }

    /// What this takes for a CPU: the CPU that runs is busy with its part, and the latency is the
    /// answer.
    pub(in crate::sim) fn take_time(&self, at: At, for_cpu: usize) -> Duration {
        let role = match self.here() {
            Some(0) => On::Bsp,
            _ => On::Ap,
        };
        for piece in self.pieces(at, for_cpu, role) {
            self.do_here(at.into(), piece, for_cpu);
        }
        self.latency(at, for_cpu)
    }

    /// The CPU that runs does a piece of work, and holds what it needs for that.
    pub(in crate::sim) fn do_here(&self, what: &'static str, piece: &Piece, for_cpu: usize) {
        let span = self.span_of(what, piece, for_cpu);
        match piece.holds {
            None => self.work(what, for_cpu, span),
            Some(resource) => {
                suspend(Wait::Resource(resource));
                self.hold(Some(resource));
                self.work(what, for_cpu, span);
                self.hold(None);
            }
        }
    }

    /// How long a piece of work takes this time.
    pub(in crate::sim) fn span_of(
        &self,
        what: &'static str,
        piece: &Piece,
        for_cpu: usize,
    ) -> Duration {
        self.draw(for_cpu, what, |stream| piece.time.draw(stream))
    }

    /// The CPU that runs holds a resource, or none any more.
    pub(super) fn hold(&self, resource: Option<usize>) {
        if let Some(number) = self.here() {
            let held = self.cpus[number].holds.replace(resource);
            held.into_iter().for_each(|held| self.give_back(held));
        }
    }

    pub(super) fn give_back(&self, resource: usize) {
        let still_waits = |claim| self.still_waits(claim);
        let next = self.resources.borrow_mut()[resource].give_back(still_waits);
        if let Some(next) = next {
            self.plan(Duration::ZERO, Event::Granted(next, resource));
        }
    }

    pub(super) fn latency(&self, at: At, for_cpu: usize) -> Duration {
        let pieces = self.pieces(at, for_cpu, On::Latency);
        pieces
            .map(|piece| self.span_of(at.into(), piece, for_cpu))
            .sum()
    }

    pub(super) fn pieces(&self, at: At, for_cpu: usize, on: On) -> impl Iterator<Item = &Piece> {
        let shape = &self.model.shape;
        let costs = self.model.costs.iter().filter(move |cost| cost.at == at);
        costs
            .map(|cost| &cost.piece)
            .filter(move |piece| piece.on == on && piece.who.includes(shape, for_cpu))
    }

    pub(super) fn draw<T>(
        &self,
        cpu: usize,
        what: &'static str,
        job: impl FnOnce(&mut Stream) -> T,
    ) -> T {
        let mut streams = self.streams.borrow_mut();
        let stream = streams
            .entry((cpu, what))
            .or_insert_with(|| Stream::new(self.seed, cpu, what));
        job(stream)
    }

    /// Rings for the CPU that is listed with this number.
    pub(in crate::sim) fn ring(&self, number: usize) {
        self.send(number, "rings for", Event::Doorbell);
    }

    /// Interrupts the CPU that is listed with this number, for calls that lie in its queue.
    pub(in crate::sim) fn interrupt(&self, number: usize) {
        self.send(number, "interrupts", Event::Called);
    }

    fn send(&self, number: usize, what: &str, event: fn(usize) -> Event) {
        if std::thread::panicking() {
            return;
        }
        self.pass_place();
        if let Some(here) = self.here() {
            self.tell(here, || format!("{what} CPU {number}"));
        }
        let latency = self.take_time(At::Ring, number) + self.latency(At::Wake, number);
        for target in self.with_id(self.cpus[number].apic_id) {
            let cpu = &self.cpus[target];
            let rung = count(&cpu.doorbells);
            if cpu.has(&Fault::LostDoorbell(rung)) {
                continue;
            }
            let late = cpu.faults.iter().map(|fault| match *fault {
                Fault::LateDoorbell(which, us) if which == rung => micros(us),
                _ => Duration::ZERO,
            });
            self.plan(latency + late.sum(), event(target));
        }
    }
}
