//! Bring-up of application processors.
#![no_std]
