//! The live view: a screen of all CPUs, drawn anew each second from what they show.
//!
//! What is to be seen is a function ([`view`]), and what keys do to it too ([`session`]); only the waiting
//! and drawing need a machine. A refresh
//! reads what each CPU has written, once, and asks none of them: the view changes nothing but its own
//! CPU's figures.

#![forbid(unsafe_code)]

mod columns;
#[cfg(target_os = "none")]
mod drive;
pub mod plain;
pub mod screen;
pub mod scroll;
pub mod session;
pub mod view;

#[cfg(target_os = "none")]
pub use drive::{ScreenTaken, Viewer, watch, watch_plain};
