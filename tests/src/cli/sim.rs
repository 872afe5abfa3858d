//! `cargo xtask sim`: bring-ups on machines that nobody here owns, in virtual time.

use std::{
    cell::Cell,
    fs::File,
    io::{self, Write},
    path::{Path, PathBuf},
    process::ExitCode,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, anyhow, ensure};
use reveille_smp::{
    ladder::Ladder,
    order::Order,
    record::{self, Record},
    require::Require,
    strategy::Strategy,
    table::{Comparison, Headline, Table},
};

use super::{Sim, mistake};
use crate::{
    sim::{
        Fault, Happened, Setup, Simulator,
        model::Model,
        report::{
            BroughtUp,
            growth::{self, Point},
            parts::Parts,
            phases::Phases,
            plot, records,
            standing::{StandingTable, missed, standings},
            table::{Shortened, Skewed},
            timeline::{LEGEND, Timeline, USUAL_WIDTH},
            why::Why,
        },
        schedule::{Explorer, Schedule},
    },
    terminal::look::{self, When},
};

/// The most CPUs of a growing series, where none are given: what the simulator was made for.
const GROWN: usize = 8192;

impl Sim {
    pub(super) fn execute(self) -> Result<ExitCode> {
        super::to_stdout(|out| self.execute_to(out))
    }

    fn execute_to(mut self, out: &mut dyn Write) -> Result<ExitCode> {
        if self.list {
            return list(out);
        }
        if let Some(schedules) = self.explore {
            return self.explore(schedules, out);
        }
        let mut model = self.model.take().context("there is no --model")?;
        if model.costs.is_empty() || model.steps.is_empty() {
            eprintln!(
                "xtask: the model {} has {} [[cost]] and {} [[step]]: what it leaves out takes no time",
                model.name,
                model.costs.len(),
                model.steps.len()
            );
        }
        if self.growth {
            if self.cpus == Some(1) {
                return Ok(mistake(&anyhow!("--cpus 1: --growth begins with 2 CPUs")));
            }
            return self.grow(&model, out);
        }
        if let Some(cpus) = self.cpus {
            model = model.with_cpus(cpus)?;
        }
        let simulator = Simulator::new(model)?;
        let faults = match self.faults(&simulator) {
            Ok(faults) => faults,
            Err(wrong) => return Ok(mistake(&wrong)),
        };
        // First, as it costs nothing.
        let mut json = self.json.as_deref().map(Json::create).transpose()?;
        let verdict = match self.simulate(&simulator, &faults) {
            Ok(runs) => self.show(simulator.model(), &runs, &faults, json.as_mut(), out)?,
            Err(broke) => {
                if let Some(json) = &mut json {
                    json.write(&Record::Exit(records::exit(Some(broke.0.clone()))))?;
                }
                writeln!(out, "reveille: {}", broke.0)?;
                return Ok(ExitCode::FAILURE);
            }
        };
        writeln!(out, "reveille: {verdict}")?;
        Ok(ExitCode::SUCCESS)
    }

    /// What is to be wrong, by the CPUs' numbers. A fault that cannot happen is a mistake: nobody is to
    /// be glad that nothing went wrong.
    fn faults(&self, simulator: &Simulator) -> Result<Vec<(usize, Fault)>> {
        let cpus = simulator.model().shape.cpus();
        let resolve = |fault: &CpuFault| {
            let CpuFault { text, cpu, kind } = fault;
            ensure!(
                *cpu < cpus,
                "--fault {text}: the machine has {cpus} CPUs, of which the BSP has the number 0"
            );
            let kind = kind.of(simulator.ladder());
            Ok((*cpu, kind.with_context(|| format!("--fault {text}"))?))
        };
        self.fault.iter().map(resolve).collect()
    }

