//! Calls between CPUs, used and measured: what they cost beside a bare interrupt, how long they take
//! from each CPU to each other one, and that each runs once or is reported failed.

#[cfg(target_os = "none")]
pub(crate) mod books;
#[cfg(target_os = "none")]
pub mod caller;
pub mod draw;
#[cfg(target_os = "none")]
pub(crate) mod halted;
pub mod kind;
#[cfg(target_os = "none")]
mod load;
#[cfg(target_os = "none")]
pub mod matrix;
pub mod pairs;
pub mod ping;
#[cfg(target_os = "none")]
mod results;
#[cfg(target_os = "none")]
mod round_trips;
pub mod standstill;
pub mod tokens;
pub mod watch;

#[cfg(target_os = "none")]
pub(crate) use load::interrupts_for_calls;
#[cfg(target_os = "none")]
pub use results::{planted, run};
