//! What a CPU does, asked by another one and told from an NMI: for a report of one that does not answer.
//!
//! ```text
//!           ask            begin             finish
//!   FREE ─────────▶ ASKED ───────▶ WRITING ─────────▶ GIVEN
//!    ▲    withdraw    │               │                 │
//!    └────────────────┴───────────────┴─────────────────┘
//! ```
//!
//! One CPU asks at a time, and then sends the NMI; the CPU that takes it writes what it was doing into
//! words that are there, in the NMI: with stores alone, in no time worth naming, and wherever it was. The
//! asker waits with a deadline and withdraws. An NMI that comes late finds nobody who asks, or the next
//! one, whom it answers as well: what it writes is of now.
//!
//! **Owed.** An NMI says nothing of who sent it, and one that nobody sent is a matter for the end of the
//! run. So the asker first notes that one is owed to the CPU, and the CPU takes one off for each that
//! comes. Two that came as one leave one owed for good, and so does one that comes where the CPU is parked:
//! then a later NMI of another origin is lost, once. A CPU that is about to take no NMI any more first says
//! so and then looks whether one is due, which is owed to somebody who asks still, and the asker the other
//! way round: so none is sent for a question that is open to a CPU that does not look for it. For how long
//! it looks is the CPU's own affair.
//!
//! # Memory ordering
//!
//! All else is written between `begin` and `finish`, and read before the asker withdraws its question. Each
//! transition is a read-modify-write, acquire and release: so whoever reads sees all that was written for
//! it, and whoever writes does so behind the reading of what was there before. What is due and whether the
//! CPU takes NMIs are other words of each side: each writes its own and then, behind a sequentially consistent
//! fence, reads the other's.

use crate::{
    cpu::CpuIndex,
    sync::{AtomicU32, AtomicU64, Ordering, fence},
};

/// How many return addresses there is room for.
pub const MOST_RETURNS: usize = 16;

/// What a CPU was doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// The instruction that it was to run next.
    pub rip: u64,
    /// Its flags: bit 9 says whether it took interrupts.
    pub rflags: u64,
    /// Its stack pointer.
    pub rsp: u64,
    /// Whether it halted.
    pub is_halted: bool,
    /// Where the functions that it was in return to, innermost first; 0 behind the last one.
    pub returns: [u64; MOST_RETURNS],
}

impl Seen {
    /// Whether it took interrupts (SDM volume 1, "EFLAGS Register").
    pub const fn takes_interrupts(&self) -> bool {
        const INTERRUPT_FLAG: u64 = 1 << 9;
        self.rflags & INTERRUPT_FLAG != 0
    }

    /// Where the functions that it was in return to, innermost first.
    pub fn returns(&self) -> impl Iterator<Item = u64> {
        self.returns.iter().copied().take_while(|&it| it != 0)
    }
}

/// The words of one CPU.
#[derive(Debug)]
pub struct Probe {
    /// The stage in the low byte, and who asks in the high half.
    state: AtomicU64,
    /// NMIs that were sent and have not come.
    owed: AtomicU32,
    seen: Words,
}

/// [`Seen`] in words.
#[derive(Debug)]
struct Words {
    rip: AtomicU64,
    rflags: AtomicU64,
    rsp: AtomicU64,
    is_halted: AtomicU32,
    returns: [AtomicU64; MOST_RETURNS],
}

const FREE: u64 = 0;
const ASKED: u64 = 1;
const WRITING: u64 = 2;
const GIVEN: u64 = 3;

const STAGE: u64 = 0xff;

const fn state(stage: u64, asker: CpuIndex) -> u64 {
    (asker.0 as u64) << 32 | stage
}

const fn asker(state: u64) -> CpuIndex {
    CpuIndex((state >> 32) as u32)
}

/// A question that was put to a CPU.
///
/// # Cancellation
///
/// Dropped, it is withdrawn. The NMI may come all the same, and changes nothing then.
#[derive(Debug)]
pub struct Question<'a> {
    probe: &'a Probe,
    own: CpuIndex,
}

