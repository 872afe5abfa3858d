//! The live view: a screen of all CPUs, drawn anew each second from what they show.
//!
//! What is to be seen is a function ([`view`]); only the waiting and drawing need a machine. A refresh
//! reads what each CPU has written, once, and asks none of them: the view changes nothing but its own
//! CPU's figures.

#![forbid(unsafe_code)]

mod columns;
pub mod screen;
pub mod scroll;
pub mod view;
