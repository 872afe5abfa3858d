//! `test=`: what a test wants to go wrong, or to be tried.

#![forbid(unsafe_code)]

use strum::{EnumString, VariantNames};

/// A fault that a test asks for, or something else that a boot does not do by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumString, VariantNames)]
#[strum(serialize_all = "kebab-case")]
pub enum TestHook {
    /// The BSP panics.
    PanicBsp,
    /// An AP panics.
    PanicAp,
    /// An AP panics while it holds the console's lock.
    PanicApConsole,
    /// The BSP raises an exception.
    ExceptionBsp,
    /// An AP raises an exception.
    ExceptionAp,
    /// The BSP runs into the guard page of its stack.
    StackOverflowBsp,
    /// An AP runs into the guard page of its stack.
    StackOverflowAp,
    /// The kernel never ends.
    Hang,
    /// An exception with no handler left: the machine resets.
    TripleFault,
    /// APs say that they are alive, and wake nobody.
    NoWake,
    /// A step more, in which each AP waits for a millisecond, one after the other.
    WaitSerialised,
    /// The same, all at once.
    WaitConcurrent,
    /// A bring-up takes a tenth longer, for the work of whoever comes last.
    Slower,
    /// A task goes over all CPUs, each of which sends it to the next one.
    Relay,
    /// A little memory is lost in every cycle, and in every random operation.
    Leak,
    /// The last AP comes too late to the first rendezvous.
    LateRendezvous,
    /// An AP panics in the first rendezvous, while all others stand.
    PanicRendezvous,
    /// The last CPU comes too late to the first stop of the machine.
    LateStop,
    /// The last AP gets no SIPI in the first round of the bare bring-up.
    BareMiss,
    /// An AP takes no interrupts for long, and is called meanwhile.
    StuckCall,
    /// An AP is called, and is long at it.
    SlowCall,
    /// The interrupt by which an AP is called is lost.
    LostCallIpi,
    /// An AP reads the counter of an HPET, which was for the boot alone.
    TouchHpet,
    /// All CPUs read memory whose addresses lead elsewhere meanwhile.
    Tlb,
    /// The same, and CPUs keep their translations.
    NoFlush,
    /// The last AP does not come to the end of what all run while the machine is stopped.
    HangInStop,
    /// Hot-plug looks now and then, though the machine would tell it.
    HotplugPoll,
    /// Some of the random operations fail though nothing is known of it.
    Unforeseen,
    /// Some of the calls that are accounted for run twice.
    CallTwice,
    /// Some of the calls that are accounted for do not run though they are said to have.
    CallLost,
}
