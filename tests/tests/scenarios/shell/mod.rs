//! The shell, as a person at a terminal and a script at a pipe or a socket have it.

mod benches;
mod beside;
mod by_hand;
mod commands;
mod input;
mod interrupted;
mod live_view;
mod load;
mod pipe;
mod plugged;
pub(crate) mod pty;
mod session;
mod terminal;
mod typed;
mod wrong;
