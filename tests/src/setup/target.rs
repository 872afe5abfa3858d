//! The Rust target of the kernel.

use std::{path::Path, process::Command};

use anyhow::{Context, Result, bail};

use super::{KERNEL_TARGET, step::Steps};

/// Whether the compiler has `core` for the kernel's target, whoever installed it.
pub(super) fn installed() -> Result<bool> {
    let output = Command::new("rustc")
        .args(["--print", "target-libdir", "--target", KERNEL_TARGET])
        .output()
        .context("cannot start `rustc`")?;
    if !output.status.success() {
        bail!("rustc: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(Path::new(String::from_utf8_lossy(&output.stdout).trim()).is_dir())
}

/// Adds the target to the toolchain in use.
pub(super) fn install(steps: &Steps) -> Result<()> {
    if Command::new("rustup").arg("--version").output().is_err() {
        bail!(
            "the compiler in use has no `core` for {KERNEL_TARGET}, and there is no rustup to add \
             it; install rustup (its site tells how), then try again"
        );
    }
    steps.run(
        &format!("adding the Rust target {KERNEL_TARGET}"),
        &["rustup", "target", "add", KERNEL_TARGET],
    )
}
