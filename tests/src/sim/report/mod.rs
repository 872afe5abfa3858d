//! What a person or a program gets to see of simulations: what a boot would show, from [`records`]
//! in the [`table`]; then where the time went, phase by phase ([`phases`], [`timeline`], [`why`]); how that
//! compares with what was measured on the real machine ([`parts`], [`standing`]); and what more CPUs
//! cost ([`growth`], [`plot`]).
//!
//! All of it is a function of what was simulated, and tested on simulations made by hand.

mod brought_up;
pub mod growth;
pub mod parts;
pub mod phases;
pub mod plot;
pub mod records;
pub mod standing;
pub mod table;
pub mod timeline;
pub mod why;

#[cfg(test)]
mod by_hand;

pub use brought_up::BroughtUp;
