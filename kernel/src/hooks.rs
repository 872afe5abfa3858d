//! What a test asks for by `test=`: faults, to see that the run ends with the right words, and a
//! relay of tasks over all CPUs.

use alloc::{boxed::Box, string::ToString, sync::Arc, vec::Vec};
use core::{
    arch::asm,
    error::Error,
    fmt,
    hint::{self, black_box},
    pin::pin,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use reveille_executor::{Clock, Timer};
use x86_64::instructions::{hlt, interrupts};

use crate::{
    calling::halted::Rests,
    calls::{self, stuck},
    command_line::TestHook,
    console,
    cpus::{
        Cpus,
        relay::relay,
        spawn_on,
        stop_machine::{Who, stop_machine},
    },
    percpu::PerCpu,
    println,
    reset::triple_fault,
    time::TscClock,
};

/// How long a fault on an AP may take to end the run.
const DEADLINE: Duration = Duration::from_secs(25);

/// Brings about a fault, or the relay. The faults that concern the bring-up itself, or the
/// operations behind it, were set before.
///
/// # Errors
///
/// When the fault did not end the run: then the test would prove nothing. When the relay failed, or a call
/// had no answer.
pub async fn bring_about(hook: TestHook, cpus: &Cpus, timer: &Timer) -> Result<(), Box<dyn Error>> {
    match hook {
        TestHook::NoWake
        | TestHook::RestFirst
        | TestHook::NeedlessPoll
        | TestHook::WaitSerialised
        | TestHook::WaitConcurrent
        | TestHook::Slower
        | TestHook::Leak
        | TestHook::LateRendezvous
        | TestHook::PanicRendezvous
        | TestHook::LateStop
        | TestHook::BareMiss
        | TestHook::Tlb
        | TestHook::NoFlush
        | TestHook::HotplugPoll
        | TestHook::Unforeseen
        | TestHook::CallTwice
        | TestHook::CallLost => return Ok(()),
        TestHook::StuckCall | TestHook::SlowCall | TestHook::LostCallIpi => {
            return call_one_that_does_not_answer(hook, cpus, timer).await;
        }
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
        TestHook::TouchHpet => on_an_ap(cpus, touch_hpet)?,
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

/// How long an AP does not answer if nobody tells of it: shorter than [`DEADLINE`], so that the run ends, and
/// the test says that no report was made.
const MOST_DEAF: Duration = Duration::from_secs(20);

/// Calls an AP that does not answer before that has been told of, and gets the answer in the end.
async fn call_one_that_does_not_answer(
    hook: TestHook,
    cpus: &Cpus,
    timer: &Timer,
) -> Result<(), Box<dyn Error>> {
    let ap = cpus.online_aps().max();
    let ap = ap.ok_or("no AP is online to be called")?;
    let is_busy = Arc::new(AtomicBool::new(false));
    let busy = Busy {
        has_begun: Arc::clone(&is_busy),
        reports: stuck::reports(),
    };
    let (mut in_task, mut in_call) = (None, None);
    match hook {
        TestHook::LostCallIpi => {
            // One that comes from a call looks for the next without an interrupt, and then none is lost.
            let area = PerCpu::of(ap).ok_or("an AP without an area")?;
            if !Rests::of(area).wait(timer).await {
                return Err("the AP that is to be called does not rest".into());
            }
            stuck::lose_next(ap);
        }
        TestHook::StuckCall => in_task = Some(busy),
        _ => in_call = Some(busy),
    }
    if let Some(busy) = in_task {
        spawn_on(ap, async move {
            interrupts::without_interrupts(|| be_busy(&busy));
        })?;
        let begins = async {
            while !is_busy.load(Ordering::Relaxed) {
                timer.sleep(LOOK_AGAIN).await;
            }
        };
        let begun = timer.timeout(DEADLINE, begins).await;
        begun.map_err(|_| Survived(hook))?;
    }
    let is_long = in_call.is_some();
    let mut called = pin!(calls::call(ap, move || {
        if let Some(busy) = in_call {
            be_busy(&busy);
        }
        PerCpu::current().index()
    }));
    // The watch begins when the call has.
    let begins = async {
        while is_long && !is_busy.load(Ordering::Relaxed) {
            if timer.timeout(LOOK_AGAIN, called.as_mut()).await.is_ok() {
                break;
            }
        }
    };
    let begun = timer.timeout(DEADLINE, begins).await;
    begun.map_err(|_| Survived(hook))?;
    let answer = timer.timeout(DEADLINE, stuck::watched(timer, called));
    match answer.await {
        Ok(Ok(cpu)) if cpu == ap => Ok(()),
        Ok(Ok(_)) => Err("another CPU answered than was called".into()),
        Ok(Err(error)) => Err(error.into()),
        Err(_) => Err(Survived(hook).into()),
    }
}

/// How often it is looked whether an AP is busy.
const LOOK_AGAIN: Duration = Duration::from_millis(1);

/// An AP that is to be busy.
struct Busy {
    /// Whether it is.
    has_begun: Arc<AtomicBool>,
    /// How many reports there were before.
    reports: u32,
}

/// Does nothing of use until calls have been told of, and does not halt: what a CPU that hangs looks like.
///
/// It is to be found in a back trace, whatever it is interrupted in: what spins is in a frame of its own, which
/// is there before the CPU is said to be busy, and returns to here.
#[inline(never)]
fn be_busy(busy: &Busy) {
    black_box(spin_until_told(busy));
}

/// Whether calls were told of in time.
#[inline(never)]
fn spin_until_told(busy: &Busy) -> bool {
    busy.has_begun.store(true, Ordering::Relaxed);
    let Some(clock) = TscClock::get() else {
        return false;
    };
    let end = clock.now().saturating_add(MOST_DEAF);
    while stuck::reports() == busy.reports {
        if clock.now() >= end {
            return false;
        }
        hint::spin_loop();
    }
    true
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

fn touch_hpet() {
    // Its main counter, where PCs have it.
    const COUNTER: u64 = 0xfed0_00f0;
    // SAFETY: nothing is mapped there any more, or else it is the counter, and reading it changes nothing.
    unsafe { asm!("mov {}, [{}]", out(reg) _, in(reg) COUNTER, options(nostack, readonly)) };
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

/// A fault that did not end the run.
#[derive(Debug)]
struct Survived(TestHook);

impl fmt::Display for Survived {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the run survived the fault {:?}", self.0)
    }
}

impl Error for Survived {}
