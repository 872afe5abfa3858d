//! All that one scan has found, done in one turn: those that were added go up together, and then those that are
//! to be removed go down together, and out.
//!
//! So a CPU that is to go as it comes up has come up, or failed in time, before it is taken down: nobody
//! operates on it from two sides.

use alloc::{string::ToString, vec::Vec};
use core::time::Duration;

use reveille_executor::Instant;
use reveille_smp::{
    bringup::{Ap, Moved},
    cpu::CpuIndex,
    gate::Passage,
    hotplug::{Controller, Event, Found, HotplugLine, Refusal, Verdict, let_go},
    ladder::Rung,
    outcome::Outcome,
    plan::Skip,
    record::{Hotplug, HotplugEvent, HotplugOutcome, HotplugSource, Record, Removal},
    state::Stage,
};

use crate::{consistency::Settled, operations::Operations, println, report};

/// What a batch is done by.
pub(super) struct Batch<'a, C> {
    pub(super) operations: &'a Operations<'a>,
    pub(super) turn: &'a Passage<'a>,
    pub(super) controller: &'a C,
    /// Where what the CPUs have said of themselves is kept, or told.
    pub(super) settled: &'a Settled,
    /// By what it was noticed.
    pub(super) source: HotplugSource,
}

/// What came of something that was found.
struct End {
    cpu: Option<CpuIndex>,
    outcome: HotplugOutcome,
    step: Option<&'static str>,
    reason: Option<&'static str>,
    verdict: Verdict,
    duration: Duration,
}

