//! The page of a report: one HTML file that works offline.
//!
//! ```text
//!   Report ──▶ text, figures, tables ──▶ HTML        readable without scripts
//!          └─▶ data, what is drawn   ──▶ JSON ──▶ js/ ──▶ charts
//! ```
//!
//! **All text and every figure is written here**, and the scripts only draw and sort: what a chart shows stands
//! below it in words. Nothing is fetched, and the page's own policy forbids it.

mod curves;
mod distributions;
mod embed;
mod figure;
mod growth;
mod headline;
mod heat;
mod licences;
mod linux;
mod machine;
mod scripts;
mod strategies;
mod summary;
mod table;
mod timeline;
mod words;

#[cfg(test)]
mod html;
#[cfg(test)]
mod sample;
#[cfg(test)]
mod tests;

pub(super) use self::curves::family;

use std::io::Write;

use anyhow::Result;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use serde::Serialize;

use super::data::Report;

/// Scripts and styles are the page's own, and nothing comes from anywhere else.
const POLICY: &str = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: blob:";

/// The sections by their ids, and what the contents call them.
const CONTENTS: [(&str, &str); 8] = [
    ("summary", "Result"),
    ("strategies", "Strategies"),
    ("growth", "Growth"),
    ("linux", "Linux"),
    ("timeline", "Timeline"),
    ("heat", "Calls"),
    ("distributions", "Distributions"),
    ("machine", "Machine"),
];

/// What is drawn, for the scripts: what a chart shows, in the order of its choices.
#[derive(Serialize)]
struct Drawn {
    stages: Vec<timeline::Drawn>,
    growth: Vec<curves::Curves>,
    linux: Option<linux::Beside>,
    timeline: Vec<timeline::Bars>,
    heat: Vec<usize>,
    distributions: Vec<distributions::Spread>,
}

/// The report as one HTML file.
///
/// # Errors
///
/// `out` takes no more.
pub fn write(report: &Report, out: &mut impl Write) -> Result<()> {
    let page = page(report)?;
    out.write_all(page.into_string().as_bytes())?;
    Ok(())
}

fn page(report: &Report) -> Result<Markup> {
    let drawn = Drawn {
        stages: timeline::stages(),
        growth: curves::curves(report),
        linux: linux::Beside::of(report),
        timeline: timeline::bars(report),
        heat: heat::drawn(report),
        distributions: distributions::spreads(report),
    };
    Ok(html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(POLICY);
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (report.title) }
                style { (PreEscaped(include_str!("page.css"))) }
            }
            body {
                a.skip href="#summary" { "Skip to the result" }
                header {
                    h1 { (report.title) }
                    nav aria-label="Contents" {
                        ul { @for (id, name) in CONTENTS { li { a href={ "#" (id) } { (name) } } } }
                    }
                }
                main {
                    (summary::section(report))
                    (strategies::section(report))
                    (growth::section(report, &drawn.growth))
                    (linux::section(report, drawn.linux.as_ref()))
                    (timeline::section(report, &drawn.timeline))
                    (heat::section(report, &drawn.heat))
                    (distributions::section(report, &drawn.distributions))
                    (machine::section(report))
                }
                footer {
                    p { "Made by " code { "cargo xtask bench report" } ". This file needs no network." }
                    (licences::folded())
                }
                (embed::data("data", report)?)
                (embed::data("drawn", &drawn)?)
                (embed::script(scripts::ECHARTS))
                @for script in scripts::OURS { (embed::script(script)) }
            }
        }
    })
}
