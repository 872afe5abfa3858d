//! The machine-readable form of what happened: one JSON object a line, told apart by `record`.
//!
//! Times are integers in nanoseconds, counted from the first INIT of the round, or the first request in
//! a mailbox, unless the name says otherwise; a time that does not exist is `null`. The kernel writes these types and the
//! host reads the same ones, so the two cannot drift apart.
//!
//! Times that are taken by several CPUs' clocks are told as the BSP's clock would have shown them, and
//! the field `uncertainty_ns` beside them says how far they can be trusted. It is 0 where the BSP's
//! clock alone was read, and `null` where an AP's clock was read that could not be compared with it:
//! then those times are that clock's own.

mod calls;
mod cpu_state;
mod hotplug;
mod memory;
mod stop;
mod stuck_call;
pub mod trace;
pub mod vmm_probe;

#[cfg(feature = "serde")]
use alloc::string::ToString;
use alloc::{string::String, vec::Vec};

#[cfg(feature = "serde")]
use crate::machine::Way;
use crate::{
    cpu::{ApicId, CpuIndex, Place},
    outcome::Outcome,
};

pub use calls::{CallTotals, Calls, Ipi, KindOfCall, RoundTrip, RoundTrips, Times};
pub use cpu_state::{Clock, CpuState, Difference, Features, Registers, Remedy, Topology};
pub use hotplug::{Hotplug, HotplugEvent, HotplugOutcome, HotplugSource, Removal};
pub use memory::Memory;
pub use stop::{Stop, StopTimes};
pub use stuck_call::{SeenCpu, StuckCall};
pub use trace::{Trace, TraceHead, TraceNames};
pub use vmm_probe::Probe;

/// The version of the records' format, in the field `schema` of [`Boot`].
pub const SCHEMA: u32 = 1;

/// One line of the record channel.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(tag = "record", rename_all = "kebab-case"))]
pub enum Record {
    /// The machine, written once.
    Boot(Boot),
    /// One CPU in round 0.
    Cpu(Cpu),
    /// One round of one strategy.
    Bringup(Bringup),
    /// One round of the floor.
    Floor(Floor),
    /// One round of the bare bring-up.
    Bare(Bare),
    /// What the APs take of the guest's memory.
    Memory(Memory),
    /// A comparison of clocks.
    Clock(ClockCheck),
    /// All APs down and up again, so many times.
    Cycle(Cycle),
    /// Calls from all CPUs to all CPUs, so many.
    Calls(Calls),
    /// Round trips of calls beside a bare ping-pong of interrupts.
    #[cfg_attr(feature = "serde", serde(rename = "round_trips"))]
    RoundTrips(RoundTrips),
    /// Calls from one CPU to another, and how long they took.
    Ipi(Ipi),
    /// Random operations on CPUs, and calls between them, for so long.
    Torture(Torture),
    /// What the machine does to the start of an AP.
    Probe(Probe),
    /// The machine stopped, so many times.
    Stop(Stop),
    /// A call that was not answered for long, written when that was found.
    StuckCall(StuckCall),
    /// A CPU that was added or was to be removed, written as soon as it is known what came of it.
    Hotplug(Hotplug),
    /// One operation on CPUs that was asked for.
    Op(Op),
    /// One rung of the ladder of steps, and the CPUs there.
    State(State),
    /// One CPU, and how far it is in line with the BSP.
    #[cfg_attr(feature = "serde", serde(rename = "cpu_state"))]
    CpuState(CpuState),
    /// What the numbers in traces stand for, written once, and only if there are traces.
    TraceNames(TraceNames),
    /// One CPU's trace: what there is of it.
    TraceHead(TraceHead),
    /// Some events of that CPU.
    Trace(Trace),
    /// The kernel's verdict, written last.
    Exit(Exit),
}

