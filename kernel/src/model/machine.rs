//! The machine that is modelled: what each of its CPUs takes, and when it answers.
//!
//! The BSP draws the answer of an AP as it sends the first SIPI behind an INIT, and writes the instant into a word of that
//! AP's; the AP reads it in the model's first step. Draws come from a seed, the AP's id and how
//! often it was kicked: so a run with the same kicks has the same answers, whoever answers first.

#![forbid(unsafe_code)]

use alloc::{boxed::Box, vec::Vec};
use core::{
    sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering},
    time::Duration,
};

use fastrand::Rng;
use reveille_executor::Instant;
use reveille_smp::{
    bringup::Ap,
    cpu::{ApicId, CpuIndex, Place},
    step::Section,
};

use super::{
    Model,
    bell::{Bell, Listener},
    figures::{Figures, On, Step, Who},
    pace::Pace,
    work,
};
use crate::platform::CpuPlatform;

/// A model, and the CPUs that are to behave like it.
#[derive(Debug)]
pub struct Modelled {
    model: Model,
    figures: &'static Figures,
    seed: u32,
    bsp: Bsp,
    /// By APIC id.
    cpus: Box<[ModelledCpu]>,
    pace: Pace,
    /// By how much a halt ends late here, in nanoseconds. Relaxed: the BSP writes it before it kicks anybody.
    late: AtomicU64,
    /// Until when somebody is at a serialised step, in nanoseconds.
    ///
    /// # Memory ordering
    ///
    /// Relaxed: only who has the turn touches it. Who passes the turn on has written before, and who gets it reads
    /// behind: the turn is given and taken by a release and an acquire (`smp/src/turn.rs`). The instant is of the
    /// writer's clock, so whoever reads bounds it by its own.
    serialised_until: AtomicU64,
}

/// The one that is there.
#[derive(Debug)]
struct Bsp {
    apic_id: ApicId,
    place: Place,
    bell: Bell,
}

/// One AP.
#[derive(Debug)]
struct ModelledCpu {
    apic_id: ApicId,
    cpu: CpuIndex,
    place: Place,
    is_first_of_package: bool,
    /// INIT was sent, and no SIPI behind it. Relaxed: the BSP alone touches it.
    is_reset: AtomicBool,
    /// Kicks so far. Relaxed: the BSP alone touches it.
    kicks: AtomicU32,
    /// When it answers, in nanoseconds.
    ///
    /// # Memory ordering
    ///
    /// Relaxed: the word is all that is handed over. The BSP writes it before it sends the SIPI that starts the AP, and
    /// what a CPU has stored before is seen by whoever starts by its SIPI: sending fences (x2APIC), or is itself a store
    /// behind it (xAPIC). An AP that comes by an earlier SIPI may read what was drawn before: then it has answered
    /// in time.
    answers_at: AtomicU64,
    bell: Bell,
}

impl Modelled {
    /// What answers are drawn from where nobody says otherwise: as in the simulator.
    pub const SEED: u32 = 1;

    /// The model for these APs, which come up beside a BSP with that id and place; `seed` is what answers are drawn from.
    pub fn new(model: Model, seed: u32, (bsp_id, bsp): (ApicId, Place), aps: &[Ap]) -> Self {
        let mut cpus: Vec<_> = aps
            .iter()
            .map(|ap| ModelledCpu::new(ap, bsp, aps))
            .collect();
        cpus.sort_by_key(|cpu| cpu.apic_id);
        Self {
            model,
            figures: model.figures(),
            seed,
            bsp: Bsp {
                apic_id: bsp_id,
                place: bsp,
                bell: Bell::default(),
            },
            cpus: cpus.into(),
            pace: Pace::new(),
            late: AtomicU64::new(0),
            serialised_until: AtomicU64::new(0),
        }
    }

    /// Finds out, on the BSP and before the first kick, by how much a halt ends late on this machine.
    pub fn look_how_late(&self, platform: &CpuPlatform) {
        let late = work::lateness(platform).as_nanos() as u64;
        self.late.store(late, Ordering::Relaxed);
    }

    pub(super) fn late(&self) -> Duration {
        Duration::from_nanos(self.late.load(Ordering::Relaxed))
    }

    /// The model.
    pub fn model(&self) -> Model {
        self.model
    }

