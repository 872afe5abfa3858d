//! Calls between CPUs, on a machine whose CPUs are threads.

mod blocking;
mod machine;
mod offline;
mod one_thread;
mod threads;
