//! The events, and how each fits into two words. They are packed where they are noted, which is where it
//! is known which one it is: so little is left to do there.
//!
//! ```text
//!   first   63       32 31    16 15     8 7      0        second   63        0
//!           long        short    flags    kind                     an id, or a span
//! ```

use crate::cpu::{ApicId, CpuIndex};

/// What happened. `To` is how others are named: as a [`Target`] in the ring, by their numbers in records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(tag = "event", rename_all = "kebab-case"))]
pub enum Event<To> {
    /// An INIT is sent.
    Init {
        /// To whom.
        to: To,
    },
    /// A SIPI is sent.
    Sipi {
        /// To whom.
        to: To,
    },
    /// A request is put into the firmware's mailbox.
    WakeRequest {
        /// For whom.
        to: To,
    },
    /// The CPU ran in real mode.
    RealMode,
    /// It ran in long mode.
    LongMode,
    /// It wrote ALIVE.
    Alive,
    /// It wrote ONLINE.
    Online,
    /// A step begins.
    StepStart {
        /// For whom: this CPU, or one that is down, where it is a step of the section `prepare`.
        of: CpuIndex,
        /// Which, by its place among the names.
        step: u16,
        /// Whether it is undone.
        down: bool,
    },
    /// A step ends.
    StepEnd {
        /// For whom.
        of: CpuIndex,
        /// Which.
        step: u16,
        /// Whether it was undone.
        down: bool,
        /// Whether it failed.
        failed: bool,
    },
    /// An interrupt is sent.
    IpiSend {
        /// To whom; it may be this CPU.
        to: To,
        /// With this vector.
        vector: u8,
        /// The send's own.
        id: u64,
    },
    /// An NMI is sent.
    NmiSend {
        /// To whom.
        to: To,
    },
    /// An interrupt has come, sent by a CPU or raised by this CPU's timer.
    IrqEntry {
        /// With this vector.
        vector: u8,
    },
    /// It is handled.
    IrqExit {
        /// That vector.
        vector: u8,
    },
    /// A task was woken.
    Doorbell {
        /// On whose executor.
        to: To,
        /// Whether that CPU slept and was rung, by the `ipi-send` before; else it need not be.
        sent: bool,
    },
    /// A call is queued for a CPU.
    CsdQueue {
        /// For which.
        to: To,
        /// The call's own.
        id: u64,
    },
    /// A call begins to run, on this CPU.
    CsdEntry {
        /// Which.
        id: u64,
    },
    /// It has run.
    CsdExit {
        /// Which.
        id: u64,
    },
    /// A call will never run.
    CsdDrop {
        /// Which.
        id: u64,
    },
    /// A future is polled.
    PollStart {
        /// The slot of its task; `null` for the future that the CPU's executor runs for.
        task: Option<u32>,
    },
    /// The poll has ended.
    PollEnd,
    /// The executor has nothing to do, and sleeps unless something comes at the last look.
    IdleStart,
    /// It goes on.
    IdleEnd,
    /// The CPU's time stamp counter was moved. Times before are corrected by that.
    ClockMoved {
        /// By how much; negative for back.
        by_ns: i64,
    },
}

/// To whom something is sent, as the sender's APIC has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// This CPU.
    One(ApicId),
    /// All but the sender.
    AllOthers,
}

impl Target {
    /// No CPU has this id: in x2APIC mode it means all (SDM volume 3, "x2APIC Register Address Space").
    const ALL: u32 = u32::MAX;

    #[inline(always)]
    const fn to_bits(self) -> u32 {
        match self {
            Self::One(ApicId(id)) => id,
            Self::AllOthers => Self::ALL,
        }
    }

    const fn from_bits(bits: u32) -> Self {
        match bits {
            Self::ALL => Self::AllOthers,
            id => Self::One(ApicId(id)),
        }
    }
}

