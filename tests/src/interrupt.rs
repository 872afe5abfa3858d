//! Ctrl-C and its like: a boot that runs is told to end, and so can say what it saw.
//!
//! The second signal ends us at once; the kernel then kills QEMU (see [`crate::qemu::process`]).

use std::{
    io, process,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
};

use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM},
    iterator::Signals,
};

/// Receives the signals that ask a process to end.
#[derive(Clone, Default)]
pub struct Interrupts {
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    signal: Option<i32>,
    listener: Option<Box<dyn Fn(i32) + Send>>,
    before_exit: Option<fn()>,
}

impl Interrupts {
    /// Takes over the signals from now on.
    pub fn listen() -> io::Result<Self> {
        let mut signals = Signals::new([SIGHUP, SIGINT, SIGQUIT, SIGTERM])?;
        let interrupts = Self::default();
        let to = interrupts.clone();
        thread::spawn(move || signals.forever().for_each(|signal| to.receive(signal)));
        Ok(interrupts)
    }

    /// Does what `signal` does when it comes, for one that came in another way: as a key.
    pub fn receive(&self, signal: i32) {
        let mut state = self.lock();
        if state.signal.replace(signal).is_some() {
            if let Some(before_exit) = state.before_exit {
                before_exit();
            }
            process::exit(128 + signal);
        }
        if let Some(listener) = &state.listener {
            listener(signal);
        }
    }

    /// Calls `action` before a second signal ends the process, where nothing else is done any more.
    pub fn before_exit(&self, action: fn()) {
        self.lock().before_exit = Some(action);
    }

    /// The signal that was received, if any.
    pub fn received(&self) -> Option<i32> {
        self.lock().signal
    }

    /// From now on tells `listener`, in place of an earlier one; at once if a signal came before.
    pub fn tell(&self, listener: impl Fn(i32) + Send + 'static) {
        let mut state = self.lock();
        if let Some(signal) = state.signal {
            listener(signal);
        }
        state.listener = Some(Box::new(listener));
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
