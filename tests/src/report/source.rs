//! A file of results as a report takes it: whatever is in it.
//!
//! Those who compare or go on need a file that is whole. A report is for a look, and a look at half is better than
//! none: **a field that is not there is filled in, a line that cannot be used is left out, and both are said.**

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use serde_json::{Map, Value, json};

use crate::bench::{
    cell::REVEILLE,
    growth::{plan::Kind, points::MEMORY},
    host::{Host, Load},
    linux::plan::Subject,
    results::{FILE, Line, Problem, Results, SCHEMA},
};

/// A file of results, and where it was found.
#[derive(Debug)]
pub(super) struct Source {
    /// The file itself.
    pub(super) path: PathBuf,
    /// Its name for people: that of its folder, if it is called as all are.
    pub(super) name: String,
    /// What is in it.
    pub(super) results: Results,
    /// What is not.
    pub(super) missing: Vec<String>,
    /// A benchmark can go on with it: nothing had to be filled in or left out.
    can_go_on: bool,
}

/// The command of a file that does not name it.
const UNKNOWN: &str = "unknown";

/// Which benchmark made a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Benchmark {
    /// `bench` itself.
    Strategies,
    /// `bench linux`.
    Linux,
    /// `bench growth`.
    Growth,
}

impl Source {
    /// Reads a file, or the one in a folder.
    ///
    /// # Errors
    ///
    /// It cannot be read, is of another schema, or has nothing in it that is a benchmark's.
    pub(super) fn read(path: &Path) -> Result<Self> {
        let path = match path.is_dir() {
            true => path.join(FILE),
            false => path.to_owned(),
        };
        let name = name(&path);
        let (results, lacked) = match Results::read(&path) {
            Ok(results) => (results, Vec::new()),
            Err(error) if can_be_mended(&error.problem) => {
                let bytes = fs::read(&path);
                let bytes = bytes.with_context(|| format!("cannot read {}", path.display()))?;
                mended(&bytes).ok_or(error)?
            }
            Err(error) => return Err(error.into()),
        };
        let can_go_on = lacked.is_empty();
        let told = lacked.into_iter().chain(results.warning());
        let missing = told.map(|it| format!("{name}: {it}.")).collect();
        Ok(Self {
            path,
            name,
            results,
            missing,
            can_go_on,
        })
    }

    /// Who made it, by what is in it.
    pub(super) fn benchmark(&self) -> Benchmark {
        let header = &self.results.header;
        let is_linux = |name: &String| Subject::named(name).is_some_and(|it| it.linux.is_some());
        let is_alone = |machine| Kind::of_machine(machine, header.rounds) == Some(Kind::Alone);
        let has_memory = self
            .results
            .runs
            .iter()
            .any(|run| run.samples.contains_key(MEMORY));
        if header.systems.iter().any(is_linux) {
            Benchmark::Linux
        } else if has_memory || header.plan.iter().any(is_alone) {
            Benchmark::Growth
        } else {
            Benchmark::Strategies
        }
    }

    /// The command that measures what is not there yet: all of it, where no benchmark goes on with this file.
    pub(super) fn goes_on(&self) -> String {
        let command = match (self.results.header.command.as_str(), self.benchmark()) {
            (UNKNOWN, Benchmark::Strategies) => "cargo xtask bench",
            (UNKNOWN, Benchmark::Linux) => "cargo xtask bench linux",
            (UNKNOWN, Benchmark::Growth) => "cargo xtask bench growth",
            (command, _) => command,
        };
        match self.can_go_on {
            true => format!("`{command} --resume --out DIR`"),
            false => format!("`{command}`, from the beginning,"),
        }
    }
}

/// What people call a file: without the folders above it, which are nobody's business.
fn name(path: &Path) -> String {
    let full = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let is_usual = full.file_name().is_some_and(|name| name == FILE);
    let named = match is_usual {
        true => full.parent().and_then(Path::file_name),
        false => full.file_name(),
    };
    named.unwrap_or_default().to_string_lossy().into_owned()
}

/// Whether what is there may be of use.
fn can_be_mended(problem: &Problem) -> bool {
    matches!(problem, Problem::Broken { .. } | Problem::NoHeader)
}

