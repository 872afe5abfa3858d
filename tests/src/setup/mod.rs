//! `cargo xtask setup`: what a fresh machine lacks, and how to give it that.
//!
//! Two things are needed: the Rust target of the kernel, and a QEMU of [`QEMU_MAJOR`] or newer
//! with the firmware that `-kernel` boots through. Whatever is there already is left alone, and
//! each command is shown before it runs ([`step`]). On systems other than Debian and Ubuntu,
//! setup says what is missing and how it is called there ([`advice`]).

pub mod advice;
pub mod apt;
mod cxx;
pub mod qemu;
pub mod step;
mod target;

use anyhow::{Result, bail};

use self::{advice::System, step::Steps};

/// The Rust target of the kernel.
pub const KERNEL_TARGET: &str = "x86_64-unknown-none";

/// The oldest QEMU that will do: 9.0 gave its software emulation (TCG) the x2APIC.
pub const QEMU_MAJOR: u32 = 9;

/// Makes this machine ready; returns whether anything was missing. With `dry_run`, only says what
/// it would do.
pub fn ensure(dry_run: bool) -> Result<bool> {
    let steps = Steps::new(dry_run);
    let mut lacked = false;
    if !target::installed()? {
        lacked = true;
        target::install(&steps)?;
    }
    if let Some(lack) = qemu::lack()? {
        lacked = true;
        eprintln!("xtask: {lack}");
        match System::detect() {
            System::Debian { codename } => apt::install_qemu(&steps, &codename)?,
            other => bail!("install QEMU {QEMU_MAJOR} or newer: {}", other.advice()),
        }
        if !dry_run && let Some(lack) = qemu::lack()? {
            bail!("after the installation, {lack}");
        }
    }
    Ok(lacked)
}

/// The same for a C++ compiler, which nothing but the fuzzer needs: libFuzzer is built from source.
pub fn ensure_cxx() -> Result<()> {
    if cxx::installed() {
        return Ok(());
    }
    match System::detect() {
        System::Debian { .. } => apt::install_cxx(&Steps::new(false))?,
        System::Other { .. } => bail!("install a C++ compiler that is called c++, or set CXX"),
    }
    if !cxx::installed() {
        bail!("after the installation, there is still no `c++`");
    }
    Ok(())
}
