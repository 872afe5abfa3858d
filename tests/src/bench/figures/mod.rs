//! The figures and pictures that the documentation shows: made by a command from results that are committed, so that anybody
//! can make them again, and a test can tell that nobody wrote one by hand.

mod curve;
mod headline;
mod page;
mod pictures;

use std::{fs, path::Path};

use anyhow::{Context, Result, bail};

pub use self::{
    page::{Wanted, outside, refreshed},
    pictures::{PICTURES, Picture},
};
use super::{growth, linux, report::Markdown, results::Results, stats::summary::Summary};

/// The pages that name figures, seen from the root of the workspace.
pub const PAGES: &[&str] = &["README.md", "BENCHMARKS.md", "docs/vmm.md"];

/// A page as it is, and as the committed results have it.
///
/// # Errors
///
/// When the page or the results of a block cannot be read, or a block asks for what there is not.
pub fn page(root: &Path, name: &str) -> Result<[String; 2]> {
    let text = fs::read_to_string(root.join(name)).context(name.to_owned())?;
    let fresh = refreshed(&text, |wanted| made(root, wanted)).context(name.to_owned())?;
    Ok([text, fresh])
}

/// A block.
fn made(root: &Path, wanted: Wanted<'_>) -> Result<String> {
    let Wanted { kind, file } = wanted;
    let path = root.join(file);
    Ok(match kind {
        "console" => {
            let text = fs::read_to_string(&path).context(file.to_owned())?;
            format!("```text\n{}\n```", text.trim_end())
        }
        "strategies" => {
            let results = Results::read(&path)?;
            let summary = Summary::of(&results);
            format!("{}\n\n{}", origin(&results), Markdown(&summary))
        }
        "linux" => {
            let results = Results::read(&path)?;
            let report = linux::report::Report {
                header: &results.header,
                runs: &results.runs,
            };
            format!(
                "{}\n\n```text\n{}\n```",
                origin(&results),
                report.to_string().trim_end()
            )
        }
        "growth" => {
            let results = Results::read(&path)?;
            let report = growth::words::Report(&growth::points::sizes(&results)).to_string();
            format!(
                "{}\n\n```text\n{}\n```",
                origin(&results),
                report.trim_end()
            )
        }
        "published" => headline::published(&Results::read(&path)?)?,
        "beside-linux" => headline::beside_linux(&Results::read(&path)?)?,
        other => bail!("there is no kind of figures `{other}`"),
    })
}

/// When and where, of what, by which command.
fn origin(results: &Results) -> String {
    let header = &results.header;
    let day = header.started.split('T').next().unwrap_or_default();
    format!(
        "{day}, QEMU {}, host: {} CPUs ({}), {}; Reveille {}.\n\n```text\n{}\n```",
        header.qemu,
        header.host.cpus,
        header.host.cpu,
        header.host.system,
        header.reveille,
        header.command
    )
}
