//! What is done with CPUs after the bring-up: they go down and come back, are driven to any rung of
//! the ladder, and are told to fail there.
//!
//! What an operation means, what is to come of it, and whether that has come, are pure functions of
//! what the CPUs show, and tested on the host; only the driving itself is not.

pub mod account;
#[cfg(target_os = "none")]
mod cycle;
pub mod draw;
#[cfg(target_os = "none")]
pub(crate) mod in_use;
#[cfg(test)]
pub(crate) mod ladder_for_tests;
pub mod listing;
pub mod model;
pub mod one_way;
pub mod op;
#[cfg(target_os = "none")]
mod perform;
#[cfg(target_os = "none")]
mod plugging;
pub mod resolve;
#[cfg(target_os = "none")]
mod results;
pub mod rules;
#[cfg(target_os = "none")]
mod settle;
#[cfg(target_os = "none")]
mod torture;
#[cfg(target_os = "none")]
mod turn;
pub mod verdict;

#[cfg(target_os = "none")]
pub use perform::{Done, Operations};
