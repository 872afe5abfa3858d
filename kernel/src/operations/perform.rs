//! Carries operations out, and looks at the CPUs behind them.

use alloc::{collections::BTreeSet, vec::Vec};
use core::{
    cell::{Cell, RefCell},
    time::Duration,
};

use reveille_executor::{Clock, Instant};
use reveille_smp::{
    bringup::{Ap, Moved},
    cpu::{CpuIndex, Place},
    gate::Passage,
    inbox::NotSent,
    injection::Injection,
    ladder::{Ladder, Rung},
    plan::{Planned, Role, Skip},
    record::{self, State},
    selection::Smt,
    siblings::Siblings,
    state::Stage,
};

use super::{
    account,
    listing::listing,
    model::Model,
    one_way,
    op::Op,
    resolve::{CannotBeDone, Member, Problem, Work, resolve},
    rules::{self, Broken, View},
    turn::Turns,
};
use crate::{bench::Bench, cpuid::ThisCpu, cpus::spawn_on, percpu::PerCpu, topology::Topology};

/// The CPUs, to be operated on.
pub struct Operations<'a> {
    pub(crate) bench: &'a Bench<'a>,
    siblings: Siblings,
    /// Those of them that the bring-up left out.
    pub(super) left_out: RefCell<BTreeSet<CpuIndex>>,
    /// Whether siblings may come up.
    pub(super) smt: Cell<Smt>,
    /// Where the BSP sits.
    pub(super) bsp: Place,
    /// How often each AP was let go, in the order of their numbers.
    pub(super) departures: Vec<Cell<u32>>,
    /// How many listings there have been.
    listings: Cell<u32>,
    pub(super) turns: Turns,
}

/// What came of an operation.
pub enum Done {
    /// CPUs were moved, or told to fail.
    Op {
        /// The account of it.
        record: record::Op,
        /// Whether all rules held behind it.
        rules: Result<(), Broken>,
    },
    /// The rungs were listed.
    States(Vec<State>),
}

impl<'a> Operations<'a> {
    /// All CPUs of the machine. With `smt` off the bring-up leaves the siblings out.
    pub fn new(bench: &'a Bench<'a>, smt: Smt) -> Self {
        let bsp = Topology::of(&ThisCpu).place(bench.cpus.machine.apic.id());
        let is_left_out = |it: &&Planned| it.role == Role::Skipped(Skip::SmtOff);
        let left_out = bench.cpus.plan.iter().filter(is_left_out);
        Self {
            bench,
            left_out: RefCell::new(left_out.filter_map(|it| it.cpu).collect()),
            siblings: Siblings::new(bsp, bench.cpus.aps.iter().map(|ap| ap.place)),
            smt: Cell::new(smt),
            bsp,
            departures: bench.cpus.aps.iter().map(|_| Cell::new(0)).collect(),
            listings: Cell::new(0),
            turns: Turns::default(),
        }
    }

    /// Checks that each of the operations means something on this machine.
    ///
    /// # Errors
    ///
    /// The first one that does not.
    pub fn check(&self, ops: &[Op]) -> Result<(), CannotBeDone> {
        let (members, absent) = (self.members(), self.absent());
        let wakes_again = self.bench.cpus.machine.wakes_again();
        for op in ops {
            let work = resolve(op, &members, &absent, self.ladder(), Smt::On)?;
            if !wakes_again && one_way::lets_go(&work, self.ladder()) {
                return Err(CannotBeDone {
                    op: op.clone(),
                    problem: Problem::OneWay,
                });
            }
        }
        Ok(())
    }

    /// Carries one out, when its turn has come.
    ///
    /// # Errors
    ///
    /// Where it means nothing on this machine; then nothing is done.
    ///
    /// # Cancellation
    ///
    /// CPUs that were sent somewhere go there all the same, while the turn is free for others: so it is to
    /// be dropped only where nobody operates behind it.
    pub async fn perform(&self, op: &Op) -> Result<Done, CannotBeDone> {
        let turn = self.turn().await;
        self.perform_in(&turn, op).await
    }

    /// The same for a caller who has the turn.
    ///
    /// # Errors
    ///
    /// As [`perform`](Self::perform).
    ///
    /// # Cancellation
    ///
    /// As of [`perform`](Self::perform).
    pub(crate) async fn perform_in(
        &self,
        _turn: &Passage<'_>,
        op: &Op,
    ) -> Result<Done, CannotBeDone> {
        let (members, absent) = (self.members(), self.absent());
        let work = resolve(op, &members, &absent, self.ladder(), self.smt.get())?;
        if let Op::Smt(smt) = op {
            self.smt.set(*smt);
        }
        let start = self.now();
        let record = match work {
            Work::Move { targets, held } => {
                let moved = self.bench.drive(&targets).await;
                let duration = self.since(start);
                self.bench.set_registers_right();
                account::of_moves(op, &moved, &held, &members, duration)
            }
            Work::Arm(cpus, injection) => {
                cpus.iter().for_each(|&cpu| self.arm(cpu, injection));
                account::of_done(op, cpus.len(), self.since(start))
            }
            Work::List => return Ok(Done::States(self.states())),
        };
        // Whoever does not rest has failed, and the account says so.
        let mut resting = self.members();
        resting.retain(|member| self.can_be_reached(member.cpu));
        let rules = self.look(&Model::new(&resting, self.ladder()));
        Ok(Done::Op { record, rules })
    }

    /// All rungs, with the CPUs that are at each now; it needs no turn.
    pub(crate) fn states(&self) -> Vec<State> {
        let number = self.listings.replace(self.listings.get() + 1);
        listing(number, &self.members(), self.ladder())
    }

