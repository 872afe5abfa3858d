//! `cargo xtask bench`: many boots, interleaved, and what they gave, for good.
//!
//! Its options are the matrix of what is measured; what is done with results, and benchmarks of another
//! kind, are commands below it.

mod charts;
mod compare;
mod figures;
mod gate;
mod growth;
mod linux;
mod matrix;
mod measure;
mod merge;
mod progress;
mod report;
mod session;

use std::{path::PathBuf, process::ExitCode, time::Duration};

use anyhow::Result;
use clap::{Args, Subcommand};

use self::matrix::Matrix;
use crate::bench::shard::Shard;

pub(super) const EXAMPLES: &str = "\
Exit status:
    0  all was measured
    1  some was not, or could not be written; or with --compare, something got slower or is lost
    2  the command line is wrong
  130  Ctrl-C (128 and the signal's number)
In any case what was measured is kept.

Examples:
  cargo xtask bench
  cargo xtask bench --smp 2,8,64 --strategies parallel,serial,bare --runs 9
  cargo xtask bench --smp 64 --out results --resume
  cargo xtask bench --smp '112,sockets=2,cores=28,threads=2' --model skylake-112
  cargo xtask bench --smp 64 --runs 12 --compare results
  cargo xtask bench --smp 2,8,64,255 --shard 1/4 --out part-1
  cargo xtask bench merge whole part-1 part-2 part-3 part-4
  cargo xtask bench growth --smp 1,2,4,8,16,32,64 --runs 3
  cargo xtask bench report results growth linux --out report.html";

/// What is measured, or what is done with results.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct Bench {
    #[command(subcommand)]
    command: Option<Command>,

    #[command(flatten)]
    options: Options,
}

// One variant a file beside this one.
#[derive(Debug, Subcommand)]
enum Command {
    /// Compare what boots in virtual time count with what is committed
    ///
    /// An instruction takes a nanosecond there, so the figures are the same each time, whatever else the host
    /// does. CI ends with 1 where one of them rises by more than 2 %; where that is meant, or one has fallen,
    /// the committed ones are renewed in the same change.
    Gate(gate::Gate),
    /// Measure Debian's Linux kernels in the same QEMU, interleaved with ours
    ///
    /// The kernels are fetched by apt and unpacked into target/xtask/linux/, and never installed. Of each the
    /// time between its lines "Bringing up secondary CPUs" and "Brought up" is taken on the host, at
    /// the serial line; of ours the boot's own bring-up, cold as Linux's is, and warm rounds. In boots of
    /// their own, QEMU's trace of the APICs times all of them in the same way, and Linux's own trace says
    /// where its time goes. Under TCG only: a KVM that interprets the guest's code does not boot Linux.
    #[command(after_long_help = linux::EXAMPLES)]
    Linux(linux::Linux),
    /// Join results of one plan that were measured in parts
    Merge(merge::Merge),
    /// Say what became faster or slower, and end in 1 if something got slower
    Compare(compare::Compare),
    Growth(growth::Growth),
    /// Write the documentation's tables and pictures from the committed results
    Figures(figures::Figures),
    /// Write a page with pictures and tables of results, which opens in any browser, offline
    ///
    /// Each benchmark writes one beside its results. This one joins several: strategies, Linux, growth.
    Report(report::Report),
}

#[derive(Debug, Args)]
struct Options {
    #[command(flatten)]
    matrix: Matrix,

    /// Boots of each machine: the first of each, then the second of each
    #[arg(long, value_name = "N", default_value = "5", value_parser = clap::value_parser!(u32).range(1..))]
    runs: u32,

    /// Rounds in each boot, behind the boot's own, which is cold
    #[arg(long, value_name = "N", default_value = "9", value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,

    /// Write the results into DIR [default: target/xtask/bench/ and the time]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,

    /// Go on with the results in DIR, or else with the latest ones
    ///
    /// With the same options as before. Boots that are there are not measured again, but for those
    /// that failed.
    #[arg(long)]
    resume: bool,

    /// Say what got faster or slower since these results, and end in 1 if something got slower
    ///
    /// That takes more boots than usual, twelve say. With so few that nothing could be called slower, nothing
    /// is measured.
    #[arg(long, value_name = "OLD")]
    compare: Option<PathBuf>,

    #[command(flatten)]
    judging: compare::Judging,

    /// Measure the I-th of N parts of the machines
    ///
    /// Each host chooses for itself, from the same options, and `bench merge` joins what they
    /// measured. All boots of a machine are in one part.
    #[arg(long, value_name = "I/N")]
    shard: Option<Shard>,

    /// Stop a guest that has not ended by then, and count it as failed
    #[arg(long, value_name = "SECONDS", default_value = "300", value_parser = super::seconds)]
    timeout: Duration,

    /// Do not boot the machines again for the pictures of the report
    ///
    /// That is a boot with a trace of each, and one of those of 2 to 64 CPUs for calls between them.
    #[arg(long)]
    no_charts: bool,
}

impl Bench {
    pub(super) fn execute(self) -> Result<ExitCode> {
        match self.command {
            Some(Command::Gate(gate)) => gate.execute(),
            Some(Command::Linux(linux)) => linux.execute(),
            Some(Command::Merge(merge)) => merge.execute(),
            Some(Command::Compare(compare)) => compare.execute(),
            Some(Command::Growth(growth)) => growth.execute(),
            Some(Command::Figures(figures)) => figures.execute(),
            Some(Command::Report(report)) => report.execute(),
            None => self.options.execute(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, mem};

    use super::*;
    use crate::{cli::Cli, kernel::workspace};

    /// The commands in a text, without the marks of a shell around their words.
    fn commands(text: &str) -> Vec<Vec<String>> {
        let text = text.replace("\\\n", " ");
        let lines = text
            .lines()
            .filter_map(|line| line.split_once("cargo xtask bench"));
        let words = |(_, words): (_, &str)| {
            let words = words.split(" ::: ").next().unwrap_or_default();
            words
                .split_ascii_whitespace()
                .map(|it| it.replace(['\'', '"'], ""))
                .collect()
        };
        lines.map(words).collect()
    }

    fn is_taken(mut words: Vec<String>) {
        words.splice(..0, ["xtask", "bench"].map(str::to_owned));
        let read = Cli::read(&words).map(mem::drop);
        assert!(read.is_ok(), "{words:?}: {read:?}");
    }

    #[test]
    fn the_examples_of_the_help_are_taken() {
        let examples = commands(EXAMPLES);
        assert!(examples.len() > 5);
        examples.into_iter().for_each(is_taken);
    }

    #[test]
    fn the_commands_of_the_page_about_it_are_taken() {
        let page = fs::read_to_string(workspace().join("docs/benchmarking.md"));
        let page = page.expect("it is there");
        let page = [
            ("$SLURM_ARRAY_TASK_ID", "1"),
            ("$SLURM_ARRAY_TASK_COUNT", "4"),
            ("${{ matrix.part }}", "1"),
            ("{}", "1"),
            ("`", "\n"),
            ("OUT IN...", "OUT IN"),
        ]
        .into_iter()
        .fold(page, |page, (from, to)| page.replace(from, to));
        let commands = commands(&page);
        assert!(commands.len() > 8, "{commands:?}");
        commands.into_iter().for_each(is_taken);
    }
}
