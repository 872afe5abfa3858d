//! All CPUs of the machine: what each needs, how an AP lives, and what the CPUs do for each other.

#[cfg(any(test, target_os = "none"))]
mod added;
#[cfg(target_os = "none")]
pub mod ap;
#[cfg(target_os = "none")]
pub mod counting;
#[cfg(target_os = "none")]
mod faulty;
pub mod figures;
pub mod home;
pub mod idle;
pub mod machine;
pub mod mailbox;
pub mod metrics;
#[cfg(any(test, target_os = "none"))]
mod needless_poll;
pub mod online;
#[cfg(target_os = "none")]
mod prepare;
#[cfg(target_os = "none")]
pub mod relay;
pub mod rendezvous;
pub mod roll_call;
#[cfg(target_os = "none")]
pub mod same_page;
#[cfg(any(test, target_os = "none"))]
mod slower;
mod spawn_on;
pub mod stack;
pub mod stop_machine;
pub mod untouched;
#[cfg(any(test, target_os = "none"))]
mod wait;
pub mod waking;

#[cfg(target_os = "none")]
pub use faulty::{Faulty, StackTouched};
#[cfg(target_os = "none")]
pub use prepare::{Cpus, PrepareError, area};
pub use spawn_on::spawn_on;