    /// Simulates all strategies, that first with which the others are compared.
    fn simulate(
        &self,
        simulator: &Simulator,
        faults: &[(usize, Fault)],
    ) -> Result<Vec<Run>, Broke> {
        let named = self.named();
        let (simulated, shown) = match named.is_empty() {
            true => (Strategy::ALL, &[Strategy::Parallel, Strategy::TwoPass][..]),
            false => (&named[..], &named[..]),
        };
        let run = |&strategy| self.run(simulator, faults, strategy, shown.contains(&strategy));
        simulated.iter().map(run).collect()
    }

    /// Simulates one strategy as often as asked.
    fn run(
        &self,
        simulator: &Simulator,
        faults: &[(usize, Fault)],
        strategy: Strategy,
        is_shown: bool,
    ) -> Result<Run, Broke> {
        let mut run = Run {
            strategy,
            bringups: Vec::new(),
            parts: Vec::new(),
            spread_ns: Vec::new(),
            shown: None,
        };
        for round in 1..=self.runs {
            let setup = Setup {
                faults: faults.to_vec(),
                ..self.setup(simulator, strategy, round)
            };
            let brought_up = bring_up(simulator, strategy, &setup)?;
            let record = |of: &BroughtUp| of.round.record(round, of.doorbells);
            run.bringups.push(record(&brought_up));
            run.parts.push(Parts::of(simulator.model(), &brought_up));
            if round == 1 && is_shown {
                run.shown = Some(brought_up);
            }
            if strategy == Strategy::Parallel {
                let spread = Setup {
                    spreads_prepare: true,
                    keeps_spans: false,
                    tell: None,
                    ..setup
                };
                let spread = bring_up(simulator, strategy, &spread)?;
                run.spread_ns.extend(record(&spread).online_ns);
            }
        }
        Ok(run)
    }

    fn setup(&self, simulator: &Simulator, strategy: Strategy, round: u32) -> Setup {
        Setup {
            order: self.order,
            tell: self.trace.then_some(tell),
            ..simulator.setup(strategy, self.seed.wrapping_add(u64::from(round - 1)))
        }
    }

    /// Shows the simulations, and says whether all CPUs of the first one came up, and the predictions
    /// are as near as was asked.
    fn show(
        &self,
        model: &Model,
        runs: &[Run],
        faults: &[(usize, Fault)],
        json: Option<&mut Json>,
        out: &mut dyn Write,
    ) -> Result<String> {
        let shown: Vec<_> = runs.iter().filter_map(|run| run.shown.as_ref()).collect();
        let first = shown.first().context("nothing was simulated")?;
        let faulty: Vec<_> = faults.iter().map(|(cpu, _)| *cpu).collect();
        let mut cpus = records::cpus(model, first, &faulty);
        // Nobody compares clocks here: what a CPU notes by one of its own is not the machine's time.
        let with_own_clocks: Vec<_> = faults
            .iter()
            .filter(|(_, it)| matches!(it, Fault::Skew(_)))
            .collect();
        for (cpu, _) in &with_own_clocks {
            cpus[*cpu].uncertainty_ns = None;
        }
        let as_told = |bringup: record::Bringup| record::Bringup {
            uncertainty_ns: bringup
                .uncertainty_ns
                .filter(|_| with_own_clocks.is_empty()),
            ..bringup
        };
        let bringup = as_told(first.round.record(0, first.doorbells));
        let verdict = Require::All.judge(&cpus, first.round.strangers.count, None);
        let failure = verdict.err().map(|shortfall| shortfall.to_string());
        // Before anything is shown: whoever reads only the first lines gets whole records.
        if let Some(json) = json {
            json.write(&Record::Boot(records::boot(model, first, self.seed)))?;
            for cpu in &cpus {
                json.write(&Record::Cpu(cpu.clone()))?;
            }
            json.write(&Record::Bringup(bringup.clone()))?;
            for bringup in runs.iter().flat_map(|run| &run.bringups) {
                json.write(&Record::Bringup(as_told(bringup.clone())))?;
            }
            json.write(&Record::Exit(records::exit(failure.clone())))?;
        }

        writeln!(out, "reveille: {}, simulated", env!("CARGO_PKG_VERSION"))?;
        writeln!(
            out,
            "machine: {}, {}; {} CPUs, seed {}",
            model.name,
            model.title,
            model.shape.cpus(),
            self.seed
        )?;
        let look = look::of_this_process(When::Auto);
        match self.all_cpus {
            true => write!(out, "{}", Table(&cpus, look))?,
            false => write!(out, "{}", Shortened(&cpus, look))?,
        }
        for (cpu, fault) in faults {
            if let Fault::Skew(us) = *fault {
                let (cpu, us) = (*cpu, i64::from(us));
                write!(out, "{}", Skewed { cpu, us })?;
            }
        }
        writeln!(out, "{}", Headline(&bringup, look))?;
        let phases: Vec<_> = shown
            .iter()
            .map(|it| (it.round.strategy, Phases::of(it)))
            .collect();
        writeln!(out, "{}", self.comparison(runs).within(look))?;
        if runs.len() > 1 {
            writeln!(out, "{:10}1x is {}", "", first.round.strategy)?;
        }
        writeln!(out, "{}", Why(&phases))?;

        writeln!(out, "{LEGEND}\n")?;
        let width = terminal_width();
        let longest = phases.iter().map(|(_, phases)| phases.whole()).max();
        for (strategy, phases) in &phases {
            let timeline = Timeline {
                strategy: *strategy,
                phases,
                longest: longest.unwrap_or_default(),
                width,
            };
            writeln!(out, "{timeline}")?;
        }
        let parts: Vec<_> = runs
            .iter()
            .map(|run| (run.strategy, &run.parts[..]))
            .collect();
        let standings = standings(model, &parts);
        // Nobody measured the machine with these faults.
        if !standings.is_empty() && self.fault.is_empty() {
            writeln!(out, "{}", StandingTable(&standings, look))?;
        }

        Ok(match failure {
            Some(failure) => format!("failed: {failure}"),
            None => match missed(&standings) {
                Some(missed) => format!("ok, but {missed}"),
                None => "ok".to_owned(),
            },
        })
    }