impl Probe {
    /// Of a CPU that nobody has asked.
    pub fn new() -> Self {
        let word = || AtomicU64::new(0);
        Self {
            state: AtomicU64::new(FREE),
            owed: AtomicU32::new(0),
            seen: Words {
                rip: word(),
                rflags: word(),
                rsp: word(),
                is_halted: AtomicU32::new(0),
                returns: [(); MOST_RETURNS].map(|()| word()),
            },
        }
    }

    // ---- the CPU that asks ----

    /// Asks the CPU, in the name of `own`. If it takes NMIs, asked behind this, one is to be sent; else
    /// [`Question::is_not_sent`] takes that back.
    ///
    /// # Errors
    ///
    /// Who asks just now.
    pub fn ask(&self, own: CpuIndex) -> Result<Question<'_>, CpuIndex> {
        self.state
            .compare_exchange(FREE, state(ASKED, own), Ordering::AcqRel, Ordering::Relaxed)
            .map_err(asker)?;
        self.owed.fetch_add(1, Ordering::AcqRel);
        fence(Ordering::SeqCst);
        Ok(Question { probe: self, own })
    }

    // ---- the CPU that is asked ----

    /// An NMI has come: whether it was one that was owed.
    pub fn is_owed(&self) -> bool {
        let take = |owed: u32| owed.checked_sub(1);
        self.owed
            .fetch_update(Ordering::AcqRel, Ordering::Relaxed, take)
            .is_ok()
    }

    /// The CPU has said that it takes no NMI any more, by a read-modify-write: whether one may come yet for
    /// somebody who waits for the answer. What was owed before to others may never come.
    pub fn is_due(&self) -> bool {
        fence(Ordering::SeqCst);
        let is_owed = self.owed.load(Ordering::Acquire) > 0;
        let stage = self.state.load(Ordering::Relaxed) & STAGE;
        is_owed && matches!(stage, ASKED | WRITING)
    }

    /// Tells what the CPU does to whoever asks, in the NMI; gives who that is, to be woken. `None` if
    /// nobody asks any more.
    pub fn answer(&self, see: impl FnOnce() -> Seen) -> Option<CpuIndex> {
        let now = self.state.load(Ordering::Relaxed);
        let asker = asker(now);
        if now & STAGE != ASKED || !self.moves(now, state(WRITING, asker)) {
            return None;
        }
        self.seen.write(&see());
        // Withdrawn meanwhile, the next question waits for the next NMI: none comes in this one.
        self.moves(state(WRITING, asker), state(GIVEN, asker))
            .then_some(asker)
    }

    fn moves(&self, from: u64, to: u64) -> bool {
        self.state
            .compare_exchange(from, to, Ordering::AcqRel, Ordering::Relaxed)
            .is_ok()
    }
}

impl Default for Probe {
    fn default() -> Self {
        Self::new()
    }
}

impl Question<'_> {
    /// The NMI is not sent, as the CPU takes none or the APIC does not.
    pub fn is_not_sent(&self) {
        // Another one may have been taken for it, and then nothing is owed.
        let _ = self.probe.is_owed();
    }

    /// Whether the answer is there.
    pub fn is_answered(&self) -> bool {
        self.probe.state.load(Ordering::Acquire) == state(GIVEN, self.own)
    }

    /// The answer, if it is there.
    pub fn answer(&self) -> Option<Seen> {
        self.is_answered().then(|| self.probe.seen.read())
    }
}

impl Drop for Question<'_> {
    fn drop(&mut self) {
        self.probe.state.swap(FREE, Ordering::AcqRel);
    }
}

impl Words {
    fn write(&self, seen: &Seen) {
        let Seen {
            rip,
            rflags,
            rsp,
            is_halted,
            returns,
        } = *seen;
        self.rip.store(rip, Ordering::Relaxed);
        self.rflags.store(rflags, Ordering::Relaxed);
        self.rsp.store(rsp, Ordering::Relaxed);
        self.is_halted.store(is_halted.into(), Ordering::Relaxed);
        for (word, value) in self.returns.iter().zip(returns) {
            word.store(value, Ordering::Relaxed);
        }
    }

