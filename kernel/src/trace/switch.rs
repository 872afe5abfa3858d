//! Whether events are noted: while somebody wants it, and nobody reads what was noted.
//!
//! One word, so that whoever notes looks at one, and a reader that has ended undoes nothing that was asked for
//! meanwhile.

use core::sync::atomic::{AtomicU32, Ordering};

/// Somebody wants them; the other bits count the readers.
const WANTED: u32 = 1 << 31;

/// The switch. Relaxed: whoever sees it late notes an event more, or fewer.
#[derive(Debug)]
pub(super) struct Switch(AtomicU32);

impl Switch {
    pub(super) const fn off() -> Self {
        Self(AtomicU32::new(0))
    }

    #[inline]
    pub(super) fn is_on(&self) -> bool {
        self.0.load(Ordering::Relaxed) == WANTED
    }

    pub(super) fn is_wanted(&self) -> bool {
        self.0.load(Ordering::Relaxed) & WANTED != 0
    }

    pub(super) fn want(&self, is_wanted: bool) {
        match is_wanted {
            true => self.0.fetch_or(WANTED, Ordering::Relaxed),
            false => self.0.fetch_and(!WANTED, Ordering::Relaxed),
        };
    }

    /// Nothing is noted until the pause is dropped.
    pub(super) fn pause(&self) -> Pause<'_> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Pause(self)
    }
}

/// Somebody reads.
#[derive(Debug)]
#[must_use]
pub struct Pause<'a>(&'a Switch);

impl Drop for Pause<'_> {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_noted_while_anybody_reads() {
        let switch = Switch::off();
        switch.want(true);
        assert!(switch.is_on());
        let (first, second) = (switch.pause(), switch.pause());
        assert!(!switch.is_on() && switch.is_wanted());
        drop(first);
        assert!(!switch.is_on());
        drop(second);
        assert!(switch.is_on());
    }

    #[test]
    fn what_is_asked_for_while_somebody_reads_holds_behind_it() {
        let switch = Switch::off();
        for is_wanted in [true, false] {
            switch.want(!is_wanted);
            let pause = switch.pause();
            switch.want(is_wanted);
            assert!(!switch.is_on());
            drop(pause);
            assert_eq!(switch.is_on(), is_wanted);
        }
    }
}
