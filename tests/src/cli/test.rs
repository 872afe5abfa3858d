//! `cargo xtask test`: all tests, with cargo-nextest where it is installed and plain `cargo test`
//! where it is not.
//!
//! The scenarios boot the kernel; those in a module `slow` are left out by `--quick`, and those
//! marked `#[ignore]` are added by `--full`.

use std::{
    env,
    path::PathBuf,
    process::{Command, ExitCode, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use cargo_metadata::{Dependency, MetadataCommand, cargo_platform::Platform};

use super::Test;
use crate::{
    kernel::{IMAGE_VARIABLE, Kernel, workspace},
    setup,
};

/// The test target of this package that needs QEMU.
const SCENARIOS: &str = "scenarios";

impl Test {
    pub(super) fn execute(self) -> Result<ExitCode> {
        setup::ensure(false)?;
        let kernel = Kernel::build()?;
        let runner = Runner::find();
        let targets = Targets::of_workspace()?;

        let mut parts = vec![
            ("on the host", runner.host(&self, &targets)),
            ("parts of the kernel, on the host", runner.kernel(&self)),
        ];
        if self.filter.is_empty() && !self.list {
            parts.push(("examples in the documentation", doc_tests()));
        }
        if !self.quick && !self.list {
            parts.push(("loom models", targets.loom_models(&self)));
        }
        parts.push(("scenarios in QEMU", runner.scenarios(&self, &kernel)));

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
        let all_passed = results.iter().all(|(_, passed, _)| *passed);
        Ok(if all_passed {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        })
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

    /// All crates but the kernel, and all targets but the scenarios.
    fn host(self, options: &Test, targets: &Targets) -> Command {
        let mut command = self.start(options.list);
        command.args([
            "--workspace",
            "--exclude",
            "reveille-kernel",
            "--lib",
            "--bins",
        ]);
        for target in &targets.host {
            command.args(["--test", target]);
        }
        self.finish(command, options)
    }

    fn kernel(self, options: &Test) -> Command {
        let mut command = self.start(options.list);
        command.args(["--package", "reveille-kernel", "--lib"]);
        self.finish(command, options)
    }

    fn scenarios(self, options: &Test, kernel: &Kernel) -> Command {
        let mut command = self.start(options.list);
        command.args(["--package", "reveille-tests", "--test", SCENARIOS]);
        command.env(IMAGE_VARIABLE, kernel.image());
        self.finish(command, options)
    }

    fn start(self, list: bool) -> Command {
        match (self, list) {
            (Self::Nextest, false) => {
                cargo(["nextest", "run", "--no-fail-fast", "--no-tests=pass"])
            }
            (Self::Nextest, true) => cargo(["nextest", "list"]),
            (Self::Cargo, _) => cargo(["test", "--no-fail-fast"]),
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
    ])
}

/// What the workspace has to test.
#[derive(Debug, Default)]
struct Targets {
    /// The test targets, each a file or folder in a crate's `tests/`, that run on the host as
    /// they are.
    host: Vec<String>,
    /// Packages with models for loom: in unit tests, or in test targets named so.
    loom: Vec<String>,
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
            targets
                .host
                .extend(names.filter(|name| name != SCENARIOS && !name.starts_with("loom")));
            // A package that takes loom in any build has its models among its other tests.
            let is_cfg = |platform: &Platform| platform.to_string() == "cfg(loom)";
            let for_cfg = |dependency: &Dependency| {
                dependency.name == "loom" && dependency.target.as_ref().is_some_and(is_cfg)
            };
            if package.dependencies.iter().any(for_cfg) {
                targets.loom.push(package.name.to_string());
            }
        }
        Ok(targets)
    }

    /// loom takes the place of the atomics, so its builds live in a folder of their own.
    fn loom_models(&self, options: &Test) -> Command {
        let mut command = cargo(["test", "--release", "--lib", "--test", "loom*"]);
        for package in &self.loom {
            command.args(["--package", package]);
        }
        command
            .env("RUSTFLAGS", "--cfg loom")
            .env("CARGO_TARGET_DIR", self.folder.join("loom"));
        command.arg("--").args(&options.filter);
        command
    }
}

fn cargo<const N: usize>(arguments: [&str; N]) -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(arguments);
    command
}
