//! QEMU and a C++ compiler by apt, from where this machine already takes its packages.
//!
//! Debian 12 is older than the QEMU that we need, but its backports suite has one, on the same
//! mirror. The mirror's name, its options and its key are taken from apt's own answers and
//! sources, so nothing here names a host.

mod policy;
mod sources;
pub mod unpacked;

use std::{fs, process::Command};

use anyhow::{Context, Result, bail};

use self::{
    policy::{Offer, Policy},
    sources::Entry,
};
use super::{QEMU_MAJOR, step::Steps};

const PACKAGE: &str = "qemu-system-x86";

/// Where apt reads further sources from (`Dir::Etc::sourceparts`); the suffix is the format's.
const SOURCES: &str = "/etc/apt/sources.list.d/reveille-backports";

/// Ubuntu 24.04 has no newer QEMU in its backports; Ubuntu's own cloud archive does. The tool
/// that adds it knows where it is.
const UBUNTU_CLOUD_ARCHIVE: (&str, &str) = ("noble", "cloud-archive:epoxy");

/// Installs QEMU on the release called `codename`, from the nearest place that has a new one.
pub(super) fn install_qemu(steps: &Steps, codename: &str) -> Result<()> {
    let mut offer = offer()?;
    if !matches!(offer, Offer::Default | Offer::Release(_)) {
        update(steps, "asking the mirror what it has")?;
        if steps.is_dry_run() && offer == Offer::Nothing {
            eprintln!("xtask: what follows depends on the mirror's answer");
            return Ok(());
        }
        offer = self::offer()?;
    }
    if offer == Offer::TooOld {
        add_newer_source(steps, codename)?;
        update(steps, "reading the new source's list")?;
        if steps.is_dry_run() {
            return install(steps, Some(&format!("{codename}-backports")));
        }
        offer = self::offer()?;
    }
    match offer {
        Offer::Default => install(steps, None),
        Offer::Release(release) => install(steps, Some(&release)),
        Offer::TooOld | Offer::Nothing => bail!(
            "apt offers no {PACKAGE} of version {QEMU_MAJOR} or newer on {codename}; install one \
             by hand, or upgrade the system"
        ),
    }
}

/// Installs the release's own C++ compiler.
pub(super) fn install_cxx(steps: &Steps) -> Result<()> {
    update(steps, "asking the mirror what it has")?;
    install_package(
        steps,
        "installing a C++ compiler, for the fuzzer",
        "g++",
        None,
    )
}

/// What apt would install now.
fn offer() -> Result<Offer> {
    Ok(Policy::parse(&ask("apt-cache", &["policy", PACKAGE])?).offer(QEMU_MAJOR))
}

fn install(steps: &Steps, release: Option<&str>) -> Result<()> {
    install_package(steps, "installing QEMU and its firmware", PACKAGE, release)
}

fn install_package(steps: &Steps, why: &str, package: &str, release: Option<&str>) -> Result<()> {
    let mut command = vec!["env", "DEBIAN_FRONTEND=noninteractive", "apt-get"];
    // Another package manager may be at work, as on a machine that has only just started.
    command.extend(["-o", "DPkg::Lock::Timeout=300", "install", "--yes"]);
    command.push("--no-install-recommends");
    if let Some(release) = release {
        command.extend(["-t", release]);
    }
    command.push(package);
    steps.run_as_root(why, &command)
}

/// A source that cannot be reached spoils the update, but maybe not our package: what counts is
/// what apt offers afterwards.
fn update(steps: &Steps, why: &str) -> Result<()> {
    if let Err(error) = steps.run_as_root(why, &["apt-get", "update"]) {
        eprintln!("xtask: {error}; going on with what apt knows");
    }
    Ok(())
}

fn add_newer_source(steps: &Steps, codename: &str) -> Result<()> {
    if codename == UBUNTU_CLOUD_ARCHIVE.0 {
        let archive = UBUNTU_CLOUD_ARCHIVE.1;
        let why = "adding Ubuntu's cloud archive, which has a newer QEMU";
        return steps.run_as_root(why, &["add-apt-repository", "--yes", archive]);
    }
    let targets = ask("apt-get", &["indextargets", "Created-By: Packages"])?;
    let place = sources::base_entry(&targets, codename)
        .with_context(|| format!("apt has no source for {codename} itself"))?;
    let text = fs::read_to_string(&place.file)
        .with_context(|| format!("cannot read apt's sources in {}", place.file))?;
    let entry = Entry::find(&text, &place)
        .with_context(|| format!("no entry {} in {}", place.number, place.file))?;
    steps.write_as_root(
        &format!("{codename} is older than our QEMU; adding its backports, from the same mirror"),
        &format!("{SOURCES}.{}", entry.suffix()),
        &entry.for_suite(&format!("{codename}-backports")),
    )
}

/// An answer of apt's, in the untranslated form that the parsers know.
fn ask(program: &str, arguments: &[&str]) -> Result<String> {
    let output = Command::new(program)
        .args(arguments)
        .env("LC_ALL", "C")
        .output()
        .with_context(|| format!("cannot start `{program}`"))?;
    if !output.status.success() {
        bail!(
            "`{program}`: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