    fn read(&self) -> Seen {
        Seen {
            rip: self.rip.load(Ordering::Relaxed),
            rflags: self.rflags.load(Ordering::Relaxed),
            rsp: self.rsp.load(Ordering::Relaxed),
            is_halted: self.is_halted.load(Ordering::Relaxed) != 0,
            returns: self
                .returns
                .each_ref()
                .map(|word| word.load(Ordering::Relaxed)),
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use alloc::vec::Vec;
    use core::cell::Cell;

    use super::*;

    const BSP: CpuIndex = CpuIndex(0);
    const AP: CpuIndex = CpuIndex(1);

    fn seen(rip: u64) -> Seen {
        Seen {
            rip,
            rflags: 0x202,
            rsp: 0x9000,
            is_halted: true,
            returns: core::array::from_fn(|at| if at < 3 { rip + 1 + at as u64 } else { 0 }),
        }
    }

    #[test]
    fn what_the_cpu_tells_is_what_the_asker_reads() {
        let probe = Probe::new();
        let question = probe.ask(BSP).unwrap();
        assert_eq!(question.answer(), None);
        assert!(probe.is_owed());
        assert_eq!(probe.answer(|| seen(7)), Some(BSP));
        let told = question.answer().unwrap();
        assert_eq!(told, seen(7));
        assert!(told.takes_interrupts() && !Seen::default().takes_interrupts());
        assert_eq!(told.returns().collect::<Vec<_>>(), [8, 9, 10]);
    }

    #[test]
    fn one_asks_at_a_time_and_the_other_hears_who_it_is() {
        let probe = Probe::new();
        let question = probe.ask(BSP).unwrap();
        assert_eq!(probe.ask(AP).unwrap_err(), BSP);
        drop(question);
        assert!(probe.ask(AP).is_ok());
    }

    #[test]
    fn a_late_nmi_is_known_for_one_and_answers_whoever_asks_then() {
        let probe = Probe::new();
        drop(probe.ask(BSP).unwrap());
        assert!(probe.is_owed());
        assert_eq!(probe.answer(|| panic!("nobody asks")), None);
        assert!(!probe.is_owed(), "another NMI is nobody's");

        drop(probe.ask(BSP).unwrap());
        let question = probe.ask(AP).unwrap();
        assert!(probe.is_owed());
        assert_eq!(probe.answer(|| seen(3)), Some(AP));
        assert_eq!(question.answer(), Some(seen(3)));
        assert!(probe.is_owed() && !probe.is_owed());
    }

    #[test]
    fn an_answer_that_nobody_waits_for_any_more_is_not_taken_for_the_next_ones() {
        let probe = Probe::new();
        let (mut question, next) = (Some(probe.ask(BSP).unwrap()), Cell::new(None));
        let given_up_meanwhile = || {
            question.take();
            next.set(Some(probe.ask(AP).unwrap()));
            seen(1)
        };
        assert_eq!(probe.answer(given_up_meanwhile), None);
        let next = next.take().unwrap();
        assert_eq!(next.answer(), None);
        assert_eq!(probe.answer(|| seen(2)), Some(AP));
        assert_eq!(next.answer(), Some(seen(2)));
    }

    #[test]
    fn one_that_is_not_sent_is_not_owed() {
        let probe = Probe::new();
        let question = probe.ask(BSP).unwrap();
        assert!(probe.is_due());
        question.is_not_sent();
        assert!(!probe.is_due());
    }

    #[test]
    fn what_two_nmis_that_came_as_one_leave_owed_is_due_only_while_somebody_asks() {
        let probe = Probe::new();
        drop(probe.ask(BSP).unwrap());
        let question = probe.ask(BSP).unwrap();
        assert!(probe.is_owed());
        assert!(probe.is_due());
        assert_eq!(probe.answer(|| seen(1)), Some(BSP));
        assert!(!probe.is_due(), "it has been told");
        drop(question);
        assert!(!probe.is_due(), "nobody asks");
        let _question = probe.ask(AP).unwrap();
        assert!(probe.is_due());
    }
}
