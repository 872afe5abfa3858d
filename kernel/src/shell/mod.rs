//! The shell on the serial console: a task that reads what is typed, and a task for each command.
//!
//! ```text
//!              the shell's task                          tasks of the same executor
//! UART ─▶ Input ─▶ Keys ─▶ Editor ─▶ line ─┬─▶ start ───▶ a command in front ─┐
//!   by its interrupt         │             │        └───▶ commands behind ────┼─▶ ended ─▶ what went wrong,
//!                            ▼             ▼                      ▲           │            and the next line
//!                     the footer    lines that wait               │           │
//!                                     (type_ahead)         Interruption       ▼
//!                                                        Ctrl-C, kill   Operations, by turns
//! ```
//!
//! The prompt waits for nobody: it can be typed at while commands run, and whatever they print goes above it.
//! **A task that moves CPUs is never dropped.** Ctrl-C is a wish, which a command looks at where CPUs can be
//! left; one that cannot end at once goes on behind, with its turn, and lines run again.
//!
//! At a pipe nobody looks: what fails there fails the run, unless its `exit` says otherwise (`failures.rs`).
//!
//! What a person types takes memory that is bounded, and whoever measures memory is told of it
//! (`operations/in_use.rs`).
//!
//! # The parts
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
//! What waits for what, and what is dropped, decides [`prompt::Prompt`].
//!
//! So is what is shown of the machine: the CPUs are read once, and what they showed at a moment, or at two,
//! becomes a table or a screen.
//!
//! ```text
//! CPUs ─▶ figures::Moment ─┬─▶ tables
//!                          └─▶ watch::view ─▶ watch::screen ─▶ what the terminal is sent
//! ```

pub mod command;
#[cfg(target_os = "none")]
mod commands;
pub mod completion;
#[cfg(target_os = "none")]
mod context;
mod failures;
pub mod figures;
pub mod jobs;
pub mod line;
pub mod numbers;
pub mod prompt;
#[cfg(target_os = "none")]
mod session;
pub mod tables;
#[cfg(target_os = "none")]
mod terminal;
pub mod type_ahead;
pub mod typed_keys;
pub mod watch;

#[cfg(target_os = "none")]
pub use context::Context;

pub use failures::Failures;

use command::Verdict;

/// Tasks of the executor that a shell takes: its own, and one for each command that runs.
pub const TASKS: usize = 1 + jobs::MOST;

/// How a person leaves the shell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Leave {
    /// The run ends, with this verdict or with the boot's.
    Exit(Option<Verdict>),
    /// It ends, nobody sat there, and not all went well that was asked for.
    Failed(Failures),
    /// The machine starts again.
    Reboot,
}

/// Gives a shell on the console until somebody leaves it.
///
/// # Errors
///
/// When nothing can be typed.
///
/// # Cancellation
///
/// Commands that run go on.
#[cfg(target_os = "none")]
pub async fn run(
    context: &'static Context,
    io_apics: &crate::io_apic::IoApics,
) -> Result<Leave, crate::console::input::InputError> {
    let timer = context.timer().clone();
    let input = crate::console::input::Input::open(io_apics, timer)?;
    crate::println!("shell: typed {}; `help` lists the commands", input.source());
    Ok(session::Session::new(context, input).run().await)
}
