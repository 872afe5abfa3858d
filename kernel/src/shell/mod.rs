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

pub mod command;
pub mod completion;
pub mod figures;
pub mod line;
pub mod numbers;
pub mod tables;
pub mod watch;
