//! The guest's records, as they came and as what they mean.

use anyhow::{Context, Result};
use reveille_smp::record::{
    Bare, Boot, Bringup, Calls, ClockCheck, Cpu, CpuState, Cycle, Exit, Hotplug, Ipi, Memory, Op,
    Probe, Record, RoundTrips, State, Stop, StuckCall, Torture,
};

/// The lines of one boot.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Records {
    lines: Vec<String>,
}

impl Records {
    /// Adds a line, without its end.
    pub fn push(&mut self, line: String) {
        self.lines.push(line);
    }

    /// The lines as they came.
    pub fn lines(&self) -> &[String] {
        &self.lines
    }

    /// All of them, taken apart.
    pub fn parse(&self) -> Result<Vec<Record>> {
        self.lines
            .iter()
            .enumerate()
            .map(|(at, line)| {
                serde_json::from_str(line)
                    .with_context(|| format!("record {}: {}", at + 1, beginning(line)))
            })
            .collect()
    }

    /// The machine.
    pub fn boot(&self) -> Result<Boot> {
        self.find(|record| match record {
            Record::Boot(boot) => Some(boot),
            _ => None,
        })?
        .context("there is no record `boot`")
    }

    /// The CPUs in the boot's first attempt, in the kernel's order.
    pub fn cpus(&self) -> Result<Vec<Cpu>> {
        self.cpus_of_attempt(0)
    }

    /// The CPUs in an attempt, in the kernel's order; the first one has number 0.
    pub fn cpus_of_attempt(&self, attempt: u32) -> Result<Vec<Cpu>> {
        let cpus = self.parse()?.into_iter().filter_map(|record| match record {
            Record::Cpu(cpu) if cpu.attempt == attempt => Some(cpu),
            _ => None,
        });
        Ok(cpus.collect())
    }

    /// The boot's own bring-up, round 0, in its first attempt.
    pub fn bringup(&self) -> Result<Bringup> {
        self.bringup_of_attempt(0)
    }

    /// The boot's own bring-up, round 0, in an attempt; the first one has number 0.
    pub fn bringup_of_attempt(&self, attempt: u32) -> Result<Bringup> {
        self.find(|record| match record {
            Record::Bringup(bringup) if (bringup.round, bringup.attempt) == (0, attempt) => {
                Some(bringup)
            }
            _ => None,
        })?
        .with_context(|| format!("there is no record `bringup` of round 0, attempt {attempt}"))
    }

    /// The bring-ups, round 0 first.
    pub fn bringups(&self) -> Result<Vec<Bringup>> {
        let bringups = self.parse()?.into_iter().filter_map(|record| match record {
            Record::Bringup(bringup) => Some(bringup),
            _ => None,
        });
        Ok(bringups.collect())
    }

    /// All APs down and up again.
    pub fn cycle(&self) -> Result<Cycle> {
        self.find(|record| match record {
            Record::Cycle(cycle) => Some(cycle),
            _ => None,
        })?
        .context("there is no record `cycle`")
    }

    /// Calls from all CPUs to all CPUs.
    pub fn calls(&self) -> Result<Calls> {
        self.find(|record| match record {
            Record::Calls(calls) => Some(calls),
            _ => None,
        })?
        .context("there is no record `calls`")
    }

    /// Round trips beside a bare ping-pong.
    pub fn round_trips(&self) -> Result<RoundTrips> {
        self.find(|record| match record {
            Record::RoundTrips(round_trips) => Some(round_trips),
            _ => None,
        })?
        .context("there is no record `round_trips`")
    }

    /// The pairs of CPUs that called each other, in the kernel's order.
    pub fn ipis(&self) -> Result<Vec<Ipi>> {
        let ipis = self.parse()?.into_iter().filter_map(|record| match record {
            Record::Ipi(ipi) => Some(ipi),
            _ => None,
        });
        Ok(ipis.collect())
    }

    /// What the machine does to the start of an AP.
    pub fn probe(&self) -> Result<Probe> {
        self.find(|record| match record {
            Record::Probe(probe) => Some(probe),
            _ => None,
        })?
        .context("there is no record `probe`")
    }

