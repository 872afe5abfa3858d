//! What a bring-up leaves behind: a report for every AP, and the round as a whole.

use alloc::{
    string::{String, ToString},
    vec::Vec,
};

use reveille_executor::Instant;

use super::{Ap, Failure};
use crate::{
    cpu::{ApicId, CpuIndex},
    machine::Strangers,
    outcome::Outcome,
    record,
    slot::Slot,
    state::Stage,
    strategy::Strategy,
};

/// How the bring-up of one AP went. A time that does not exist is `None`.
#[derive(Clone, Debug)]
pub struct Report {
    /// Our number of the AP.
    pub cpu: CpuIndex,
    /// Its APIC's id.
    pub apic_id: ApicId,
    /// How it ended.
    pub outcome: Outcome,
    /// The step in which it failed.
    pub step: Option<&'static str>,
    /// Why it failed.
    pub reason: Option<&'static str>,
    /// Why it could not be taken back to where it was.
    pub rollback: Option<&'static str>,
    /// SIPIs sent to it, or requests for it in the mailbox.
    pub sipis: u32,
    /// INIT sent.
    pub init: Option<Instant>,
    /// First SIPI sent, or first request.
    pub sipi: Option<Instant>,
    /// It ran in real mode.
    pub real: Option<Instant>,
    /// It ran in long mode.
    pub long: Option<Instant>,
    /// It wrote ALIVE.
    pub alive: Option<Instant>,
    /// It wrote ONLINE.
    pub online: Option<Instant>,
    /// Polls of its task.
    pub polls: u32,
    /// Those among them that found nothing new.
    pub spurious_polls: u32,
}

impl Report {
    pub(crate) fn new(cpu: CpuIndex, apic_id: ApicId) -> Self {
        Self {
            cpu,
            apic_id,
            outcome: Outcome::NeverStarted,
            step: None,
            reason: None,
            rollback: None,
            sipis: 0,
            init: None,
            sipi: None,
            real: None,
            long: None,
            alive: None,
            online: None,
            polls: 0,
            spurious_polls: 0,
        }
    }

    /// Why the AP did not come to where it was to go, if it did not.
    pub(super) fn failure(&self) -> Option<Failure> {
        (self.outcome != Outcome::Online).then_some(Failure {
            outcome: self.outcome,
            step: self.step,
            reason: self.reason,
            rollback: self.rollback,
        })
    }

    /// Adds the outcome and what the AP itself wrote down, if this attempt kicked it: else the
    /// slot still tells of an earlier one.
    pub(super) fn conclude(self, outcome: Outcome, slot: &Slot) -> Self {
        if self.sipi.is_none() {
            return Self { outcome, ..self };
        }
        Self {
            outcome,
            real: slot.notes.real.get(),
            long: slot.notes.long.get(),
            alive: slot.notes.alive.get(),
            // An AP that is abandoned at its last act has noted the time, and is not online.
            online: match outcome {
                Outcome::Online => slot.notes.online.get(),
                _ => None,
            },
            ..self
        }
    }
}

/// One bring-up of all APs.
#[derive(Clone, Debug)]
pub struct Round {
    /// How the kicks and waits were ordered.
    pub strategy: Strategy,
    /// A report for every AP, lowest number first.
    pub reports: Vec<Report>,
    /// The first INIT, or the first request in a mailbox; where nobody was kicked, the end.
    pub start: Instant,
    /// When every outcome was known.
    pub end: Instant,
    /// CPUs that arrived in this round with an id that no slot carries.
    pub strangers: Strangers,
}

impl Round {
    pub(super) fn new(strategy: Strategy, reports: Vec<Report>, end: Instant) -> Self {
        let start = first_kick(&reports).unwrap_or(end);
        Self {
            strategy,
            reports,
            start,
            end,
            strangers: Strangers {
                count: 0,
                last: ApicId(0),
            },
        }
    }

    /// Looks once more at the APs that missed their deadline, and reports as late those that have
    /// answered since: they are parked, or wait to be called by another attempt.
    pub fn notice_late(&mut self, aps: &[Ap]) {
        for (report, ap) in self.reports.iter_mut().zip(aps) {
            let has_answered = matches!(ap.slot.stage(), Stage::Late | Stage::Alive);
            if has_answered && report.outcome.is_failure() && report.outcome != Outcome::Failed {
                report.outcome = Outcome::Late;
            }
        }
    }

