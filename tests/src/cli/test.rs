//! `cargo xtask test`: all tests, with cargo-nextest where it is installed and plain `cargo test`
//! where it is not.
//!
//! The scenarios boot the kernel; those in a module `slow` are left out by `--quick`, and those
//! marked `#[ignore]` are added by `--full`, as is the target with very many schedules for the
//! simulator, which alone is built optimised, and the one that compares real benchmarks.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Command, ExitCode, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use cargo_metadata::{Dependency, MetadataCommand, cargo_platform::Platform};

use super::Test;
use crate::{
    firmware::{FIRMWARE_VARIABLE, Firmware},
    kernel::{IMAGE_VARIABLE, Kernel, workspace},
    setup,
    skipped::Skipped,
};

/// The test target of this package that needs QEMU.
const SCENARIOS: &str = "scenarios";

/// The one that would take half an hour if it were not optimised.
const MILLION: &str = "million";

/// The one that measures, so that nothing may run beside it.
const COMPARISONS: &str = "comparisons";

impl Test {
    pub(super) fn execute(self) -> Result<ExitCode> {
        setup::ensure(false)?;
        let kernel = Kernel::build()?;
        let firmware = Firmware::build()?;
        let runner = Runner::find();
        let targets = Targets::of_workspace()?;

        let skipped = Skipped::of(&kernel);
        skipped.clear()?;

        let mut parts = Vec::new();
        if !self.filter.is_empty() {
            eprintln!("xtask: building the tests, to look for {}", self.wanted());
        }
        if self.has_match(|runner, options| runner.host(options, &targets))? {
            parts.push(("on the host", runner.host(&self, &targets)));
        }
        if self.full && self.has_match(Runner::million)? {
            parts.push(("a million schedules, simulated", runner.million(&self)));
        }
        if self.has_match(|runner, options| runner.kernel(options))? {
            parts.push(("parts of what boots, on the host", runner.kernel(&self)));
        }
        if self.filter.is_empty() && !self.list {
            parts.push(("examples in the documentation", doc_tests()));
        }
        if !self.quick && !self.list && targets.have_model(&self.filter)? {
            parts.push(("loom models", targets.loom_models(&self)));
        }
        let scenarios =
            |runner: Runner, options: &Self| runner.scenarios(options, &kernel, &firmware);
        if self.has_match(scenarios)? {
            parts.push(("scenarios in QEMU", scenarios(runner, &self)));
        }
        let comparisons = |runner: Runner, options: &Self| runner.comparisons(options, &kernel);
        if self.full && self.has_match(comparisons)? {
            parts.push(("real benchmarks, compared", comparisons(runner, &self)));
        }
        if parts.is_empty() {
            bail!("no test has {} in its name", self.wanted());
        }

        let begun = Instant::now();
        let mut results = Vec::new();
        for (name, mut command) in parts {
            eprintln!("xtask: {name}");
            let started = Instant::now();
            let status = command
                .current_dir(workspace())
                .stdin(Stdio::null())
                .status();
            let passed = status.context("cannot start cargo")?.success();
            results.push((name, passed, started.elapsed()));
        }
        if self.list {
            return Ok(ExitCode::SUCCESS);
        }
        for (name, passed, time) in &results {
            eprintln!("xtask: {}", summary(name, *passed, *time));
        }
        for line in skipped.lines() {
            eprintln!("xtask: SKIPPED: {line}");
        }
        let failed = results.iter().filter(|(_, passed, _)| !passed);
        let failed: Vec<&str> = failed.map(|(name, _, _)| *name).collect();
        Ok(if failed.is_empty() {
            eprintln!("xtask: all passed in {} s", begun.elapsed().as_secs());
            ExitCode::SUCCESS
        } else {
            eprintln!("xtask: FAILED: {}", failed.join("; "));
            ExitCode::FAILURE
        })
    }

    /// The filter, for people.
    fn wanted(&self) -> String {
        let words = self.filter.iter().map(|word| format!("`{word}`"));
        words.collect::<Vec<_>>().join(" or ")
    }

