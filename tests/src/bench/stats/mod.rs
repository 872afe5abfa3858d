//! What figures of several boots say, and how surely.
//!
//! ```text
//!   rounds of a boot ──▶ a value a boot ──┬─▶ median, and where it lies ──▶ summary, for reports
//!                        (median, ratio)  └─▶ shift between two sets ──▶ verdict ──▶ comparison
//! ```
//!
//! **The unit is the boot.** What a host does to a guest lasts longer than a round, so rounds of one boot
//! resemble each other more than those of another; to count them as independent would make every interval
//! too narrow. Nothing here assumes a distribution.

pub mod compare;
pub mod judge;
mod matched;
pub mod measure;
pub mod median;
#[cfg(test)]
mod noise;
mod ranks;
pub mod ratio;
mod shift;
pub mod summary;
