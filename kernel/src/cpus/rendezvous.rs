//! All CPUs stop, some of them do their work meanwhile, and all go on (`smp/src/rendezvous.rs`).
//!
//! A CPU stands in the handler of the interrupt that called it, before the APIC hears that the
//! interrupt is handled. So its APIC lets in only what has a higher class, which is the release and its
//! own alarm: the CPU halts until then, and uses no memory but when it is woken: the words of the
//! rendezvous, its alarm and its stack. NMIs and machine checks come through, and so a panic elsewhere
//! finds it. The caller halts too while it waits, and lets in no more than those do.
//!
//! Called is whoever takes interrupts: from the step `apic` on, on the way up, until that is undone. There
//! a CPU that finds a meeting on stands until it is over. So what goes up and down meanwhile needs no
//! lock: below that step a CPU uses its own area, the words by which it says how far it has come, and no
//! other memory of ours; or it is parked on the trampoline's page, or in the firmware's loop, which is the
//! firmware's own. One that was abandoned is called as any other, for it may run: if it does not come,
//! nothing is done.
//!
//! **No wait is without an end.** The caller has deadlines for its turn, for the arrival of all, and for
//! their work. Those who stand at the meeting or beside it have one too, long behind those: what the caller
//! itself does has no other.

use alloc::vec::Vec;
use core::{
    arch::asm,
    cell::Cell,
    fmt,
    marker::PhantomData,
    mem, ptr,
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use reveille_executor::Clock;
use reveille_smp::{
    cpu::CpuIndex,
    ranges::Ranges,
    rendezvous::{Generation, Part, Rendezvous, Stage, Turn},
};
use x86_64::instructions::interrupts::{self, without_interrupts};

use crate::{
    apic::LocalApic,
    interrupts::vectors::Vector,
    percpu::{self, PerCpu},
    platform::CpuPlatform,
};

/// How long a caller waits for others who call. Each of them takes milliseconds, or [`ARRIVAL`] and
/// [`WORK`] where something is wrong.
const TURN: Duration = Duration::from_secs(4);

/// Until when all must have come. A CPU comes within microseconds, but a hypervisor may have to find
/// time for each of hundreds, and where memory types change each writes its caches back. A CPU on its way up
/// waits for the end of a meeting, so that with [`WORK`] this is less than what its steps may take.
const ARRIVAL: Duration = Duration::from_secs(1);

/// How long the work of those who were called may take after that.
pub(super) const WORK: Duration = Duration::from_millis(500);

/// How long a CPU stands at the most: only a caller that hangs in its own work comes near that.
const STAND: Duration = Duration::from_secs(10);

/// What a CPU does while all others stand, or do the same: a closure, by its address and by the function
/// that calls one of its type. So it is two words, and a CPU that reads them reads nothing else of the
/// caller's.
#[derive(Clone, Copy)]
pub(super) struct Work<'a> {
    closure: *const (),
    call: Call,
    lives: PhantomData<&'a ()>,
}

/// # Safety
///
/// The pointer is to a closure of the type that the function was made for, and it is there still.
type Call = unsafe fn(*const (), &'static PerCpu);

impl<'a> Work<'a> {
    pub(super) fn of<F: Fn(&'static PerCpu) + Sync>(closure: &'a F) -> Self {
        let call = |closure: *const (), area| {
            // SAFETY: as is promised to a `Call`. The closure may be shared.
            unsafe { (*closure.cast::<F>())(area) }
        };
        Self {
            closure: ptr::from_ref(closure).cast(),
            call,
            lives: PhantomData,
        }
    }

    fn run(self, area: &'static PerCpu) {
        // SAFETY: the closure is borrowed for as long as this lives, and its type is the function's.
        unsafe { (self.call)(self.closure, area) }
    }

    fn words(self) -> [u64; 2] {
        let call = self.call as *const ();
        [self.closure, call].map(|pointer| pointer.expose_provenance() as u64)
    }

    /// # Safety
    ///
    /// The words are from [`words`](Self::words), and what they were made of lives for `'a`.
    unsafe fn from_words(words: [u64; 2]) -> Self {
        let [closure, call] = words.map(|it| ptr::with_exposed_provenance(it as usize));
        Self {
            closure,
            // SAFETY: the word was such a function.
            call: unsafe { mem::transmute::<*const (), Call>(call) },
            lives: PhantomData,
        }
    }
}

/// For tests: the CPU with this number is interrupted only when the meeting is over.
static LATE: AtomicU32 = AtomicU32::new(NOBODY);

/// No CPU has this number.
const NOBODY: u32 = u32::MAX;

/// Lets a CPU come too late to the next meeting that it is called to, for tests.
pub fn make_late(cpu: CpuIndex) {
    LATE.store(cpu.0, Ordering::Relaxed);
}

/// Where they meet.
static PLACE: Rendezvous = Rendezvous::new();

/// Why the work was not done, or not by all.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RendezvousError {
    /// The CPU that called has interrupts off, so it could not come to another's meeting, and may hold a
    /// lock; or it does not take interrupts at all yet. Nothing was done.
    NotNow,
    /// This CPU had the turn to call, and others before, for too long. Nothing was done.
    Busy(CpuIndex),
    /// These CPUs did not come. Nothing was done. The list is empty if the last one was about to be
    /// counted when the time was over.
    Missing(Vec<CpuIndex>),
    /// All came, and these were not done in time. They may still be at it, or find that it is over.
    NotDone(Vec<CpuIndex>),
}

