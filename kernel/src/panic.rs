//! The end of a run that went wrong: a panic or an exception, on any CPU, whatever lock is held.
//!
//! 1. The first CPU to get here ends the run; any other one halts for good (`stop.rs`).
//! 2. The winner stops the others by NMI, one by one: only those that are known to run with our
//!    IDT, since an NMI would shut the machine down through a CPU that has none.
//! 3. It waits for them, but not for ever, and prints past all locks: of those that did not stop, how
//!    many they are.
//! 4. It writes the last record and ends the run.
//!
//! Should the winner fail once more on its way, it says so and ends the run at once.
//! Nothing here allocates, locks, or waits without a bound.

use core::{
    fmt::{self, Write},
    panic::PanicInfo,
    sync::atomic::{AtomicU32, AtomicU64, Ordering},
};

use reveille_smp::{
    cpu::{ApicId, CpuIndex},
    record::exit_code,
};
use x86_64::instructions::{hlt, interrupts};

use crate::{
    apic::LocalApic,
    backtrace::Backtrace,
    console,
    cpuid::{Cpuid, ThisCpu},
    exit::exit,
    patience::Patience,
    percpu::{self, PerCpu},
    records::RecordChannel,
    stop::{Claim, Ending},
};

static ENDING: Ending = Ending::in_word(AtomicU64::new(0));

/// How often the CPU that ends the run has failed on its way.
static FAILED_AGAIN: AtomicU32 = AtomicU32::new(0);

/// What the panic handler calls.
pub fn panicked(info: &PanicInfo<'_>) -> ! {
    let backtrace = Backtrace::here();
    let reporter = Reporter::this_cpu();
    let message = info.message();
    match info.location() {
        Some(at) => end_run(
            &format_args!(
                "panic on {reporter}: {message} at {}:{}",
                at.file(),
                at.line()
            ),
            &backtrace,
        ),
        None => end_run(&format_args!("panic on {reporter}: {message}"), &backtrace),
    }
}

/// Stops all CPUs, prints the headline and then the details, whole lines, and ends the run.
pub fn end_run(headline: &dyn fmt::Display, details: &dyn fmt::Display) -> ! {
    interrupts::disable();
    match ENDING.claim(Reporter::this_cpu().apic_id.0) {
        Claim::Won => {}
        Claim::Again => {
            if FAILED_AGAIN.fetch_add(1, Ordering::Relaxed) == 0 {
                console::print_forced(format_args!(
                    "\nreveille: failed: ending the run failed: {headline}\n"
                ));
            }
            exit(exit_code::PANICKED);
        }
        Claim::Lost => halt_for_good(),
    }
    let still_running = stop_others();
    // The console may be in the middle of a line.
    console::print_forced(format_args!("\n{headline}\n{details}"));
    if still_running > 0 {
        console::print_forced(format_args!("{}\n", StillRunning(still_running)));
    }
    if let Some(mut channel) = RecordChannel::open() {
        let mut record = ExitRecord::new();
        channel.write(record.failed(headline));
    }
    console::print_forced(format_args!("reveille: failed: {headline}\n"));
    exit(exit_code::PANICKED)
}

/// Halts this CPU for good if another one is ending the run. What an NMI asks for, and what a CPU
/// looks at once when it begins to take NMIs.
pub(crate) fn halt_if_run_is_ending() {
    if ENDING.is_by_other_than(Reporter::this_cpu().apic_id.0) {
        halt_for_good();
    }
}

/// How many of the CPUs that run with our IDT did not stop.
#[derive(Clone, Copy, Debug)]
struct StillRunning(usize);

impl fmt::Display for StillRunning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let noun = if self.0 == 1 { "CPU" } else { "CPUs" };
        write!(f, "{} {noun} did not stop", self.0)
    }
}

/// Stops all others that can be stopped, and tells how many of them did not.
fn stop_others() -> usize {
    let Some(apic) = LocalApic::get() else {
        return 0;
    };
    let others = || {
        let me = Reporter::this_cpu().apic_id;
        percpu::all()
            .iter()
            .filter(move |cpu| cpu.apic_id() != me && cpu.presence().is_running())
    };
    for cpu in others() {
        // One that cannot be reached goes on, and ends with the machine.
        let _ = apic.send_nmi(cpu.apic_id());
    }
    // A CPU takes an NMI within microseconds, but a hypervisor may have to find time for each of
    // hundreds. Whoever does not stop goes on, and ends with the machine.
    if Patience::begin().until(|| others().next().is_none()) {
        return 0;
    }
    others().count()
}