    /// The medians side by side, and what more is possible.
    fn comparison(&self, runs: &[Run]) -> Comparison {
        let mut comparison = Comparison::new(self.runs);
        for run in runs {
            let online = run.bringups.iter().filter_map(|record| record.online_ns);
            comparison.strategy(run.strategy.into(), &mut online.collect::<Vec<_>>());
        }
        if let [first, ..] = runs {
            comparison.yardstick("not built: prepare spread", &mut first.spread_ns.clone());
        }
        comparison
    }

    /// Simulates a machine of more and more CPUs.
    fn grow(&self, model: &Model, out: &mut dyn Write) -> Result<ExitCode> {
        writeln!(out, "{}, {}; seed {}", model.name, model.title, self.seed)?;
        writeln!(out, "{}", growth::Head)?;
        let mut points = Vec::new();
        for cpus in growth::sizes(self.cpus.unwrap_or(GROWN)) {
            let simulator = Simulator::new(model.clone().with_cpus(cpus)?)?;
            let point = match self.point(&simulator) {
                Ok(point) => point,
                Err(broke) => {
                    writeln!(out, "reveille: {}", broke.0)?;
                    return Ok(ExitCode::FAILURE);
                }
            };
            writeln!(out, "{point}")?;
            // The next one takes its time.
            out.flush()?;
            points.push(point);
        }
        if let Some(path) = &self.plot {
            let title = format!("{}: bring-up and its simulation", model.name);
            plot::draw(&title, &points, path)?;
        }
        Ok(ExitCode::SUCCESS)
    }

    /// One machine of the series.
    fn point(&self, simulator: &Simulator) -> Result<Point, Broke> {
        let measure = |strategy| {
            let setup = Setup {
                keeps_spans: false,
                ..self.setup(simulator, strategy, 1)
            };
            let begun = Instant::now();
            let brought_up = bring_up(simulator, strategy, &setup)?;
            Ok((brought_up, begun.elapsed()))
        };
        let (two_pass, _) = measure(Strategy::TwoPass)?;
        let (parallel, host) = measure(Strategy::Parallel)?;
        let time = |of: &BroughtUp| {
            let record = of.round.record(0, of.doorbells);
            Duration::from_nanos(record.online_ns.unwrap_or(record.total_ns))
        };
        Ok(Point {
            cpus: simulator.model().shape.cpus(),
            parallel: time(&parallel),
            two_pass: time(&two_pass),
            events: parallel.events,
            polls: parallel.round.record(0, 0).polls,
            host,
        })
    }

