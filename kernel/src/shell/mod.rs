//! The shell on the serial console.
//!
//! What is typed, and what it means, is pure and tested on the host: bytes become keys, keys a line,
//! and the line a command.
//!
//! ```text
//! bytes ─▶ line::Keys ─▶ line::Editor ─▶ command::parse ─▶ Invocation
//!                          │      ▲
//!                          ▼      └── completion::Completions, which knows the grammar and the names
//!                        the footer
//! ```
//!
//! So is what is shown of the machine: the CPUs are read once, and what they showed at a moment, or at two,
//! becomes a table or a screen.
//!
//! ```text
//! CPUs ─▶ figures::Moment ─┬─▶ tables
//!                          └─▶ watch::view ─▶ watch::screen ─▶ what the terminal is sent
//! ```

pub mod command;
pub mod completion;
pub mod figures;
pub mod jobs;
pub mod line;
pub mod numbers;
pub mod tables;
pub mod type_ahead;
pub mod typed_keys;
pub mod watch;