impl<C: Controller> Batch<'_, C> {
    /// Does what was found, and tells each of it, here and to the machine.
    pub(super) async fn serve(&self, found: &[Found]) {
        let (added, to_go): (Vec<_>, Vec<_>) = found
            .iter()
            .partition(|found| matches!(found.event, Event::Added(_)));
        if !added.is_empty() {
            self.bring_up(&added).await;
        }
        if !to_go.is_empty() {
            self.take_out(&to_go).await;
        }
    }

    /// The CPUs that were added, from their slots to the top.
    async fn bring_up(&self, added: &[&Found]) {
        let (operations, bench) = (self.operations, self.operations.bench);
        let start = operations.now();
        let top = bench.ladder().top();
        let mut targets = Vec::new();
        let mut appeared = Vec::with_capacity(added.len());
        for found in added {
            let ap = operations.appear(found.event.apic_id());
            let goes = ap.is_ok_and(|ap| !operations.keeps_out(ap, &targets));
            if let (Ok(ap), true) = (ap, goes) {
                targets.push((ap.cpu, top));
            }
            appeared.push(ap);
        }
        let moved = bench.drive(&targets).await;
        let duration = operations.since(start);
        // Beside what is told, a CPU that was just put in differs from the others in what their firmware did.
        operations.compare_clocks(self.turn).await;
        let cpus: Vec<_> = targets.iter().map(|&(cpu, _)| cpu).collect();
        let account = self.settled.account(bench, &cpus);
        for (found, appeared) in added.iter().zip(appeared) {
            let end = match appeared {
                Ok(ap) => match moved.iter().find(|moved| moved.cpu == ap.cpu) {
                    Some(moved) => self.came(ap, moved, start, duration),
                    None => left_out(ap.cpu),
                },
                Err(refusal) => self.refused_to_add(found, refusal),
            };
            self.tell(found, HotplugEvent::Add, end);
        }
        self.settled.add(account);
        bench.clocks.write();
    }

    fn came(&self, ap: &Ap, moved: &Moved, start: Instant, until_all: Duration) -> End {
        let failure = moved.failure;
        let online = self.online_at(ap).filter(|_| failure.is_none());
        End {
            cpu: Some(ap.cpu),
            outcome: HotplugOutcome::Added(failure.map_or(Outcome::Online, |it| it.outcome)),
            step: failure.and_then(|failure| failure.step),
            reason: failure.and_then(|failure| failure.reason),
            verdict: match failure {
                None => Verdict::Done,
                Some(_) => Verdict::Failed,
            },
            duration: online.map_or(until_all, |at| at.saturating_duration_since(start)),
        }
    }

    /// When an AP came online, by the BSP's clock; `None` where that is not known.
    fn online_at(&self, ap: &Ap) -> Option<Instant> {
        let skew = self.operations.bench.clocks.skew(ap.cpu)?;
        let by_its_own = ap.slot.online_at()?.as_nanos();
        let behind = 0_i64.saturating_sub(skew.ahead_ns);
        Some(Instant::from_nanos(
            by_its_own.saturating_add_signed(behind),
        ))
    }

    fn refused_to_add(&self, found: &Found, refusal: Refusal) -> End {
        let outcome = match refusal {
            Refusal::IsThere(Stage::Online) => Outcome::Online,
            _ => Outcome::Skipped,
        };
        End {
            cpu: self.number(found),
            outcome: HotplugOutcome::Added(outcome),
            step: None,
            reason: Some(refusal.reason()),
            verdict: refusal.verdict(),
            duration: Duration::ZERO,
        }
    }

    /// The CPUs that are to go, from wherever they are to offline, and out of the machine.
    async fn take_out(&self, to_go: &[&Found]) {
        let (operations, bench) = (self.operations, self.operations.bench);
        let start = operations.now();
        let seats = to_go
            .iter()
            .map(|found| operations.seat(found.event.apic_id()));
        let cleared: Vec<_> = seats.map(|seat| seat.clear()).collect();
        let going = cleared.iter().filter_map(|cleared| cleared.ok().flatten());
        let targets: Vec<_> = going.map(|ap| (ap.cpu, Rung::OFFLINE)).collect();
        let moved = bench.drive(&targets).await;
        bench.set_registers_right();
        for (found, cleared) in to_go.iter().zip(cleared) {
            let cpu = self.number(found);
            let seat = operations.seat(found.event.apic_id());
            let gone = cleared.and_then(|_| {
                let_go(self.controller, found.bay, seat, || {
                    if let Some(cpu) = cpu {
                        operations.depart(cpu);
                    }
                })
            });
            let failure = moved.iter().find(|moved| Some(moved.cpu) == cpu);
            let failure = failure.and_then(|moved| moved.failure);
            let end = match gone {
                Ok(()) => End {
                    cpu,
                    outcome: HotplugOutcome::Removal(Removal::Removed),
                    step: None,
                    reason: None,
                    verdict: Verdict::Done,
                    duration: operations.since(start),
                },
                Err(refusal) => End {
                    cpu,
                    outcome: HotplugOutcome::Removal(Removal::Refused),
                    step: failure.and_then(|failure| failure.step),
                    reason: failure
                        .and_then(|failure| failure.reason)
                        .or(Some(refusal.reason())),
                    verdict: refusal.verdict(),
                    duration: operations.since(start),
                },
            };
            self.tell(found, HotplugEvent::Remove, end);
        }
    }

    /// The number of the CPU, if it has one.
    fn number(&self, found: &Found) -> Option<CpuIndex> {
        let plan = &self.operations.bench.cpus.plan;
        let id = found.event.apic_id();
        plan.iter().find(|planned| planned.apic_id == id)?.cpu
    }

    fn tell(&self, found: &Found, event: HotplugEvent, end: End) {
        let record = Hotplug {
            event,
            cpu: end.cpu,
            apic_id: found.event.apic_id(),
            outcome: end.outcome,
            step: end.step.map(ToString::to_string),
            reason: end.reason.map(ToString::to_string),
            duration_ns: end.duration.as_nanos() as u64,
            source: self.source,
        };
        println!("{}", HotplugLine(&record));
        report::write(&Record::Hotplug(record));
        self.controller
            .report(found.bay, found.notification(), end.verdict);
    }
}

/// A thread that stays away while another one of its core runs. It has appeared, and can be brought online
/// once that may be.
fn left_out(cpu: CpuIndex) -> End {
    End {
        cpu: Some(cpu),
        outcome: HotplugOutcome::Added(Outcome::Skipped),
        step: None,
        reason: Some(Skip::SmtOff.reason()),
        verdict: Verdict::Done,
        duration: Duration::ZERO,
    }
}
