//! `cargo xtask`: one command for everything that is done with Reveille on the host.

mod bench;
mod boot;
mod fuzz;
mod kernel_keys;
mod machine_options;
mod output;
mod seat;
mod sim;
mod soak;
mod test;
mod timeline;

use std::{
    ffi::OsString,
    io::{self, BufWriter, Write},
    path::PathBuf,
    process::ExitCode,
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use clap::{
    Args, Parser, Subcommand,
    builder::{
        PathBufValueParser, PossibleValuesParser, RangedU64ValueParser, StyledStr, TypedValueParser,
    },
    error::{ContextKind, ContextValue, ErrorKind},
    value_parser,
};
use reveille_smp::order::Order;
use strum::VariantNames;

use boot::{Boot, pictures::Pictures};
pub use kernel_keys::KERNEL_KEYS;
use kernel_keys::is_kernel_word;
use machine_options::MachineOptions;
use timeline::Timeline;

use crate::{
    setup,
    sim::{
        FAULT_KINDS,
        model::{Model, Shape},
    },
};

/// Build, boot, test and measure Reveille.
///
/// Reveille is a kernel that brings up all CPUs of a PC at once. It runs in QEMU; what is missing
/// for that, each command installs first (see `cargo xtask setup --help`).
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", version)]
#[command(after_help = "Start with:\n  cargo xtask run --smp 8")]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make this machine ready: the kernel's Rust target and QEMU
    ///
    /// On Debian and Ubuntu, installs what is missing by rustup and apt, as root through sudo
    /// where needed. Where the release's QEMU is too old, its backports are added, from the mirror
    /// that apt uses already. Every command is shown before it runs, and what is there already
    /// stays as it is. On other systems, says what is missing and how it is called there.
    Setup(Setup),
    /// Boot the kernel in QEMU and show what it says
    #[command(after_long_help = RUN_EXAMPLES)]
    Run(Box<Run>),
    /// Boot the kernel, and draw how its CPUs came up
    ///
    /// Shows what `run` shows, and ends as it does. The drawing is an SVG: a lane a CPU, a colour a stage, and above
    /// them the boot processor's polls and sleeps and the serialised steps; who did not come up is marked,
    /// with the reason. That needs a trace: trace=on is added where no `trace=` is among the kernel's words.
    #[command(after_long_help = timeline::EXAMPLES)]
    Timeline(Box<Timeline>),
    /// Run the tests: those on the host, then those that boot the kernel
    #[command(after_long_help = TEST_EXAMPLES)]
    Test(Test),
    /// Boot again and again, and count how often all CPUs came up
    Soak(Soak),
    /// Measure the bring-up on many machines, and keep the figures
    ///
    /// Machines take turns: the first boot of each, then the second of each. In each boot all strategies
    /// run round by round beside two yardsticks, and ratios are taken within it. What a boot gave is on
    /// the disk before the next one begins.
    #[command(after_long_help = bench::EXAMPLES)]
    Bench(Box<bench::Bench>),
    /// Look for MADTs, start infos and command lines that break the parsers
    ///
    /// Inputs are mutated, guided by the code that they reach, from the corpus in tests/fuzz/. A
    /// finding is reported with its input and how to see it again, and ends in exit status 1.
    Fuzz(Fuzz),
    /// Bring up machines that nobody here owns, in virtual time
    ///
    /// The same code that boots runs on a simulated machine, of which a model says what each thing
    /// costs and where that is known from. Shown is what a boot would show, the strategies side by
    /// side, where the time of each went, and how near that comes to what was measured on the real
    /// machine.
    #[command(after_long_help = SIM_EXAMPLES)]
    Sim(Box<Sim>),
}

