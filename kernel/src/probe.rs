//! Asks a CPU by NMI what it does, whatever that is: for the report of one that does not answer.
//!
//! The CPU that is asked tells where it is, whether it halts, and where the functions return to that it is
//! in, and goes on. In the NMI it touches the words of its own area (`smp/src/probe.rs`) and its own stacks,
//! and rings the asker's doorbell: nothing is allocated or locked, and no wait is longer than an APIC's.
//!
//! **A halt that an NMI falls before.** Behind `sti` no interrupt is let in before the next instruction is
//! done, so that none is lost in front of a `hlt`; but an NMI may be (SDM volume 3, "Masking Interrupts"),
//! and when it returns the rule is spent: the interrupt that was to end the halt would come before it. So an
//! NMI that finds itself there goes on behind the `hlt`. Whoever halts looks again each time it wakes.

use alloc::vec::Vec;
#[cfg(target_os = "none")]
use core::ptr;
use core::{fmt, time::Duration};

use reveille_executor::Clock;
use reveille_smp::{
    cpu::{ApicId, CpuIndex},
    probe::{MOST_RETURNS, Probe, Question, Seen},
};
use x86_64::instructions::interrupts::without_interrupts;

use crate::{
    apic::{ApicError, Ipi, LocalApic, SendTime},
    backtrace::{returns_from, write_lines},
    interrupts::vectors::Vector,
    patience::Patience,
    percpu::PerCpu,
    platform::CpuPlatform,
};

/// Until when a CPU must have told. It takes microseconds, but a hypervisor may have to find time for it: only one
/// that takes no NMI comes near that.
const DEADLINE: Duration = Duration::from_secs(2);

/// How long a CPU that is about to take no NMI any more spins for one that is due, in counts of the TSC:
/// a few microseconds. Whoever sends it does so with interrupts off, right behind its announcement.
const DUE: u64 = 1 << 13;

/// Why nothing is known of a CPU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProbeError {
    /// It takes no NMI: it is down, or on its way there or back, or there is no such CPU.
    NotRunning,
    /// It is the one that asks.
    Itself,
    /// This CPU asks it just now.
    Busy(CpuIndex),
    /// The NMI could not be sent.
    NotSent(ApicError),
    /// It did not take the NMI within two seconds: it is stuck below the kernel, or does not run.
    Silent,
}

impl fmt::Display for ProbeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotRunning => f.write_str("it takes no NMI"),
            Self::Itself => f.write_str("it is the one that asks"),
            Self::Busy(cpu) => write!(f, "CPU {cpu} asks it just now"),
            Self::NotSent(error) => write!(f, "the NMI was not sent: {error}"),
            Self::Silent => f.write_str("it does not answer an NMI"),
        }
    }
}

impl core::error::Error for ProbeError {}

/// Asks CPUs what they do, each one once, and halts until they have told: for many no longer than for one.
/// From task context, or any other that may halt. An answer stands where its CPU does.
pub fn probe_all(cpus: impl IntoIterator<Item = CpuIndex>) -> Vec<Result<Seen, ProbeError>> {
    // With interrupts off, so that nothing comes between an announcement and its NMI.
    without_interrupts(|| {
        let platform = CpuPlatform::of_this_cpu();
        let send = |apic: LocalApic, to| apic.send_nmi(to);
        let ask = |cpu| {
            let platform = platform.as_ref().ok_or(ProbeError::NotRunning)?;
            ask(cpu, platform, send).map(|(question, ())| question)
        };
        let asked: Vec<_> = cpus.into_iter().map(ask).collect();
        if let Some(platform) = &platform {
            let deadline = platform.now().saturating_add(DEADLINE);
            platform.halt_until(deadline, || {
                asked.iter().flatten().all(Question::is_answered)
            });
        }
        let told = |question: Question<'_>| question.answer().ok_or(ProbeError::Silent);
        asked
            .into_iter()
            .map(|asked| asked.and_then(told))
            .collect()
    })
}

/// Asks a CPU what it does, for the sake of the NMI alone, and tells how long that took to send. From task
/// context, or any other that may halt.
pub(crate) fn time_nmi(cpu: CpuIndex) -> Result<SendTime, ProbeError> {
    without_interrupts(|| {
        let platform = CpuPlatform::of_this_cpu().ok_or(ProbeError::NotRunning)?;
        let send = |apic: LocalApic, to| apic.time_send(to, Ipi::Nmi);
        let (question, time) = ask(cpu, &platform, send)?;
        let deadline = platform.now().saturating_add(DEADLINE);
        match platform.halt_until(deadline, || question.is_answered()) {
            true => Ok(time),
            false => Err(ProbeError::Silent),
        }
    })
}

/// Sends a CPU the NMI in which it tells, by `send`. Interrupts are off.
fn ask<T>(
    cpu: CpuIndex,
    platform: &CpuPlatform,
    send: impl FnOnce(LocalApic, ApicId) -> Result<T, ApicError>,
) -> Result<(Question<'static>, T), ProbeError> {
    let own = PerCpu::current().index();
    if cpu == own {
        return Err(ProbeError::Itself);
    }
    let area = PerCpu::of(cpu).ok_or(ProbeError::NotRunning)?;
    let question = area.probe().ask(own).map_err(ProbeError::Busy)?;
    if !area.presence().is_running() {
        question.is_not_sent();
        return Err(ProbeError::NotRunning);
    }
    match send(platform.apic(), area.apic_id()) {
        Ok(sent) => Ok((question, sent)),
        Err(error) => {
            question.is_not_sent();
            Err(ProbeError::NotSent(error))
        }
    }
}

