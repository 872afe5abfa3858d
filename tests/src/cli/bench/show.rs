//! What was measured, as a table for a terminal.

use std::{io::Write, process::ExitCode};

use anyhow::Result;
use comfy_table::{CellAlignment, Table, presets};
use reveille_smp::table::median;

use crate::bench::results::{Results, Samples};

/// Writes a row for each machine: the median of its boots, each of which is the median of its rounds.
pub(super) fn table(out: &mut dyn Write, results: &Results) -> Result<ExitCode> {
    let names = &results.header.strategies;
    let mut table = Table::new();
    let header = ["ms".to_owned(), "boots".to_owned()].into_iter();
    table
        .load_style(presets::NOTHING)
        .set_header(header.chain(names.iter().cloned()));
    for machine in &results.header.plan {
        let runs: Vec<_> = results
            .ok_runs()
            .filter(|run| run.machine == *machine)
            .collect();
        let of = |name: &String| {
            let boots = runs.iter().filter_map(|run| boot(run.samples.get(name)?));
            match median(&mut boots.collect::<Vec<_>>()) {
                Some(nanos) => format!("{:.3}", nanos as f64 / 1e6),
                None => "-".to_owned(),
            }
        };
        let row = [machine.to_string(), runs.len().to_string()].into_iter();
        table.add_row(row.chain(names.iter().map(of)));
    }
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    writeln!(out, "{}", table.trim_fmt())?;
    Ok(ExitCode::SUCCESS)
}

fn boot(samples: &Samples) -> Option<u64> {
    median(&mut samples.headline_ns().to_vec())
}