/// The machine as the kernel found it.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Boot {
    /// [`SCHEMA`].
    pub schema: u32,
    /// OEM and table ids of the MADT, such as `BOCHS BXPC`; `unknown` where there is none.
    pub machine: String,
    /// The hypervisor's CPUID signature, such as `TCGTCGTCGTCG`; `none` without one.
    pub accel_hint: String,
    /// CPUs in the MADT, the disabled ones included.
    pub cpus_listed: u32,
    /// CPUs in the MADT that are enabled.
    pub cpus_enabled: u32,
    /// `xapic` or `x2apic`.
    pub apic: String,
    /// How APs are woken: `init-sipi` or `mailbox`.
    #[cfg_attr(feature = "serde", serde(default = "init_sipi"))]
    pub wake: String,
    /// Frequency of the time stamp counter.
    pub tsc_hz: u64,
    /// What the frequency was taken from.
    pub clock_source: String,
    /// From the kernel's entry to the first INIT, or the first request in a mailbox; `null` when nobody
    /// was kicked.
    pub entry_to_kick_ns: Option<u64>,
    /// The features of CPUID that the BSP has and every CPU that came up, by name.
    #[cfg_attr(feature = "serde", serde(default))]
    pub common_features: Vec<String>,
    /// The model whose times the way up takes, so that none of the times below is this machine's own; `null` where they
    /// are.
    #[cfg_attr(feature = "serde", serde(default))]
    pub model: Option<String>,
}

/// What records say that were written before there was another way.
#[cfg(feature = "serde")]
fn init_sipi() -> String {
    Way::InitSipi.to_string()
}

/// The usual name of what a CPUID signature stands for, as in [`Boot::accel_hint`].
pub fn hypervisor_name(signature: &str) -> &str {
    match signature {
        "TCGTCGTCGTCG" => "QEMU TCG",
        "KVMKVMKVM" => "KVM",
        "none" => "no hypervisor",
        other => other,
    }
}

/// One CPU in round 0.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Cpu {
    /// Our number; `null` for a CPU that is disabled.
    pub cpu: Option<CpuIndex>,
    /// Its APIC id.
    pub apic_id: ApicId,
    /// Its package.
    pub package: Option<u32>,
    /// Its core within the package.
    pub core: Option<u32>,
    /// Its thread within the core.
    pub thread: Option<u32>,
    /// How its bring-up ended.
    pub outcome: Outcome,
    /// The step in which it failed.
    pub step: Option<String>,
    /// Why it failed or was skipped.
    pub reason: Option<String>,
    /// SIPIs sent to it, or requests for it in the mailbox.
    pub sipis: u32,
    /// INIT sent.
    pub init_ns: Option<u64>,
    /// First SIPI sent, or first request.
    pub sipi_ns: Option<u64>,
    /// It ran in real mode.
    pub real_ns: Option<u64>,
    /// It ran in long mode.
    pub long_ns: Option<u64>,
    /// It ran in Rust, with its tables and APIC set up.
    pub alive_ns: Option<u64>,
    /// It had run its online steps and polled its executor.
    pub online_ns: Option<u64>,
    /// Polls of its task on the BSP.
    pub polls: u32,
    /// How far the times from `real_ns` on can be trusted, which the CPU took by its own clock.
    #[cfg_attr(feature = "serde", serde(default))]
    pub uncertainty_ns: Option<u64>,
    /// The attempt, from 0, of which this is told.
    #[cfg_attr(feature = "serde", serde(default))]
    pub attempt: u32,
}

impl Cpu {
    /// A record of a CPU that nobody woke: no place, no times, no polls.
    pub fn unwoken(cpu: Option<CpuIndex>, apic_id: ApicId, outcome: Outcome) -> Self {
        Self {
            cpu,
            apic_id,
            package: None,
            core: None,
            thread: None,
            outcome,
            step: None,
            reason: None,
            sipis: 0,
            init_ns: None,
            sipi_ns: None,
            real_ns: None,
            long_ns: None,
            alive_ns: None,
            online_ns: None,
            polls: 0,
            uncertainty_ns: Some(0),
            attempt: 0,
        }
    }

    /// Where it sits, if somebody knows.
    pub fn place(&self) -> Option<Place> {
        Some(Place {
            package: self.package?,
            core: self.core?,
            thread: self.thread?,
        })
    }

    /// Whether it has times that it took by its own clock.
    pub fn has_own_times(&self) -> bool {
        let own = [self.real_ns, self.long_ns, self.alive_ns, self.online_ns];
        own.iter().any(Option::is_some)
    }
}

