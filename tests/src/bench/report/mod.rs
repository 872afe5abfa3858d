//! Results for people, and for their spreadsheets.
//!
//! **No figure stands alone**: beside each median is where it lies, of how many boots it is, how many failed,
//! and whether the host was busy meanwhile. All reports are made from [`Summary`], so they cannot disagree.

mod comparison;
mod csv;
mod figures;
mod files;
mod markdown;
mod terminal;

#[cfg(test)]
pub(super) mod by_hand;

pub use self::{
    comparison::Verdicts,
    csv::write_csv,
    files::{COMMA_SEPARATED, MARKDOWN, write_files},
    markdown::Markdown,
    terminal::Tables,
};

#[expect(unused_imports, reason = "named in this module's documentation")]
use super::stats::summary::Summary;