const RUN_EXAMPLES: &str = "\
Exit status:
    0  the kernel did all that was asked for
    1  it could not be built or started, or QEMU ended by itself
    2  the command line of xtask is wrong
    3  the kernel reports that it failed, or that what --append gave it is wrong
    4  a CPU panicked or took an exception
    5  triple fault
    6  the accelerator gave up on the guest
    7  the kernel rebooted the machine, and nobody sat at its shell or a script lost lines by it
  124  nothing had ended the run by the time limit
  130  Ctrl-C, or Ctrl-] at the shell (128 and the signal's number)

Examples:
  cargo xtask run --smp 8
  cargo xtask run --smp 8,maxcpus=16 --shell
  cargo xtask run --smp 64 --append 'bench=9'
  cargo xtask run --smp 12,sockets=2,cores=3,threads=2 --json boot.jsonl
  cargo xtask run --machine microvm --accel icount
  cargo xtask run --smp 8 --trace boot.json
  cargo xtask run --smp 8 --timeline boot.svg
  cargo xtask run --cpu max,-x2apic --qemu-arg -d --qemu-arg int,cpu_reset";

const TEST_EXAMPLES: &str = "\
Examples:
  cargo xtask test                  what a change must pass
  cargo xtask test --quick          the same without the slow ones
  cargo xtask test --list           the names
  cargo xtask test triple_fault     those with `triple_fault` in their name";

const SIM_EXAMPLES: &str = "\
Exit status:
    0  no rule was broken, whether all CPUs came up or not
    1  a rule was broken, or a file could not be written
    2  the command line or the model is wrong

Examples:
  cargo xtask sim --list
  cargo xtask sim --model skylake-112
  cargo xtask sim --model skylake-112 --cpus 448 --strategy parallel --strategy serial --runs 9
  cargo xtask sim --model skylake-112 --fault 7:silent --fault 9:lost-sipi=1
  cargo xtask sim --model mine.toml --json sim.jsonl
  cargo xtask sim --model skylake-112 --growth --plot growth.svg
  cargo xtask sim --model synthetic --strategy parallel --fault 2:dies=14 --trace
  cargo xtask sim --explore 20000 --seed 7";

fn fault_help() -> String {
    format!(
        "How a CPU is to fail, such as 3:silent; may be given several times\n\nKINDs:\n  {}\n\n\
         US and AT are times in microseconds, AT from the first INIT on. N counts from 1: the INITs \
         and SIPIs that are sent to the CPU, the doorbells that are rung for it. PLACE counts from 1, \
         from the CPU's start on: each access to a word that CPUs share, each step's beginning and \
         end, each interrupt that it sends. STEP is a name as in the lines of the phases, or kick, or \
         its number in the ladder, from 0.",
        FAULT_KINDS.join("\n  ")
    )
}

#[derive(Debug, Args)]
struct Setup {
    /// Only say what would be done
    #[arg(long)]
    dry_run: bool,
}

#[derive(Debug, Args)]
struct Run {
    #[command(flatten)]
    boot: Boot,

    /// Write to FILE an SVG with a lane a CPU and a colour a stage
    ///
    /// See `cargo xtask timeline --help`.
    #[arg(long, value_name = "FILE", value_parser = PathBufValueParser::new().try_map(output::path))]
    timeline: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct Soak {
    #[command(flatten)]
    machine: MachineOptions,

    /// How many boots
    #[arg(long, value_name = "N", default_value = "100", value_parser = value_parser!(u32).range(1..))]
    boots: u32,

    /// Stop a guest that has not ended by then, and count it as failed
    #[arg(long, value_name = "SECONDS", default_value = "60", value_parser = seconds)]
    timeout: Duration,
}

#[derive(Debug, Args)]
struct Fuzz {
    /// What to fuzz [default: all, as many side by side as there are CPUs]
    #[arg(value_enum, value_name = "TARGET")]
    targets: Vec<fuzz::Target>,

    /// How long for each
    #[arg(long, value_name = "N", default_value = "60", value_parser = value_parser!(u32).range(1..))]
    seconds: u32,

    /// Add to the committed corpus what reaches more than it does
    #[arg(long)]
    keep: bool,
}

#[derive(Debug, Args)]
struct Sim {
    /// The machine: one of those in --list, or a file that ends in .toml
    #[arg(
        long,
        value_name = "NAME|FILE",
        required_unless_present_any = ["list", "explore"],
        value_parser = sim::model
    )]
    model: Option<Model>,

    /// Only say which models there are
    #[arg(long)]
    list: bool,

    /// How the CPUs are brought up; may be given several times, and those given are shown phase by
    /// phase, the first of them CPU by CPU too
    #[arg(
        long,
        value_name = "NAME",
        default_value = "all",
        value_parser = PossibleValuesParser::new(sim::strategy_names())
            .try_map(sim::strategy)
    )]
    strategy: Vec<sim::StrategyChoice>,

    /// So many CPUs, CPU 0 included [default: the model's]
    #[arg(long, value_name = "N", value_parser = RangedU64ValueParser::<usize>::new().range(1..=Shape::MOST_CPUS as u64))]
    cpus: Option<usize>,

    /// What all delays are drawn from
    #[arg(long, value_name = "N", default_value = "1")]
    seed: u64,

    /// Simulate each strategy so often, each time with the next seed, and compare the medians
    #[arg(long, value_name = "N", default_value = "1", value_parser = value_parser!(u32).range(1..))]
    runs: u32,

    /// Who may go through the serialised steps when
    #[arg(
        long,
        value_name = "NAME",
        default_value = "lowest",
        value_parser = PossibleValuesParser::new(Order::VARIANTS).try_map(sim::order)
    )]
    order: Order,

    /// How a CPU is to fail, such as 3:silent; may be given several times
    #[arg(
        long,
        value_name = "CPU:KIND",
        long_help = fault_help(),
        value_parser = str::parse::<sim::CpuFault>
    )]
    fault: Vec<sim::CpuFault>,

    /// Show a line for each CPU, however many there are
    #[arg(long)]
    all_cpus: bool,

    /// Write what a boot would write, one JSON object a line
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,

    /// Simulate 2, 4, 8 and so on up to --cpus [default: 8192], and show what more CPUs cost
    #[arg(long, conflicts_with_all = ["strategy", "runs", "fault", "all_cpus", "json"])]
    growth: bool,

    /// Draw that as an SVG
    #[arg(long, value_name = "FILE", requires = "growth")]
    plot: Option<PathBuf>,

    /// Instead, simulate so many random schedules of CPUs, operations and faults on the model
    /// synthetic, and look for one that breaks a rule
    ///
    /// The schedules are those that --seed gives. One that breaks a rule is reduced to its shortest
    /// form and printed as a test, to be pasted into tests/tests/schedules/found.rs, and with --trace all that
    /// happens in it.
    #[arg(
        long,
        value_name = "N",
        conflicts_with_all = [
            "model", "list", "strategy", "cpus", "runs", "order", "fault", "all_cpus", "json", "growth"
        ],
        value_parser = value_parser!(u32).range(1..)
    )]
    explore: Option<u32>,

    /// Write all that happens to stderr: when, on which CPU, what
    #[arg(long, conflicts_with_all = ["list", "growth"])]
    trace: bool,
}