    /// Whether the filter leaves anything to do in a part, which plain `cargo test` can tell for
    /// either runner.
    fn has_match(&self, part: impl Fn(Runner, &Self) -> Command) -> Result<bool> {
        if self.filter.is_empty() {
            return Ok(true);
        }
        let listing = Self {
            list: true,
            ..self.clone()
        };
        let names = |further: &[&str]| -> Result<usize> {
            let mut command = part(Runner::Cargo, &listing);
            let output = command
                .args(further)
                .current_dir(workspace())
                .stdin(Stdio::null())
                .stderr(Stdio::inherit())
                .output()
                .context("cannot start cargo")?;
            if !output.status.success() {
                bail!("the tests cannot be listed");
            }
            let text = String::from_utf8_lossy(&output.stdout);
            Ok(text.lines().filter(|line| line.ends_with(": test")).count())
        };
        // The list has the very long ones too, which only `--full` runs.
        let all = names(&[])?;
        Ok(all > 0 && (self.full || all > names(&["--ignored"])?))
    }
}

fn summary(name: &str, passed: bool, time: Duration) -> String {
    let word = if passed { "passed" } else { "FAILED" };
    format!("{word} in {:>6.1} s  {name}", time.as_secs_f64())
}

/// What runs the tests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Runner {
    Nextest,
    Cargo,
}

impl Runner {
    fn find() -> Self {
        let nextest = cargo(["nextest", "--version"])
            .stderr(Stdio::null())
            .output();
        if nextest.is_ok_and(|output| output.status.success()) {
            Self::Nextest
        } else {
            eprintln!("xtask: cargo-nextest is not installed; taking `cargo test`");
            Self::Cargo
        }
    }

    /// All crates but those that boot, and all targets but the scenarios and the one for `--full`.
    fn host(self, options: &Test, targets: &Targets) -> Command {
        let mut command = self.start(options.list);
        command.args([
            "--workspace",
            "--exclude",
            "reveille-kernel",
            "--exclude",
            "reveille-test-firmware",
            "--lib",
            "--bins",
        ]);
        for target in &targets.host {
            command.args(["--test", target]);
        }
        self.finish(command, options)
    }

    /// Fast, and with the checks that a release goes without.
    fn million(self, options: &Test) -> Command {
        let mut command = self.start(options.list);
        let profile = match self {
            Self::Nextest => "--cargo-profile",
            Self::Cargo => "--profile",
        };
        command.args([
            profile,
            "fuzz",
            "--package",
            "reveille-tests",
            "--test",
            MILLION,
        ]);
        self.finish(command, options)
    }

    fn kernel(self, options: &Test) -> Command {
        let mut command = self.start(options.list);
        command.args([
            "--package",
            "reveille-kernel",
            "--package",
            "reveille-test-firmware",
            "--lib",
        ]);
        self.finish(command, options)
    }

    fn scenarios(self, options: &Test, kernel: &Kernel, firmware: &Firmware) -> Command {
        let mut command = self.start(options.list);
        command.args(["--package", "reveille-tests", "--test", SCENARIOS]);
        command.env(IMAGE_VARIABLE, kernel.image());
        command.env(FIRMWARE_VARIABLE, firmware.image());
        self.finish(command, options)
    }

    fn comparisons(self, options: &Test, kernel: &Kernel) -> Command {
        let mut command = self.start(options.list);
        command.args(["--package", "reveille-tests", "--test", COMPARISONS]);
        command.env(IMAGE_VARIABLE, kernel.image());
        self.finish(command, options)
    }

    fn start(self, list: bool) -> Command {
        match (self, list) {
            (Self::Nextest, false) => {
                cargo(["nextest", "run", "--no-fail-fast", "--no-tests=pass"])
            }
            (Self::Nextest, true) => cargo(["nextest", "list"]),
            (Self::Cargo, false) => cargo(["test", "--no-fail-fast"]),
            (Self::Cargo, true) => cargo(["test", "--quiet"]),
        }
    }

    /// What goes to the test binaries; nextest understands the same words.
    fn finish(self, mut command: Command, options: &Test) -> Command {
        command.arg("--").args(&options.filter);
        if options.quick {
            command.args(["--skip", "slow::"]);
        }
        if options.full {
            command.arg("--include-ignored");
        }
        if options.list && self == Self::Cargo {
            command.arg("--list");
        }
        command
    }
}

