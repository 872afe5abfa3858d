//! The record `probe`: what the machine, or whoever plays it, does to the start of an AP.

use alloc::{string::String, vec::Vec};

use super::Cpu;
use crate::{cpu::CpuIndex, outcome::Outcome, spread::Spread};

/// What `probe=` found. All times are the kernel's own; the marks can be seen from outside too.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Probe {
    /// The marks that were written to port 0x80 so far, in their order. The one of the verdict follows
    /// behind this record.
    pub marks: Vec<Mark>,
    /// When Firecracker's boot timer was told, in nanoseconds from the kernel's entry; `null` where there is
    /// none, or not all APs were online.
    pub boot_timer_ns: Option<u64>,
    /// How long the APs of round 0 took from stage to stage.
    pub stages: Vec<StageTimes>,
    /// What one instruction of the BSP costs that a hypervisor may have to see to.
    pub costs: Vec<Cost>,
    /// How long an AP that halts takes to wake up.
    pub wakes: Vec<Wake>,
    /// SIPIs behind which the AP was not seen to start. The hardware repeats none.
    pub lost_sipis: u32,
}

/// A mark of the boot's progress.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Mark {
    /// The byte that was written.
    pub code: u8,
    /// What had been reached by then.
    pub station: String,
    /// When, in nanoseconds from the kernel's entry; `null` where that is not known on the BSP's clock. Read
    /// behind the write, but for the mark that an AP writes: before it.
    pub at_ns: Option<u64>,
}

/// How long APs took for a stage of their way up.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct StageTimes {
    /// The stage.
    pub stage: Stage,
    /// APs of which the time is known.
    pub aps: u32,
    /// Their times in nanoseconds.
    pub took_ns: Spread,
}

/// A stage of an AP's way up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
pub enum Stage {
    /// From INIT to the first SIPI, both on the BSP.
    InitToSipi,
    /// From the first SIPI, or request, until the AP ran in real mode.
    SipiToReal,
    /// The same where the first that is seen of it is in long mode, as by a mailbox.
    SipiToLong,
    /// From real mode to long mode.
    RealToLong,
    /// From there until it ran in Rust, with its tables and APIC.
    LongToAlive,
    /// From there until it was online.
    AliveToOnline,
}

/// What something costs the BSP, each sample with one reading of its clock in it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Cost {
    /// What was done.
    pub what: Deed,
    /// To whom, where it was sent to another CPU.
    pub to: Option<CpuIndex>,
    /// How often.
    pub samples: u32,
    /// How long the CPU was at it: with an IPI, at the writes to the interrupt command register.
    pub took_ns: Spread,
    /// From then until the APIC said that it had sent the interrupt; `null` where it says nothing of that, as
    /// in x2APIC mode.
    pub accepted_ns: Option<Spread>,
}

/// What was done to see what it costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
pub enum Deed {
    /// Nothing: the clock was read once more.
    Clock,
    /// CPUID, which a hypervisor has to answer.
    Cpuid,
    /// A port of a device was read, which the program above a hypervisor has to answer.
    Port,
    /// An IPI to the CPU itself.
    SelfIpi,
    /// An IPI to an AP that halts.
    Ipi,
    /// An NMI to an AP that halts.
    Nmi,
    /// INIT to an AP that is down.
    Init,
    /// A SIPI behind that.
    Sipi,
}

/// How long an AP takes that halts, from the IPI to it on.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Wake {
    /// The AP.
    pub to: CpuIndex,
    /// For how long it had halted at the least.
    pub rested_ns: u64,
    /// How often it was woken.
    pub samples: u32,
    /// Of how many of these it is known when the handler ran. One that seems to have run before the IPI was
    /// sent, by clocks that were compared to within [`uncertainty_ns`](Self::uncertainty_ns), is not among them.
    pub entries: u32,
    /// From before the IPI is sent until the AP's handler runs; `null` where the clocks cannot be compared, or
    /// not so well that any entry lies behind its IPI.
    pub to_entry_ns: Option<Spread>,
    /// How far that can be trusted.
    pub uncertainty_ns: Option<u64>,
    /// From before the IPI is sent until the AP's answer, by IPI, has woken the BSP, which halts meanwhile.
    pub round_trip_ns: Spread,
}