impl<To> Event<To> {
    /// The same event with others named in another way.
    pub fn map<T>(self, name: impl FnOnce(To) -> T) -> Event<T> {
        match self {
            Self::Init { to } => Event::Init { to: name(to) },
            Self::Sipi { to } => Event::Sipi { to: name(to) },
            Self::WakeRequest { to } => Event::WakeRequest { to: name(to) },
            Self::RealMode => Event::RealMode,
            Self::LongMode => Event::LongMode,
            Self::Alive => Event::Alive,
            Self::Online => Event::Online,
            Self::StepStart { of, step, down } => Event::StepStart { of, step, down },
            Self::StepEnd {
                of,
                step,
                down,
                failed,
            } => Event::StepEnd {
                of,
                step,
                down,
                failed,
            },
            Self::IpiSend { to, vector, id } => Event::IpiSend {
                to: name(to),
                vector,
                id,
            },
            Self::NmiSend { to } => Event::NmiSend { to: name(to) },
            Self::IrqEntry { vector } => Event::IrqEntry { vector },
            Self::IrqExit { vector } => Event::IrqExit { vector },
            Self::Doorbell { to, sent } => Event::Doorbell { to: name(to), sent },
            Self::CsdQueue { to, id } => Event::CsdQueue { to: name(to), id },
            Self::CsdEntry { id } => Event::CsdEntry { id },
            Self::CsdExit { id } => Event::CsdExit { id },
            Self::CsdDrop { id } => Event::CsdDrop { id },
            Self::PollStart { task } => Event::PollStart { task },
            Self::PollEnd => Event::PollEnd,
            Self::IdleStart => Event::IdleStart,
            Self::IdleEnd => Event::IdleEnd,
            Self::ClockMoved { by_ns } => Event::ClockMoved { by_ns },
        }
    }
}

/// The numbers of the events, in the lowest byte of the first word.
mod kind {
    pub(super) const INIT: u8 = 1;
    pub(super) const SIPI: u8 = 2;
    pub(super) const WAKE_REQUEST: u8 = 3;
    pub(super) const REAL_MODE: u8 = 4;
    pub(super) const LONG_MODE: u8 = 5;
    pub(super) const ALIVE: u8 = 6;
    pub(super) const ONLINE: u8 = 7;
    pub(super) const STEP_START: u8 = 8;
    pub(super) const STEP_END: u8 = 9;
    pub(super) const IPI_SEND: u8 = 10;
    pub(super) const NMI_SEND: u8 = 11;
    pub(super) const IRQ_ENTRY: u8 = 12;
    pub(super) const IRQ_EXIT: u8 = 13;
    pub(super) const DOORBELL: u8 = 14;
    pub(super) const CSD_QUEUE: u8 = 15;
    pub(super) const CSD_ENTRY: u8 = 16;
    pub(super) const CSD_EXIT: u8 = 17;
    pub(super) const CSD_DROP: u8 = 18;
    pub(super) const POLL_START: u8 = 19;
    pub(super) const POLL_END: u8 = 20;
    pub(super) const IDLE_START: u8 = 21;
    pub(super) const IDLE_END: u8 = 22;
    pub(super) const CLOCK_MOVED: u8 = 23;
}

/// The parts of the two words; what an event has no use for is 0.
#[derive(Clone, Copy, Default)]
struct Parts {
    kind: u8,
    flags: u8,
    short: u16,
    long: u32,
    wide: u64,
}

impl Parts {
    #[inline(always)]
    const fn pack(self) -> Packed {
        Packed {
            what: (self.long as u64) << 32
                | (self.short as u64) << 16
                | (self.flags as u64) << 8
                | self.kind as u64,
            wide: self.wide,
        }
    }

    const fn unpack(Packed { what, wide }: Packed) -> Self {
        Self {
            kind: what as u8,
            flags: (what >> 8) as u8,
            short: (what >> 16) as u16,
            long: (what >> 32) as u32,
            wide,
        }
    }
}

/// A step is undone, a doorbell was sent, a future has a task.
const FIRST: u8 = 1;
/// A step has failed.
const SECOND: u8 = 2;

/// An event as its two words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packed {
    /// Which event, and its smaller parts.
    pub(super) what: u64,
    /// An id, or a span.
    pub(super) wide: u64,
}