/// One round of one strategy.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Bringup {
    /// The strategy's name.
    pub strategy: String,
    /// 0 is the boot's own bring-up, and cold.
    pub round: u32,
    /// APs planned.
    pub aps: u32,
    /// APs that came online.
    pub online: u32,
    /// APs that did not.
    pub failed: u32,
    /// The last first SIPI.
    pub kick_ns: Option<u64>,
    /// The last AP alive.
    pub alive_ns: Option<u64>,
    /// The last AP online: the headline.
    pub online_ns: Option<u64>,
    /// Until every outcome was known.
    pub total_ns: u64,
    /// Polls of all the APs' tasks.
    pub polls: u32,
    /// Polls that found nothing new.
    pub spurious_polls: u32,
    /// Doorbells that APs rang because the BSP slept.
    pub doorbells: u64,
    /// How far `online_ns` can be trusted, and the other APs' times behind it: those of APs that did not
    /// come online are as certain as their records `cpu` say. Where none is online, the same of
    /// `alive_ns`.
    #[cfg_attr(feature = "serde", serde(default))]
    pub uncertainty_ns: Option<u64>,
    /// In round 0 the attempt, from 0: what is missing may be tried again. Else 0.
    #[cfg_attr(feature = "serde", serde(default))]
    pub attempt: u32,
}

/// One round of the floor: one broadcast INIT and SIPI to a stub whose APs count and halt.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Floor {
    /// The round.
    pub round: u32,
    /// CPUs that counted: the APs, and who else a broadcast starts.
    pub aps: u32,
    /// Until the last one had.
    pub total_ns: u64,
}

/// One round of the bare bring-up: the same trampoline into Rust, an IPI in order to each halted
/// AP and its answer, without executor and steps.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Bare {
    /// The round.
    pub round: u32,
    /// APs that answered.
    pub aps: u32,
    /// The last AP ran in Rust.
    pub alive_ns: Option<u64>,
    /// The last AP had answered its IPI.
    pub online_ns: Option<u64>,
    /// How far both times can be trusted.
    #[cfg_attr(feature = "serde", serde(default))]
    pub uncertainty_ns: Option<u64>,
}

/// A comparison of APs' clocks with the BSP's, behind a bring-up: of all that were not compared before,
/// at once.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct ClockCheck {
    /// APs that were asked.
    pub aps: u32,
    /// Those of them whose clocks can be compared.
    pub compared: u32,
    /// Exchanges with all of them.
    pub exchanges: u32,
    /// How far their times can be trusted, the worst of them; `null` where none can be compared.
    pub uncertainty_ns: Option<u64>,
    /// From the first question to the last answer.
    pub duration_ns: u64,
}

/// All APs that were online, down and up again, so many times. It ends with the first cycle in
/// which not all of them went down and came back.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Cycle {
    /// Cycles that were asked for.
    pub asked: u32,
    /// Cycles in which every AP went down and came back.
    pub done: u32,
    /// APs that took part.
    pub aps: u32,
    /// Those of them that were not online at the end.
    pub lost: u32,
    /// APs that did not go down, or did not come back, when they were to.
    pub failed: u32,
    /// Whether it was ended before all that was asked for was done.
    #[cfg_attr(feature = "serde", serde(default, skip_serializing_if = "is_false"))]
    pub interrupted: bool,
    /// All cycles together.
    pub duration_ns: u64,
    /// Memory before the first and behind the last cycle.
    #[cfg_attr(feature = "serde", serde(flatten))]
    pub balance: Balance,
}

/// Random operations on CPUs, with the rules checked behind each of them, while all that are online
/// call each other. It ends with the first operation behind which a rule is broken.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Torture {
    /// For how long it was asked.
    pub seconds: u32,
    /// What the operations were drawn from: the same seed gives the same ones.
    pub seed: u32,
    /// Operations that were done.
    pub done: u32,
    /// APs that took part.
    pub aps: u32,
    /// Those of them that sent CPUs up or down.
    #[cfg_attr(feature = "serde", serde(default))]
    pub hotplugs: u32,
    /// Failures that were injected and struck.
    pub injected: u32,
    /// Calls between CPUs meanwhile.
    #[cfg_attr(feature = "serde", serde(default))]
    pub calls: CallTotals,
    /// APs that no operation can reach any more.
    pub lost: u32,
    /// Operations behind which a rule was broken: one at most.
    pub failed: u32,
    /// Which operation that was, and which rule.
    pub broken: Option<String>,
    /// Whether it was ended before all that was asked for was done.
    #[cfg_attr(feature = "serde", serde(default, skip_serializing_if = "is_false"))]
    pub interrupted: bool,
    /// All operations together.
    pub duration_ns: u64,
    /// Memory before the first and behind the last operation.
    #[cfg_attr(feature = "serde", serde(flatten))]
    pub balance: Balance,
}

