//! The host side of Reveille: prepares the machine, builds the kernel, boots it in QEMU, and
//! judges what comes of it.
//!
//! The way of a boot: [`kernel`] builds the image, [`qemu::machine`] writes the command line,
//! [`qemu::process`] starts QEMU and ends it for certain, [`guest`] follows the run, [`outcome`]
//! says what it ended as, and [`records`] what the guest measured. [`madt`] makes lists of CPUs
//! for it, right and wrong, and [`firmware`] builds what starts the kernel where QEMU has nothing that
//! does. [`terminal`] lets a person type at it. [`sim`] does without QEMU: it runs the bring-up on machines that it simulates.
//! [`mod@bench`] boots many machines and keeps what they gave.
//! [`cli`] is the command `cargo xtask` on top, and the scenarios in `tests/` use the same parts.

#![deny(unsafe_code)]

pub mod backtrace;
pub mod bays;
pub mod bench;
pub mod bootchart;
pub mod cli;
pub mod firmware;
pub mod guest;
pub mod interrupt;
pub mod kernel;
pub mod line_ends;
mod log_log;
pub mod looks;
pub mod madt;
pub mod outcome;
pub mod qemu;
pub mod records;
pub mod report;
pub mod setup;
pub mod sim;
pub mod skipped;
pub mod spread;
pub mod terminal;
pub mod trace;