#[derive(Clone, Debug, Args)]
struct Test {
    /// Leave out the slow ones
    #[arg(long, conflicts_with = "full")]
    quick: bool,

    /// Add the very long ones
    #[arg(long)]
    full: bool,

    /// Only say the tests' names
    #[arg(long)]
    list: bool,

    /// Only tests with one of these words in their name
    filter: Vec<String>,
}

fn seconds(text: &str) -> Result<Duration> {
    let limit = Duration::try_from_secs_f64(text.parse()?)?;
    ensure!(!limit.is_zero(), "no guest ends at once");
    Ok(limit)
}

/// The exit status for a command line that is wrong, as clap has it.
const USAGE: u8 = 2;

/// Tells a mistake that clap could not see.
fn mistake(wrong: &anyhow::Error) -> ExitCode {
    eprintln!("xtask: {wrong:#}");
    ExitCode::from(USAGE)
}

/// Lets something write to the standard output, of which every [`io::Error`] must be. That nobody reads on is no failure: `head` has all
/// that it wanted, and a pipeline that asks each of its commands is not to fail for that.
fn to_stdout(write: impl FnOnce(&mut dyn Write) -> Result<ExitCode>) -> Result<ExitCode> {
    let mut out = BufWriter::new(io::stdout().lock());
    let written = write(&mut out).and_then(|code| {
        out.flush()?;
        Ok(code)
    });
    match written {
        Err(error) => match error.downcast::<io::Error>() {
            Ok(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(ExitCode::SUCCESS),
            Ok(error) => Err(error).context("cannot write to the standard output"),
            Err(other) => Err(other),
        },
        code => code,
    }
}

impl Cli {
    /// Reads a command line, the program's name first. A key of the kernel's that stands by itself
    /// is an error that says where it belongs.
    pub fn read(
        words: impl IntoIterator<Item = impl Into<OsString> + Clone>,
    ) -> Result<Self, clap::Error> {
        Self::try_parse_from(words).map_err(|mut error| {
            if let Some(ContextValue::Strings(missing)) = error.get(ContextKind::InvalidArg)
                && missing
                    .iter()
                    .any(|argument| argument.starts_with("--model"))
                && error.kind() == ErrorKind::MissingRequiredArgument
            {
                let tip = StyledStr::from("which there are: cargo xtask sim --list");
                error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![tip]));
            }
            if let Some(ContextValue::String(word)) = error.get(ContextKind::InvalidArg)
                && is_kernel_word(word)
            {
                let tip = StyledStr::from(format!("to give it to the kernel: --append '{word}'"));
                error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![tip]));
            }
            error
        })
    }

    /// Does what the command line says.
    pub fn execute(self) -> Result<ExitCode> {
        match self.command {
            Command::Setup(options) => {
                let lacked = setup::ensure(options.dry_run)?;
                if !options.dry_run {
                    eprintln!("xtask: this machine is ready");
                } else if !lacked {
                    eprintln!("xtask: nothing is missing");
                }
                Ok(ExitCode::SUCCESS)
            }
            Command::Run(options) => options.boot.execute(Pictures {
                timeline: options.timeline,
                ..Pictures::default()
            }),
            Command::Timeline(options) => options.execute(),
            Command::Test(options) => options.execute(),
            Command::Soak(options) => options.execute(),
            Command::Bench(options) => options.execute(),
            Command::Fuzz(options) => options.execute(),
            Command::Sim(options) => options.execute(),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::{
        machine_options::{AccelOption, FirmwareOption},
        *,
    };
    use crate::qemu::machine::Chipset;

    fn run(line: &str) -> Result<Boot, clap::Error> {
        let words = ["xtask", "run"]
            .into_iter()
            .chain(line.split(' ').filter(|w| !w.is_empty()));
        match Cli::read(words)?.command {
            Command::Run(run) => Ok(run.boot),
            other => panic!("{other:?} is not a run"),
        }
    }

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_run_without_options_is_four_cpus_on_q35() {
        let run = run("").expect("no option is needed");
        assert_eq!(run.machine.smp.cpus(), 4);
        assert_eq!(run.machine.machine, Chipset::Q35);
        assert_eq!(run.machine.accel, AccelOption::Auto);
        assert_eq!((run.timeout, run.shell), (None, false));
    }

    #[test]
    fn an_argument_for_qemu_may_begin_with_a_hyphen() {
        let run = run("--qemu-arg -d --qemu-arg int").expect("both are arguments");
        assert_eq!(run.machine.qemu_arg, ["-d", "int"]);
    }

    #[test]
    fn a_firmware_and_a_module_exclude_each_other() {
        let with = run("--firmware mailbox").expect("there is such a firmware");
        assert_eq!(with.machine.firmware, Some(FirmwareOption::Mailbox));
        let error = run("--firmware mailbox --module Cargo.toml").expect_err("one module only");
        assert!(error.to_string().contains("--module"), "{error}");
    }

    #[test]
    fn a_key_of_the_kernels_by_itself_is_an_error_that_names_the_option_for_it() {
        let error = |line| run(line).expect_err("it was taken").to_string();
        let stray = error("bringup=serial --smp 2");
        assert!(stray.contains("--append 'bringup=serial'"), "{stray}");
        assert!(!error("nonsense=1").contains("--append '"));
    }

    fn sim(line: &str) -> Result<Sim, clap::Error> {
        let words = ["xtask", "sim"].into_iter().chain(line.split_whitespace());
        match Cli::read(words)?.command {
            Command::Sim(sim) => Ok(*sim),
            other => panic!("{other:?} is not a simulation"),
        }
    }

    #[test]
    fn a_simulation_takes_models_strategies_and_faults_by_their_names() {
        let sim = sim(
            "--model synthetic --strategy serial --strategy all --order strict \
             --fault 3:silent --fault 3:lost-sipi=1 --cpus 16384",
        );
        let sim = sim.expect("all of it is right");
        assert_eq!(
            sim.model.map(|model| model.name).as_deref(),
            Some("synthetic")
        );
        assert_eq!(sim.order, Order::Strict);
        assert_eq!((sim.strategy.len(), sim.fault.len()), (2, 2));
        assert_eq!((sim.seed, sim.runs, sim.cpus), (1, 1, Some(16_384)));
    }

    #[test]
    fn a_simulation_of_what_there_is_not_is_refused_with_what_there_is() {
        let wrong = [
            ("", "--model"),
            ("", "--list"),
            ("--model none", "skylake-112"),
            ("--model /dev/null/none.toml", "/dev/null/none.toml"),
            ("--model synthetic --strategy one", "two-pass"),
            ("--model synthetic --order random", "strict"),
            ("--model synthetic --cpus 0", "1..=16384"),
            ("--model synthetic --cpus 16385", "1..=16384"),
            ("--model synthetic --runs 0", "1.."),
            ("--model synthetic --fault 3", "CPU:KIND"),
            ("--model synthetic --fault 0:silent", "from 1 on"),
            ("--model synthetic --fault 3:asleep", "silent"),
            ("--model synthetic --plot growth.svg", "--growth"),
            ("--model synthetic --growth --runs 2", "--runs"),
            ("--model synthetic --growth --trace", "--trace"),
            ("--model synthetic --explore 9", "--model"),
            ("--explore 0", "1.."),
        ];
        for (line, hint) in wrong {
            let error = sim(line).expect_err(line).to_string();
            assert!(error.contains(hint), "`{line}`: {error}");
        }
    }

    #[test]
    fn wrong_values_are_refused() {
        let wrong = [
            "--smp 0",
            "--smp some",
            "--machine virt",
            "--accel hax",
            "--timeout -1",
            "--timeout 0",
            "--timeout soon",
            "--module /dev/null/none",
            "--module /",
            "--trace -",
            "--json -",
            "--timeline -",
        ];
        for line in wrong {
            assert!(run(line).is_err(), "`{line}` was taken");
        }
    }
}
