//! Where APs are parked: each halts, and looks at the mailbox when its timer wakes it.
//!
//! A CPU that spun would use up the virtual time of all others, so none does.

use core::{
    arch::asm,
    sync::atomic::{AtomicBool, AtomicU16, AtomicU32, AtomicU64, Ordering},
};

use reveille_test_firmware::{
    MOST_CPUS,
    answer::{Answer, Command, Looker, Request},
    words::Behaviour,
};

use super::{apic::Apic, console::halt_for_good, interrupts};

/// Bytes of an AP's stack: room for the line about an exception.
pub(super) const STACK_SIZE: usize = 4096;

/// How often a parked AP looks: all together at most every 10 µs, one at most every 50 µs.
const NS_PER_CPU: u32 = 10_000;
const SHORTEST_NAP_NS: u32 = 50_000;

/// The mailbox (ACPI 6.5, table 5.44). All behind the vector is left alone: half of that page is the
/// kernel's, and our half has nothing in it.
///
/// The kernel writes id and vector, and then the command; we look at the command first, with Acquire,
/// so that the others are as they were when it was written. We write 0 when we have read them all,
/// with Release: the kernel may then write the next request.
#[repr(C, align(4096))]
pub(super) struct Mailbox {
    command: AtomicU16,
    apic_id: AtomicU32,
    wakeup_vector: AtomicU64,
    _rest: [AtomicU64; 510],
}

const _: () = assert!(size_of::<Mailbox>() == 4096);

pub(super) static MAILBOX: Mailbox = Mailbox {
    command: AtomicU16::new(0),
    apic_id: AtomicU32::new(0),
    wakeup_vector: AtomicU64::new(0),
    _rest: [const { AtomicU64::new(0) }; 510],
};

/// How many APs have started: `entry.S` counts.
#[unsafe(no_mangle)]
static AP_NUMBERS: AtomicU32 = AtomicU32::new(0);

/// Their APIC ids by their numbers, as they came. `entry.S` looks a CPU up here that comes back.
#[unsafe(no_mangle)]
static AP_IDS: [AtomicU32; MOST_CPUS] = [const { AtomicU32::new(u32::MAX) }; MOST_CPUS];

/// How many have left their ids. Each adds itself with Release, the CPU that boots reads with Acquire
/// and then the ids.
static ARRIVED: AtomicU32 = AtomicU32::new(0);

/// How each behaves, as words of [`Behaviour`]. Relaxed: it is written before there is any request, and
/// read after one was seen, which the mailbox's own order puts behind each other.
static BEHAVIOURS: [AtomicU32; MOST_CPUS] = [const { AtomicU32::new(0) }; MOST_CPUS];

/// How many have seen their own request and are yet to take another one's. Until they have, nobody else
/// takes his own: else it would be luck who comes first. Relaxed: who sees too low or too high a number
/// looks again, as the one that is held up takes no request that it was there for.
static HELD_UP: AtomicU32 = AtomicU32::new(0);

/// Whether APs switch to x2APIC mode. Written before any is started.
static WIDE: AtomicBool = AtomicBool::new(false);

/// Says in what mode APICs are to be, before any AP is started.
pub(super) fn choose_mode(x2apic: bool) {
    WIDE.store(x2apic, Ordering::Release);
}

/// How many APs are here.
pub(super) fn arrived() -> usize {
    ARRIVED.load(Ordering::Acquire) as usize
}

/// The ids of these, when [`arrived`] has said that so many are here.
pub(super) fn ids(count: usize) -> impl Iterator<Item = u32> {
    AP_IDS[..count].iter().map(|id| id.load(Ordering::Relaxed))
}

/// Lets the AP with this number behave so, before there is any request.
pub(super) fn set_behaviour(number: usize, behaviour: Behaviour) {
    BEHAVIOURS[number].store(behaviour.to_word(), Ordering::Relaxed);
}

/// An AP's first steps.
pub(super) fn arrive(number: usize) -> ! {
    if WIDE.load(Ordering::Acquire) {
        Apic::widen();
    }
    AP_IDS[number].store(Apic::of_this_cpu().id(), Ordering::Relaxed);
    ARRIVED.fetch_add(1, Ordering::Release);
    park(number)
}

/// An AP that has been away.
pub(super) fn again(number: usize) -> ! {
    park(number)
}

fn park(number: usize) -> ! {
    interrupts::load();
    let apic = Apic::of_this_cpu();
    let apic_id = AP_IDS[number].load(Ordering::Relaxed);
    apic.take();
    let mut has_waited = false;
    let mut is_held_up = false;
    loop {
        // First: whoever asks does so when all that is read below has been said.
        let request = MAILBOX.look();
        let behaviour = Behaviour::from_word(BEHAVIOURS[number].load(Ordering::Relaxed));
        if behaviour == Behaviour::Deaf {
            halt_for_good();
        }
        let looker = Looker {
            apic_id,
            behaviour,
            has_waited,
            is_held_up,
            held_up: HELD_UP.load(Ordering::Relaxed),
        };
        has_waited = false;
        if let Some(request) = request {
            match looker.answer(request) {
                Answer::None => {}
                Answer::Wait(ms) => {
                    for _ in 0..ms {
                        apic.nap(1_000_000);
                    }
                    has_waited = true;
                    continue;
                }
                Answer::HoldUp => {
                    is_held_up = true;
                    HELD_UP.fetch_add(1, Ordering::Relaxed);
                }
                Answer::Acknowledge => {
                    MAILBOX.acknowledge(request);
                }
                answer @ (Answer::Go | Answer::Swallow) => {
                    if MAILBOX.acknowledge(request) {
                        if answer == Answer::Swallow {
                            set_behaviour(number, Behaviour::Good);
                            HELD_UP.fetch_sub(1, Ordering::Relaxed);
                        }
                        leave(apic, request.wakeup_vector);
                    }
                }
            }
        }
        let all = ARRIVED.load(Ordering::Relaxed);
        apic.nap((NS_PER_CPU * all).max(SHORTEST_NAP_NS));
    }
}

impl Mailbox {
    /// What is asked, if we know the command.
    fn look(&self) -> Option<Request> {
        let command = Command::from_number(self.command.load(Ordering::Acquire))?;
        Some(Request {
            command,
            apic_id: self.apic_id.load(Ordering::Relaxed),
            wakeup_vector: self.wakeup_vector.load(Ordering::Relaxed),
        })
    }

    /// Takes the request; `false` if somebody else has.
    fn acknowledge(&self, request: Request) -> bool {
        let command = request.command as u16;
        self.command
            .compare_exchange(command, 0, Ordering::Release, Ordering::Relaxed)
            .is_ok()
    }
}

/// To where the kernel wants this CPU: in 64-bit mode, on our page tables, interrupts off.
fn leave(apic: Apic, vector: u64) -> ! {
    apic.reset();
    // SAFETY: whoever wrote the request answers for the vector. Nothing is left behind here: the
    // stack is this AP's own, and begins anew should it come back.
    unsafe { asm!("jmp {}", in(reg) vector, options(noreturn)) }
}
