//! `cargo xtask bench linux`: Debian's kernels in the same QEMU, interleaved with ours.

use std::{path::PathBuf, process::ExitCode, time::Duration};

use anyhow::Result;
use clap::{
    Args,
    builder::{PossibleValuesParser, TypedValueParser},
    value_parser,
};
use reveille_smp::{contender::Contender, strategy::Strategy};

use super::{
    super::to_stdout,
    matrix::SmpList,
    report,
    session::{self, and_told, folder_of_now, prepare},
};
use crate::bench::{
    cell::Machine,
    linux::{
        image::{self, Image},
        late::{Fate, Late},
        plan::{Plan, Subject},
        report::Report,
        session::Session,
        system::Series,
    },
    plan,
    provenance::Provenance,
};

pub(super) const EXAMPLES: &str = "\
Exit status:
    0  all was measured, time-outs included
    1  some was not, or could not be written; or there are no kernels to be had here
    2  the command line is wrong
  130  Ctrl-C (128 and the signal's number)
In any case what was measured is kept and shown.

Examples:
  cargo xtask bench linux --smp 2 --runs 1
  cargo xtask bench linux --smp '2,8,64,112,sockets=2,cores=28,threads=2'
  cargo xtask bench linux --smp 64 --kernels 6.1 --untraced";

#[derive(Debug, Args)]
pub(super) struct Linux {
    /// Numbers of CPUs: a list; a part with `=` belongs to the number before it; several times
    #[arg(long, value_name = "LIST", default_value = "2,8,64", value_parser = str::parse::<SmpList>)]
    smp: Vec<SmpList>,

    /// Series of Linux: the newest kernel of each that apt has
    #[arg(
        long,
        value_name = "LIST",
        default_value = "6.12,6.1",
        value_delimiter = ','
    )]
    kernels: Vec<Series>,

    /// Boots of each system on each machine: one of each, then the second of each
    #[arg(long, value_name = "N", default_value = "5", value_parser = value_parser!(u32).range(1..))]
    runs: u32,

    /// Warm rounds in each of our boots, behind the boot's own, which is cold
    #[arg(long, value_name = "N", default_value = "9", value_parser = value_parser!(u32).range(1..))]
    rounds: u32,

    /// Who of ours takes part in them beside parallel, which stands beside Linux
    #[arg(
        long,
        value_name = "LIST",
        default_value = "bare,floor",
        value_delimiter = ',',
        value_parser = PossibleValuesParser::new(Contender::ALL.map(Contender::name))
            .try_map(|name| name.parse::<Contender>().map_err(|_| "unknown"))
    )]
    strategies: Vec<Contender>,

    /// Leave out the boots with traces, which show where the time goes and are two of three
    #[arg(long)]
    untraced: bool,

    /// Write the results into DIR [default: target/xtask/bench/linux- and the time]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,

    /// Go on with the results in DIR, with the same options as before
    #[arg(long, requires = "out")]
    resume: bool,

    /// Stop a guest that is not up by then; a Linux that was not is not tried again on that machine
    #[arg(long, value_name = "SECONDS", default_value = "120", value_parser = super::super::seconds)]
    timeout: Duration,
}

impl Linux {
    pub(super) fn execute(self) -> Result<ExitCode> {
        let kernel = prepare(self.out.as_deref())?;
        let kept = image::folder(&kernel);
        // A key that is there twice would be measured twice, and told once.
        let series = once(self.kernels).into_iter();
        let images: Result<Vec<_>> = series
            .map(|it| Image::ready_when_learnt(it, &kept))
            .collect();
        let images = images?;
        let ours = [Contender::Strategy(Strategy::Parallel)];
        let sizes = self.smp.into_iter().flat_map(|list| list.0);
        let plan = Plan {
            ours: plan::Plan {
                machines: once(sizes.map(Machine::new)),
                contenders: ours.into_iter().chain(self.strategies).collect(),
                runs: self.runs,
                rounds: self.rounds,
            },
            subjects: Subject::all(&images, !self.untraced),
            limit: self.timeout,
        };
        let all = kernel.scratch().join("bench");
        let folder = self.out.unwrap_or_else(|| folder_of_now(&all, "linux-"));
        let header = plan.header(Provenance::here(&kernel)?);
        let mut session = session::Session::open(folder.clone(), &header, self.resume)?;
        let interrupts = session.interrupts.clone();
        let late = Late::known(&session.results.runs, self.timeout);
        let boots = Session::new(&plan, &kernel, &images, &interrupts, &late)?;
        let mut tasks = plan.tasks(&header);
        tasks.retain(|task| !late.is_settled(&session.results, task.key));
        let end = session.measure(tasks, |key| boots.boot(key));
        let code = session.ended(end, |run| Fate::of(run) == Fate::Failed);
        let report = Report {
            header: &session.results.header,
            runs: &session.results.runs,
        };
        let shown = to_stdout(|out| {
            write!(out, "{report}")?;
            Ok(ExitCode::SUCCESS)
        });
        let code = and_told(code, shown);
        Ok(and_told(code, report::beside(&folder)))
    }
}

/// Each of them once, where it comes first.
fn once<T: PartialEq>(all: impl IntoIterator<Item = T>) -> Vec<T> {
    let mut kept = Vec::new();
    for it in all {
        if !kept.contains(&it) {
            kept.push(it);
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_for_twice_is_measured_once() {
        let series = ["6.1", "6.12", "6.1"].map(|it| it.parse::<Series>().expect("a series"));
        assert_eq!(once(series), series[..2]);
        let sizes: SmpList = "2,8,2".parse().expect("a list");
        assert_eq!(once(sizes.0.into_iter().map(Machine::new)).len(), 2);
    }
}