    /// The APs that are there, and those that the bring-up left out as siblings.
    pub(crate) fn members(&self) -> Vec<Member> {
        let member = |ap: &Ap| Member {
            cpu: ap.cpu,
            rung: ap.rung(),
            is_sibling: self.siblings.contains(ap.place),
        };
        let aps = self.bench.cpus.aps.iter();
        aps.filter(|ap| !self.is_absent(ap)).map(member).collect()
    }

    /// The siblings that are down and may not come up, because SMT is off.
    pub(crate) fn held(&self) -> impl Iterator<Item = CpuIndex> {
        let is_off = self.smt.get() == Smt::Off;
        let is_down = |it: &Member| it.is_sibling && it.rung == Rung::OFFLINE;
        let held = self
            .members()
            .into_iter()
            .filter(move |it| is_off && is_down(it));
        held.map(|it| it.cpu)
    }

    /// Those that have a slot and are not there.
    fn absent(&self) -> Vec<CpuIndex> {
        let aps = self.bench.cpus.aps.iter();
        let absent = aps.filter(|ap| self.is_absent(ap));
        absent.map(|ap| ap.cpu).collect()
    }

    fn is_absent(&self, ap: &Ap) -> bool {
        let is_present = ap.slot.state().load().stage() != Stage::NotPresent;
        !is_present && !self.left_out.borrow().contains(&ap.cpu)
    }

    /// Those of them that are on the highest rung.
    pub(crate) fn online(&self) -> impl Iterator<Item = Member> {
        let top = self.ladder().top();
        self.members().into_iter().filter(move |it| it.rung == top)
    }

    /// Those that the bring-up left out as siblings can be kicked from now on.
    pub(super) fn admit_siblings(&self, _turn: &Passage<'_>) {
        let left_out = self.left_out.borrow();
        let aps = self.bench.cpus.aps.iter();
        for ap in aps.filter(|ap| left_out.contains(&ap.cpu)) {
            // Refused where that has been said before.
            let _ = ap.slot.state().appear();
        }
    }

    /// Compares the clocks of the APs that are up and were not compared before. Two who do that at once would
    /// ask by the same words, and a CPU that leaves meanwhile would not be forgotten.
    pub(crate) async fn compare_clocks(&self, _turn: &Passage<'_>) {
        let Bench {
            cpus,
            timer,
            clocks,
            ..
        } = self.bench;
        clocks.compare_new(&cpus.aps, timer).await;
    }

    /// Sends CPUs to their rungs, where nobody measures how long that takes.
    pub(crate) async fn move_all(&self, targets: &[(CpuIndex, Rung)]) -> Vec<Moved> {
        let moved = self.bench.drive(targets).await;
        self.bench.set_registers_right();
        moved
    }

    /// Tells a CPU to fail.
    pub(super) fn arm(&self, cpu: CpuIndex, injection: Injection) {
        if let Some(ap) = self.bench.cpus.aps.iter().find(|ap| ap.cpu == cpu) {
            ap.slot.inject(Some(injection));
        }
    }

    /// Takes it back, if that is what the CPU is told and it has not struck yet.
    pub(super) fn disarm(&self, cpu: CpuIndex, injection: Injection) {
        let ap = self.bench.cpus.aps.iter().find(|ap| ap.cpu == cpu);
        if let Some(ap) = ap.filter(|ap| ap.slot.injection() == Some(injection)) {
            ap.slot.inject(None);
        }
    }

    /// The failure that a CPU is told, if it has not struck yet.
    pub(super) fn armed(&self, cpu: CpuIndex) -> Option<Injection> {
        let ap = self.bench.cpus.aps.iter().find(|ap| ap.cpu == cpu);
        ap.and_then(|ap| ap.slot.injection())
    }

    /// Looks whether the CPUs of the model are as the rules have it.
    pub(super) fn look(&self, model: &Model<'_>) -> Result<(), Broken> {
        let cpus = self.bench.cpus;
        let is_of_model = |cpu: CpuIndex| {
            let mut of_model = model.cpus().iter();
            of_model.any(|it| it.member.cpu == cpu)
        };
        let view = |ap: &Ap| View {
            cpu: ap.cpu,
            stage: ap.slot.state().load().stage(),
            rung: ap.rung(),
            takes_calls: PerCpu::of(ap.cpu).is_some_and(|area| area.calls().is_open()),
            takes_work: takes_work(ap.cpu),
        };
        let aps = cpus.aps.iter().filter(|ap| is_of_model(ap.cpu));
        let views: Vec<_> = aps.map(view).collect();
        let online: Vec<_> = cpus.online.iter().filter(|&cpu| is_of_model(cpu)).collect();
        rules::check(model, &views, &online)
    }

    /// Whether an AP is offline, or not there.
    pub(super) fn is_offline(&self, cpu: CpuIndex) -> bool {
        let mut aps = self.bench.cpus.aps.iter();
        aps.all(|ap| ap.cpu != cpu || ap.rung() == Rung::OFFLINE)
    }

    /// Whether an operation can reach an AP.
    pub(super) fn can_be_reached(&self, cpu: CpuIndex) -> bool {
        let ap = self.bench.cpus.aps.iter().find(|ap| ap.cpu == cpu);
        ap.is_some_and(|ap| rules::can_be_reached(ap.slot.state().load().stage()))
    }

    pub(crate) fn ladder(&self) -> &'static Ladder {
        self.bench.ladder()
    }

    pub(crate) fn now(&self) -> Instant {
        self.bench.cpus.machine.clock.now()
    }

    pub(crate) fn since(&self, start: Instant) -> Duration {
        self.now().saturating_duration_since(start)
    }
}

/// Whether a CPU takes tasks; it is sent one that does nothing.
fn takes_work(cpu: CpuIndex) -> bool {
    !matches!(spawn_on(cpu, async {}), Err(NotSent::Closed(_)))
}