impl StageTimes {
    /// How long those of these CPUs took that came online, stage by stage. Times of two clocks that could not
    /// be compared are left out.
    pub fn of(cpus: &[Cpu]) -> Vec<Self> {
        type Ends = fn(&Cpu) -> Option<(u64, u64)>;
        let comparable = |cpu: &Cpu| cpu.uncertainty_ns.is_some();
        // Whom a mailbox let go was never in real mode.
        let stages: [(Stage, bool, Ends); 6] = [
            (Stage::InitToSipi, false, |it| it.init_ns.zip(it.sipi_ns)),
            (Stage::SipiToReal, true, |it| {
                it.init_ns.and(it.sipi_ns.zip(it.real_ns))
            }),
            (Stage::SipiToLong, true, |it| match it.init_ns {
                None => it.sipi_ns.zip(it.long_ns),
                Some(_) => None,
            }),
            (Stage::RealToLong, false, |it| {
                it.init_ns.and(it.real_ns.zip(it.long_ns))
            }),
            (Stage::LongToAlive, false, |it| it.long_ns.zip(it.alive_ns)),
            (Stage::AliveToOnline, false, |it| {
                it.alive_ns.zip(it.online_ns)
            }),
        ];
        let came_up = cpus.iter().filter(|cpu| cpu.outcome == Outcome::Online);
        let of_stage = |(stage, takes_two_clocks, ends): (Stage, bool, Ends)| {
            let known = came_up.clone();
            let known = known.filter(|cpu| !takes_two_clocks || comparable(cpu));
            // Times of two clocks may cross within what they are uncertain by.
            let took = known.filter_map(ends).map(|(a, b)| b.saturating_sub(a));
            let mut took: Vec<u64> = took.collect();
            Some(Self {
                stage,
                aps: took.len() as u32,
                took_ns: Spread::of(&mut took)?,
            })
        };
        stages.into_iter().filter_map(of_stage).collect()
    }
}

impl Cost {
    /// What these samples tell; `None` when there are none.
    pub fn of(
        what: Deed,
        to: Option<CpuIndex>,
        took: &mut [u64],
        accepted: &mut [u64],
    ) -> Option<Self> {
        Some(Self {
            what,
            to,
            samples: took.len() as u32,
            took_ns: Spread::of(took)?,
            accepted_ns: Spread::of(accepted),
        })
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use alloc::vec;

    use super::*;
    use crate::cpu::ApicId;

    fn cpu(number: u32, times: [Option<u64>; 6]) -> Cpu {
        let [init_ns, sipi_ns, real_ns, long_ns, alive_ns, online_ns] = times;
        Cpu {
            init_ns,
            sipi_ns,
            real_ns,
            long_ns,
            alive_ns,
            online_ns,
            ..Cpu::unwoken(Some(CpuIndex(number)), ApicId(number), Outcome::Online)
        }
    }

    fn stages(cpus: &[Cpu]) -> Vec<(Stage, u32, u64, u64)> {
        let stages = StageTimes::of(cpus);
        let told = |it: &StageTimes| (it.stage, it.aps, it.took_ns.min, it.took_ns.max);
        stages.iter().map(told).collect()
    }

    #[test]
    fn each_stage_is_told_of_the_aps_that_came_up() {
        let quick = cpu(1, [0, 10, 30, 60, 100, 150].map(Some));
        let slow = cpu(2, [5, 25, 55, 95, 145, 205].map(Some));
        let mut silent = cpu(3, [9, 19, 20, 0, 0, 0].map(Some));
        silent.outcome = Outcome::StuckRealMode;
        let bsp = Cpu::unwoken(Some(CpuIndex(0)), ApicId(0), Outcome::Bsp);
        let expected = vec![
            (Stage::InitToSipi, 2, 10, 20),
            (Stage::SipiToReal, 2, 20, 30),
            (Stage::RealToLong, 2, 30, 40),
            (Stage::LongToAlive, 2, 40, 50),
            (Stage::AliveToOnline, 2, 50, 60),
        ];
        assert_eq!(stages(&[bsp, quick, slow, silent]), expected);
    }

    #[test]
    fn what_took_two_clocks_is_left_out_where_they_cannot_be_compared() {
        let mut strange = cpu(1, [0, 10, 30, 60, 100, 150].map(Some));
        strange.uncertainty_ns = None;
        let told: Vec<_> = stages(&[strange]).iter().map(|it| it.0).collect();
        assert!(!told.contains(&Stage::SipiToReal), "{told:?}");
        assert_eq!(told.len(), 4);
    }

    #[test]
    fn an_ap_that_was_let_go_by_a_mailbox_has_no_init_and_no_real_mode() {
        let cpu = cpu(
            1,
            [None, Some(10), Some(30), Some(30), Some(100), Some(150)],
        );
        let told: Vec<_> = stages(&[cpu]).iter().map(|it| it.0).collect();
        let expected = [Stage::SipiToLong, Stage::LongToAlive, Stage::AliveToOnline];
        assert_eq!(told, expected);
    }

    #[test]
    fn without_a_sample_there_is_no_cost() {
        assert_eq!(Cost::of(Deed::Cpuid, None, &mut [], &mut []), None);
        let cost = Cost::of(Deed::Cpuid, None, &mut [2, 1], &mut []).unwrap();
        assert_eq!((cost.samples, cost.accepted_ns), (2, None));
    }
}
