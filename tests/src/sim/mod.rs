//! The simulator: the very code that boots, on machines that nobody here owns, in virtual time.
//!
//! [`model`] says what a machine is, and what everything costs on it.

pub mod model;