    /// The stops of the machine.
    pub fn stop(&self) -> Result<Stop> {
        self.find(|record| match record {
            Record::Stop(stop) => Some(stop),
            _ => None,
        })?
        .context("there is no record `stop`")
    }

    /// The CPUs that were added or were to be removed, in the order in which it was known what came of it.
    pub fn hotplugs(&self) -> Result<Vec<Hotplug>> {
        let hotplugs = self.parse()?.into_iter().filter_map(|record| match record {
            Record::Hotplug(hotplug) => Some(hotplug),
            _ => None,
        });
        Ok(hotplugs.collect())
    }

    /// The calls that were not answered for long.
    pub fn stuck_calls(&self) -> Result<Vec<StuckCall>> {
        let calls = self.parse()?.into_iter().filter_map(|record| match record {
            Record::StuckCall(call) => Some(call),
            _ => None,
        });
        Ok(calls.collect())
    }

    /// Random operations on CPUs.
    pub fn torture(&self) -> Result<Torture> {
        self.find(|record| match record {
            Record::Torture(torture) => Some(torture),
            _ => None,
        })?
        .context("there is no record `torture`")
    }

    /// The operations that were asked for, in their order.
    pub fn ops(&self) -> Result<Vec<Op>> {
        let ops = self.parse()?.into_iter().filter_map(|record| match record {
            Record::Op(op) => Some(op),
            _ => None,
        });
        Ok(ops.collect())
    }

    /// The rungs of a listing, the highest first; the first listing has number 0.
    pub fn states(&self, listing: u32) -> Result<Vec<State>> {
        let states = self.parse()?.into_iter().filter_map(|record| match record {
            Record::State(state) if state.listing == listing => Some(state),
            _ => None,
        });
        Ok(states.collect())
    }

    /// What was found of each CPU, the BSP first.
    pub fn cpu_states(&self) -> Result<Vec<CpuState>> {
        let states = self.parse()?.into_iter().filter_map(|record| match record {
            Record::CpuState(state) => Some(state),
            _ => None,
        });
        Ok(states.collect())
    }

    /// The comparisons of clocks, in their order.
    pub fn clock_checks(&self) -> Result<Vec<ClockCheck>> {
        let checks = self.parse()?.into_iter().filter_map(|record| match record {
            Record::Clock(check) => Some(check),
            _ => None,
        });
        Ok(checks.collect())
    }

    /// What the APs take of the guest's memory.
    pub fn memory(&self) -> Result<Memory> {
        self.find(|record| match record {
            Record::Memory(memory) => Some(memory),
            _ => None,
        })?
        .context("there is no record `memory`")
    }

    /// The rounds of the bare bring-up.
    pub fn bares(&self) -> Result<Vec<Bare>> {
        let bares = self.parse()?.into_iter().filter_map(|record| match record {
            Record::Bare(bare) => Some(bare),
            _ => None,
        });
        Ok(bares.collect())
    }

    /// The kernel's verdict.
    pub fn exit(&self) -> Result<Exit> {
        self.find(|record| match record {
            Record::Exit(exit) => Some(exit),
            _ => None,
        })?
        .context("there is no record `exit`")
    }

    fn find<T>(&self, select: impl Fn(Record) -> Option<T>) -> Result<Option<T>> {
        Ok(self.parse()?.into_iter().find_map(select))
    }
}

