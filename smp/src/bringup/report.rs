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
    /// How far the times from `real` on can be trusted, in nanoseconds, as the AP took them by its own
    /// clock; `None` where that could not be compared with the BSP's. Machines with one clock have
    /// nothing to compare.
    pub uncertainty_ns: Option<u64>,
}

/// How the clock of an AP stands to the BSP's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClockSkew {
    /// By how many nanoseconds it is ahead, from ALIVE on; negative where it is behind.
    pub ahead_ns: i64,
    /// By how many nanoseconds it was put forward before ALIVE, behind what the AP noted in real and in
    /// long mode; negative where it was put back.
    pub put_forward_ns: i64,
    /// The AP's times are certain to this, once they are corrected.
    pub uncertainty_ns: u64,
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
            uncertainty_ns: Some(0),
        }
    }

    /// What the AP noted by its own clock, in the order of its stages.
    fn own_times(&mut self) -> [&mut Option<Instant>; 4] {
        [
            &mut self.real,
            &mut self.long,
            &mut self.alive,
            &mut self.online,
        ]
    }

    /// Turns the AP's own times into those of the BSP's clock, or notes that this cannot be done. No
    /// time comes to lie before that of an earlier stage of the AP, as all of them followed each other
    /// on one CPU; nor before its SIPI, if the uncertainty may be why.
    fn put_on_one_clock(&mut self, skew: Option<ClockSkew>) {
        let times = self.own_times();
        if times.iter().all(|time| time.is_none()) {
            return;
        }
        // The clock of a CPU whose counter has not come to where the BSP's was at the beginning stands
        // there: that is no time.
        let stood_still = times.iter().any(|time| **time == Some(Instant::ZERO));
        let skew = skew.filter(|_| !stood_still);
        self.uncertainty_ns = skew.map(|skew| skew.uncertainty_ns);
        let Some(skew) = skew else { return };
        let behind = 0_i64.saturating_sub(skew.ahead_ns);
        let before = behind.saturating_add(skew.put_forward_ns);
        let sipi = self.sipi.unwrap_or(Instant::ZERO);
        let mut earliest = Instant::ZERO;
        for (time, by) in self
            .own_times()
            .into_iter()
            .zip([before, before, behind, behind])
        {
            let Some(at) = time else { continue };
            let shifted = Instant::from_nanos(at.as_nanos().saturating_add_signed(by));
            let may_be_later = (sipi - shifted).as_nanos() <= skew.uncertainty_ns.into();
            earliest = earliest
                .max(shifted)
                .max(if may_be_later { sipi } else { shifted });
            *at = earliest;
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

    /// Turns what the APs noted by their own clocks into times of the BSP's; `skew` says how the clock
    /// of each stands to that, and `None` where nobody knows. To be done once.
    pub fn put_on_one_clock(&mut self, skew: impl Fn(CpuIndex) -> Option<ClockSkew>) {
        for report in &mut self.reports {
            report.put_on_one_clock(skew(report.cpu));
        }
    }

    /// How far the time of the last AP online can be trusted; where none is, that of the last alive.
    fn uncertainty_ns(&self) -> Option<u64> {
        let worst = |time: fn(&Report) -> Option<Instant>| {
            let of_those = self.reports.iter().filter(|report| time(report).is_some());
            of_those
                .map(|report| report.uncertainty_ns)
                .try_fold(0, |worst, one| Some(one?.max(worst)))
        };
        match self.online() {
            0 => worst(|report| report.alive),
            _ => worst(|report| report.online),
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
            uncertainty_ns: self.uncertainty_ns(),
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
            uncertainty_ns: report.uncertainty_ns,
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
    /// An AP that was kicked at 1 µs and noted these microseconds.
    fn noted(times: [Option<u64>; 4]) -> Report {
        let micros = |us: u64| Instant::from_nanos(us * 1_000);
        let [real, long, alive, online] = times.map(|time| time.map(micros));
        Report {
            init: Some(micros(0)),
            sipi: Some(micros(1)),
            real,
            long,
            alive,
            online,
            ..Report::new(CpuIndex(1), ApicId(1))
        }
    }

    fn corrected(times: [Option<u64>; 4], skew: Option<ClockSkew>) -> (Vec<u64>, Option<u64>) {
        let mut round = Round::new(Strategy::Parallel, [noted(times)].into(), Instant::ZERO);
        round.put_on_one_clock(|_| skew);
        let uncertainty = round.record(0, 0).uncertainty_ns;
        let report = &mut round.reports[0];
        let times = report.own_times().into_iter().flatten();
        (times.map(|at| at.as_nanos() / 1_000).collect(), uncertainty)
    }

    const fn skew(ahead_us: i64, put_forward_us: i64) -> Option<ClockSkew> {
        Some(ClockSkew {
            ahead_ns: ahead_us * 1_000,
            put_forward_ns: put_forward_us * 1_000,
            uncertainty_ns: 700,
        })
    }

    #[test]
    fn times_of_a_clock_that_is_ahead_or_behind_become_those_of_the_bsps() {
        let times = [Some(110), Some(120), Some(130), Some(140)];
        let (ahead, trust) = corrected(times, skew(100, 0));
        assert_eq!((ahead, trust), (Vec::from([10, 20, 30, 40]), Some(700)));
        let (behind, _) = corrected(times, skew(-5, 0));
        assert_eq!(behind, [115, 125, 135, 145]);
    }

    #[test]
    fn a_clock_that_was_put_right_before_alive_is_corrected_in_two_parts() {
        // Ahead by 100 until it was put back by that much.
        let times = [Some(110), Some(120), Some(30), Some(40)];
        assert_eq!(corrected(times, skew(0, -100)).0, [10, 20, 30, 40]);
    }

    #[test]
    fn a_correction_lets_no_stage_come_before_the_one_before_it() {
        let times = [Some(50), None, Some(60), Some(70)];
        assert_eq!(corrected(times, skew(0, 15)).0, [65, 65, 70]);
        // The SIPI was sent at 1, and 0.7 is how far off this may be. The clock of one who came
        // with an earlier SIPI is not bent.
        let nanos = |ahead_ns| ClockSkew {
            ahead_ns,
            put_forward_ns: 0,
            uncertainty_ns: 700,
        };
        assert_eq!(corrected(times, Some(nanos(49_700))).0, [1, 10, 20]);
        assert_eq!(corrected(times, Some(nanos(49_800))).0, [0, 10, 20]);
        assert_eq!(corrected(times, skew(65, 0)).0, [0, 0, 5]);
    }

    #[test]
    fn a_clock_that_stood_still_tells_no_time_that_could_be_corrected() {
        let times = [Some(0), Some(0), Some(0), Some(70)];
        assert_eq!(
            corrected(times, skew(-500, 0)),
            ([0, 0, 0, 70].into(), None)
        );
    }

    #[test]
    fn a_round_is_as_certain_as_the_worst_of_those_who_came() {
        let ours = |times: [Option<u64>; 4], uncertainty_ns| Report {
            uncertainty_ns,
            outcome: match times[3] {
                Some(_) => Outcome::Online,
                None => Outcome::Failed,
            },
            ..noted(times)
        };
        let trust = |reports: &[Report]| {
            let round = Round::new(Strategy::Parallel, reports.into(), Instant::ZERO);
            round.record(0, 0).uncertainty_ns
        };
        let came = [Some(3), Some(4), Some(5), Some(6)];
        let failed = [Some(3), Some(4), Some(5), None];
        assert_eq!(trust(&[]), Some(0));
        assert_eq!(trust(&[ours(came, Some(4)), ours(came, Some(9))]), Some(9));
        assert_eq!(trust(&[ours(came, Some(4)), ours(came, None)]), None);
        assert_eq!(trust(&[ours(came, Some(4)), ours(failed, None)]), Some(4));
        assert_eq!(trust(&[ours(failed, Some(2)), ours(failed, None)]), None);
    }

    #[test]
    fn what_no_clock_but_the_bsps_has_shown_is_certain() {
        assert_eq!(corrected([None; 4], None), (Vec::new(), Some(0)));
        let came = [Some(3), Some(4), Some(5), Some(6)];
        assert_eq!(corrected(came, None), (Vec::from([3, 4, 5, 6]), None));
    }
}