    /// When the first INIT was sent, or the first request put into the mailbox.
    pub fn first_kick(&self) -> Option<Instant> {
        first_kick(&self.reports)
    }

    /// How many APs are online.
    pub fn online(&self) -> usize {
        self.reports
            .iter()
            .filter(|report| report.outcome == Outcome::Online)
            .count()
    }

    /// Nanoseconds from the first kick to `at`.
    pub fn nanos(&self, at: Instant) -> u64 {
        at.as_nanos().saturating_sub(self.start.as_nanos())
    }

    /// Nanoseconds from the first kick to the latest of the APs' times.
    pub fn last(&self, time: impl Fn(&Report) -> Option<Instant>) -> Option<u64> {
        self.reports
            .iter()
            .filter_map(time)
            .max()
            .map(|at| self.nanos(at))
    }

    /// The round as a record; `doorbells` are those that the BSP's executor counted during it.
    pub fn record(&self, round: u32, doorbells: u64) -> record::Bringup {
        let online = self.online() as u32;
        let planned = self
            .reports
            .iter()
            .filter(|report| report.outcome != Outcome::Disabled);
        let aps = planned.count() as u32;
        record::Bringup {
            strategy: self.strategy.to_string(),
            round,
            aps,
            online,
            failed: aps - online,
            kick_ns: self.last(|report| report.sipi),
            alive_ns: self.last(|report| report.alive),
            online_ns: self.last(|report| report.online),
            total_ns: self.nanos(self.end),
            polls: self.reports.iter().map(|report| report.polls).sum(),
            spurious_polls: self
                .reports
                .iter()
                .map(|report| report.spurious_polls)
                .sum(),
            doorbells,
            attempt: 0,
        }
    }

    /// A record for the CPUs that arrived with unknown ids, if there were any: it names the last.
    pub fn stranger_record(&self) -> Option<record::Cpu> {
        let Strangers { count, last } = self.strangers;
        (count > 0).then(|| record::Cpu {
            reason: Some(match count {
                1 => String::from("it arrived and was parked"),
                _ => alloc::format!("it is the last of {count} that arrived and were parked"),
            }),
            ..record::Cpu::unwoken(None, last, Outcome::UnknownId)
        })
    }

    /// One AP's report as a record.
    pub fn cpu_record(&self, report: &Report, place: Option<crate::cpu::Place>) -> record::Cpu {
        let nanos = |at: Option<Instant>| at.map(|at| self.nanos(at));
        record::Cpu {
            cpu: Some(report.cpu),
            apic_id: report.apic_id,
            package: place.map(|place| place.package),
            core: place.map(|place| place.core),
            thread: place.map(|place| place.thread),
            outcome: report.outcome,
            step: report.step.map(String::from),
            reason: report.reason.map(String::from),
            sipis: report.sipis,
            init_ns: nanos(report.init),
            sipi_ns: nanos(report.sipi),
            real_ns: nanos(report.real),
            long_ns: nanos(report.long),
            alive_ns: nanos(report.alive),
            online_ns: nanos(report.online),
            polls: report.polls,
            attempt: 0,
        }
    }
}

fn first_kick(reports: &[Report]) -> Option<Instant> {
    let kick = |report: &Report| report.init.or(report.sipi);
    reports.iter().filter_map(kick).min()
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn an_ap_that_is_not_online_has_no_online_time() {
        let slot = Slot::new();
        let at = Instant::from_nanos(7);
        slot.notes.alive.set(at);
        slot.notes.online.set(at);
        let conclude = |outcome| {
            let kicked = Report {
                sipi: Some(at),
                ..Report::new(CpuIndex(1), ApicId(1))
            };
            let report = kicked.conclude(outcome, &slot);
            (report.alive, report.online)
        };
        assert_eq!(conclude(Outcome::Failed), (Some(at), None));
        assert_eq!(conclude(Outcome::Online), (Some(at), Some(at)));
    }
}
