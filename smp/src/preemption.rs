//! Where another CPU may come in between: in front of each access to a word that CPUs share.
//!
//! A simulator that runs the CPUs one at a time hears of each such place, and may let others go on
//! there. So it tries orders that a boot meets once in a million. Without the feature `preemption`
//! the words are the plain atomics, and none of this exists.

use core::{ops::Deref, sync::atomic};

use spin::Once;

static HOOK: Once<fn()> = Once::new();

/// Calls `hook` in front of each access from now on. Only the first hook counts.
pub fn on_each_access(hook: fn()) {
    HOOK.call_once(|| hook);
}

fn pass() {
    if let Some(hook) = HOOK.get() {
        hook();
    }
}

/// A word that CPUs share. Each use of it derefs to the plain one, and so passes here.
#[derive(Debug)]
#[repr(transparent)]
pub(crate) struct Watched<T>(T);

impl<T> Deref for Watched<T> {
    type Target = T;

    fn deref(&self) -> &T {
        pass();
        &self.0
    }
}

pub(crate) type AtomicU16 = Watched<atomic::AtomicU16>;
pub(crate) type AtomicU32 = Watched<atomic::AtomicU32>;
pub(crate) type AtomicU64 = Watched<atomic::AtomicU64>;
pub(crate) type AtomicWaker = Watched<futures_util::task::AtomicWaker>;

impl AtomicU16 {
    pub(crate) const fn new(value: u16) -> Self {
        Self(atomic::AtomicU16::new(value))
    }
}

impl AtomicU32 {
    pub(crate) const fn new(value: u32) -> Self {
        Self(atomic::AtomicU32::new(value))
    }
}

impl AtomicU64 {
    pub(crate) const fn new(value: u64) -> Self {
        Self(atomic::AtomicU64::new(value))
    }
}

impl AtomicWaker {
    pub(crate) const fn new() -> Self {
        Self(futures_util::task::AtomicWaker::new())
    }
}
