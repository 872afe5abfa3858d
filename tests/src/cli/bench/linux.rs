//! `cargo xtask bench linux`: Debian's kernels in the same QEMU, interleaved with ours.

use std::{path::PathBuf, process::ExitCode, time::Duration};

use anyhow::Result;
use clap::{
    Args,
    builder::{PossibleValuesParser, TypedValueParser},
    value_parser,
};
use reveille_smp::contender::{Contender, Contenders};

use super::matrix::SmpList;
use crate::{
    bench::{
        cell::Machine,
        linux::{plan::Plan, report::Report, session::Session, system::Series},
    },
    interrupt::Interrupts,
    kernel::Kernel,
    outcome::Outcome,
    setup,
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
  cargo xtask bench linux --smp 64 --kernels 6.1 --traced 0";

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

    /// Who of ours takes part in them; parallel is what stands beside Linux
    #[arg(
        long,
        value_name = "LIST",
        default_value = "parallel,bare,floor",
        value_delimiter = ',',
        value_parser = PossibleValuesParser::new(Contender::ALL.map(Contender::name))
            .try_map(|name| name.parse::<Contender>().map_err(|_| "unknown"))
    )]
    strategies: Vec<Contender>,

    /// So many boots more of each with QEMU's trace of the APICs, and of each Linux with its own trace
    #[arg(long, value_name = "N", default_value = "1")]
    traced: u32,

    /// Write the results into DIR [default: target/xtask/bench/linux- and the time]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,

    /// Stop a guest that is not up by then; a Linux that was not is not tried again on that machine
    #[arg(long, value_name = "SECONDS", default_value = "120", value_parser = super::super::seconds)]
    timeout: Duration,
}

impl Linux {
    pub(super) fn execute(self) -> Result<ExitCode> {
        let sizes = self.smp.into_iter().flat_map(|list| list.0);
        let contenders: Contenders = self.strategies.into_iter().collect();
        let plan = Plan {
            machines: sizes.map(Machine::new).collect(),
            series: self.kernels,
            runs: self.runs,
            rounds: self.rounds,
            contenders,
            traced: self.traced,
            limit: self.timeout,
        };
        setup::ensure(false)?;
        let kernel = Kernel::ready()?;
        let interrupts = Interrupts::listen()?;
        let mut session = Session::new(&plan, &kernel, &interrupts)?;
        for image in session.images() {
            eprintln!("xtask: Linux {}: Debian's {}", image.series, image.version);
        }
        let boots = plan.boots();
        let mut begun = 0;
        let mut runs = Vec::new();
        let done = session.run(
            |what| {
                begun += 1;
                eprintln!("xtask: boot {begun} of {boots}: {what}");
            },
            |run| {
                runs.push(run);
                Ok(())
            },
        );
        print!(
            "{}",
            Report {
                plan: &plan,
                runs: &runs
            }
        );
        done?;
        Ok(match interrupts.received() {
            Some(signal) => ExitCode::from(Outcome::Interrupted(signal).exit_code()),
            None => ExitCode::SUCCESS,
        })
    }
}