/// How much memory was in use before something and behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Balance {
    /// Bytes of the heap before.
    pub heap_before: u64,
    /// Bytes of the heap behind.
    pub heap_after: u64,
    /// Frames of 4 KiB before, the heap's own among them.
    pub frames_before: u64,
    /// Frames of 4 KiB behind.
    pub frames_after: u64,
    /// Whether others may have used memory meanwhile: then growth says nothing.
    #[cfg_attr(feature = "serde", serde(default, skip_serializing_if = "is_false"))]
    pub disturbed: bool,
}

/// What is as it is as a rule is left out of a record.
#[cfg(feature = "serde")]
fn is_false(it: &bool) -> bool {
    !it
}

impl Balance {
    /// By how many bytes the use of the heap has grown.
    pub const fn heap_growth(&self) -> i64 {
        self.heap_after.wrapping_sub(self.heap_before).cast_signed()
    }

    /// By how many frames the use of memory has grown.
    pub const fn frames_growth(&self) -> i64 {
        self.frames_after
            .wrapping_sub(self.frames_before)
            .cast_signed()
    }

    /// Whether as much is in use as before.
    pub const fn is_even(&self) -> bool {
        self.heap_before == self.heap_after && self.frames_before == self.frames_after
    }

    /// Whether more or less is in use than before, and nobody else can be why.
    pub const fn has_leaked(&self) -> bool {
        !self.disturbed && !self.is_even()
    }
}

/// One operation on CPUs that was asked for.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Op {
    /// As it stands on the command line, such as `offline:1-3`.
    pub op: String,
    /// CPUs that it is for.
    pub cpus: u32,
    /// Those of them that are where they were to go, or have what they were to get.
    pub done: u32,
    /// Those that are not: the length of `failures`.
    pub failed: u32,
    /// Until all of them were done.
    pub duration_ns: u64,
    /// What befell the others, lowest number first.
    pub failures: Vec<OpFailure>,
}

/// A CPU that is not where an operation was to bring it. Rungs are numbers of steps passed: 0 is
/// offline.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct OpFailure {
    /// The CPU.
    pub cpu: CpuIndex,
    /// The rung where it began.
    pub from: u32,
    /// The rung where it was to go.
    pub to: u32,
    /// The rung where it is.
    pub rung: u32,
    /// How it ended; `null` when nobody tried.
    pub outcome: Option<Outcome>,
    /// The step in which it failed.
    pub step: Option<String>,
    /// Why it failed.
    pub reason: Option<String>,
    /// Why it is not back where it began.
    pub rollback: Option<String>,
}

/// One rung of the ladder of steps, and the CPUs there.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct State {
    /// Which listing this is a line of, from 0; each has all rungs, the highest first.
    pub listing: u32,
    /// Steps that a CPU has passed here.
    pub rung: u32,
    /// The last one of them; `offline` where there is none.
    pub step: String,
    /// The step's section: `prepare`, `starting` or `online`.
    pub section: Option<String>,
    /// The step's mode: `serialised` or `concurrent`.
    pub mode: Option<String>,
    /// Whether a CPU can stay here, and not only pass.
    pub can_rest: bool,
    /// The APs here, lowest number first.
    pub cpus: Vec<CpuIndex>,
}

/// The kernel's verdict.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Exit {
    /// How the run ended.
    pub status: ExitStatus,
    /// Why it failed; `null` when it did not.
    pub reason: Option<String>,
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "lowercase"))]
pub enum ExitStatus {
    /// All that was asked for was done.
    Ok,
    /// It was not.
    Failed,
}

/// What the kernel writes to QEMU's isa-debug-exit device, which turns a value `v` into the
/// process's exit status `v << 1 | 1` (QEMU, `hw/misc/debugexit.c`). Values below 2 would collide
/// with QEMU's own statuses.
pub mod exit_code {
    /// All that was asked for was done: QEMU ends with 0x21.
    pub const OK: u8 = 0x10;
    /// The run failed and said why: QEMU ends with 0x23.
    pub const FAILED: u8 = 0x11;
    /// A CPU panicked or took an exception: QEMU ends with 0x25.
    pub const PANICKED: u8 = 0x12;
}
