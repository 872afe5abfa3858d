//! Marks of the boot's progress on port 0x80: a byte each, written when a station is reached, so that
//! whoever plays the machine can tell when that was by his own clock.
//!
//! Cloud Hypervisor logs every byte that is written there with the time since it began to make the machine
//! (`devices/src/legacy/debug_port.rs`); 0x40 to 0x5f are the kernel's. Elsewhere the port is a display of
//! the firmware's, or nobody's: a write changes nothing. It is never read: that is an error to Cloud
//! Hypervisor.
//!
//! **Each mark is written once and in this order**, and of the two that end a run the first alone, whatever
//! comes later. A station that is not reached has none: with one CPU nobody is kicked, and where an AP is missing
//! [`Station::Incomplete`] takes the place of [`Station::Online`]. One mark can come out of its order: an AP that
//! is the last to be alive, at the very moment at which the BSP gives it up, may write [`Station::Alive`] behind
//! [`Station::Incomplete`].

use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use reveille_executor::Instant;
use reveille_smp::{
    ap::Observer,
    step::{Direction, StepError},
};
use strum::{EnumIter, IntoEnumIterator, IntoStaticStr};
use x86_64::instructions::port::PortWriteOnly;

use super::{
    alive_count::{AliveCount, Counted},
    sync::AtomicU32,
};
use crate::time::{TscClock, read_tsc};

/// The port of the marks.
const PORT: u16 = 0x80;

/// What can be reached, and the byte that says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, IntoStaticStr)]
#[strum(serialize_all = "kebab-case")]
#[repr(u8)]
pub enum Station {
    /// The command line was read, which asks for marks: the first that the kernel can know of them.
    Entry = 0x40,
    /// All is prepared, and the first AP is about to be kicked.
    Kick = 0x41,
    /// The last AP runs in Rust, with its own tables and APIC. It writes the mark itself.
    Alive = 0x42,
    /// All APs are online.
    Online = 0x43,
    /// Every outcome is known, and not all APs are online.
    Incomplete = 0x44,
    /// The run has ended well.
    Ok = 0x5e,
    /// It has failed.
    Failed = 0x5f,
}

impl Station {
    /// The byte.
    pub const fn code(self) -> u8 {
        self as u8
    }
}

/// Whether marks are asked for. Relaxed: set on the BSP before there is an AP.
static IS_ON: AtomicBool = AtomicBool::new(false);

/// APs of the boot's own bring-up.
static ALIVE: AliveCount = AliveCount::in_word(AtomicU32::new(AliveCount::NOBODY));

/// Whether an AP wrote [`Station::Alive`]. Relaxed: only the BSP writes and reads it.
static WERE_ALL_ALIVE: AtomicBool = AtomicBool::new(false);

/// Whether the mark of the end was written. Relaxed: it stands for itself, and of several CPUs that end the run
/// one finds it `false`.
static HAS_ENDED: AtomicBool = AtomicBool::new(false);

/// A count of the TSC at which the BSP wrote a mark, or 0. Relaxed: only the BSP writes and reads them.
static WRITTEN: [AtomicU64; Station::Failed.code() as usize - FIRST + 1] =
    [const { AtomicU64::new(0) }; Station::Failed.code() as usize - FIRST + 1];

const FIRST: usize = Station::Entry.code() as usize;

/// Marks are asked for: writes the first one.
pub fn begin() {
    IS_ON.store(true, Ordering::Relaxed);
    reach(Station::Entry);
}

/// Whether marks are written.
pub fn are_on() -> bool {
    IS_ON.load(Ordering::Relaxed)
}

/// So many APs are about to be kicked. On the BSP.
pub fn kick(aps: u32) {
    if are_on() && aps > 0 {
        ALIVE.expect(aps);
        reach(Station::Kick);
    }
}

/// An AP's part in [`Station::Alive`]: it hears on the AP that this is alive. It counts once, also where the AP
/// is tried again that was alive before. Neither locks nor allocates.
#[derive(Debug)]
pub struct ApMark(Counted);

impl ApMark {
    /// Of an AP that was never kicked.
    pub(crate) const fn new() -> Self {
        Self(Counted::in_word(AtomicBool::new(false)))
    }
}

impl Observer for ApMark {
    fn sets_out(&self) {}

    fn begins(&self, _: usize, _: Direction) {}

    fn ended(&self, _: usize, _: Direction, _: Result<(), StepError>) {}

    fn is_alive(&self, _: Instant) {
        if ALIVE.is_last(&self.0) {
            write(Station::Alive);
        }
    }
}

/// The bring-up is over, and all APs are online or not. On the BSP.
pub fn brought_up(all: bool) {
    WERE_ALL_ALIVE.store(ALIVE.stop(), Ordering::Relaxed);
    reach(match all {
        true => Station::Online,
        false => Station::Incomplete,
    });
}

/// The run ends. On any CPU, whatever has happened; neither locks nor allocates. Once it has ended, what
/// befalls a machine that goes on leaves no mark.
pub fn end(well: bool) {
    if are_on() && !HAS_ENDED.swap(true, Ordering::Relaxed) {
        write(match well {
            true => Station::Ok,
            false => Station::Failed,
        });
    }
}

/// Whether an AP was the last to be alive, and wrote the mark of that.
pub fn were_all_alive() -> bool {
    WERE_ALL_ALIVE.load(Ordering::Relaxed)
}

/// When the BSP wrote which marks, in their order.
pub fn written(clock: TscClock) -> impl Iterator<Item = (Station, Instant)> {
    Station::iter().filter_map(
        move |station| match place(station).load(Ordering::Relaxed) {
            0 => None,
            count => Some((station, clock.instant_of(count))),
        },
    )
}

/// The BSP has reached a station.
fn reach(station: Station) {
    if are_on() {
        write(station);
        place(station).store(read_tsc(), Ordering::Relaxed);
    }
}

fn place(station: Station) -> &'static AtomicU64 {
    &WRITTEN[usize::from(station.code()) - FIRST]
}

fn write(station: Station) {
    // SAFETY: the port belongs to a display for such bytes or to nobody; a write touches no memory.
    unsafe { PortWriteOnly::new(PORT).write(station.code()) };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mark_is_a_byte_that_cloud_hypervisor_takes_for_the_kernels() {
        let codes: Vec<u8> = Station::iter().map(Station::code).collect();
        assert!(codes.is_sorted_by(|a, b| a < b), "{codes:x?}");
        assert!(codes.iter().all(|code| (0x40..=0x5f).contains(code)));
    }

    #[test]
    fn as_long_as_nobody_asks_for_marks_none_is_written() {
        // In a program a write to a port is a fault.
        kick(3);
        ApMark::new().is_alive(Instant::ZERO);
        brought_up(true);
        end(true);
        assert_eq!(written(TscClock::new(1_000_000_000, 0)).count(), 0);
    }
}