/// What the whole lines of a file give with what they lack filled in, and what that was; `None` where no line of
/// it is one of results. A last line that is cut off stays so.
fn mended(bytes: &[u8]) -> Option<(Results, Vec<String>)> {
    let text = String::from_utf8_lossy(bytes);
    let (whole, rest) = text.rsplit_once('\n').unwrap_or(("", &text));
    let mut lacked = Lacked::default();
    let mut header = None;
    let mut runs = Vec::new();
    for line in whole.lines().filter(|line| !line.is_empty()) {
        match serde_json::from_str(line) {
            Ok(Value::Object(line)) if line.get("record") == Some(&json!("bench")) => {
                header.get_or_insert(line);
            }
            Ok(Value::Object(mut line)) => {
                let fields = fill(&mut line, run());
                match serde_json::from_value(Value::Object(line.clone())) {
                    Ok(Line::Run(_)) => {
                        lacked.of_a_run(fields);
                        runs.push(line);
                    }
                    _ => lacked.lines += 1,
                }
            }
            _ => lacked.lines += 1,
        }
    }
    if header.is_none() && runs.is_empty() {
        return None;
    }
    let mut header = header.unwrap_or_default();
    lacked.header = fill(&mut header, header_of(&runs));
    let lines = [header].into_iter().chain(runs);
    let lines = lines.map(|line| Value::Object(line).to_string() + "\n");
    let text = lines.collect::<String>() + rest;
    let results = Results::parse(text.as_bytes()).ok()?;
    Some((results, lacked.said()))
}

/// What a file lacks.
#[derive(Default)]
struct Lacked {
    header: Vec<&'static str>,
    /// Boots without it, by the field.
    runs: BTreeMap<&'static str, usize>,
    /// Lines that are of no use.
    lines: usize,
}

impl Lacked {
    fn of_a_run(&mut self, fields: Vec<&'static str>) {
        for field in fields {
            *self.runs.entry(field).or_default() += 1;
        }
    }

    fn said(self) -> Vec<String> {
        let mut said = Vec::new();
        if !self.header.is_empty() {
            let fields = self.header.join("`, `");
            said.push(format!("its header lacks `{fields}`"));
        }
        for (field, boots) in self.runs {
            let noun = if boots == 1 {
                "boot lacks"
            } else {
                "boots lack"
            };
            said.push(format!("{boots} {noun} `{field}`"));
        }
        match self.lines {
            0 => {}
            1 => said.push("a line cannot be read, and is left out".to_owned()),
            lines => said.push(format!("{lines} lines cannot be read, and are left out")),
        }
        said
    }
}

type Object = Map<String, Value>;