impl fmt::Display for RendezvousError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotNow => f.write_str("a CPU that takes no interrupts cannot stop the others"),
            Self::Busy(cpu) => write!(f, "CPU {cpu} had the turn to stop the others"),
            Self::Missing(cpus) if cpus.is_empty() => {
                f.write_str("a CPU came too late to the rendezvous")
            }
            Self::Missing(cpus) => write!(f, "{} did not come to the rendezvous", Named(cpus)),
            Self::NotDone(cpus) if cpus.is_empty() => {
                f.write_str("it was done too late in the rendezvous")
            }
            Self::NotDone(cpus) => {
                write!(f, "{} not done in time in the rendezvous", WereNamed(cpus))
            }
        }
    }
}

impl core::error::Error for RendezvousError {}

/// `CPU 3`, or `CPUs 1-2,5`.
struct Named<'a>(&'a [CpuIndex]);

impl fmt::Display for Named<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let numbers: Ranges = self.0.iter().map(|cpu| cpu.0).collect();
        let noun = if self.0.len() == 1 { "CPU" } else { "CPUs" };
        write!(f, "{noun} {numbers}")
    }
}

/// `CPU 3 was`, or `CPUs 1-2,5 were`.
struct WereNamed<'a>(&'a [CpuIndex]);

impl fmt::Display for WereNamed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verb = if self.0.len() == 1 { "was" } else { "were" };
        write!(f, "{} {verb}", Named(self.0))
    }
}

/// What is to be done at a meeting.
pub(super) struct Meeting<'a> {
    /// What each of those who are called does.
    pub(super) part: &'a dyn Fn(&PerCpu) -> Part,
    /// What the caller does.
    pub(super) own: Part,
    /// The work of those who work.
    pub(super) work: Work<'a>,
}

/// What came of one.
pub(super) struct Met {
    /// How many CPUs stood, the caller not among them.
    pub(super) stood: usize,
    /// From the turn until all stood.
    pub(super) gathering: Duration,
    /// From the turn until all could go on.
    pub(super) total: Duration,
}

/// Stops all that take interrupts but the CPU that calls; lets those that `has_work` names do `work` while
/// all others stand; and lets all go on. Each, the caller too, first writes its caches back and empties
/// them, as the manual asks of all processors before memory types change (SDM volume 3, "MTRR
/// Considerations in MP Systems"). That costs up to some milliseconds on a CPU with large caches, and more
/// under a hypervisor that has to do it for the guest. The caller halts meanwhile.
///
/// # Errors
///
/// [`RendezvousError`].
pub fn meet_with_empty_caches(
    has_work: impl Fn(&PerCpu) -> bool,
    work: &'static (impl Fn(&'static PerCpu) + Sync),
) -> Result<(), RendezvousError> {
    let prepares = true;
    let part = |cpu: &PerCpu| Part {
        prepares,
        works: has_work(cpu),
    };
    let own = Part {
        prepares,
        works: false,
    };
    // SAFETY: the work lives for ever.
    let met = unsafe {
        meet(&Meeting {
            part: &part,
            own,
            work: Work::of(work),
        })
    };
    met.map(drop)
}

/// Takes the turn and holds a meeting.
///
/// # Safety
///
/// If it ends as [`RendezvousError::NotDone`], the work stays where it is for good.
pub(super) unsafe fn meet(meeting: &Meeting<'_>) -> Result<Met, RendezvousError> {
    let platform = CpuPlatform::of_this_cpu().ok_or(RendezvousError::NotNow)?;
    let area = PerCpu::current();
    if !interrupts::are_enabled() || !area.seat().is_present() {
        return Err(RendezvousError::NotNow);
    }
    let turn = take_turn(&platform, area)?;
    // Nobody else can call now, so no interrupt is kept waiting but those that have time.
    // SAFETY: as promised to us.
    without_interrupts(|| unsafe { hold(&platform, area, turn, meeting) })
}

