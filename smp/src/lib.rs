//! Bring-up of the application processors (APs) of an x86_64 machine, each as a future.
//!
//! The boot processor (BSP) spawns one task per AP. A task sends INIT and SIPI, or asks by the
//! firmware's mailbox, sleeps, and is woken by the AP itself; the tasks run concurrently on one
//! executor. Then come the steps of the ladder, lowest living CPU first where one must be serialised;
//! the same way leads down again, and from any rung to any other.
//!
//! The crate knows no hardware: it sees the machine through [`Machine`](machine::Machine), which a kernel
//! implements over its APICs and a test over a model. The order of reading is [`madt`] (who is
//! listed), [`selection`] and [`plan`] (who is woken), [`step`], [`ladder`] and [`instances`] (what is
//! done for each), [`state`] and [`slot`] (what the BSP and an AP share),
//! [`bringup`] (the BSP's side), [`ap`] (the AP's side), [`inbox`] and [`remote`] (the tasks that
//! CPUs send each other), [`call`] (what they let each other run at once), [`changes`] (what none of them
//! may miss), [`clock_line`] and [`clock_offset`] (how their clocks compare), [`hotplug`] (those that come
//! and go while the system runs), [`rendezvous`] (all stop, some work), [`probe`]
//! (what one does that does not answer), [`trace`] (what each CPU notes as it runs), [`contender`]
//! (who is measured beside whom), [`record`],
//! [`stage`], [`table`], [`look`], [`summary`], [`cpu_states`] and [`deviations`] (what a person or a program gets to see).
#![no_std]
// But for calls that borrow from their caller (`call/lent.rs`).
#![cfg_attr(not(loom), deny(unsafe_code))]

extern crate alloc;

pub mod ap;
mod baton;
pub mod bringup;
pub mod call;
pub mod call_summary;
pub mod changes;
pub mod clock_line;
pub mod clock_offset;
pub mod contender;
pub mod cpu;
pub mod cpu_states;
pub mod deviations;
mod entries;
mod errand;
mod explain;
pub mod gate;
pub mod hotplug;
pub mod inbox;
pub mod injection;
pub mod instances;
pub mod ipi_table;
pub mod ladder;
pub mod lines;
pub mod look;
#[cfg(all(test, loom))]
mod loom_call;
#[cfg(all(test, loom))]
mod loom_changes;
#[cfg(all(test, loom))]
mod loom_clock;
#[cfg(all(test, loom))]
mod loom_inbox;
#[cfg(all(test, loom))]
mod loom_mailbox;
#[cfg(all(test, loom))]
mod loom_probe;
#[cfg(all(test, loom))]
mod loom_rendezvous;
#[cfg(all(test, loom))]
mod loom_slot;
#[cfg(all(test, loom))]
mod loom_trace;
#[cfg(all(test, loom))]
mod loom_turn;
pub mod machine;
pub mod madt;
pub mod mailbox;
mod notes;
pub mod order;
pub mod outcome;
mod permission;
mod places;
pub mod plan;
#[cfg(all(feature = "preemption", not(loom)))]
pub mod preemption;
pub mod probe;
pub mod progress;
pub mod ranges;
pub mod record;
pub mod remote;
pub mod rendezvous;
pub mod require;
pub mod round;
pub mod selection;
pub mod siblings;
pub mod slot;
pub mod spread;
pub mod srat;
pub mod stage;
mod stamp;
pub mod state;
pub mod states;
pub mod step;
pub mod strategy;
pub mod summary;
mod sync;
pub mod table;
pub mod trace;
mod trust;
mod turn;
pub mod vmm_probe_table;
pub mod wiring;