    /// Looks for a schedule that breaks a rule.
    fn explore(&self, schedules: u32, out: &mut dyn Write) -> Result<ExitCode> {
        /// So often is said how many there have been.
        const TOLD: u32 = 10;
        let explorer = Explorer::new()?;
        let done = Cell::new(0);
        let begun = Instant::now();
        let progress = |_: &Schedule| {
            let before = done.replace(done.get() + 1);
            let tenths = |done: u32| u64::from(done) * u64::from(TOLD) / u64::from(schedules);
            if before < schedules && tenths(before) > tenths(before.saturating_sub(1)) {
                eprintln!("xtask: {before} of {schedules} schedules break no rule");
            }
        };
        let Err(finding) = explorer.explore(schedules, self.seed, progress) else {
            let seconds = begun.elapsed().as_secs_f64();
            writeln!(
                out,
                "reveille: ok: {schedules} schedules break no rule, in {seconds:.1} s"
            )?;
            return Ok(ExitCode::SUCCESS);
        };
        if self.trace {
            // It breaks the rule again, which is said below.
            let _ = explorer.trace(&finding.schedule, tell);
        }
        writeln!(out, "{finding}")?;
        let (drawn, broken) = (finding.drawn, finding.broken);
        writeln!(
            out,
            "reveille: failed: schedule {drawn} of {schedules}: {broken}"
        )?;
        Ok(ExitCode::FAILURE)
    }

    /// The strategies that were asked for by name, each once; none where all are wanted.
    fn named(&self) -> Vec<Strategy> {
        let mut named = Vec::new();
        for choice in &self.strategy {
            match *choice {
                StrategyChoice::All => return Vec::new(),
                StrategyChoice::One(strategy) if named.contains(&strategy) => {}
                StrategyChoice::One(strategy) => named.push(strategy),
            }
        }
        named
    }
}

/// How many columns the standard output has.
fn terminal_width() -> usize {
    look::columns().map_or(USUAL_WIDTH, usize::from)
}

/// For a person who looks for a bug.
fn tell(happened: &Happened) {
    // Where nobody reads on, the simulation is the same.
    let _ = writeln!(io::stderr(), "{happened}");
}

/// Simulates one bring-up.
fn bring_up(simulator: &Simulator, strategy: Strategy, setup: &Setup) -> Result<BroughtUp, Broke> {
    let simulated = simulator.run(setup).map_err(|broken| {
        let model = simulator.model();
        let (name, cpus, seed) = (&model.name, model.shape.cpus(), setup.seed);
        Broke(format!(
            "{name} with {cpus} CPUs, {strategy}, seed {seed}: {broken}"
        ))
    })?;
    Ok(BroughtUp::first_of(simulated).expect("a bring-up was asked for"))
}

/// One strategy in all its runs.
struct Run {
    strategy: Strategy,
    bringups: Vec<record::Bringup>,
    parts: Vec<Parts>,
    /// How long it would be to the last CPU online if the steps before the kick ran on all CPUs that
    /// are.
    spread_ns: Vec<u64>,
    /// The first run, where it is shown phase by phase.
    shown: Option<BroughtUp>,
}

/// Which rule was broken, and in which simulation.
struct Broke(String);

/// Which strategies are simulated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum StrategyChoice {
    /// All there are.
    All,
    /// This one.
    One(Strategy),
}

/// What a [`StrategyChoice`] is written as.
pub(super) fn strategy_names() -> impl Iterator<Item = &'static str> {
    let names = Strategy::ALL.iter().map(<&str>::from);
    ["all"].into_iter().chain(names)
}