/// What an NMI interrupted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Interrupted {
    pub(crate) rip: u64,
    pub(crate) rflags: u64,
    pub(crate) rsp: u64,
    pub(crate) rbp: u64,
}

/// An NMI has come: tells what it interrupted to whoever asks, and gives where the interrupted code goes on;
/// `None` if the NMI is none that was sent for this.
pub(crate) fn take(interrupted: Interrupted) -> Option<u64> {
    let area = PerCpu::try_current()?;
    if !area.probe().is_owed() {
        return None;
    }
    if let Some(asker) = area.probe().answer(|| see(interrupted))
        && let (Some(apic), Some(asker)) = (LocalApic::get(), PerCpu::of(asker))
    {
        // Should it not reach it, the asker has its deadline, and looks once more then.
        let _ = apic.send_fixed(asker.apic_id(), Vector::DOORBELL);
    }
    let rip = interrupted.rip;
    Some(goes_on_at(rip, code_at(rip.wrapping_sub(1))))
}

fn see(interrupted: Interrupted) -> Seen {
    let Interrupted {
        rip,
        rflags,
        rsp,
        rbp,
    } = interrupted;
    let mut returns = [0; MOST_RETURNS];
    for (place, address) in returns.iter_mut().zip(returns_from(rbp)) {
        *place = address;
    }
    let before = code_at(rip.wrapping_sub(1)).map(|code| code[0]);
    Seen {
        rip,
        rflags,
        rsp,
        is_halted: before == Some(HLT),
        returns,
    }
}

/// Opcodes (SDM volume 2, HLT and STI).
const HLT: u8 = 0xf4;
const STI: u8 = 0xfb;

/// Where code goes on that was interrupted at `rip`, with the byte before that and the one there: behind a
/// `hlt` in front of which it stood with interrupts just on.
fn goes_on_at(rip: u64, code: Option<[u8; 2]>) -> u64 {
    match code {
        Some([STI, HLT]) => rip + 1,
        _ => rip,
    }
}

/// Two bytes of the kernel's code; `None` elsewhere, and on the host, where there is none.
#[cfg(not(target_os = "none"))]
fn code_at(_: u64) -> Option<[u8; 2]> {
    None
}

/// Two bytes of the kernel's code; `None` elsewhere.
#[cfg(target_os = "none")]
fn code_at(address: u64) -> Option<[u8; 2]> {
    let text = crate::memory::image::text();
    let is_code = text.contains(&address) && text.contains(&(address + 1));
    is_code.then(|| {
        let code = ptr::with_exposed_provenance::<[u8; 2]>(address as usize);
        // SAFETY: the kernel's code is mapped for good and never written.
        unsafe { code.read_volatile() }
    })
}

/// This CPU has said that it takes no NMI any more, and waits a few microseconds for one that is due. If its
/// sender is kept from running just then, it comes later: the tables of a CPU that has parked take it too.
pub(crate) fn await_what_is_due(probe: &Probe) {
    if probe.is_due() {
        Patience::of(DUE).until(|| !probe.is_due());
    }
}

/// What a CPU told, in lines for a report: the first ends the sentence that it is in.
pub struct Told<'a>(pub &'a Result<Seen, ProbeError>);

impl fmt::Display for Told<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seen = match self.0 {
            Ok(seen) => seen,
            Err(error) => return writeln!(f, "{error}"),
        };
        let does = if seen.is_halted { "halts" } else { "runs" };
        let interrupts = match seen.takes_interrupts() {
            true => "on",
            false => "off",
        };
        writeln!(f, "it {does} with interrupts {interrupts}")?;
        writeln!(
            f,
            "  RIP {:016x}  RSP {:016x}  RFLAGS {:08x}",
            seen.rip, seen.rsp, seen.rflags
        )?;
        write_lines(f, seen.returns())
    }
}

#[cfg(test)]
mod tests {
    use std::string::ToString;

    use super::*;

    #[test]
    fn code_goes_on_behind_a_halt_only_if_an_interrupt_could_come_before_it() {
        assert_eq!(goes_on_at(0x20_1000, Some([STI, HLT])), 0x20_1001);
        for code in [Some([HLT, STI]), Some([0x90, HLT]), Some([STI, 0x90]), None] {
            assert_eq!(goes_on_at(0x20_1000, code), 0x20_1000, "{code:?}");
        }
    }

    #[test]
    fn what_a_cpu_told_is_printed_as_a_crash_is() {
        let mut seen = Seen {
            rip: 0x20_1234,
            rflags: 0x2,
            rsp: 0xffff_8000_0001_fc70,
            is_halted: false,
            returns: [0; MOST_RETURNS],
        };
        seen.returns[..3].copy_from_slice(&[0x20_5678, 0x20_5678, 0x20_9abc]);
        assert_eq!(
            Told(&Ok(seen)).to_string(),
            "it runs with interrupts off\n  \
             RIP 0000000000201234  RSP ffff80000001fc70  RFLAGS 00000002\n  \
             called from 0x0000000000205678 (2 times)\n  \
             called from 0x0000000000209abc\n"
        );
        let silent = Err(ProbeError::Silent);
        assert_eq!(Told(&silent).to_string(), "it does not answer an NMI\n");
    }
}
