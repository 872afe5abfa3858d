//! The pictures of the documentation: each is made from one committed file, to the byte.

use std::{fs, path::Path};

use anyhow::{Context, Result};

use super::curve;
use crate::{
    bench::results::Results,
    bootchart::{BootChart, svg},
};

/// A picture.
#[derive(Clone, Copy, Debug)]
pub struct Picture {
    /// Its file, seen from the root of the workspace.
    pub file: &'static str,
    /// What it is made from.
    pub source: &'static str,
    kind: Kind,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    /// A boot's chart, as `cargo xtask timeline --chart` writes it.
    Timeline,
    /// The results of a benchmark, as a curve for each strategy.
    Strategies,
}

/// All of them.
pub const PICTURES: &[Picture] = &[
    Picture {
        file: "docs/pictures/timeline-8.svg",
        source: "docs/results/boots/timeline-8.json",
        kind: Kind::Timeline,
    },
    Picture {
        file: "docs/pictures/timeline-fault.svg",
        source: "docs/results/boots/timeline-fault.json",
        kind: Kind::Timeline,
    },
    Picture {
        file: "docs/pictures/strategies.svg",
        source: "docs/results/strategies.jsonl",
        kind: Kind::Strategies,
    },
];

impl Picture {
    /// As it is, or empty where it is not there yet, and as the committed results have it.
    ///
    /// # Errors
    ///
    /// When the results cannot be read, or cannot be drawn.
    pub fn compared(&self, root: &Path) -> Result<[String; 2]> {
        let there = fs::read_to_string(root.join(self.file)).unwrap_or_default();
        let fresh = self.made(&root.join(self.source));
        Ok([there, fresh.with_context(|| self.file.to_owned())?])
    }

    fn made(&self, source: &Path) -> Result<String> {
        match self.kind {
            Kind::Timeline => {
                let text = fs::read_to_string(source).context(self.source)?;
                let chart: BootChart = serde_json::from_str(&text).context(self.source)?;
                Ok(svg::draw(&chart))
            }
            Kind::Strategies => curve::draw(&Results::read(source)?),
        }
    }
}
