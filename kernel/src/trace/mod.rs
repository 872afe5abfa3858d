//! What each CPU notes as it runs: the steps that it passes, always; and every event, with `trace=`.
//!
//! ```text
//!   apic, interrupts, metrics, calls ──▶ note ──▶ the Track of the CPU that calls ──▶ account.rs
//!   the ladder's steps ──▶ CpuTrace ─┬─▶ its own Track                                  records
//!                                    └─▶ Passages ──▶ the line `steps:`
//! ```
//!
//! An event goes to the ring of the CPU on which it happens, whatever it does there at that moment; an
//! interrupt and an NMI too. While nothing is traced, that costs a test of one flag. **A ring is made
//! before its CPU is kicked and never freed**: so what a CPU noted before it parked is told with the rest,
//! and nothing has to be asked before something is noted.

mod account;
pub mod asked;
pub mod calls;
mod latest;
mod passages;
mod switch;
mod track;

use alloc::vec::Vec;
use core::time::Duration;

use reveille_executor::Instant;
use reveille_smp::{
    ap::Observer,
    step::{Direction, StepError},
    trace::event::{Event, Packed, Target},
};

pub use self::{
    account::{Told, heap_to_tell, tell},
    latest::{Happened, has_tracks, latest},
    passages::{Passage, medians},
    switch::Pause,
    track::{Track, step_end, step_start},
};
use self::{passages::Passages, switch::Switch};
use crate::{percpu::PerCpu, time::read_tsc};

static SWITCH: Switch = Switch::off();

/// How long the CPUs are left alone before the trace ends: so that what was sent last is seen to arrive, as
/// a rule, and the ends of what they do. A CPU that a host keeps waiting longer has an end less.
pub const REST: Duration = Duration::from_millis(10);

/// Whether events are noted.
#[inline]
pub fn is_on() -> bool {
    SWITCH.is_on()
}

/// Whether somebody wants them, though they may be read just now.
pub fn is_wanted() -> bool {
    SWITCH.is_wanted()
}

/// From now on events are noted, by all CPUs that have a track.
pub fn begin() {
    SWITCH.want(true);
}

/// From now on none is.
pub fn end() {
    SWITCH.want(false);
}

/// None is until the pause is dropped, for somebody who reads them; then again, if that is still wanted.
pub fn pause() -> Pause<'static> {
    SWITCH.pause()
}

/// Notes an event on the CPU that calls, in any context. A CPU that has not entered its area has none to
/// note it in.
#[inline(always)]
pub fn note(event: Event<Target>) {
    if is_on() {
        note_here(event.pack());
    }
}

/// The same for an event that has an id of its own, which is returned in the place of the one that it
/// has; 0 while nothing is noted.
#[inline(always)]
pub fn note_with_id(event: Event<Target>) -> u64 {
    if is_on() {
        note_with_id_here(event.pack())
    } else {
        0
    }
}

#[cold]
fn note_here(event: Packed) {
    if let Some(track) = track_here() {
        track.note_now(event);
    }
}

#[cold]
fn note_with_id_here(event: Packed) -> u64 {
    track_here().map_or(0, |track| track.note_with_id(event))
}

fn track_here() -> Option<&'static Track> {
    PerCpu::try_current()?.trace().track.as_ref()
}

/// What one CPU notes.
#[derive(Debug)]
pub struct CpuTrace {
    passages: Passages,
    /// Only if events are asked for.
    track: Option<Track>,
}

impl CpuTrace {
    /// Of a CPU whose events are not traced.
    pub(crate) const fn new() -> Self {
        Self {
            passages: Passages::new(),
            track: None,
        }
    }

    /// Of one whose are.
    pub(crate) fn with_track(track: Track) -> Self {
        Self {
            passages: Passages::new(),
            track: Some(track),
        }
    }

    /// The steps that the CPU has noted since it was last down, the oldest first; at the end the one that
    /// it is in, if it is in one.
    pub fn passages(&self) -> Vec<Passage> {
        self.passages.read()
    }

    /// Notes an event now, on the CPU itself, in the place of [`note`] where the CPU is known.
    #[inline(always)]
    pub(crate) fn note(&self, event: Event<Target>) {
        if let Some(track) = self.noting() {
            track.note_now(event.pack());
        }
    }

    /// The track, while events are noted.
    #[inline]
    pub(crate) fn noting(&self) -> Option<&Track> {
        if is_on() { self.track.as_ref() } else { None }
    }
}

/// The CPU itself notes what it runs.
impl Observer for CpuTrace {
    fn sets_out(&self) {
        self.passages.set_out(read_tsc());
    }

    fn begins(&self, step: usize, direction: Direction) {
        let began = self.passages.begin(step, direction);
        if let Some(track) = self.noting() {
            track.step_begins(began, step, direction);
        }
    }

    fn ended(&self, step: usize, direction: Direction, result: Result<(), StepError>) {
        let now = read_tsc();
        self.passages.end(result.is_err(), now);
        if let Some(track) = self.noting() {
            track.step_ended(now, step, direction, result);
        }
    }

    fn is_alive(&self, at: Instant) {
        if let Some(track) = self.noting() {
            track.note(at, Event::Alive.pack());
        }
    }

    fn is_online(&self, at: Instant) {
        if let Some(track) = self.noting() {
            track.note(at, Event::Online.pack());
        }
    }
}
