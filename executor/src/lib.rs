//! A `no_std` async executor.
#![no_std]
