//! `cargo xtask timeline`: how the CPUs of a boot came up, as a drawing.

use std::{fs, path::PathBuf, process::ExitCode};

use anyhow::{Context, Result};
use clap::{
    Args,
    builder::{PathBufValueParser, TypedValueParser},
};

use super::{
    boot::{Boot, pictures::Pictures},
    mistake, output,
};
use crate::{bootchart::BootChart, records::Records};

pub(super) const EXAMPLES: &str = "\
Exit status: that of `run`; with --from 0, or 1 if nothing could be drawn

Examples:
  cargo xtask timeline --smp 8
  cargo xtask timeline --smp 8 --append fault=3:claimed --out fault.svg
  cargo xtask timeline --smp 255 --append bringup=two-pass
  cargo xtask run --smp 64 --append trace=on --json boot.jsonl
  cargo xtask timeline --from boot.jsonl";

#[derive(Debug, Args)]
pub(super) struct Timeline {
    #[command(flatten)]
    boot: Boot,

    /// Write the drawing to FILE
    #[arg(
        long,
        value_name = "FILE",
        default_value = "timeline.svg",
        value_parser = PathBufValueParser::new().try_map(output::path)
    )]
    out: PathBuf,

    /// Boot nothing: draw what `run --json` or --chart has written
    #[arg(
        long,
        value_name = "FILE",
        conflicts_with_all = ["MachineOptions", "json", "trace", "shell", "timeout"]
    )]
    from: Option<PathBuf>,

    /// Also write to FILE what the drawing is made from, as JSON for --from
    ///
    /// It is what the records say of the bring-up and nothing more: the pictures of the documentation are
    /// made from such files, in docs/results/boots.
    #[arg(long, value_name = "FILE", value_parser = PathBufValueParser::new().try_map(output::path))]
    chart: Option<PathBuf>,
}

impl Timeline {
    pub(super) fn execute(self) -> Result<ExitCode> {
        let pictures = Pictures {
            timeline: Some(self.out),
            chart: self.chart,
            ..Pictures::default()
        };
        let Some(from) = self.from else {
            return self.boot.execute(pictures);
        };
        let text = fs::read_to_string(&from).with_context(|| from.display().to_string())?;
        let pictures = pictures.destinations()?;
        if let Err(wrong) = pictures
            .are_apart(None)
            .and_then(|()| pictures.spare(&from))
        {
            return Ok(mistake(&wrong));
        }
        pictures.draw_chart(|| read(&text).with_context(|| from.display().to_string()))?;
        Ok(ExitCode::SUCCESS)
    }
}

/// A chart from a file that has one, or from the records of a boot.
fn read(text: &str) -> Result<BootChart> {
    let no_chart = match serde_json::from_str(text) {
        Ok(chart) => return Ok(chart),
        Err(error) => error,
    };
    if !text.contains("\"record\"") {
        let what = "it is no whole chart, and no records: `cargo xtask timeline --chart` writes the one, \
                    `cargo xtask run --json` the others";
        return Err(no_chart).context(what);
    }
    let mut records = Records::default();
    text.lines().for_each(|line| records.push(line.to_owned()));
    BootChart::of(&records)
}
