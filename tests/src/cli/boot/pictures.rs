//! What is drawn of a boot when it has ended: its trace, its timeline, and the chart that this is drawn from.

use std::{
    io::Write,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, anyhow, bail, ensure};

use super::say;
use crate::{
    bootchart::{BootChart, svg},
    cli::output::Destination,
    records::Records,
    trace::Drawing,
};

/// The files that pictures go to.
pub(in crate::cli) type Pictures = Each<PathBuf>;

/// The same, and each can be written.
pub(super) type Destinations = Each<Destination>;

/// Something for each picture that is wanted.
#[derive(Debug)]
pub(in crate::cli) struct Each<T> {
    /// For Perfetto.
    pub(in crate::cli) trace: Option<T>,
    /// The SVG.
    pub(in crate::cli) timeline: Option<T>,
    /// What it is drawn from, as JSON.
    pub(in crate::cli) chart: Option<T>,
}

impl<T> Default for Each<T> {
    fn default() -> Self {
        Self {
            trace: None,
            timeline: None,
            chart: None,
        }
    }
}

impl<T> Each<T> {
    /// By the options that name them.
    fn named(&self) -> impl Iterator<Item = (&'static str, &T)> {
        let all = [
            ("--trace", &self.trace),
            ("the timeline", &self.timeline),
            ("--chart", &self.chart),
        ];
        all.into_iter()
            .filter_map(|(name, it)| Some((name, it.as_ref()?)))
    }

    /// Whether a trace makes more of what is wanted.
    pub(super) fn want_a_trace(&self) -> bool {
        self.timeline.is_some() || self.chart.is_some()
    }

    /// Whether anything is wanted.
    pub(super) fn are_any(&self) -> bool {
        self.named().next().is_some()
    }
}

impl Pictures {
    /// These, and the trace if it is wanted.
    pub(super) fn with_trace(self, trace: Option<PathBuf>) -> Self {
        Self { trace, ..self }
    }

    /// Looks whether all of them can be written.
    ///
    /// # Errors
    ///
    /// One cannot.
    pub(in crate::cli) fn destinations(self) -> Result<Destinations> {
        let destination = |path: Option<PathBuf>| path.map(Destination::new).transpose();
        Ok(Each {
            trace: destination(self.trace)?,
            timeline: destination(self.timeline)?,
            chart: destination(self.chart)?,
        })
    }
}

impl Destinations {
    /// Looks whether none replaces a file that is read.
    ///
    /// # Errors
    ///
    /// One does.
    pub(in crate::cli) fn spare(&self, from: &Path) -> Result<()> {
        let lost = self.named().find(|(_, it)| it.replaces(from));
        let name = lost.map_or("", |(name, _)| name);
        ensure!(
            lost.is_none(),
            "{name} would replace {}, which --from reads",
            from.display()
        );
        Ok(())
    }

    /// Looks whether two would be written to one file, `json` among them.
    ///
    /// # Errors
    ///
    /// There are two.
    pub(in crate::cli) fn are_apart(&self, json: Option<&Destination>) -> Result<()> {
        let all = json.map(|json| ("--json", json)).into_iter();
        let all: Vec<_> = all.chain(self.named()).collect();
        let mut pairs =
            (0..all.len()).flat_map(|one| (one + 1..all.len()).map(move |it| (one, it)));
        let Some((one, other)) = pairs.find(|&(one, other)| all[one].1.is(all[other].1)) else {
            return Ok(());
        };
        bail!(
            "{} and {} cannot both be written to {}",
            all[one].0,
            all[other].0,
            all[other].1.path().display()
        )
    }

    /// Draws all of them, as far as the records have what they need.
    ///
    /// # Errors
    ///
    /// What could not be drawn or written; the others are.
    pub(super) fn draw(&self, records: &Records) -> Result<()> {
        let trace = self.trace.as_ref();
        let trace = trace.map_or(Ok(()), |it| draw_trace(it, records));
        let chart = match self.want_a_trace() {
            true => self.draw_chart(|| BootChart::of(records)),
            false => Ok(()),
        };
        both(trace, chart)
    }

    /// Draws a chart.
    ///
    /// # Errors
    ///
    /// There is none, or it cannot be written. The picture may be there all the same, or what it is drawn from.
    pub(in crate::cli) fn draw_chart(
        &self,
        chart: impl FnOnce() -> Result<BootChart>,
    ) -> Result<()> {
        let wanted = [&self.timeline, &self.chart].into_iter().flatten();
        let paths: Vec<_> = wanted.map(|it| it.path().display().to_string()).collect();
        let chart = chart().with_context(|| {
            format!(
                "{} {} not written",
                paths.join(" and "),
                if paths.len() == 1 { "was" } else { "were" }
            )
        })?;
        let timeline = self.timeline.as_ref().map_or(Ok(()), |to| {
            write(to, &svg::draw(&chart))?;
            say(format_args!("timeline: {}", to.path().display()));
            Ok(())
        });
        let chart = self.chart.as_ref().map_or(Ok(()), |to| {
            write(to, &format!("{}\n", serde_json::to_string(&chart)?))
        });
        both(timeline, chart)
    }
}

/// What went wrong with the one, the other, or each of them.
fn both(one: Result<()>, other: Result<()>) -> Result<()> {
    match (one, other) {
        (Err(one), Err(other)) => Err(anyhow!("{one:#}; {other:#}")),
        (one, other) => one.and(other),
    }
}

fn write(destination: &Destination, text: &str) -> Result<()> {
    let mut output = destination.open()?;
    let written = output.write_all(text.as_bytes());
    written
        .and_then(|()| output.keep())
        .with_context(|| format!("cannot write {}", destination.path().display()))
}

/// Draws what the kernel wrote of its trace, and says what there is to see.
fn draw_trace(destination: &Destination, records: &Records) -> Result<()> {
    let path = destination.path().display();
    let drawing = Drawing::of(records).with_context(|| format!("{path} was not written"))?;
    let mut output = destination.open()?;
    let written = drawing.write(&mut output);
    written
        .and_then(|()| Ok(output.keep()?))
        .with_context(|| format!("cannot write {path}"))?;
    say(format_args!("trace: {drawing}"));
    say(format_args!(
        "to see it, open {path} at https://ui.perfetto.dev"
    ));
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    const CHART: &str = include_str!("../../../../docs/results/boots/timeline-8.json");

    #[test]
    fn what_can_be_written_is_and_all_that_cannot_is_told() {
        for (lost, told) in [
            (&["a"][..], vec!["a/boot.svg"]),
            (&["b"], vec!["b/boot.json"]),
            (&["a", "b"], vec!["a/boot.svg", "b/boot.json"]),
        ] {
            let folder = tempfile::tempdir().expect("a folder");
            let at = |name: &str| folder.path().join(name);
            for it in ["a", "b"] {
                fs::create_dir(at(it)).expect("a folder");
            }
            let files = ["a/boot.svg", "b/boot.json"];
            let pictures = Pictures {
                timeline: Some(at(files[0])),
                chart: Some(at(files[1])),
                ..Pictures::default()
            };
            let destinations = pictures.destinations().expect("they can be written");
            for it in lost {
                fs::remove_dir(at(it)).expect("it is empty");
            }
            let drawn = destinations.draw_chart(|| Ok(serde_json::from_str(CHART)?));
            let error = drawn.expect_err("a folder is gone").to_string();
            for file in files {
                assert_eq!(error.contains(file), told.contains(&file), "{error}");
                assert_eq!(at(file).exists(), !told.contains(&file), "{file}");
            }
        }
    }
}
