//! `stop=N`: the machine is stopped so many times, from CPUs chosen at random, by one and by two at once,
//! with a closure that runs on one and with one that runs on all; and all others are busy meanwhile.

#[cfg(target_os = "none")]
mod rounds;
#[cfg(any(target_os = "none", test))]
mod watch;

#[cfg(target_os = "none")]
pub use rounds::{Results, run, stop_once};