/// As much of a record as shows which one it is.
fn beginning(line: &str) -> String {
    const ENOUGH: usize = 60;
    match line.char_indices().nth(ENOUGH) {
        Some((at, _)) => format!("{}…", &line[..at]),
        None => line.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use reveille_smp::{cpu::CpuIndex, record::ExitStatus};

    use super::*;

    fn records(lines: &[&str]) -> Records {
        let mut records = Records::default();
        lines
            .iter()
            .for_each(|line| records.push((*line).to_owned()));
        records
    }

    #[test]
    fn the_verdict_is_found_among_the_records() {
        let records = records(&[
            r#"{"record":"floor","round":1,"aps":3,"total_ns":5}"#,
            r#"{"record":"exit","status":"failed","reason":"because"}"#,
        ]);
        let exit = records.exit().expect("there is one");
        assert_eq!(exit.status, ExitStatus::Failed);
        assert_eq!(exit.reason.as_deref(), Some("because"));
        assert!(records.boot().is_err());
    }

    #[test]
    fn what_was_done_with_cpus_is_read_back_with_its_memory_and_its_failures() {
        let records = records(&[
            r#"{"record":"cycle","asked":9,"done":8,"aps":7,"lost":0,"failed":1,"duration_ns":5,"heap_before":1,"heap_after":2,"frames_before":3,"frames_after":4}"#,
            r#"{"record":"torture","seconds":20,"seed":3,"done":8,"aps":7,"injected":1,"lost":0,"failed":0,"broken":null,"duration_ns":5,"heap_before":1,"heap_after":1,"frames_before":3,"frames_after":3}"#,
            r#"{"record":"op","op":"online:1","cpus":1,"done":0,"failed":1,"duration_ns":5,"failures":[{"cpu":1,"from":0,"to":4,"rung":0,"outcome":"failed","step":"join","reason":"because","rollback":null}]}"#,
            r#"{"record":"state","listing":0,"rung":1,"step":"stack","section":"prepare","mode":"concurrent","can_rest":true,"cpus":[]}"#,
            r#"{"record":"state","listing":1,"rung":0,"step":"offline","section":null,"mode":null,"can_rest":true,"cpus":[1]}"#,
        ]);
        let cycle = records.cycle().expect("there is one");
        assert_eq!((cycle.asked, cycle.done, cycle.failed), (9, 8, 1));
        assert_eq!(cycle.balance.heap_growth(), 1);
        assert!(!cycle.balance.is_even());
        let torture = records.torture().expect("there is one");
        assert!(torture.balance.is_even());
        // As it was written before there were calls.
        assert_eq!((torture.hotplugs, torture.calls.done), (0, 0));
        let ops = records.ops().expect("they are whole");
        assert_eq!(ops[0].failures[0].step.as_deref(), Some("join"));
        let states = records.states(1).expect("they are whole");
        assert_eq!(states.len(), 1);
        assert_eq!(states[0].cpus, [CpuIndex(1)]);
    }

    #[test]
    fn what_is_told_of_calls_is_read_back() {
        let records = records(&[
            r#"{"record":"calls","asked":9,"cpus":2,"done":9,"failed":0,"lost":0,"unheard":0,"kinds":[{"kind":"awaited","done":9,"failed":0,"unheard":0}],"ipis":4,"broken":null,"duration_ns":5,"heap_before":1,"heap_after":1,"frames_before":3,"frames_after":3}"#,
            r#"{"record":"round_trips","to":1,"samples":1,"ping_pong":{"round_trip_ns":{"min":1,"p50":2,"p99":3,"max":4},"ipis":1,"answer_ipis":1},"awaited":{"round_trip_ns":null,"ipis":0,"answer_ipis":0},"blocking":{"round_trip_ns":null,"ipis":0,"answer_ipis":0},"polling":{"round_trip_ns":null,"ipis":0,"answer_ipis":0}}"#,
            r#"{"record":"ipi","from":0,"to":1,"samples":2,"queue_to_entry_ns":null,"send_to_entry_ns":null,"round_trip_ns":{"min":1,"p50":1,"p99":4,"max":4,"histogram":[1,0,1]},"uncertainty_ns":null}"#,
        ]);
        let calls = records.calls().expect("there is one");
        assert_eq!((calls.totals.done, calls.totals.kinds.len()), (9, 1));
        let round_trips = records.round_trips().expect("there is one");
        assert_eq!(round_trips.ping_pong.round_trip_ns.expect("some").p99, 3);
        let ipis = records.ipis().expect("they are whole");
        let times = ipis[0].round_trip_ns.as_ref().expect("some");
        assert_eq!((times.spread.max, times.histogram.len()), (4, 3));
    }

    #[test]
    fn a_line_that_is_no_record_is_named_in_the_error() {
        let error = records(&[r#"{"record":"exi"#])
            .parse()
            .expect_err("it is cut off");
        assert!(
            format!("{error:#}").contains(r#"{"record":"exi"#),
            "{error:#}"
        );
    }
}
