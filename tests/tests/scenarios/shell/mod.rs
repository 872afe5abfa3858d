//! The shell, as a person at a terminal and a script at a pipe or a socket have it.

mod pipe;
mod pty;
mod terminal;
