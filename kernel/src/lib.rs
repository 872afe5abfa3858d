//! The parts of the kernel.
#![cfg_attr(not(test), no_std)]
// On the host, what only the image calls is dead code.
#![cfg_attr(not(target_os = "none"), allow(dead_code))]

extern crate alloc;

pub mod acpi;
pub mod alarm;
pub mod apic;
#[cfg(target_os = "none")]
pub mod attempts;
pub mod backtrace;
#[cfg(target_os = "none")]
pub mod bench;
pub mod boot;
pub mod calling;
pub mod calls;
pub mod command_line;
pub mod consistency;
pub mod console;
pub mod cpu_list;
pub mod cpuid;
pub mod cpus;
pub mod exit;
pub mod faults;
#[cfg(target_os = "none")]
pub mod hooks;
pub mod hotplug;
pub mod interruption;
pub mod interrupts;
pub mod io_apic;
pub mod ladder;
pub mod memory;
pub mod model;
pub mod most_attempts;
pub mod operations;
pub mod panic;
mod patience;
pub mod percpu;
pub mod platform;
pub mod probe;
pub mod protection;
pub mod records;
pub mod report;
pub mod reset;
pub mod room;
#[cfg(target_os = "none")]
pub mod run;
pub mod sci;
pub mod shell;
mod stop;
#[cfg(test)]
mod stop_model;
pub mod stops;
mod sync;
pub mod time;
pub mod topology;
pub mod trace;
pub mod vmm;
pub mod vmm_probe;
