//! The fuzzers: built by the pinned compiler with its LLVM's counters in them, and started.

use std::{
    env, fs,
    path::PathBuf,
    process::{Command, Stdio},
};

use anyhow::{Context, Result, bail};
use cargo_metadata::{Message, MetadataCommand};

use super::{Target, log_to};
use crate::kernel::workspace;

/// What libFuzzer looks at (LLVM, "SanitizerCoverage"): a counter an edge, where the edge is, and
/// what every compare compared.
const COVERAGE: [&str; 5] = [
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
];

/// The binaries, one a target.
#[derive(Debug)]
pub(super) struct Fuzzers {
    folder: PathBuf,
    binaries: Vec<PathBuf>,
}

impl Fuzzers {
    pub(super) fn build() -> Result<Self> {
        let metadata = MetadataCommand::new()
            .current_dir(workspace())
            .no_deps()
            .exec()?;
        let folder = PathBuf::from(metadata.target_directory).join("fuzz");
        let output = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
            .current_dir(workspace())
            .args(["build", "--package", "reveille-fuzz", "--bins"])
            .args(["--features", "libfuzzer", "--profile", "fuzz"])
            // With a target named, the flags are not for what runs at build time.
            .args(["--target", &host()?])
            .arg("--message-format=json-render-diagnostics")
            .env("RUSTFLAGS", COVERAGE.join(" "))
            .env_remove("CARGO_ENCODED_RUSTFLAGS")
            .env("CARGO_TARGET_DIR", &folder)
            .stdin(Stdio::null())
            .stderr(Stdio::inherit())
            .output()
            .context("cannot start cargo")?;
        if !output.status.success() {
            bail!("the fuzzers do not build");
        }
        let messages = Message::parse_stream(output.stdout.as_slice()).filter_map(Result::ok);
        let binaries = messages.filter_map(|message| match message {
            Message::CompilerArtifact(artifact) => artifact.executable.map(PathBuf::from),
            _ => None,
        });
        Ok(Self {
            binaries: binaries.collect(),
            folder,
        })
    }

    /// A folder for what is worth keeping between runs.
    pub(super) fn folder(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// The folder for inputs that reached something new.
    pub(super) fn findings(&self, target: Target) -> Result<PathBuf> {
        let folder = self.folder("corpus").join(target.name());
        fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        Ok(folder)
    }

    /// A fuzzer, with the options that every use of it has.
    pub(super) fn command(&self, target: Target) -> Result<Command> {
        let mut binaries = self.binaries.iter();
        let binary = binaries
            .find(|path| path.file_name().is_some_and(|name| name == target.name()))
            .with_context(|| format!("cargo built no {}", target.name()))?;
        let mut command = Command::new(binary);
        command.arg(format!("-max_len={}", target.longest_input()));
        Ok(command)
    }

    /// Adds to the committed corpus a few findings that reach edges which it does not.
    pub(super) fn merge(&self, target: Target) -> Result<()> {
        let mut command = self.command(target)?;
        command
            // By edges alone: how often each was passed would keep hundreds.
            .args(["-set_cover_merge=1", "-use_counters=0"])
            .args([target.committed("corpus"), self.findings(target)?]);
        let log = self.folder("logs").join(format!("{}-merge", target.name()));
        if !log_to(&log, &mut command)? {
            bail!("the findings cannot be merged; see {}", log.display());
        }
        Ok(())
    }
}

/// The name of the platform that we run on.
fn host() -> Result<String> {
    let output = Command::new("rustc")
        .args(["--print", "host-tuple"])
        .output()
        .context("cannot start `rustc`")?;
    if !output.status.success() {
        bail!("rustc: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
