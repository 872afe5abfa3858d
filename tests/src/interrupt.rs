//! Ctrl-C and its like: a boot that runs is told to end, and so can say what it saw.
//!
//! The second signal ends us at once; the kernel then kills QEMU (see [`crate::qemu::process`]).

use std::{
    io, process,
    sync::{Arc, Mutex, PoisonError},
    thread,
};

use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGTERM},
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
}

impl Interrupts {
    /// Takes over the signals from now on.
    pub fn listen() -> io::Result<Self> {
        let mut signals = Signals::new([SIGHUP, SIGINT, SIGTERM])?;
        let interrupts = Self::default();
        let state = Arc::clone(&interrupts.state);
        thread::spawn(move || {
            for signal in signals.forever() {
                let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
                if state.signal.replace(signal).is_some() {
                    process::exit(128 + signal);
                }
                if let Some(listener) = &state.listener {
                    listener(signal);
                }
            }
        });
        Ok(interrupts)
    }

    /// The signal that was received, if any.
    pub fn received(&self) -> Option<i32> {
        self.state
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .signal
    }

    /// From now on tells `listener`, in place of an earlier one; at once if a signal came before.
    pub fn tell(&self, listener: impl Fn(i32) + Send + 'static) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(signal) = state.signal {
            listener(signal);
        }
        state.listener = Some(Box::new(listener));
    }
}