/// One of [`strategy_names`], taken apart.
pub(super) fn strategy(name: String) -> Result<StrategyChoice> {
    match name.as_str() {
        "all" => Ok(StrategyChoice::All),
        name => name
            .parse()
            .map(StrategyChoice::One)
            .map_err(|_| anyhow!("no strategy is called {name}")),
    }
}

/// The name of an order, taken apart.
pub(super) fn order(name: String) -> Result<Order> {
    name.parse()
        .map_err(|_| anyhow!("no order is called {name}"))
}

/// What is wrong with one AP.
#[derive(Clone, Debug)]
pub(super) struct CpuFault {
    /// As it was written.
    text: String,
    cpu: usize,
    kind: Kind,
}

/// A fault, of which only the ladder can say whether there is such a step.
#[derive(Clone, Debug)]
enum Kind {
    /// As it stands.
    Known(Fault),
    /// A step that fails, by its name.
    Named {
        fails: fn(u32) -> Fault,
        step: String,
    },
}

impl Kind {
    fn of(&self, ladder: &Ladder) -> Result<Fault> {
        let steps: Vec<_> = ladder.steps().iter().map(|step| step.name()).collect();
        let known = || format!("the steps are {}, from 0 on", steps.join(", "));
        match self {
            Self::Known(fault) => {
                if let Fault::FailsUp(step) | Fault::FailsDown(step) = fault {
                    ensure!((*step as usize) < steps.len(), known());
                }
                Ok(fault.clone())
            }
            Self::Named { fails, step } => {
                let place = steps.iter().position(|name| name == step);
                Ok(fails(place.with_context(known)? as u32))
            }
        }
    }
}

impl std::str::FromStr for Kind {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        let named = |fails, step: &str| {
            let is_name = step.starts_with(|first: char| first.is_ascii_lowercase());
            is_name.then(|| Self::Named {
                fails,
                step: step.to_owned(),
            })
        };
        let named = match text.split_once('=') {
            Some(("fails-up", step)) => named(Fault::FailsUp, step),
            Some(("fails-down", step)) => named(Fault::FailsDown, step),
            _ => None,
        };
        named.map_or_else(|| text.parse().map(Self::Known), Ok)
    }
}

impl std::str::FromStr for CpuFault {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        let (cpu, kind) = text.split_once(':').context("it is written CPU:KIND")?;
        let cpu = cpu.parse().ok().filter(|&cpu| cpu > 0);
        Ok(Self {
            text: text.to_owned(),
            cpu: cpu.context("an AP has a number from 1 on")?,
            kind: kind.parse()?,
        })
    }
}

/// A model that comes with Reveille, or a file. The whole error is one text: of a chain, the command
/// line's parser shows the first link.
pub(super) fn model(text: &str) -> Result<Model, String> {
    let model = match text.ends_with(".toml") {
        true => Model::read(Path::new(text)),
        false => Model::named(text),
    };
    model.map_err(|error| format!("{error:#}"))
}

/// All models that come with Reveille.
fn list(out: &mut dyn Write) -> Result<ExitCode> {
    for name in Model::names() {
        let model = Model::named(name)?;
        writeln!(
            out,
            "{name:22}{:>6} CPUs  {}",
            model.shape.cpus(),
            model.title
        )?;
    }
    Ok(ExitCode::SUCCESS)
}

/// A file of records, one a line.
struct Json {
    path: PathBuf,
    file: File,
}

impl Json {
    fn create(path: &Path) -> Result<Self> {
        let path = path.to_owned();
        match File::create(&path) {
            Ok(file) => Ok(Self { path, file }),
            Err(error) => Err(cannot_write(&path, error)),
        }
    }

    fn write(&mut self, record: &Record) -> Result<()> {
        let line = serde_json::to_string(record)?;
        writeln!(self.file, "{line}").map_err(|error| cannot_write(&self.path, error))
    }
}

/// As a text: an [`io::Error`] is one of the standard output.
fn cannot_write(path: &Path, error: io::Error) -> anyhow::Error {
    anyhow!("cannot write {}: {error}", path.display())
}
