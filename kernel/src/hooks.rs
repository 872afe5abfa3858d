//! What a test asks for by `test=`: faults, to see that the run ends with the right words, and a
//! relay of tasks over all CPUs.

use alloc::{boxed::Box, string::ToString, vec::Vec};
use core::{arch::asm, error::Error, fmt, hint::black_box, time::Duration};

use reveille_executor::Timer;
use x86_64::{
    VirtAddr,
    instructions::{hlt, interrupts, tables},
    structures::DescriptorTablePointer,
};

use crate::{
    command_line::TestHook,
    console,
    cpus::{
        Cpus,
        relay::relay,
        spawn_on,
        stop_machine::{Who, stop_machine},
    },
    println,
};

/// How long a fault on an AP may take to end the run.
const DEADLINE: Duration = Duration::from_secs(5);

/// Brings about a fault, or the relay. The faults that concern the bring-up itself, or the
/// operations behind it, were set before.
///
/// # Errors
///
/// When the fault did not end the run: then the test would prove nothing. When the relay failed.
pub async fn bring_about(hook: TestHook, cpus: &Cpus, timer: &Timer) -> Result<(), Box<dyn Error>> {
    match hook {
        TestHook::NoWake
        | TestHook::WaitSerialised
        | TestHook::WaitConcurrent
        | TestHook::Leak
        | TestHook::LateRendezvous
        | TestHook::PanicRendezvous
        | TestHook::LateStop
        | TestHook::Unforeseen
        | TestHook::CallTwice
        | TestHook::CallLost => return Ok(()),
        TestHook::Relay => return run_relay(cpus, timer).await,
        TestHook::PanicBsp => panic!("asked for by test=panic-bsp"),
        TestHook::ExceptionBsp => touch_page_zero(),
        TestHook::StackOverflowBsp => overflow_stack(),
        TestHook::Hang => hang(),
        TestHook::TripleFault => triple_fault(),
        TestHook::HangInStop => hang_in_stop(cpus)?,
        TestHook::PanicAp => on_an_ap(cpus, || panic!("asked for by test=panic-ap"))?,
        TestHook::PanicApConsole => on_an_ap(cpus, || {
            console::with_lock_held(|| panic!("asked for by test=panic-ap-console"));
        })?,
        TestHook::ExceptionAp => on_an_ap(cpus, touch_page_zero)?,
        TestHook::StackOverflowAp => on_an_ap(cpus, overflow_stack)?,
    }
    timer.sleep(DEADLINE).await;
    Err(Survived(hook).into())
}

async fn run_relay(cpus: &Cpus, timer: &Timer) -> Result<(), Box<dyn Error>> {
    let ran = relay(cpus.online_aps(), timer).await?;
    let ran: Vec<_> = ran.iter().map(ToString::to_string).collect();
    println!("relay: CPU {}", ran.join(" > "));
    Ok(())
}

fn on_an_ap(cpus: &Cpus, fault: impl FnOnce() + Send + 'static) -> Result<(), Box<dyn Error>> {
    let ap = cpus.online_aps().last();
    let ap = ap.ok_or("no AP is online to bring about the fault on")?;
    spawn_on(ap, async { fault() })?;
    Ok(())
}

fn touch_page_zero() {
    // SAFETY: page 0 is not mapped, so this reads nothing: it raises #PF, which ends the run.
    unsafe { asm!("mov {}, [0x18]", out(reg) _, options(nostack, readonly)) };
}

fn overflow_stack() {
    black_box(deeper(black_box(1)));
}

#[expect(
    unconditional_recursion,
    reason = "the guard below the stack is to end it"
)]
fn deeper(depth: u64) -> u64 {
    let frame = black_box([depth; 64]);
    deeper(depth + 1) + frame[depth as usize % 64]
}

fn hang() -> ! {
    loop {
        interrupts::disable();
        hlt();
    }
}

/// The machine is stopped for good: one CPU does not come to the end of what all run.
fn hang_in_stop(cpus: &Cpus) -> Result<(), Box<dyn Error>> {
    let last = cpus.online_aps().max();
    let last = last.ok_or("no AP is online to hang")?;
    stop_machine(Who::All, |area| {
        if area.index() == last {
            hang();
        }
    })?;
    Ok(())
}

fn triple_fault() -> ! {
    let nothing = DescriptorTablePointer {
        limit: 0,
        base: VirtAddr::zero(),
    };
    // SAFETY: with an empty IDT no exception finds a handler, and the invalid opcode shuts the
    // machine down, which is what was asked for.
    unsafe {
        tables::lidt(&nothing);
        asm!("ud2", options(noreturn));
    }
}

/// A fault that did not end the run.
#[derive(Debug)]
struct Survived(TestHook);

impl fmt::Display for Survived {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the run survived the fault {:?}", self.0)
    }
}

impl Error for Survived {}