    pub(super) fn figures(&self) -> &'static Figures {
        self.figures
    }

    /// Whether this machine has just as many CPUs, packages, and threads of each core as the one that it is to behave
    /// like.
    pub fn fits(&self) -> bool {
        let Figures {
            packages, threads, ..
        } = *self.figures;
        let places = || {
            self.cpus
                .iter()
                .map(|cpu| cpu.place)
                .chain([self.bsp.place])
        };
        let first_threads = places().filter(|place| place.thread == 0).count();
        let mut found: Vec<u32> = places().map(|place| place.package).collect();
        found.sort_unstable();
        found.dedup();
        let cpus = self.cpus();
        (cpus, found.len()) == (self.figures.cpus(), packages as usize)
            && first_threads as u32 * threads == cpus
    }

    /// The CPUs that are to behave like it, the BSP among them.
    pub fn cpus(&self) -> u32 {
        self.cpus.len() as u32 + 1
    }

    /// The BSP begins to prepare an AP: until when that takes, if it takes so long.
    pub(super) fn prepares(&self, of: ApicId, now: Instant, span: Duration) -> Instant {
        let until = self.pace.begins(of, now, span);
        self.bsp.bell.is_at_it(until);
        until
    }

    /// The BSP is about to send INIT. That takes less than it needs by itself, so it is not to wait.
    pub fn resets(&self, target: ApicId, now: Instant) {
        if let Some(cpu) = self.find(target) {
            let Figures { init, sipi, .. } = *self.figures;
            self.pace.follows(target, now, init, init + sipi);
            cpu.is_reset.store(true, Ordering::Relaxed);
        }
    }

    /// The BSP is about to send SIPI: until when that takes.
    pub fn starts(&self, target: ApicId, now: Instant) -> Instant {
        let sipi = self.figures.sipi;
        let sent = self.pace.follows(target, now, sipi, sipi);
        self.bsp.bell.is_at_it(sent);
        if let Some(cpu) = self.find(target)
            && cpu.is_reset.swap(false, Ordering::Relaxed)
        {
            let kick = cpu.kicks.fetch_add(1, Ordering::Relaxed);
            let answers_at = sent + self.answer(cpu, kick);
            let nanos = answers_at.as_nanos();
            cpu.answers_at.store(nanos, Ordering::Relaxed);
        }
        sent
    }

    /// When an AP that runs at `now` may be seen to, as the model has it: now, if it came later than it should.
    pub(super) fn answers_at(&self, apic_id: ApicId, now: Instant) -> Instant {
        let told = self
            .find(apic_id)
            .map_or(0, |cpu| cpu.answers_at.load(Ordering::Relaxed));
        // Whatever its clock shows, it is not to wait longer than anybody's answer takes.
        let longest = self.figures.first_threads_answer;
        let latest = now + longest.max(self.figures.other_threads_answer.to());
        Instant::from_nanos(told).max(now).min(latest)
    }

    /// What hears when a CPU is woken; `None` for a CPU that is none of the model's.
    pub fn listener(&'static self, of: ApicId) -> Option<Listener> {
        Some(Listener::new(self, self.bell(of)?))
    }

    pub(super) fn bell(&self, of: ApicId) -> Option<&Bell> {
        match of == self.bsp.apic_id {
            true => Some(&self.bsp.bell),
            false => self.find(of).map(|cpu| &cpu.bell),
        }
    }

    /// Since when an AP, on which it is `now`, counts as being at a serialised step, for which it has the turn, if it
    /// says since `began`: not since before another one was done with its own.
    pub(super) fn has_turn_since(&self, began: Instant, now: Instant) -> Instant {
        let before = Instant::from_nanos(self.serialised_until.load(Ordering::Relaxed));
        // Who passed the turn on was done with it, though by its own clock that may be yet to come.
        began.max(before.min(now))
    }

    /// The AP that has the turn is at it until then.
    pub(super) fn keeps_turn_until(&self, until: Instant) {
        let nanos = until.as_nanos();
        self.serialised_until.store(nanos, Ordering::Relaxed);
    }

    /// How long a step takes of somebody's time for an AP.
    pub(super) fn span(&self, step: &Step, of: ApicId, on: On) -> Duration {
        let pieces = step.up.iter().filter(|piece| piece.on == on);
        let Some(cpu) = self.find(of) else {
            return Duration::ZERO;
        };
        pieces
            .filter(|piece| cpu.is_one_of(piece.who))
            .map(|piece| piece.time)
            .sum()
    }

    /// Whether a CPU sits in the BSP's package.
    pub(super) fn is_beside_bsp(&self, cpu: CpuIndex) -> bool {
        let found = self.cpus.iter().find(|it| it.cpu == cpu);
        found.is_some_and(|it| it.place.package == self.bsp.place.package)
    }

    /// The step in which an AP waits for its answer to be due: the first that runs on it.
    pub(super) fn is_first_on_ap(&self, step: &Step) -> bool {
        let mut on_ap = self.figures.steps.iter();
        let first = on_ap.find(|step| step.section != Section::Prepare);
        first.is_some_and(|first| first.name == step.name)
    }

    fn answer(&self, cpu: &ModelledCpu, kick: u32) -> Duration {
        if cpu.is_one_of(Who::FirstThreads) {
            return self.figures.first_threads_answer;
        }
        let of_cpu = u64::from(cpu.apic_id.0) << 32 | u64::from(self.seed);
        // Another generator for each kick: they are not drawn in order.
        let kicks = Rng::with_seed(of_cpu).u64(..).wrapping_add(kick.into());
        let share = Rng::with_seed(kicks).u16(..);
        self.figures.other_threads_answer.at(share)
    }

    fn find(&self, apic_id: ApicId) -> Option<&ModelledCpu> {
        let at = self.cpus.binary_search_by_key(&apic_id, |cpu| cpu.apic_id);
        Some(&self.cpus[at.ok()?])
    }
}