impl Event<Target> {
    /// Where it is known which event it is, this is a constant and a shift or two.
    #[inline(always)]
    pub const fn pack(self) -> Packed {
        const NONE: Parts = Parts {
            kind: 0,
            flags: 0,
            short: 0,
            long: 0,
            wide: 0,
        };
        #[inline(always)]
        const fn of(kind: u8) -> Parts {
            Parts { kind, ..NONE }
        }
        #[inline(always)]
        const fn sent(kind: u8, to: Target) -> Parts {
            Parts {
                kind,
                long: to.to_bits(),
                ..NONE
            }
        }
        #[inline(always)]
        const fn interrupt(kind: u8, vector: u8) -> Parts {
            Parts {
                kind,
                short: vector as u16,
                ..NONE
            }
        }
        #[inline(always)]
        const fn step(kind: u8, of: CpuIndex, step: u16, flags: u8) -> Parts {
            Parts {
                kind,
                flags,
                short: step,
                long: of.0,
                wide: 0,
            }
        }
        #[inline(always)]
        const fn call(kind: u8, wide: u64) -> Parts {
            Parts { kind, wide, ..NONE }
        }
        #[inline(always)]
        const fn flag(is_set: bool, flag: u8) -> u8 {
            if is_set { flag } else { 0 }
        }
        let parts = match self {
            Self::Init { to } => sent(kind::INIT, to),
            Self::Sipi { to } => sent(kind::SIPI, to),
            Self::WakeRequest { to } => sent(kind::WAKE_REQUEST, to),
            Self::RealMode => of(kind::REAL_MODE),
            Self::LongMode => of(kind::LONG_MODE),
            Self::Alive => of(kind::ALIVE),
            Self::Online => of(kind::ONLINE),
            Self::StepStart {
                of,
                step: number,
                down,
            } => step(kind::STEP_START, of, number, flag(down, FIRST)),
            Self::StepEnd {
                of,
                step: number,
                down,
                failed,
            } => {
                let flags = flag(down, FIRST) | flag(failed, SECOND);
                step(kind::STEP_END, of, number, flags)
            }
            Self::IpiSend { to, vector, id } => Parts {
                short: vector as u16,
                wide: id,
                ..sent(kind::IPI_SEND, to)
            },
            Self::NmiSend { to } => sent(kind::NMI_SEND, to),
            Self::IrqEntry { vector } => interrupt(kind::IRQ_ENTRY, vector),
            Self::IrqExit { vector } => interrupt(kind::IRQ_EXIT, vector),
            Self::Doorbell { to, sent: is_sent } => Parts {
                flags: flag(is_sent, FIRST),
                ..sent(kind::DOORBELL, to)
            },
            Self::CsdQueue { to, id } => Parts {
                wide: id,
                ..sent(kind::CSD_QUEUE, to)
            },
            Self::CsdEntry { id } => call(kind::CSD_ENTRY, id),
            Self::CsdExit { id } => call(kind::CSD_EXIT, id),
            Self::CsdDrop { id } => call(kind::CSD_DROP, id),
            Self::PollStart { task: None } => of(kind::POLL_START),
            Self::PollStart { task: Some(task) } => Parts {
                kind: kind::POLL_START,
                flags: FIRST,
                long: task,
                ..NONE
            },
            Self::PollEnd => of(kind::POLL_END),
            Self::IdleStart => of(kind::IDLE_START),
            Self::IdleEnd => of(kind::IDLE_END),
            Self::ClockMoved { by_ns } => call(kind::CLOCK_MOVED, by_ns.cast_unsigned()),
        };
        parts.pack()
    }

