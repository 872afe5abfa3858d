//! A file of results as a report takes it: whatever is in it, and what of it nobody knows.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};

use super::mend::{Lacked, can_be_mended, mended};
use crate::bench::{
    growth::{plan::Kind, points::MEMORY},
    host::{Host, Load},
    linux::plan::Subject,
    results::{FILE, Header, ReadError, Results, Run},
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
    /// The fields of the header that stand in for what nobody knows.
    unknown: Vec<&'static str>,
    /// A benchmark can go on with it: nothing had to be filled in or left out.
    can_go_on: bool,
}

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
            Ok(results) => (results, Lacked::default()),
            Err(error) if can_be_mended(&error.problem) => {
                let bytes = fs::read(&path);
                let bytes = bytes.with_context(|| format!("cannot read {}", path.display()))?;
                let ReadError { path, problem } = error;
                mended(&bytes, problem).map_err(|problem| ReadError { path, problem })?
            }
            Err(error) => return Err(error.into()),
        };
        let said = lacked.said();
        let can_go_on = said.is_empty() && is_gone_on_with(&path, &results.header);
        let told = said.into_iter().chain(results.warning());
        let missing = told.map(|it| format!("{name}: {it}.")).collect();
        Ok(Self {
            path,
            name,
            results,
            missing,
            unknown: lacked.header,
            can_go_on,
        })
    }

    /// What the header has in a field, if the file has that field.
    pub(super) fn told<T>(&self, field: &str, value: T) -> Option<T> {
        (!self.unknown.contains(&field)).then_some(value)
    }

    /// The host of a boot, if anybody tells.
    pub(super) fn host_of<'a>(&'a self, run: &'a Run) -> Option<&'a Host> {
        let own = run.host.as_deref();
        own.or_else(|| self.told("host", &self.results.header.host))
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
        let command = &self.results.header.command;
        let command = match (self.told("command", command), self.benchmark()) {
            (Some(command), _) => command,
            (None, Benchmark::Strategies) => "cargo xtask bench",
            (None, Benchmark::Linux) => "cargo xtask bench linux",
            (None, Benchmark::Growth) => "cargo xtask bench growth",
        };
        match self.can_go_on {
            true => format!("`{command} --resume --out DIR`"),
            false => format!("`{command}`, from the beginning,"),
        }
    }
}

/// Of these boots, those on a host that was busy otherwise; `None` where one of them does not tell. What stands in
/// for a load that is not there is nothing, and no QEMU runs without time.
pub(super) fn busy<'a>(runs: impl Iterator<Item = &'a Run>) -> Option<u32> {
    let busy = runs.map(|run| (run.load != Load::default()).then_some(u32::from(run.load.busy)));
    busy.sum()
}

/// Whether a benchmark that is given its folder finds this file, and by its command measures the same part. A file
/// that was joined of parts may have the command of one of them.
fn is_gone_on_with(path: &Path, header: &Header) -> bool {
    let mut words = header.command.split_whitespace();
    let is_of_part = words.any(|word| word == "--shard" || word.starts_with("--shard="));
    path.file_name().is_some_and(|name| name == FILE) && is_of_part == header.shard.is_some()
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

#[cfg(test)]
pub(super) mod tests {
    use super::{
        super::tests::{folder_of, lines},
        *,
    };
    use crate::bench::results::tests::run;
    use crate::kernel::workspace;

    /// What is read of these lines, in a folder `boots`.
    pub(in crate::report) fn read(text: &str) -> Source {
        let folder = folder_of(text);
        Source::read(&folder.path().join("boots")).expect("something is in it")
    }

    #[test]
    fn a_whole_file_lacks_nothing_and_is_called_like_its_folder() {
        let source = read(&lines().join(""));
        assert_eq!((source.name.as_str(), source.missing.len()), ("boots", 0));
        assert_eq!(source.results.runs.len(), 4);
        assert_eq!(source.benchmark(), Benchmark::Strategies);
        assert_eq!(source.told("host", 1), Some(1));
    }

    #[test]
    fn one_boot_that_does_not_tell_its_load_leaves_nobody_who_knows_how_many_were_busy() {
        let mut runs = [run(2, 1), run(2, 2)];
        for run in &mut runs {
            run.load.own_cpu_ns = 1;
        }
        runs[1].load.busy = true;
        assert_eq!(busy(runs.iter()), Some(1));
        runs[0].load = Load::default();
        assert_eq!(busy(runs.iter()), None);
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
        // A benchmark looks for a file of the usual name, and for the part that its command names.
        let folder = folder_of(&whole.concat());
        let other = folder.path().join("other.jsonl");
        fs::copy(folder.path().join("boots").join(FILE), &other).expect("there is room");
        let other = Source::read(&other).expect("it is whole").goes_on();
        assert_eq!(other, format!("`{command}`, from the beginning,"));
        let of_part = |command: &str| {
            whole
                .concat()
                .replace("--runs 2\"", &format!("{command}\""))
        };
        let merged = goes_on(&of_part("--runs 2 --shard 1/2"));
        assert!(
            merged.ends_with("--shard 1/2`, from the beginning,"),
            "{merged}"
        );
        let part = of_part("--runs 2 --shard 1/2").replace(r#""shard":null"#, r#""shard":"1/2""#);
        let part = goes_on(&part);
        assert!(part.ends_with("--shard 1/2 --resume --out DIR`"), "{part}");
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