/// Waits for the turn, and comes to the meetings of those who have it before.
fn take_turn(platform: &CpuPlatform, area: &PerCpu) -> Result<Turn<'static>, RendezvousError> {
    let taken = Cell::new(None);
    let has_turn = || {
        let turn = PLACE.take_turn(area.index());
        let has_turn = turn.is_ok();
        taken.set(Some(turn));
        has_turn
    };
    platform.halt_until(platform.now().saturating_add(TURN), has_turn);
    match taken.take() {
        Some(Ok(turn)) => Ok(turn),
        Some(Err(other)) => Err(RendezvousError::Busy(other)),
        None => Err(RendezvousError::NotNow),
    }
}

/// Holds a meeting. Interrupts are off, and on only in a halt.
///
/// # Safety
///
/// As for [`meet`].
unsafe fn hold(
    platform: &CpuPlatform,
    area: &'static PerCpu,
    turn: Turn<'_>,
    meeting: &Meeting<'_>,
) -> Result<Met, RendezvousError> {
    let (rendezvous, apic) = (&PLACE, platform.apic());
    turn.set_work(meeting.work.words());
    let start = platform.now();
    let since_start = || platform.now().saturating_duration_since(start);
    let others = || {
        percpu::all()
            .iter()
            .copied()
            .filter(|cpu| cpu.index() != area.index())
    };

    // What runs here meanwhile is not to be anybody else's work, such as a call that was sent before.
    apic.take_from(Vector::STOP);
    let generation = turn.open();
    let (mut stood, mut at_work) = (0, u16::from(meeting.own.works));
    for cpu in others().filter(|cpu| cpu.seat().is_present()) {
        let part = (meeting.part)(cpu);
        cpu.seat().call(generation, part);
        stood += 1;
        at_work += u16::from(part.works);
    }
    // The caller is not counted: before anybody can be, and so before anybody can work.
    if meeting.own.prepares {
        write_back_and_invalidate();
    }
    turn.gather(generation, stood, at_work);

    let called = || others().filter_map(|cpu| Some((cpu, cpu.seat().called_to(generation)?)));
    let stage = || rendezvous.stage(generation);
    // One that cannot be interrupted does not come, and is named.
    let interrupt = |cpu: &PerCpu, vector| {
        let _ = apic.send_fixed(cpu.apic_id(), vector);
    };
    // Whoever calls itself is late at none.
    let late = LATE.load(Ordering::Relaxed);
    let late = called()
        .map(|(cpu, _)| cpu.index().0)
        .find(|&cpu| cpu == late);
    if late.is_some() {
        LATE.store(NOBODY, Ordering::Relaxed);
    }
    for (cpu, _) in called().filter(|(cpu, _)| Some(cpu.index().0) != late) {
        interrupt(cpu, Vector::STOP);
    }
    let have_come = platform.halt_until(start.saturating_add(ARRIVAL), || {
        stage() != Stage::Gathering
    });
    let gathering = since_start();
    if have_come {
        for (cpu, _) in called().filter(|(_, part)| part.works) {
            interrupt(cpu, Vector::RELEASE);
        }
        if meeting.own.works {
            meeting.work.run(area);
            rendezvous.done(area.seat(), generation);
        }
        // What ends this halt is the last who is done, or the deadline: all that could send anything
        // else stands.
        let deadline = platform.now().saturating_add(WORK);
        platform.halt_until(deadline, || stage() == Stage::Over);
    }
    let was = turn.end(generation);
    let name = |is_named: &dyn Fn(&PerCpu, Part) -> bool| -> Vec<CpuIndex> {
        let named = called().filter(|&(cpu, part)| is_named(cpu, part));
        named.map(|(cpu, _)| cpu.index()).collect()
    };
    let ended = match was {
        Stage::Over => Ok(Met {
            stood: stood.into(),
            gathering,
            total: since_start(),
        }),
        Stage::Working => Err(RendezvousError::NotDone(name(&|cpu, part| {
            part.works && !cpu.seat().has_finished(generation)
        }))),
        Stage::Gathering => Err(RendezvousError::Missing(name(&|cpu, _| {
            !cpu.seat().has_arrived(generation)
        }))),
    };
    let late = called().find(|(cpu, _)| Some(cpu.index().0) == late);
    drop(turn);
    // All who stand, those who came or went meanwhile, and whoever waits for the turn.
    for cpu in others().filter(|cpu| cpu.seat().is_present()) {
        interrupt(cpu, Vector::RELEASE);
    }
    if let Some((cpu, _)) = late {
        interrupt(cpu, Vector::STOP);
    }
    apic.take_all();
    ended
}

