//! The figures that people come for, in a few rows each.

use std::fmt::Write;

use anyhow::{Context, Result};
use reveille_smp::{strategy::Strategy, table::Millis};

use crate::{
    bench::{
        cell::REVEILLE,
        linux::{
            figures::{Figures, online},
            plan::{Subject, View},
            samples,
        },
        results::{Results, Run},
        stats::summary::Summary,
    },
    sim::model::{Model, Part},
};

/// The strategies of the published figures, and ours.
const COMPARED: [Strategy; 3] = [Strategy::Serial, Strategy::TwoPass, Strategy::Parallel];

/// A published machine's times beside those of the kernel that keeps to its model.
///
/// # Errors
///
/// When the results are of no model, or lack a strategy.
pub(super) fn published(results: &Results) -> Result<String> {
    let summary = Summary::of(results);
    let [group] = &summary.groups[..] else {
        anyhow::bail!("they are not of one machine");
    };
    let name = group.machine.model.as_deref();
    let name = name.context("they are of no model")?;
    let model = Model::named(name)?;
    let mut table = String::from("| | `serial` | `two-pass` | `parallel` |\n|---|--:|--:|--:|\n");
    write!(table, "| {}, published |", model.title)?;
    for strategy in COMPARED {
        let mut totals = model.totals.iter();
        let total = totals.find(|it| it.strategy == strategy && it.part == Part::All);
        match total {
            Some(total) => write!(table, " {} ms |", ms(total.published.as_nanos() as u64))?,
            None => table.push_str(" |"),
        }
    }
    let boots = group.boots;
    write!(table, "\n| `model={name}`, median of {boots} boots |")?;
    let row = |strategy: Strategy| {
        let rows = &mut group.rows.iter();
        let row = rows.find(|row| row.contender == <&str>::from(strategy));
        row.with_context(|| format!("there is no {strategy}"))
    };
    for strategy in COMPARED {
        write!(
            table,
            " {} ms |",
            ms(row(strategy)?.online_ns.median as u64)
        )?;
    }
    let times = row(Strategy::TwoPass)?.of_parallel.as_ref();
    let times = times.context("there is no ratio")?.median;
    writeln!(
        table,
        "\n\n`two-pass`, which is what Linux does since 6.5, takes {times:.2} times as long as ours."
    )?;
    Ok(table)
}

/// All CPUs online: medians of Linux and ours, a row for each machine.
///
/// # Errors
///
/// When the results are of no Linux.
pub(super) fn beside_linux(results: &Results) -> Result<String> {
    let names = results.header.systems.iter();
    let subjects = names.filter_map(|name| Subject::named(name));
    let linux: Vec<String> = subjects
        .filter(|it| it.view == View::Plain && it.linux.is_some())
        .map(|it| it.to_string())
        .collect();
    anyhow::ensure!(!linux.is_empty(), "there is no Linux among them");
    let head = linux
        .iter()
        .map(|name| format!(" {} |", name.replace("linux-", "Linux ")));
    let mut table = format!(
        "| CPUs |{} ours, cold | ours, warm |\n",
        head.collect::<String>()
    );
    table += &format!("|---|{}--:|--:|\n", "--:|".repeat(linux.len()));
    for machine in &results.header.plan {
        let median = |system: &str, name: &'static str| {
            let is_of = |run: &&Run| run.machine == *machine && run.system == system;
            let runs = results.runs.iter().filter(is_of);
            match Figures::of(runs, online(name)) {
                Some(figures) => format!(" {} ms |", ms(figures.median)),
                None => " - |".to_owned(),
            }
        };
        write!(table, "| {} |", machine.smp)?;
        for system in &linux {
            table += &median(system, samples::BRING_UP);
        }
        let ours = [samples::COLD, Strategy::Parallel.into()];
        ours.iter()
            .for_each(|name| table += &median(REVEILLE, name));
        table.push('\n');
    }
    Ok(table)
}

fn ms(nanos: u64) -> Millis {
    Millis { nanos }
}