    /// `None` for words that are no event's.
    pub(super) const fn unpack(packed: Packed) -> Option<Self> {
        let Parts {
            kind,
            flags,
            short,
            long,
            wide: id,
        } = Parts::unpack(packed);
        let to = Target::from_bits(long);
        let vector = short as u8;
        let is_first = flags & FIRST != 0;
        Some(match kind {
            kind::INIT => Self::Init { to },
            kind::SIPI => Self::Sipi { to },
            kind::WAKE_REQUEST => Self::WakeRequest { to },
            kind::REAL_MODE => Self::RealMode,
            kind::LONG_MODE => Self::LongMode,
            kind::ALIVE => Self::Alive,
            kind::ONLINE => Self::Online,
            kind::STEP_START => Self::StepStart {
                of: CpuIndex(long),
                step: short,
                down: is_first,
            },
            kind::STEP_END => Self::StepEnd {
                of: CpuIndex(long),
                step: short,
                down: is_first,
                failed: flags & SECOND != 0,
            },
            kind::IPI_SEND => Self::IpiSend { to, vector, id },
            kind::NMI_SEND => Self::NmiSend { to },
            kind::IRQ_ENTRY => Self::IrqEntry { vector },
            kind::IRQ_EXIT => Self::IrqExit { vector },
            kind::DOORBELL => Self::Doorbell { to, sent: is_first },
            kind::CSD_QUEUE => Self::CsdQueue { to, id },
            kind::CSD_ENTRY => Self::CsdEntry { id },
            kind::CSD_EXIT => Self::CsdExit { id },
            kind::CSD_DROP => Self::CsdDrop { id },
            kind::POLL_START => Self::PollStart {
                task: if is_first { Some(long) } else { None },
            },
            kind::POLL_END => Self::PollEnd,
            kind::IDLE_START => Self::IdleStart,
            kind::IDLE_END => Self::IdleEnd,
            kind::CLOCK_MOVED => Self::ClockMoved {
                by_ns: id.cast_signed(),
            },
            _ => return None,
        })
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use alloc::vec::Vec;

    use super::*;

    fn all() -> Vec<Event<Target>> {
        let (to, id, of) = (Target::One(ApicId(0xffff_fffe)), u64::MAX, CpuIndex(77));
        let (vector, step) = (0xff, u16::MAX);
        let mut all = Vec::from([
            Event::Init {
                to: Target::AllOthers,
            },
            Event::Init { to },
            Event::Sipi { to },
            Event::WakeRequest { to },
            Event::RealMode,
            Event::LongMode,
            Event::Alive,
            Event::Online,
            Event::IpiSend { to, vector, id },
            Event::NmiSend { to },
            Event::IrqEntry { vector },
            Event::IrqExit { vector },
            Event::CsdQueue { to, id },
            Event::CsdEntry { id },
            Event::CsdExit { id },
            Event::CsdDrop { id },
            Event::PollStart { task: None },
            Event::PollStart { task: Some(0) },
            Event::PollStart {
                task: Some(u32::MAX),
            },
            Event::PollEnd,
            Event::IdleStart,
            Event::IdleEnd,
            Event::ClockMoved { by_ns: i64::MIN },
        ]);
        for is_set in [false, true] {
            all.push(Event::Doorbell { to, sent: is_set });
            all.push(Event::StepStart {
                of,
                step,
                down: is_set,
            });
            for failed in [false, true] {
                all.push(Event::StepEnd {
                    of,
                    step,
                    down: is_set,
                    failed,
                });
            }
        }
        all
    }

    #[test]
    fn every_event_comes_back_from_its_two_words_and_no_two_share_them() {
        let all = all();
        let mut packed: Vec<_> = all.iter().map(|event| event.pack()).collect();
        for (event, &packed) in all.iter().zip(&packed) {
            assert_eq!(Event::unpack(packed), Some(*event));
        }
        packed.sort_unstable_by_key(|it| (it.what, it.wide));
        packed.dedup();
        assert_eq!(packed.len(), all.len());
    }

    #[test]
    fn others_are_named_in_another_way_and_nothing_else_changes() {
        for event in all() {
            assert_eq!(event.map(|to| to), event);
        }
        let named = Event::Sipi {
            to: Target::One(ApicId(3)),
        }
        .map(|_| Some(CpuIndex(2)));
        assert_eq!(
            named,
            Event::Sipi {
                to: Some(CpuIndex(2))
            }
        );
    }

    #[test]
    fn words_that_nobody_wrote_are_no_event() {
        for kind in [0, kind::CLOCK_MOVED + 1, u8::MAX] {
            let what = kind.into();
            assert_eq!(Event::unpack(Packed { what, wide: 0 }), None);
        }
    }
}
