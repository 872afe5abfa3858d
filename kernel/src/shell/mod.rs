//! The shell: what a person at the console asks of a machine that runs.

pub mod figures;
pub mod numbers;
pub mod tables;
pub mod watch;