/// What the interrupt does that calls a CPU: it stands here until it may go on. Interrupts are off.
pub fn stand(apic: LocalApic) {
    let rendezvous = &PLACE;
    let area = PerCpu::current();
    let Some(arrival) = rendezvous.arrive(area.seat(), write_back_and_invalidate) else {
        return;
    };
    let tell_caller = || {
        // The caller has its deadlines, should this not reach it.
        if let Some(caller) = rendezvous.caller().and_then(PerCpu::of) {
            let _ = apic.send_fixed(caller.apic_id(), Vector::RELEASE);
        }
    };
    if arrival.stage != Stage::Gathering {
        tell_caller();
    }
    let stage = || rendezvous.stage(arrival.generation);
    if arrival.has_work {
        halt_until(|| stage() != Stage::Gathering);
        if let Some(words) = rendezvous.work(arrival.generation) {
            // SAFETY: they are the words of this meeting, whatever the caller does meanwhile. The meeting
            // does not end by itself before this CPU says that it is done, so until then the closure is
            // there; and where the caller ends it as this CPU is at work, the closure stays for good.
            let work = unsafe { Work::from_words(words) };
            work.run(area);
            if rendezvous.done(area.seat(), arrival.generation) == Stage::Over {
                tell_caller();
            }
        }
    }
    halt_until(|| stage() == Stage::Over);
}

/// This CPU takes interrupts from now on, and is called. If a meeting is on, it stands here until that is
/// over. Interrupts are off, and the APIC is on.
pub fn come_in() {
    PLACE.come_in(PerCpu::current().seat(), stand_aside);
}

/// This CPU is about to take no interrupts any more, and is not called behind this.
pub fn go_out() {
    PLACE.go_out(PerCpu::current().seat(), stand_aside);
}

/// A CPU that comes or goes stands beside a meeting. Should it be called to it, the interrupt comes as it
/// halts. It may be the only one that is beside the caller, so it has the deadline of those who stand.
fn stand_aside(generation: Generation) {
    halt_until(|| PLACE.stage(generation) == Stage::Over);
}

/// Halts until the condition holds.
///
/// # Panics
///
/// When the caller keeps all others standing.
fn halt_until(condition: impl Fn() -> bool) {
    let platform = CpuPlatform::of_this_cpu().expect("a CPU that was called has its area");
    let deadline = platform.now().saturating_add(STAND);
    if !platform.halt_until(deadline, condition) {
        let caller = PLACE.caller().unwrap_or(CpuIndex(NOBODY));
        panic!("CPU {caller} has kept all others standing for {STAND:?}");
    }
}

/// Writes all caches of this CPU back to memory and empties them.
pub fn write_back_and_invalidate() {
    // SAFETY: the instruction changes nothing that a program sees. As the compiler is told that memory
    // is used, what was written before it is not held back.
    unsafe { asm!("wbinvd", options(nostack, preserves_flags)) };
}

#[cfg(test)]
mod tests {
    use std::string::ToString;

    use super::*;

    #[test]
    fn whoever_did_not_come_is_named() {
        let missing = |cpus: &[u32]| {
            let cpus = cpus.iter().copied().map(CpuIndex);
            RendezvousError::Missing(cpus.collect()).to_string()
        };
        assert_eq!(missing(&[3]), "CPU 3 did not come to the rendezvous");
        assert_eq!(
            missing(&[1, 2, 5]),
            "CPUs 1-2,5 did not come to the rendezvous"
        );
        assert_eq!(missing(&[]), "a CPU came too late to the rendezvous");
    }

    #[test]
    fn whoever_was_not_done_is_named() {
        let not_done = |cpus: &[u32]| {
            let cpus = cpus.iter().copied().map(CpuIndex);
            RendezvousError::NotDone(cpus.collect()).to_string()
        };
        assert_eq!(
            not_done(&[3]),
            "CPU 3 was not done in time in the rendezvous"
        );
        assert_eq!(
            not_done(&[1, 2]),
            "CPUs 1-2 were not done in time in the rendezvous"
        );
        assert_eq!(not_done(&[]), "it was done too late in the rendezvous");
    }
}
