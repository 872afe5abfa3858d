//! The start pages of an application processor.
#![no_std]
