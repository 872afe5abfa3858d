//! The simulator: the very code that boots, on machines that nobody here owns, in virtual time.
//!
//! A discrete-event simulation. Each simulated CPU is a coroutine on a stack of its own (`fiber`)
//! that runs what it runs in a boot: the BSP drives a `BringUp` on its executor, an AP goes through
//! `life::live` into [`reside`](reveille_smp::ap::reside) on its own. Wherever that code
//! touches the machine, through [`Machine`](reveille_smp::machine::Machine), its executor's platform,
//! a step of the ladder, or a word that CPUs share, time may pass, and other CPUs go on (`world`).
//!
//! CPUs call each other by the queues of `smp`, over interrupts that are simulated ([`call`]).
//! [`model`] says what a machine is and what everything costs on it, `fault` what may be wrong with
//! its CPUs, `rules` what must hold all the same, [`report`] what a person sees of it, and
//! [`schedule`] looks for what breaks the rules. One thread, no clock of the host, nothing in
//! an order that could change: a seed always gives the same simulation.

mod agenda;
pub mod call;
mod cpu;
mod fault;
mod fiber;
mod life;
mod machine;
pub mod model;
mod platform;
pub mod report;
mod rules;
pub mod schedule;
mod share;
mod simulate;
mod steps;
mod wait;
mod world;

use std::{fmt, time::Duration};

use reveille_executor::Instant;

pub use fault::{Fault, KINDS as FAULT_KINDS};
pub use rules::{Broken, Rule};
pub use simulate::{Done, Operation, Setup, Simulated, Simulator};

/// When simulations begin. Not at zero, as a clock may be behind.
const EPOCH: Instant = Instant::from_nanos(1_000_000_000);

/// Something that happened to a CPU or that a CPU did, for whoever looks for a bug.
#[derive(Clone, Debug)]
pub struct Happened {
    /// When, from the beginning of the simulation.
    pub at: Duration,
    /// To which CPU, by its number.
    pub cpu: usize,
    /// What.
    pub what: String,
}

impl fmt::Display for Happened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let us = self.at.as_nanos() as f64 / 1_000.0;
        write!(f, "{us:14.3} us  CPU {:<4} {}", self.cpu, self.what)
    }
}

/// A time in which a CPU was busy, or something was under way to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// Whose processor it took, by its number; what is under way takes none, and stands at the CPU
    /// that it comes to.
    pub cpu: usize,
    /// What was done: the name of a step, or of a cost.
    pub what: &'static str,
    /// For which CPU.
    pub for_cpu: usize,
    /// From then on.
    pub start: Instant,
    /// Until then.
    pub end: Instant,
}
