//! What is drawn of a boot when it has ended: its trace, its timeline, and the chart that this is drawn from.

use std::{io::Write, path::PathBuf};

use anyhow::{Context, Result};

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

/// A destination, and what says that something goes there.
type Named<'a> = (&'static str, &'a Destination);

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
    /// Two that would be written to one file, `json` among them.
    pub(super) fn clash<'a>(&'a self, json: Option<&'a Destination>) -> Option<[Named<'a>; 2]> {
        let all = json.map(|json| ("--json", json)).into_iter();
        let all: Vec<_> = all.chain(self.named()).collect();
        let mut pairs =
            (0..all.len()).flat_map(|one| (one + 1..all.len()).map(move |it| (one, it)));
        pairs
            .find(|&(one, other)| all[one].1.is(all[other].1))
            .map(|(one, other)| [all[one], all[other]])
    }

    /// Draws all of them, as far as the records have what they need.
    ///
    /// # Errors
    ///
    /// The first that could not be drawn or written; the others are.
    pub(super) fn draw(&self, records: &Records) -> Result<()> {
        let trace = self.trace.as_ref();
        let trace = trace.map_or(Ok(()), |it| draw_trace(it, records));
        let chart = match self.want_a_trace() {
            true => self.draw_chart(|| BootChart::of(records)),
            false => Ok(()),
        };
        trace.and(chart)
    }

    /// Draws a chart.
    ///
    /// # Errors
    ///
    /// There is none, or it cannot be written.
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
        if let Some(timeline) = &self.timeline {
            write(timeline, &svg::draw(&chart))?;
            eprintln!("xtask: timeline: {}", timeline.path().display());
        }
        if let Some(to) = &self.chart {
            write(to, &format!("{}\n", serde_json::to_string(&chart)?))?;
        }
        Ok(())
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
    eprintln!("xtask: trace: {drawing}");
    eprintln!("xtask: to see it, open {path} at https://ui.perfetto.dev");
    Ok(())
}