impl ModelledCpu {
    fn new(ap: &Ap, bsp: Place, aps: &[Ap]) -> Self {
        let package = ap.place.package;
        let mut of_package = aps.iter().filter(|other| other.place.package == package);
        let is_lowest = of_package.all(|other| other.cpu >= ap.cpu);
        Self {
            apic_id: ap.apic_id,
            cpu: ap.cpu,
            place: ap.place,
            is_first_of_package: is_lowest && package != bsp.package,
            is_reset: AtomicBool::new(false),
            kicks: AtomicU32::new(0),
            answers_at: AtomicU64::new(0),
            bell: Bell::default(),
        }
    }

    fn is_one_of(&self, who: Who) -> bool {
        match who {
            Who::Every => true,
            Who::FirstThreads => self.place.thread == 0,
            Who::OtherThreads => self.place.thread > 0,
            Who::FirstOfPackage => self.is_first_of_package,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ap(number: u32, [package, core, thread]: [u32; 3]) -> Ap {
        let place = Place {
            package,
            core,
            thread,
        };
        // Ids have holes, and do not stand in the order of the numbers.
        Ap::new(CpuIndex(number), id(number), place)
    }

    fn id(number: u32) -> ApicId {
        ApicId(100 - 3 * number)
    }

    /// Two packages of two cores with two threads, siblings together; CPU 0 is the BSP.
    fn eight() -> Modelled {
        let aps: Vec<_> = (1..8)
            .map(|number| ap(number, [number / 4, number / 2 % 2, number % 2]))
            .collect();
        Modelled::new(Model::Skylake112, 1, (id(0), Place::default()), &aps)
    }

    fn us(micros: u64) -> Duration {
        Duration::from_micros(micros)
    }

    fn at(micros: u64) -> Instant {
        Instant::from_nanos(micros * 1_000)
    }

    fn spans(model: &Modelled, name: &str, on: On) -> [Duration; 7] {
        let mut steps = model.figures().steps.iter();
        let step = steps.find(|step| step.name == name).expect(name);
        [1, 2, 3, 4, 5, 6, 7].map(|number| model.span(step, id(number), on))
    }

    #[test]
    fn a_step_takes_the_sum_of_the_pieces_that_are_for_the_cpu() {
        let model = eight();
        assert_eq!(
            spans(&model, "prepare", On::Bsp),
            [Duration::from_nanos(309_300); 7]
        );
        assert_eq!(spans(&model, "prepare", On::Ap), [Duration::ZERO; 7]);
        let by_turns = |sibling, first| [sibling, first, sibling, first, sibling, first, sibling];
        assert_eq!(
            spans(&model, "microcode", On::Ap),
            by_turns(Duration::ZERO, us(8_000))
        );
        assert_eq!(
            spans(&model, "hotplug", On::Ap),
            by_turns(Duration::from_nanos(146_100), us(68))
        );
    }

    #[test]
    fn one_cpu_of_each_other_package_has_its_clock_checked() {
        let model = eight();
        let mut checked = [Duration::ZERO; 7];
        checked[3] = us(20_000);
        assert_eq!(spans(&model, "tsc-check", On::Pair), checked);
        let beside = (1..8).filter(|&number| model.is_beside_bsp(CpuIndex(number)));
        assert!(beside.eq([1, 2, 3]));
    }

    #[test]
    fn a_first_thread_answers_as_long_after_the_kick_as_the_model_has_it() {
        let model = eight();
        assert_eq!(model.prepares(id(2), at(0), us(300)), at(300));
        model.resets(id(2), at(310));
        assert_eq!(model.starts(id(2), at(320)), at(342));
        assert_eq!(model.answers_at(id(2), at(400)), at(3_842));
        // A second SIPI takes its time, and nobody answers later for it.
        assert_eq!(model.starts(id(2), at(600)), at(641));
        assert_eq!(model.answers_at(id(2), at(700)), at(3_842));
        assert_eq!(model.answers_at(id(2), at(5_000)), at(5_000), "it is late");
        assert_eq!(model.answers_at(id(1), at(9)), at(9), "nobody kicked it");
    }

    #[test]
    fn the_turn_counts_from_the_end_of_the_one_before_but_never_from_a_time_to_come() {
        let model = eight();
        assert_eq!(model.has_turn_since(at(90), at(100)), at(90), "the first");
        model.keeps_turn_until(at(200));
        assert_eq!(model.has_turn_since(at(90), at(210)), at(200));
        assert_eq!(model.has_turn_since(at(205), at(210)), at(205));
        // The clock of the one before is ahead by a second.
        model.keeps_turn_until(at(1_000_300));
        assert_eq!(model.has_turn_since(at(205), at(310)), at(310));
        // A step that is yet to begin, as its AP has yet to answer, stays so.
        assert_eq!(model.has_turn_since(at(400), at(310)), at(400));
    }

    #[test]
    fn a_cpu_whose_clock_is_behind_waits_no_longer_than_the_longest_answer_takes() {
        let model = eight();
        model.resets(id(2), at(1_000_000));
        model.starts(id(2), at(1_000_001));
        assert_eq!(model.answers_at(id(2), at(10)), at(3_510));
    }

    /// What a sibling draws in so many kicks.
    fn drawn(model: &Modelled, number: u32) -> Vec<Duration> {
        let kick = |kick: u64| {
            let now = at(20_000 * kick);
            model.resets(id(number), now);
            let sent = model.starts(id(number), now);
            let answers_at = model.answers_at(id(number), now);
            answers_at.saturating_duration_since(sent)
        };
        (1..=200).map(kick).collect()
    }

    #[test]
    fn siblings_draw_their_answers_from_the_seed_each_its_own_and_anew_for_each_kick() {
        let (first, again) = (drawn(&eight(), 3), drawn(&eight(), 3));
        assert_eq!(first, again);
        assert_ne!(first, drawn(&eight(), 5));
        let range = us(350)..=us(3_500);
        assert!(first.iter().all(|drawn| range.contains(drawn)));
        let mut sorted = first;
        sorted.sort_unstable();
        sorted.dedup();
        assert!(sorted.len() > 190, "{} differ", sorted.len());
        // Half of them below the middle of the decade, 350 us * 10^(1/2).
        let below = sorted.partition_point(|&drawn| drawn < us(1_107));
        assert!((70..130).contains(&below), "{below}");
    }

    #[test]
    fn only_a_machine_of_the_models_own_shape_fits() {
        assert!(!eight().fits());
        let with = |packages: u32| {
            let of_package = 112 / packages;
            let place = |number: u32| {
                let (package, rest) = (number / of_package, number % of_package);
                [package, rest / 2, rest % 2]
            };
            let aps: Vec<_> = (1..112)
                .map(|it| {
                    Ap::new(CpuIndex(it), ApicId(it), {
                        let [package, core, thread] = place(it);
                        Place {
                            package,
                            core,
                            thread,
                        }
                    })
                })
                .collect();
            Modelled::new(Model::Skylake112, 1, (id(0), Place::default()), &aps).fits()
        };
        assert!(with(2));
        assert!(!with(4));
    }
}