fn doc_tests() -> Command {
    cargo([
        "test",
        "--doc",
        "--workspace",
        "--exclude",
        "reveille-kernel",
        "--exclude",
        "reveille-test-firmware",
    ])
}

/// What the workspace has to test.
#[derive(Debug, Default)]
struct Targets {
    /// The test targets, each a file or folder in a crate's `tests/`, that run on the host as
    /// they are.
    host: Vec<String>,
    /// Packages with models for loom, and their folders: the models are in files named so, in
    /// `src/` or `tests/`.
    loom: Vec<(String, PathBuf)>,
    /// Cargo's folder for what it builds.
    folder: PathBuf,
}

impl Targets {
    fn of_workspace() -> Result<Self> {
        let metadata = MetadataCommand::new()
            .current_dir(workspace())
            .no_deps()
            .exec()?;
        let mut targets = Self {
            folder: metadata.target_directory.into(),
            ..Self::default()
        };
        for package in metadata.packages {
            let tests = package.targets.iter().filter(|target| target.is_test());
            let names = tests.map(|target| target.name.clone());
            targets.host.extend(names.filter(|name| !is_apart(name)));
            // A package that takes loom in any build has its models among its other tests.
            let is_cfg = |platform: &Platform| platform.to_string() == "cfg(loom)";
            let for_cfg = |dependency: &Dependency| {
                dependency.name == "loom" && dependency.target.as_ref().is_some_and(is_cfg)
            };
            if package.dependencies.iter().any(for_cfg) {
                let mut folder = PathBuf::from(package.manifest_path);
                folder.pop();
                targets.loom.push((package.name.to_string(), folder));
            }
        }
        Ok(targets)
    }

    /// Whether a model has one of these words in its name, or there are no words. The names are
    /// taken from the sources: to list them, cargo would have to build them all.
    fn have_model(&self, filter: &[String]) -> Result<bool> {
        let mut names = Vec::new();
        for (_, folder) in &self.loom {
            for folder in ["src", "tests"].map(|name| folder.join(name)) {
                if folder.is_dir() {
                    names.extend(models_in(&folder)?);
                }
            }
        }
        let is_wanted = |name: &String| filter.iter().any(|word| name.contains(word));
        Ok(filter.is_empty() || names.iter().any(is_wanted))
    }

    /// loom takes the place of the atomics, so its builds live in a folder of their own.
    fn loom_models(&self, options: &Test) -> Command {
        let mut command = cargo(["test", "--release", "--lib", "--test", "loom*"]);
        for (package, _) in &self.loom {
            command.args(["--package", package]);
        }
        command
            .env("RUSTFLAGS", "--cfg loom")
            .env("CARGO_TARGET_DIR", self.folder.join("loom"));
        command.arg("--").args(&options.filter);
        command
    }
}

/// Whether a test target is not run on the host like all others.
fn is_apart(target: &str) -> bool {
    [SCENARIOS, MILLION, COMPARISONS].contains(&target) || target.starts_with("loom")
}

/// The functions in the files of a folder that are named after loom.
fn models_in(folder: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let module = path.file_stem().unwrap_or_default().to_string_lossy();
        if !module.starts_with("loom") || path.is_dir() {
            continue;
        }
        for line in fs::read_to_string(&path)?.lines() {
            if let Some(rest) = line.trim_start().strip_prefix("fn ") {
                let name = rest.split('(').next().unwrap_or_default();
                names.push(format!("{module}::{name}"));
            }
        }
    }
    Ok(names)
}

fn cargo<const N: usize>(arguments: [&str; N]) -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(arguments);
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_models_of_this_workspace_are_found_by_name() {
        let targets = Targets::of_workspace().expect("cargo knows the workspace");
        let have = |word: &str| {
            targets
                .have_model(&[word.to_owned()])
                .expect("the sources are there")
        };
        assert!(have("loom_slot::"));
        assert!(!have("no_model_is_called_so"));
    }
}
