//! The text of a model, and what is wrong with it.
//!
//! Whatever a model's later readers rely on is checked here, and told with its table, its key and what
//! would be right.

use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use reveille_smp::{
    bringup::{SecondSipi, Timing},
    step::{Mode, Section},
    strategy::Strategy,
};
use serde::Deserialize;

use super::{
    At, Basis, Cost, Delay, Host, Model, Numbering, On, Part, Piece, Resource, Shape, Step, Total,
    Use, Who,
    delay::{microseconds, some_microseconds},
    shape::Scale,
    work,
};

/// Reads a model.
pub(super) fn parse(name: &str, text: &str) -> Result<Model> {
    let file: File = toml::from_str(text)?;
    ensure!(
        !file.title.trim().is_empty(),
        "`title` must say in a line what it is a model of"
    );
    let ShapeTable {
        packages,
        cores,
        threads,
        numbering,
        scale,
    } = file.shape;
    let shape = Shape::new([packages, cores, threads], numbering, scale).context("[shape]")?;
    let resources = resources(file.resource)?;
    let costs = file.cost.into_iter().enumerate().map(|(index, table)| {
        let place = format!("[[cost]] number {}", index + 1);
        cost(table, &resources).context(place)
    });
    let costs = costs.collect::<Result<_>>()?;
    let mut steps: Vec<Step> = Vec::with_capacity(file.step.len());
    for table in file.step {
        let place = format!("[[step]] {:?}", table.name);
        let taken = steps.iter().map(|step| step.name);
        let step = step(table, taken, &resources).context(place)?;
        steps.push(step);
    }
    let totals = file.total.into_iter().enumerate().map(|(index, table)| {
        let place = format!("[[total]] number {}", index + 1);
        total(table, &shape).context(place)
    });
    let totals = totals.collect::<Result<_>>()?;
    Ok(Model {
        name: name.to_owned(),
        title: file.title,
        shape,
        timing: file.timing.timing(),
        host: file
            .host
            .map(HostTable::check)
            .transpose()
            .context("[host]")?,
        resources,
        costs,
        steps,
        totals,
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    title: String,
    shape: ShapeTable,
    #[serde(default)]
    timing: TimingTable,
    host: Option<HostTable>,
    #[serde(default)]
    resource: Vec<ResourceTable>,
    #[serde(default)]
    cost: Vec<PieceTable>,
    #[serde(default)]
    step: Vec<StepTable>,
    #[serde(default)]
    total: Vec<TotalTable>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ShapeTable {
    packages: u32,
    cores: u32,
    threads: u32,
    numbering: Numbering,
    #[serde(default)]
    scale: Scale,
}

/// What is left out is as the bring-up has it by itself.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
struct TimingTable {
    #[serde(deserialize_with = "some_microseconds")]
    head_start: Option<Duration>,
    #[serde(deserialize_with = "some_microseconds")]
    init_delay: Option<Duration>,
    #[serde(deserialize_with = "some_microseconds")]
    second_sipi: Option<Duration>,
    #[serde(deserialize_with = "some_microseconds")]
    init_repeat: Option<Duration>,
    #[serde(deserialize_with = "some_microseconds")]
    alive_timeout: Option<Duration>,
    #[serde(deserialize_with = "some_microseconds")]
    online_timeout: Option<Duration>,
}

impl TimingTable {
    fn timing(self) -> Timing {
        let default = Timing::default();
        let second_sipi = self.second_sipi.map(SecondSipi::IfUnseen);
        Timing {
            head_start: self.head_start.unwrap_or(default.head_start),
            init_delay: self.init_delay.unwrap_or(default.init_delay),
            second_sipi: second_sipi.unwrap_or(default.second_sipi),
            init_repeat: self.init_repeat.unwrap_or(default.init_repeat),
            answer_timeout: default.answer_timeout,
            alive_timeout: self.alive_timeout.unwrap_or(default.alive_timeout),
            online_timeout: self.online_timeout.unwrap_or(default.online_timeout),
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct HostTable {
    cores: usize,
    #[serde(deserialize_with = "microseconds")]
    slice: Duration,
}

impl HostTable {
    fn check(self) -> Result<Host> {
        let Self { cores, slice } = self;
        ensure!(cores > 0, "`cores` must be 1 or more");
        ensure!(!slice.is_zero(), "`slice` must be more than 0");
        Ok(Host { cores, slice })
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ResourceTable {
    name: String,
    capacity: usize,
}

fn resources(tables: Vec<ResourceTable>) -> Result<Vec<Resource>> {
    let mut resources: Vec<Resource> = Vec::with_capacity(tables.len());
    for ResourceTable { name, capacity } in tables {
        let place = || format!("[[resource]] {name:?}");
        check_name(&name).with_context(place)?;
        let is_taken = resources.iter().any(|other| other.name == name);
        ensure!(!is_taken, "{}: there are two of that name", place());
        ensure!(capacity > 0, "{}: `capacity` must be 1 or more", place());
        resources.push(Resource { name, capacity });
    }
    Ok(resources)
}

/// A cost, or a piece of a step's work: the latter is where the step is, and has no `at`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PieceTable {
    at: Option<At>,
    on: On,
    #[serde(default)]
    who: Who,
    holds: Option<String>,
    time: Delay,
    basis: Basis,
    source: String,
}

impl PieceTable {
    fn check(self, possible: &[On], resources: &[Resource]) -> Result<Piece> {
        let Self { on, who, time, .. } = self;
        ensure!(
            possible.contains(&on),
            "`on` must be {} here, and not {on}",
            list(possible.iter(), "or")
        );
        time.check().context("`time`")?;
        check_source(&self.source)?;
        let find = |name: String| {
            let place = resources.iter().position(|resource| resource.name == name);
            place.with_context(|| {
                let known = list(resources.iter().map(|resource| &resource.name), "and");
                format!("`holds`: there is no resource {name:?}; there are: {known}")
            })
        };
        Ok(Piece {
            on,
            who,
            holds: self.holds.map(find).transpose()?,
            time,
            basis: self.basis,
            source: self.source,
        })
    }
}

fn cost(table: PieceTable, resources: &[Resource]) -> Result<Cost> {
    let Some(at) = table.at else {
        bail!("`at` must say where: {}", list(At::ALL.iter(), "or"));
    };
    let piece = table.check(at.possible(), resources);
    let piece = piece.with_context(|| format!("at {at}"))?;
    Ok(Cost { at, piece })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct StepTable {
    name: String,
    section: SectionName,
    #[serde(default)]
    mode: ModeName,
    #[serde(default)]
    primaries_first: bool,
    #[serde(default)]
    up: Vec<PieceTable>,
    #[serde(default)]
    down: Vec<PieceTable>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum SectionName {
    Prepare,
    Starting,
    Online,
}

impl From<SectionName> for Section {
    fn from(name: SectionName) -> Self {
        match name {
            SectionName::Prepare => Self::Prepare,
            SectionName::Starting => Self::Starting,
            SectionName::Online => Self::Online,
        }
    }
}

#[derive(Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum ModeName {
    Serialised,
    #[default]
    Concurrent,
}

impl From<ModeName> for Mode {
    fn from(name: ModeName) -> Self {
        match name {
            ModeName::Serialised => Self::Serialised,
            ModeName::Concurrent => Self::Concurrent,
        }
    }
}

/// The ladder's own step, which no model has.
const KICK: &str = "kick";

fn step(
    table: StepTable,
    mut taken: impl Iterator<Item = &'static str>,
    resources: &[Resource],
) -> Result<Step> {
    let name = table.name;
    check_name(&name)?;
    let is_place = At::ALL.iter().any(|at| name == <&str>::from(at));
    ensure!(
        !is_place && name != KICK,
        "`name`: the bring-up itself has something of that name"
    );
    ensure!(
        taken.all(|other| other != name),
        "`name`: there are two of that name"
    );
    let section = Section::from(table.section);
    let mode = Mode::from(table.mode);
    ensure!(
        section == Section::Online || mode == Mode::Concurrent,
        "`mode`: a step that is serialised must be of the section online"
    );
    let pieces = |tables: Vec<PieceTable>, direction: &str| {
        let check = |(index, table): (usize, PieceTable)| {
            let place = format!(
                "[[step.{direction}]] number {} (section {})",
                index + 1,
                section.name()
            );
            ensure!(
                table.at.is_none(),
                "{place}: `at` must stand in a [[cost]] only"
            );
            table
                .check(work::possible(section), resources)
                .context(place)
        };
        tables
            .into_iter()
            .enumerate()
            .map(check)
            .collect::<Result<Vec<_>>>()
    };
    Ok(Step {
        section,
        mode,
        primaries_first: table.primaries_first,
        up: pieces(table.up, "up")?,
        down: pieces(table.down, "down")?,
        name: name.leak(),
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct TotalTable {
    strategy: String,
    part: Part,
    name: Option<String>,
    /// Where it was another machine of the same kind.
    cpus: Option<usize>,
    ms: f64,
    #[serde(rename = "use")]
    role: Use,
    within_percent: Option<f64>,
    source: String,
}

fn total(table: TotalTable, shape: &Shape) -> Result<Total> {
    let Ok(strategy) = table.strategy.parse() else {
        let known = list(Strategy::ALL.iter(), "or");
        bail!("`strategy` must be {known}, and not {:?}", table.strategy);
    };
    let published = Duration::try_from_secs_f64(table.ms / 1e3).ok();
    let Some(published) = published.filter(|time| !time.is_zero()) else {
        bail!("`ms` must be a time in milliseconds, more than 0");
    };
    let is_share = |percent: f64| percent.is_finite() && percent > 0.0;
    ensure!(
        table.within_percent.is_none_or(is_share),
        "`within-percent` must be more than 0"
    );
    let cpus = table.cpus.unwrap_or(shape.cpus());
    let has_text = |name: &String| !name.trim().is_empty();
    ensure!(
        table.name.as_ref().is_none_or(has_text),
        "`name` must say which one it is"
    );
    ensure!(cpus > 0, "`cpus` must be 1 or more");
    check_source(&table.source)?;
    Ok(Total {
        strategy,
        part: table.part,
        name: table.name,
        cpus,
        published,
        role: table.role,
        within_percent: table.within_percent,
        source: table.source,
    })
}

/// Refuses what could not stand in `--fault CPU:step=NAME`, or not in a column.
fn check_name(name: &str) -> Result<()> {
    let is_part = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    ensure!(
        name.starts_with(|first: char| first.is_ascii_lowercase()) && name.bytes().all(is_part),
        "`name` must be made of a-z, 0-9 and hyphens, a letter first"
    );
    Ok(())
}

fn check_source(source: &str) -> Result<()> {
    ensure!(
        !source.trim().is_empty(),
        "`source` must say where the figure is from"
    );
    Ok(())
}

/// `a, b or c`.
fn list<T: ToString>(items: impl Iterator<Item = T>, word: &str) -> String {
    let mut items: Vec<_> = items.map(|item| item.to_string()).collect();
    let last = items.pop().unwrap_or_else(|| "none".to_owned());
    if items.is_empty() {
        return last;
    }
    format!("{} {word} {last}", items.join(", "))
}

#[cfg(test)]
mod tests;
