//! What the kernel must do when it boots: each scenario is a test, and boots it in QEMU.
//!
//! The machines run under TCG unless a scenario is about another accelerator, so that they behave
//! the same wherever the tests run. A scenario whose name has `slow::` in it is left out by
//! `cargo xtask test --quick`.

mod alarm;
mod bare_cpu;
mod bench;
mod boot;
mod boots;
mod calls;
mod clock;
mod command;
mod command_line;
mod cycle;
mod faults;
mod features;
mod firmware;
mod gate;
mod hostile_madt;
mod hostile_tables;
mod hotplug;
mod ipi;
mod late;
mod layout;
// It looks for processes in /proc and waits for their end by pidfd.
#[cfg(target_os = "linux")]
mod left_behind;
// As it is seen in a terminal of the shell's.
#[cfg(target_os = "linux")]
mod look;
mod machine_check;
mod mailbox;
mod model;
mod operations;
mod outside;
mod perfetto;
mod registers;
mod selection;
// It looks for processes in /proc.
#[cfg(target_os = "linux")]
mod shell;
mod silent;
mod slow;
mod spawn_on;
mod steps;
mod stop;
mod strategies;
mod stuck;
mod timeline;
mod tlb;
mod topology;
mod torture;
mod trace;
mod verdicts;
mod virtual_time;
mod vmm_probe;
// It reads the threads' times in /proc.
#[cfg(target_os = "linux")]
mod waiting;
mod wake;