/// Puts what a line lacks in its place, and says what that was.
fn fill<const N: usize>(
    line: &mut Object,
    fields: [(&'static str, Value); N],
) -> Vec<&'static str> {
    let mut filled = Vec::new();
    for (field, value) in fields {
        if !line.contains_key(field) {
            line.insert(field.to_owned(), value);
            filled.push(field);
        }
    }
    filled
}

/// What stands for a field that a boot lacks. A boot of which nobody knows how it ended counts as one that failed.
fn run() -> [(&'static str, Value); 6] {
    let load = Load::default();
    [
        ("record", json!("run")),
        (
            "outcome",
            json!({"failed": "the results do not say how it ended"}),
        ),
        ("elapsed_ns", json!(0)),
        ("boot_online_ns", Value::Null),
        ("load", json!(load)),
        ("samples", json!({})),
    ]
}

/// What stands for a field that the header lacks: what the boots say of it, or that nobody knows.
fn header_of(runs: &[Object]) -> [(&'static str, Value); 14] {
    let unknown = || json!(UNKNOWN);
    let mut plan: Vec<Value> = Vec::new();
    let mut systems: Vec<Value> = Vec::new();
    let mut strategies: Vec<&String> = Vec::new();
    for run in runs {
        let system = run.get("system").cloned();
        for (all, it) in [
            (&mut plan, run["machine"].clone()),
            (&mut systems, system.unwrap_or_else(|| json!(REVEILLE))),
        ] {
            if !all.contains(&it) {
                all.push(it);
            }
        }
        for name in run["samples"].as_object().into_iter().flat_map(Map::keys) {
            if !strategies.contains(&name) {
                strategies.push(name);
            }
        }
    }
    let boots = runs.iter().filter_map(|run| run["run"].as_u64()).max();
    let samples = runs.iter().filter_map(|run| run["samples"].as_object());
    let lists = samples.flat_map(|it| it.values().filter_map(Value::as_object));
    let rounds = lists
        .flat_map(Map::values)
        .filter_map(Value::as_array)
        .map(Vec::len)
        .max();
    let host = Host {
        cpu: "unknown".to_owned(),
        cpus: 0,
        memory_bytes: 0,
        system: "unknown".to_owned(),
    };
    [
        ("record", json!("bench")),
        ("schema", json!(SCHEMA)),
        ("started", unknown()),
        ("command", unknown()),
        ("reveille", unknown()),
        ("kernel", unknown()),
        ("qemu", unknown()),
        ("rustc", unknown()),
        ("host", json!(host)),
        ("systems", json!(systems)),
        ("plan", json!(plan)),
        ("strategies", json!(strategies)),
        ("runs", json!(boots.unwrap_or_default())),
        ("rounds", json!(rounds.unwrap_or_default())),
    ]
}

#[cfg(test)]
mod tests {
    use super::{
        super::tests::{folder_of, lines},
        *,
    };
    use crate::kernel::workspace;

    /// What is read of these lines, in a folder `boots`.
    fn read(text: &str) -> Source {
        let folder = folder_of(text);
        Source::read(&folder.path().join("boots")).expect("something is in it")
    }

    #[test]
    fn a_whole_file_lacks_nothing_and_is_called_like_its_folder() {
        let source = read(&lines().join(""));
        assert_eq!((source.name.as_str(), source.missing.len()), ("boots", 0));
        assert_eq!(source.results.runs.len(), 4);
        assert_eq!(source.benchmark(), Benchmark::Strategies);
    }

    #[test]
    fn fields_that_a_boot_lacks_are_filled_in_and_told() {
        let text = lines().join("").replace(r#""elapsed_ns":1000000000,"#, "");
        let text = text.replacen(r#""outcome":"ok","#, "", 1);
        let source = read(&text);
        assert_eq!(source.results.runs.len(), 4);
        assert_eq!(source.results.ok_runs().count(), 3);
        assert_eq!(
            source.missing,
            [
                "boots: 4 boots lack `elapsed_ns`.",
                "boots: 1 boot lacks `outcome`."
            ]
        );
    }

    #[test]
    fn a_header_that_lacks_fields_has_them_from_the_boots() {
        let whole = lines();
        let header = r#"{"record":"bench","schema":1,"started":"2026-11-22T10:00:00Z"}"#;
        let source = read(&format!("{header}\n{}", whole[1..].concat()));
        let made = &source.results.header;
        let original = read(&whole.concat()).results.header;
        assert_eq!((&made.plan, made.runs, made.rounds), (&original.plan, 2, 3));
        assert_eq!(made.started, "2026-11-22T10:00:00Z");
        assert!(source.missing[0].contains("`host`"), "{:?}", source.missing);
        let headless = read(&whole[1..].concat());
        assert_eq!(headless.results.runs.len(), 4);
    }

    #[test]
    fn only_a_file_that_lacks_nothing_is_said_to_be_gone_on_with() {
        let whole = lines();
        let command = "cargo xtask bench --smp 2,8 --runs 2";
        let goes_on = |text: &str| read(text).goes_on();
        let resumed = format!("`{command} --resume --out DIR`");
        assert_eq!(goes_on(&whole.concat()), resumed);
        // A last line that is cut off is measured again.
        let cut = whole.concat();
        assert_eq!(goes_on(&cut[..cut.len() - 40]), resumed);
        let lacking = whole.concat().replace(r#""elapsed_ns":1000000000,"#, "");
        assert_eq!(
            goes_on(&lacking),
            format!("`{command}`, from the beginning,")
        );
        // Without a header, by what was measured.
        let headless = whole[1..].concat();
        assert_eq!(
            goes_on(&headless),
            "`cargo xtask bench`, from the beginning,"
        );
        for (name, expected) in [
            ("growth", "`cargo xtask bench growth`, from the beginning,"),
            ("linux", "`cargo xtask bench linux`, from the beginning,"),
        ] {
            let path = workspace().join(format!("docs/results/{name}.jsonl"));
            let text = fs::read_to_string(path).expect("it is committed");
            let (_header, boots) = text.split_once('\n').expect("there are boots");
            assert_eq!(goes_on(boots), expected);
        }
    }

    #[test]
    fn lines_that_are_of_no_use_and_one_that_is_cut_off_are_left_out_and_told() {
        let mut lines = lines();
        lines.insert(
            2,
            "{\"record\":\"run\",\"machine\":4}\nno JSON\n".to_owned(),
        );
        let cut = lines[1].len() / 2;
        let end = lines[1][..cut].to_owned();
        lines.push(end);
        let source = read(&lines.concat());
        assert_eq!(source.results.runs.len(), 4);
        assert_eq!(source.missing.len(), 2, "{:?}", source.missing);
        assert!(source.missing[0].contains("2 lines cannot be read"));
        assert!(source.missing[1].contains("the last line is cut off"));
    }

    #[test]
    fn a_file_of_another_kind_or_schema_is_none() {
        for text in [
            "{\"a\":1}\n",
            "no JSON\n",
            "",
            "{\"record\":\"bench\",\"schema\":2}\n",
        ] {
            let folder = folder_of(text);
            assert!(
                Source::read(&folder.path().join("boots")).is_err(),
                "{text}"
            );
        }
    }
}