fn halt_for_good() -> ! {
    if let Some(cpu) = PerCpu::try_current() {
        cpu.presence().stop();
    }
    interrupts::disable();
    loop {
        hlt();
    }
}

/// The CPU that has something to report.
#[derive(Clone, Copy, Debug)]
pub struct Reporter {
    /// Its number, if it has entered its area.
    index: Option<CpuIndex>,
    apic_id: ApicId,
}

impl Reporter {
    /// The CPU that calls, at any time.
    pub fn this_cpu() -> Self {
        match PerCpu::try_current() {
            Some(cpu) => Self {
                index: Some(cpu.index()),
                apic_id: cpu.apic_id(),
            },
            None => Self {
                index: None,
                apic_id: ThisCpu.initial_apic_id(),
            },
        }
    }
}

impl fmt::Display for Reporter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.index {
            Some(index) => write!(f, "CPU {index} (APIC {})", self.apic_id),
            None => write!(f, "a CPU without number (APIC {})", self.apic_id),
        }
    }
}

/// The record `exit` of a failed run, made without the heap, whose lock this CPU may hold.
struct ExitRecord {
    bytes: [u8; Self::SIZE],
    length: usize,
}

impl ExitRecord {
    /// Longer reasons are cut.
    const SIZE: usize = 1024;
    const HEAD: &[u8] = br#"{"record":"exit","status":"failed","reason":""#;
    const TAIL: &[u8] = br#""}"#;

    fn new() -> Self {
        Self {
            bytes: [0; Self::SIZE],
            length: 0,
        }
    }

    fn failed(&mut self, reason: &dyn fmt::Display) -> &[u8] {
        self.append(Self::HEAD);
        // An error means that the reason was cut.
        let _ = write!(Reason(self), "{reason}");
        self.append(Self::TAIL);
        &self.bytes[..self.length]
    }

    fn append(&mut self, bytes: &[u8]) {
        let end = self.length + bytes.len();
        self.bytes[self.length..end].copy_from_slice(bytes);
        self.length = end;
    }
}

/// Writes text as the inside of a JSON string (RFC 8259, section 7).
struct Reason<'a>(&'a mut ExitRecord);

impl Reason<'_> {
    fn append(&mut self, bytes: &[u8]) -> fmt::Result {
        if self.0.length + bytes.len() + ExitRecord::TAIL.len() > ExitRecord::SIZE {
            return Err(fmt::Error);
        }
        self.0.append(bytes);
        Ok(())
    }
}

impl Write for Reason<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        text.chars().try_for_each(|char| match char {
            '"' => self.append(br#"\""#),
            '\\' => self.append(br"\\"),
            '\n' => self.append(br"\n"),
            // Other control characters have no business in a reason.
            control if control.is_control() => self.append(b" "),
            other => self.append(other.encode_utf8(&mut [0; 4]).as_bytes()),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::string::String;

    use reveille_smp::record::{ExitStatus, Record};

    use super::*;

    fn reason_read_back(reason: &str) -> String {
        let mut record = ExitRecord::new();
        let line = record.failed(&reason);
        match serde_json::from_slice(line).expect("the line is JSON") {
            Record::Exit(exit) => {
                assert_eq!(exit.status, ExitStatus::Failed);
                exit.reason.expect("a failed run has a reason")
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_exit_record_is_read_back_as_it_was_meant() {
        for reason in [
            "panic on CPU 3 (APIC 3): no",
            "a \"quote\", a \\ and a\nline",
            "µ€𝄞",
            "",
        ] {
            assert_eq!(reason_read_back(reason), reason);
        }
        assert_eq!(reason_read_back("a\tb\x1b"), "a b ");
    }

    #[test]
    fn a_long_reason_is_cut_and_still_a_record() {
        for char in ["x", "\"", "€"] {
            let reason = char.repeat(5000);
            let read = reason_read_back(&reason);
            assert!(read.len() > 400 && reason.starts_with(&read));
        }
    }

    #[test]
    fn those_that_did_not_stop_are_counted() {
        let line = |cpus| std::format!("{}", StillRunning(cpus));
        assert_eq!(line(1), "1 CPU did not stop");
        assert_eq!(line(7), "7 CPUs did not stop");
    }

    #[test]
    fn a_cpu_without_area_is_named_by_its_apic() {
        let reporter = Reporter {
            index: None,
            apic_id: ApicId(9),
        };
        assert_eq!(std::format!("{reporter}"), "a CPU without number (APIC 9)");
        let reporter = Reporter {
            index: Some(CpuIndex(3)),
            apic_id: ApicId(9),
        };
        assert_eq!(std::format!("{reporter}"), "CPU 3 (APIC 9)");
    }
}
